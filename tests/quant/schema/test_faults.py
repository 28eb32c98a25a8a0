"""Every fault of a source is refused with row, value and a way out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grn.kit.errors import DataError
from grn.quant.schema import BAR_COLUMNS, Bars, load_bars
from tests.quant.schema.frames import START, daily

ALL = BAR_COLUMNS


def refused(source: object, needs: tuple[str, ...] = ALL) -> DataError:
    with pytest.raises(DataError) as caught:
        load_bars(source, needs)  # type: ignore[arg-type]
    return caught.value


def with_value(column: str, row: int, value: object) -> pl.DataFrame:
    frame = daily()
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "is missing or NaN"),
        (float("nan"), "is missing or NaN"),
        (float("inf"), "is infinite"),
        (float("-inf"), "is infinite"),
        (0.0, "is not positive"),
        (-0.0, "is not positive"),
        (-3.5, "is not positive"),
    ],
)
def test_a_price_that_cannot_be_traded_at(column: str, value: float | None, said: str) -> None:
    """A price must be finite and above zero; the error names column, row, date and value."""
    error = refused(with_value(column, 2, value))
    assert error.what == f"{column} {said} in row 2 ('ASSET' at 2020-01-03)"
    seen = float("nan") if value is None else value
    assert isinstance(error.seen, float)
    assert np.float64(error.seen).tobytes() == np.float64(seen).tobytes()
    assert error.hint


@pytest.mark.parametrize(
    ("value", "said"), [(None, "is missing or NaN"), (float("inf"), "is infinite"), (-1.0, "is negative")]
)
def test_a_volume_that_cannot_have_been_traded(value: float | None, said: str) -> None:
    """Volume is finite and not negative."""
    assert refused(with_value("volume", 3, value)).what == f"volume {said} in row 3 ('ASSET' at 2020-01-04)"


def test_no_volume_is_a_volume() -> None:
    """Zero volume is sound: index data and quiet minutes have it."""
    assert load_bars(with_value("volume", 3, 0), ALL)[0].column("volume")[3] == 0.0


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("high", 100.0, "high is below low"),
        ("close", 103.5, "high is below close"),
        ("open", 103.5, "high is below open"),
        ("close", 100.5, "close is below low"),
        ("open", 100.5, "open is below low"),
    ],
)
def test_prices_outside_high_and_low(column: str, value: float, said: str) -> None:
    """Low ≤ open, close ≤ high on every bar; both values are shown."""
    error = refused(with_value(column, 2, value))
    assert error.what == f"{said} in row 2 ('ASSET' at 2020-01-03)"
    assert repr(value) in str(error.seen)


def test_only_columns_in_use_are_checked() -> None:
    """A fault in a column that is not loaded is no fault: nobody reads it."""
    frame = daily().with_columns(high=pl.lit(-1.0), note=pl.lit("text"))
    assert len(load_bars(frame)[0]) == 5


def test_further_columns_may_hold_anything() -> None:
    """A score may be NaN, negative or infinite: it is not a price."""
    score = [float("nan"), None, float("inf"), -2.0, 0.0]
    values = load_bars(daily(score=score), ("score",))[0].column("score")
    np.testing.assert_array_equal(values, [np.nan, np.nan, np.inf, -2.0, 0.0])


def test_the_first_fault_in_the_source_is_named() -> None:
    """Of several faults of one kind the one that stands first in the source is named."""
    frame = pl.DataFrame(
        {
            "symbol": ["B", "A", "B", "A"],
            "ts": [START, START, START + timedelta(1), START + timedelta(1)],
            "close": [1.0, 1.0, -7.0, -8.0],
        }
    )
    error = refused(frame, ())
    assert (error.what, error.seen) == ("close is not positive in row 2 ('B' at 2020-01-02)", -7.0)


def test_unsorted_timestamps() -> None:
    """A timestamp before its predecessor is refused, both are shown, and the fix is named: it works."""
    error = refused(daily().reverse())
    assert error.what == "timestamps are not sorted: row 1 ('ASSET' at 2020-01-04) comes after 2020-01-05"
    assert error.seen == "2020-01-04"
    assert error.hint is not None
    assert error.hint.endswith(".sort('ts')")
    assert load_bars(daily().reverse().sort("ts"), ALL)
    several = refused(daily().reverse().with_columns(symbol=pl.lit("A")))
    assert str(several.hint).endswith(".sort('symbol', 'ts')")


def test_duplicate_timestamps() -> None:
    """Two bars of one symbol with one label are refused; both rows are named."""
    error = refused(daily(ts=[START + timedelta(days=d) for d in (0, 1, 2, 2, 3)]))
    assert error.what == "duplicate timestamp in row 3 ('ASSET' at 2020-01-03)"
    assert error.seen == "2020-01-03"
    assert error.hint is not None
    assert "row 2" in error.hint
    assert ".unique(['ts'], maintain_order=True)" in error.hint
    twice = pl.concat([daily().with_columns(symbol=pl.lit("A"))] * 2).sort("ts")
    assert ".unique(['symbol', 'ts'], maintain_order=True)" in str(refused(twice).hint)
    assert load_bars(twice.unique(["symbol", "ts"], maintain_order=True), ALL)


def test_order_is_judged_within_a_symbol() -> None:
    """Two symbols may share timestamps, one after the other or interleaved."""
    stacked = pl.concat([daily().with_columns(symbol=pl.lit(s)) for s in "BA"])
    for frame in (stacked, stacked.sort("ts", maintain_order=True)):
        assert [b.symbol for b in load_bars(frame, ALL)] == ["B", "A"]
    error = refused(pl.concat([stacked, stacked.tail(1)]))
    assert error.what == "duplicate timestamp in row 10 ('A' at 2020-01-05)"


@pytest.mark.parametrize("missing", ["ts", "close", "high", "volume"])
def test_a_missing_column(missing: str) -> None:
    """A column that is needed and not there is named, beside those that are."""
    error = refused(daily().drop(missing))
    assert error.what == f"the frame has no column {missing!r}"
    assert "open" in str(error.seen)


@pytest.mark.parametrize(
    ("old", "new"),
    [("ts", "Date"), ("ts", "timestamp"), ("close", "Close"), ("close", "Adj Close"), ("high", "hihg")],
)
def test_a_missing_column_by_another_name(old: str, new: str) -> None:
    """Where another column looks like the one that is missing, the hint is the line that renames it."""
    error = refused(daily().rename({old: new}))
    assert error.hint is not None
    assert f".rename({{{new!r}: {old!r}}})" in error.hint


def test_no_other_column_is_given_away() -> None:
    """`close` is needed and looks a little like `score`: renaming it would mend one fault by another."""
    error = refused(daily(), ("score",))
    assert ".rename" not in str(error.hint)
    assert "open, high, low, close, volume" in str(error.seen)
    near = refused(daily(Skore=[1.0] * 5), ("score",))
    assert str(near.hint).startswith("did you mean 'Skore'? else rename it, e.g. .rename({'Skore': 'score'})")


@pytest.mark.parametrize(
    ("number", "unit"),
    [(1577836800, "s"), (1577836800000, "ms"), (1577836800000000, "us"), (1577836800000000000, "ns")],
)
@pytest.mark.parametrize("text", [False, True])
def test_a_count_since_1970(number: int, unit: pl.datatypes.TimeUnit, text: bool) -> None:
    """2020-01-01 as a number, or as the text of one: the hint names the unit, and what it says works."""
    dtype = pl.String if text else pl.Int64
    frame = pl.DataFrame({"ts": pl.Series([str(number) if text else number], dtype=dtype), "close": [1.0]})
    hint = str(refused(frame, ()).hint)
    column = pl.col("ts").cast(pl.Int64) if text else "ts"
    written = "pl.col('ts').cast(pl.Int64)" if text else "'ts'"
    assert hint.endswith(f".with_columns(pl.from_epoch({written}, time_unit={unit!r}))")
    bars = load_bars(frame.with_columns(pl.from_epoch(column, time_unit=unit)))[0]
    assert str(bars.ts_ns.view("datetime64[ns]")[0]).startswith("2020-01-01T00:00:00")


def test_a_date_without_dashes() -> None:
    """20200131 is no count: it is parsed."""
    for ts in (20200131, "20200131"):
        frame = pl.DataFrame({"ts": [ts], "close": [1.0]})
        assert "pl.col('ts').cast(pl.String).str.to_date('%Y%m%d')" in str(refused(frame, ()).hint)
        assert load_bars(frame.with_columns(pl.col("ts").cast(pl.String).str.to_date("%Y%m%d")))


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("close", ["1", "2", "3", "4", "5"], "close has type String: row 0 is no number"),
        ("close", [START] * 5, "close has type Date: row 0 is no number"),
        ("score", [[1.0]] * 5, "score has type List(Float64): row 0 is no number"),
        ("ts", [1, 2, 3, 4, 5], "ts has type Int64: row 0 is no date or time"),
        ("ts", [1.0, 2.0, 3.0, 4.0, 5.0], "ts has type Float64: row 0 is no date or time"),
        ("symbol", [1.5] * 5, "symbol has type Float64: row 0 is no name"),
    ],
)
def test_a_wrong_type(column: str, values: list[object], said: str) -> None:
    """A column of the wrong type is refused with the type and the first value."""
    error = refused(daily(**{column: values}), ("score",) if column == "score" else ())
    assert error.what == said
    assert error.seen is not None


@pytest.mark.parametrize("column", ["ts", "symbol"])
def test_a_missing_label(column: str) -> None:
    """A row without time or, among named ones, without symbol is refused by its number."""
    labels: dict[str, list[object]] = {
        "ts": [START, None, *(START + timedelta(days=d) for d in (2, 3, 4))],
        "symbol": ["A", None, "A", "A", "A"],
    }
    assert f"{column} is missing in row 1" in refused(daily(**{column: labels[column]})).what


def test_text_that_is_no_date() -> None:
    """Text is parsed as ISO 8601 only: which of 3/4/2020 is the month is not guessed."""
    for bad in ("3/4/2020", "2020-02-30", "2020-01-02T25:00", "20200102", "yesterday", ""):
        error = refused(daily(ts=["2020-01-01", bad, "2020-01-03", "2020-01-04", "2020-01-05"]))
        assert error.what == "ts in row 1 is not an ISO 8601 date or time"
        assert error.seen == bad


@pytest.mark.parametrize(
    "other", ["2020-01-02T00:00:00", "2020-01-02T00:00:00+01:00", "2020-01-02", "2020-01-02T00:00-0500"]
)
def test_mixed_time_zones_in_a_column(other: str) -> None:
    """One column, one zone: text in a second zone, or in none, is refused with its row."""
    error = refused(daily(2, ts=["2020-01-01T00:00:00Z", other]))
    assert error.what.startswith("mixed time zones: ts in row 1 is not in the zone of row 0")
    assert error.seen == other


def test_mixed_time_zones_between_bars() -> None:
    """Bars that are passed together share a zone; none counts as UTC."""

    def zoned(symbol: str, zone: str | None) -> Bars:
        return Bars(symbol, np.array([0, 1]), {"close": np.array([1.0, 2.0])}, zone)

    assert len(load_bars((zoned("A", None), zoned("B", "UTC")))) == 2
    error = refused((zoned("A", None), zoned("B", "Europe/Vienna")), ())
    assert error.what == "mixed time zones: 'B' is in Europe/Vienna"


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_a_time_beyond_nanoseconds(unit: pl.datatypes.TimeUnit) -> None:
    """A placeholder such as 9999-12-31 is refused rather than wrapped around."""
    far = pl.Series([datetime(2020, 1, 1), datetime(9999, 12, 31)], dtype=pl.Datetime(unit))
    error = refused(daily(2).with_columns(ts=far))
    assert error.what == "ts in row 1 lies outside the years 1677 to 2262"
    assert str(error.seen) == "9999-12-31 00:00:00"
    assert "1677" in refused(daily(2, ts=[date(1500, 1, 1), START])).what


def test_an_empty_frame() -> None:
    """A frame without rows is refused: there is nothing to test on."""
    assert refused(daily().clear()).what == "the frame holds no rows"


def test_bars_built_by_hand_are_held_to_the_same_rules() -> None:
    """Bars pass the same checks as a frame when they are handed over."""

    def bars(ts: list[int], close: list[float], symbol: str = "A") -> Bars:
        return Bars(symbol, np.array(ts, dtype=np.int64), {"close": np.array(close)})

    assert "not sorted" in refused(bars([1, 0], [1.0, 2.0]), ()).what
    assert "not positive" in refused((bars([0, 1], [1.0, -2.0]),), ()).what
    assert "there are no bars" in refused(bars([], []), ()).what
    assert "same symbol" in refused((bars([0], [1.0]), bars([0], [1.0])), ()).what
    assert "no column 'high'" in refused(bars([0], [1.0]), ("high",)).what
    assert "sequence of bars" in refused((), ()).what
    assert "sequence of bars" in refused([1, "a"], ()).what


@pytest.mark.parametrize("label", ["ts", "symbol"])
def test_a_label_is_no_number(label: str) -> None:
    """Timestamps and symbols cannot be asked for as columns."""
    assert f"{label!r} labels the rows" in refused(daily(), (label,)).what


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("broken.parquet", lambda p: p.write_bytes(b"PAR1 not really")),
        ("broken.arrow", lambda p: p.write_bytes(b"ARROW1 not really")),
        ("empty.csv", lambda p: p.write_bytes(b"")),
        ("ragged.csv", lambda p: p.write_text("ts,close\n2020-01-01,1\n2020-01-02,2,3\n")),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, write: Callable[[Path], object]) -> None:
    """A damaged file is an error about that file, not a traceback from the reader."""
    path = tmp_path / name
    write(path)
    error = refused(path, ())
    assert error.what == f"file {name!r} cannot be read"
    assert error.seen


def test_a_query_that_fails() -> None:
    """A lazy frame whose own query fails is reported as the frame's fault."""
    frame = daily().lazy().with_columns(close=pl.col("nothing") + 1)
    assert refused(frame, ()).what == "the frame cannot be read"


def test_no_such_source(tmp_path: Path) -> None:
    """An unknown path, kind, name or object says what is known instead."""
    (tmp_path / "bars.xlsx").write_bytes(b"")
    assert "is of a kind that is not read" in refused(tmp_path / "bars.xlsx").what
    assert "a folder is not read" in refused(tmp_path).what
    assert "no such file or sample" in refused(tmp_path / "none.csv").what
    near = refused("sp50")
    assert near.hint is not None
    assert near.hint.startswith("did you mean the sample 'SP500'?")
    assert "cannot be read from a int" in refused(3).what


def test_a_cell_of_a_csv_that_is_no_number(tmp_path: Path) -> None:
    """A bad cell deep in a CSV file is named by its own row, not by where guessing its type went wrong."""
    path = tmp_path / "bars.csv"
    lines = [f"{START + timedelta(days=i)},{100 + i}" for i in range(300)]
    lines[250] = f"{START + timedelta(days=250)},n/a"
    path.write_text("\n".join(["ts,close", *lines]))
    error = refused(path, ())
    assert (error.what, error.seen) == ("close in row 250 is not a number", "n/a")
