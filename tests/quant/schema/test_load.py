"""One history gives one set of bytes, from whatever it is read."""

from __future__ import annotations

import gzip
import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.quant.schema import BAR_COLUMNS, Bars, load_bars
from tests.quant.schema.frames import START, daily, same

DAY_NS = 86_400 * 10**9
PRICES = st.floats(min_value=1e-300, max_value=1e300, allow_nan=False, allow_infinity=False)
SCORES = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def histories(draw: st.DrawFn) -> pl.DataFrame:
    """Draw frames of one to three symbols, interleaved or not, with odd prices, nulls, NaN and booleans."""
    unit = draw(st.sampled_from(["ms", "us", "ns"]))
    zone = draw(st.sampled_from([None, "UTC"]))
    parts = []
    for symbol in draw(st.lists(st.sampled_from(["B", "A", 'ß, "q"']), min_size=1, max_size=3, unique=True)):
        n = draw(st.integers(1, 8))
        at = sorted(draw(st.sets(st.integers(-(10**12), 4 * 10**12), min_size=n, max_size=n)))
        parts.append(
            pl.DataFrame(
                {
                    "symbol": [symbol] * n,
                    "ts": pl.Series(at, dtype=pl.Int64).cast(pl.Datetime("ms")).cast(pl.Datetime(unit)),
                    "close": draw(st.lists(PRICES, min_size=n, max_size=n)),
                    "score": pl.Series(draw(st.lists(SCORES, min_size=n, max_size=n)), dtype=pl.Float64),
                    "flag": pl.Series(
                        draw(st.lists(st.none() | st.booleans(), min_size=n, max_size=n)), dtype=pl.Boolean
                    ),
                    "count": draw(st.lists(st.integers(-(2**62), 2**62), min_size=n, max_size=n)),
                }
            ).with_columns(pl.col("ts").dt.replace_time_zone(zone))
        )
    frame = pl.concat(parts)
    return frame.sort("ts", maintain_order=True) if draw(st.booleans()) else frame


@given(frame=histories())
def test_every_format_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, frame: pl.DataFrame
) -> None:
    """Parquet, CSV, Arrow IPC, a lazy and an eager frame of one history load to the same bytes."""
    folder = tmp_path_factory.mktemp("formats")
    needs = ("score", "flag", "count")
    frame.write_parquet(folder / "bars.parquet")
    frame.write_csv(folder / "bars.csv")
    (folder / "bars.csv.gz").write_bytes(gzip.compress((folder / "bars.csv").read_bytes()))
    frame.write_ipc(folder / "bars.arrow", compression="zstd")
    frame.write_ipc(folder / "bars.feather")
    truth = load_bars(frame, needs)
    assert same(truth, load_bars(frame.lazy(), needs))
    for path in sorted(folder.iterdir()):
        assert same(truth, load_bars(path, needs)), path.name
        assert same(truth, load_bars(str(path), needs)), path.name


@given(frame=histories())
def test_a_column_that_is_not_used_changes_nothing(frame: pl.DataFrame) -> None:
    """Neither identity nor digest knows about columns that were not asked for."""
    wider = frame.with_columns(extra=pl.lit(1.0), more=pl.lit("text"))
    for one, other in zip(load_bars(frame), load_bars(wider), strict=True):
        assert one.identity == other.identity
        assert one.digest(["close"]) == other.digest(["close"])
    for one, other in zip(load_bars(frame), load_bars(frame, ("score",)), strict=True):
        assert one.identity == other.identity
        assert one.digest(["close"]) != other.digest(["close", "score"])


@given(frame=histories())
def test_values_are_those_of_the_frame(frame: pl.DataFrame) -> None:
    """Every value arrives as its float64, null as NaN, true as 1; every time as nanoseconds UTC."""
    bars = load_bars(frame, ("score", "flag", "count"))
    assert [b.symbol for b in bars] == frame["symbol"].unique(maintain_order=True).to_list()
    for b in bars:
        mine = frame.filter(pl.col("symbol") == b.symbol)
        assert b.ts_ns.tolist() == mine["ts"].dt.epoch("ns").to_list()
        for name in b.columns:
            for got, wanted in zip(b.column(name).tolist(), mine[name].to_list(), strict=True):
                expected = math.nan if wanted is None else float(wanted)
                assert got == expected or (math.isnan(got) and math.isnan(expected))


def test_only_the_needed_columns_are_read() -> None:
    """The query that runs selects what is needed: a poisoned column beside it is never evaluated."""

    def poison(_: pl.Series) -> pl.Series:
        raise AssertionError("read a column that nobody asked for")

    frame = daily().lazy().with_columns(score=pl.col("close").map_batches(poison, return_dtype=pl.Float64))
    assert list(load_bars(frame, ("volume",))[0].columns) == ["close", "volume"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-02", DAY_NS),
        ("1970-01-02T00:00", DAY_NS),
        ("1970-01-02 00:00:01", DAY_NS + 10**9),
        ("1970-01-02T00:00:00.5", DAY_NS + 5 * 10**8),
        ("1970-01-02T00:00:00.123456789", DAY_NS + 123_456_789),
        ("1970-01-02T00:00:00Z", DAY_NS),
        ("1970-01-02 00:00:00+00:00", DAY_NS),
        ("1970-01-02T01:30:00+0130", DAY_NS),
        ("1970-01-01T19:00:00.25-05:00", DAY_NS + 25 * 10**7),
        ("1970-01-01T19:00-05", DAY_NS),
        (" 1970-01-02 ", DAY_NS),
        ("1969-12-31T23:59:59.999999999", -1),
    ],
)
def test_iso_text(text: str, ns: int) -> None:
    """ISO 8601 text is read to the nanosecond; an offset is taken off, no offset means UTC."""
    bars = load_bars(pl.DataFrame({"ts": [text], "close": [1.0]}))[0]
    assert bars.ts_ns.tolist() == [ns]
    assert bars.timezone == (None if "+" not in text and "Z" not in text and "-05" not in text else "UTC")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_zoned_datetime_becomes_utc(unit: pl.datatypes.TimeUnit) -> None:
    """09:30 in New York becomes 14:30 in winter and 13:30 in summer; the zone is kept aside."""
    local = pl.Series([datetime(2024, 1, 2, 9, 30), datetime(2024, 7, 2, 9, 30)], dtype=pl.Datetime(unit))
    frame = pl.DataFrame({"ts": local.dt.replace_time_zone("America/New_York"), "close": [1.0, 2.0]})
    bars = load_bars(frame)[0]
    hours = (bars.ts_ns % DAY_NS) / 3_600e9
    assert hours.tolist() == [14.5, 13.5]
    assert bars.timezone == "America/New_York"


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["B", "A"]), pl.Int32])
def test_symbols_of_any_type(dtype: pl.DataType) -> None:
    """Symbols may be text, categorical, an enumeration or whole numbers (some exchanges use those)."""
    names = ["7", "5"] if dtype == pl.Int32 else ["B", "A"]
    frame = pl.DataFrame({"symbol": [*names, *names], "ts": [START] * 2 + [START + timedelta(1)] * 2})
    frame = frame.with_columns(pl.col("symbol").cast(dtype), close=pl.Series([1.0, 2.0, 3.0, 4.0]))
    first, second = load_bars(frame)
    assert [first.symbol, second.symbol] == names
    assert first.column("close").tolist() == [1.0, 3.0]
    assert second.column("close").tolist() == [2.0, 4.0]


def test_the_symbol_of_a_source_without_one(tmp_path: Path) -> None:
    """Without a symbol column a file lends its name, a frame is called ASSET."""
    daily().write_csv(tmp_path / "spy.daily.csv")
    assert load_bars(tmp_path / "spy.daily.csv")[0].symbol == "spy"
    assert load_bars(daily())[0].symbol == "ASSET"


def test_other_tables_come_in_through_arrow() -> None:
    """Whatever exports the Arrow C stream is read like a frame."""

    class Table:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return daily().__arrow_c_stream__(requested_schema)

    assert same(load_bars(Table()), load_bars(daily()))  # type: ignore[arg-type]


def test_bars_pass_through() -> None:
    """Bars that were loaded before are handed on as they are, alone or together."""
    bars = load_bars(daily(), BAR_COLUMNS)
    assert load_bars(bars)[0] is bars[0]
    assert load_bars(bars[0], ("high",))[0] is bars[0]
    assert load_bars(list(bars))[0] is bars[0]


def test_csv_booleans(tmp_path: Path) -> None:
    """In CSV, true and false in any case are 1 and 0, an empty cell is NaN."""
    path = tmp_path / "flags.csv"
    path.write_text(
        "ts,close,flag\n2020-01-01,1,true\n2020-01-02,1,False\n2020-01-03,1,\n2020-01-04,1, 2.5\n"
    )
    np.testing.assert_array_equal(load_bars(path, ("flag",))[0].column("flag"), [1.0, 0.0, np.nan, 2.5])


def test_slices_of_one_load_share_memory() -> None:
    """A panel sorted by symbol is split without copying."""
    frame = pl.concat([daily().with_columns(symbol=pl.lit(s)) for s in "AB"])
    first, second = load_bars(frame)
    assert isinstance(first, Bars)
    assert first.column("close").base is not None  # a view
    assert not second.column("close").flags.writeable
