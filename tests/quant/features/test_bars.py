from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, GrnError, UsageError
from grn.quant.features import bars as bars_module
from grn.quant.features import builder as builder_module
from grn.quant.features import stream
from grn.quant.features.bars import dollar_bars, tick_bars, time_bars, volume_bars
from grn.quant.features.builder import BAR_SCHEMA
from grn.quant.schema import load_bars
from tests.quant.features.markets import GOLDEN, TS, Trade, published_trades, tape, tapes
from tests.quant.features.reference_bars import Row, by_measure, by_time, of_each_symbol

Make = Callable[..., pl.LazyFrame]
SIGNS = ("side", "tick_rule")

# Rule, our call, the reference for the trades of one symbol.
KINDS: dict[str, tuple[Make, Callable[[list[Trade], str], list[Row]]]] = {
    "5s": (lambda t, **k: time_bars(t, "5s", **k), lambda t, s: by_time(t, 5 * 10**9, s)),
    "1m": (lambda t, **k: time_bars(t, "1m", **k), lambda t, s: by_time(t, 60 * 10**9, s)),
    "1w": (
        lambda t, **k: time_bars(t, "1w", **k),
        lambda t, s: by_time(t, 7 * 86_400 * 10**9, s, origin=4 * 86_400 * 10**9),
    ),
    "1 trade": (lambda t, **k: tick_bars(t, 1, **k), lambda t, s: by_measure(t, 1, "trades", s)),
    "3 trades": (lambda t, **k: tick_bars(t, 3, **k), lambda t, s: by_measure(t, 3, "trades", s)),
    "volume": (lambda t, **k: volume_bars(t, 7.5, **k), lambda t, s: by_measure(t, 7.5, "volume", s)),
    "value": (lambda t, **k: dollar_bars(t, 300.0, **k), lambda t, s: by_measure(t, 300.0, "value", s)),
}


def rows_of(frame: pl.LazyFrame) -> dict[str, list[Row]]:
    """Rows per symbol, in order, times as integers."""
    found: dict[str, list[Row]] = {}
    for row in frame.with_columns(pl.col("ts", "known_ts").to_physical()).collect().rows():
        found.setdefault(row[1], []).append(row)
    return found


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("kind", KINDS)
@given(trades=tapes())
def test_equal_to_the_reference(kind: str, signs: str, trades: list[Trade]) -> None:
    """Every value of every bar, unfinished ones last, is that of the slow reference, to the bit."""
    make, reference = KINDS[kind]
    expected = {symbol: reference(own, signs) for symbol, own in of_each_symbol(trades).items()}
    assert rows_of(make(tape(trades), signs=signs, unfinished=True)) == expected
    closed = {symbol: [row[:-1] for row in rows if row[-1]] for symbol, rows in expected.items()}
    assert rows_of(make(tape(trades), signs=signs)) == {
        symbol: rows for symbol, rows in closed.items() if rows
    }


@pytest.mark.parametrize("kind", KINDS)
@given(trades=tapes(), cut=st.integers(0, 60))
def test_later_trades_change_nothing(kind: str, trades: list[Trade], cut: int) -> None:
    """The bars of the first trades are the first bars of all trades: no bar knows what comes."""
    make, _ = KINDS[kind]
    whole, part = make(tape(trades)).collect(), make(tape(trades[:cut])).collect()
    assert part.equals(whole.head(part.height))


@pytest.mark.parametrize("kind", KINDS)
@given(trades=tapes())
def test_nothing_is_lost_or_counted_twice(kind: str, trades: list[Trade]) -> None:
    """Trades, volume, value and bought volume over all bars, unfinished included, are those of the tape.

    Amounts are eighths and prices quarters, so every sum is exact.
    """
    made = KINDS[kind][0](tape(trades), unfinished=True).collect()
    assert made["trades"].sum() == len(trades)
    assert made["volume"].sum() == sum(t.amount for t in trades)
    assert made["value"].sum() == sum(t.amount * t.price for t in trades)
    assert made["bought"].sum() == sum(t.amount for t in trades if t.side == "buy")


@pytest.mark.parametrize("kind", KINDS)
@given(trades=tapes())
def test_labels_are_unique_and_never_early(kind: str, trades: list[Trade]) -> None:
    """Within a symbol labels increase strictly; a bar is known at its last trade or later."""
    frame = KINDS[kind][0](tape(trades), unfinished=True)
    for rows in rows_of(frame).values():
        labels = [row[0] for row in rows]
        assert labels == sorted(set(labels))  # type: ignore[type-var]
    per_symbol = of_each_symbol(trades)
    for symbol, rows in rows_of(frame).items():
        used = 0
        for row in rows:
            used += row[9]  # type: ignore[operator]
            assert row[10] >= per_symbol[symbol][used - 1].ts  # type: ignore[operator]


@pytest.mark.parametrize("kind", KINDS)
@given(trades=tapes(), size=st.integers(1, 7))
def test_batches_do_not_matter(kind: str, trades: list[Trade], size: int) -> None:
    """Bars are the same however the rows are cut into batches."""
    make = KINDS[kind][0]
    whole = make(tape(trades), unfinished=True).collect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        assert make(tape(trades), unfinished=True).collect().equals(whole)


@pytest.mark.parametrize("kind", KINDS)
@given(trades=tapes(max_size=30))
def test_compiled_is_the_same_function(kind: str, trades: list[Trade]) -> None:
    """The kernel run as plain Python and compiled gives the same bits."""
    make = KINDS[kind][0]
    compiled = make(tape(trades), unfinished=True, signs="tick_rule").collect()
    with pytest.MonkeyPatch.context() as patch:
        for module in (bars_module, builder_module):
            patch.setattr(module, "compiled", lambda kernel, signature: kernel)
        plain = make(tape(trades), unfinished=True, signs="tick_rule").collect()
    assert plain.equals(compiled)


@pytest.mark.parametrize("kind", ["tick_bars 37", "volume_bars 400", "dollar_bars 50000"])
def test_equal_to_mlfinpy(kind: str) -> None:
    """The published implementation's bars: golden/mlfinpy.json names version and settings."""
    name, size = kind.split()
    make: Any = {"tick_bars": tick_bars, "volume_bars": volume_bars, "dollar_bars": dollar_bars}[name]
    made = make(tape(published_trades()), float(size), signs="tick_rule")
    rows = [(row[10] // 10**9, *row[2:10]) for row in rows_of(made)["X"]]
    assert rows == [tuple(row) for row in GOLDEN[kind]]


def test_the_plan_is_kept() -> None:
    """Filters, limits and projections behind a builder give what they give on its collected rows."""
    frame = tick_bars(tape(published_trades()), 7)
    whole = frame.collect()
    assert frame.head(5).collect().equals(whole.head(5))
    assert frame.filter(pl.col("close") > 100).collect().equals(whole.filter(pl.col("close") > 100))
    assert frame.select("ts", "close").tail(3).collect().equals(whole.select("ts", "close").tail(3))
    limited = frame.head(9).filter(pl.col("close") > 100).select("ts")
    assert limited.collect().equals(whole.head(9).filter(pl.col("close") > 100).select("ts"))
    for engine in ("streaming", "in-memory"):
        assert frame.collect(engine=engine).equals(whole)  # type: ignore[call-overload]


def test_a_frame_can_be_collected_again() -> None:
    """Each collection begins anew, and plans that differ in a setting say so."""
    trades = tape(published_trades())
    frame = volume_bars(trades, 50.0)
    assert frame.collect().equals(frame.collect())
    plans = {volume_bars(t, s).explain() for t in (trades, trades.head(9)) for s in (50.0, 51.0)}
    assert len(plans) == 4


def test_schema() -> None:
    """The schema is known without collecting, and is what comes; no trades give no bars."""
    for trades in ([], published_trades()):
        frame = time_bars(tape(trades), "1h")
        assert frame.collect_schema() == BAR_SCHEMA
        assert frame.collect().schema == BAR_SCHEMA
    assert time_bars(tape([]), "1h", unfinished=True).collect().is_empty()


def test_bars_are_data_for_a_backtest() -> None:
    """`load_bars` takes every kind, with its checks: unique times, prices within high and low."""
    same_moment = [Trade(0, "A", 1.0 + i, 1.0, "buy") for i in range(9)]
    for make in (lambda t: tick_bars(t, 2), lambda t: time_bars(t, "1m", unfinished=True)):
        (loaded,) = load_bars(make(tape(same_moment)), needs=["open", "high", "low", "close", "volume"])
        assert loaded.symbol == "A"


@pytest.mark.parametrize(
    "change",
    [
        pl.col("ts").dt.replace_time_zone(None),
        pl.col("ts").dt.cast_time_unit("us"),
        pl.col("ts").dt.convert_time_zone("America/New_York").dt.cast_time_unit("ms"),
        pl.col("symbol").cast(pl.Categorical),
        pl.col("symbol").cast(pl.Enum(["Z", "X"])),
        pl.col("price").cast(pl.Float32).cast(pl.Float64),
        pl.col("amount").cast(pl.Int32),
        pl.col("side").cast(pl.Categorical),
    ],
    ids=str,
)
def test_columns_of_other_types(change: pl.Expr) -> None:
    """Times of any unit and zone, symbols of any text type and integers mean what they mean elsewhere."""
    trades = tape([Trade(t.ts, t.symbol, float(round(t.price)), t.amount, "buy") for t in published_trades()])
    assert dollar_bars(trades.with_columns(change), 9e3).collect().equals(dollar_bars(trades, 9e3).collect())


@pytest.mark.parametrize(
    ("column", "value", "what", "seen"),
    [
        ("price", None, "price is not finite and above zero", "null"),
        ("price", float("nan"), "price is not finite and above zero", "nan"),
        ("price", 0.0, "price is not finite and above zero", "0.0"),
        ("price", float("inf"), "price is not finite and above zero", "inf"),
        ("amount", -1.0, "amount is not finite or negative", "-1.0"),
        ("amount", None, "amount is not finite or negative", "null"),
        ("ts", 3, "time goes back", "1970-01-01"),
        ("ts", None, "ts is missing", "null"),
        ("symbol", None, "no symbol", "null"),
    ],
)
@pytest.mark.parametrize("batch", [64, 10**6])
def test_faults_name_the_row(
    column: str, value: object, what: str, seen: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trade that cannot be is refused, with its row over all batches, its value, and what to do."""
    monkeypatch.setattr(stream, "STAGE_ROWS", batch)
    trades = tape(published_trades()).with_row_index("row")
    literal = pl.lit(value).cast(TS) if column == "ts" else pl.lit(value)
    odd = trades.with_columns(pl.when(pl.col("row") == 170).then(literal).otherwise(column).alias(column))
    with pytest.raises(DataError, match=what) as caught:
        tick_bars(odd, 10).collect()
    assert seen in str(caught.value)
    assert column == "symbol" or "row 170 ('X'" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda t: tick_bars(t, 0), UsageError),
        (lambda t: tick_bars(t, True), UsageError),
        (lambda t: volume_bars(t, float("nan")), UsageError),
        (lambda t: dollar_bars(t, "1e6"), UsageError),
        (lambda t: time_bars(t, "1 minute"), UsageError),
        (lambda t: time_bars(t, "0m"), UsageError),
        (lambda t: time_bars(t, 60), UsageError),
        (lambda t: time_bars(t, "1m", signs="quotes"), UsageError),
        (lambda t: time_bars(t.collect(), "1m"), UsageError),
        (lambda t: time_bars(t.drop("side"), "1m"), DataError),
        (lambda t: time_bars(t.rename({"amount": "amounts"}), "1m"), DataError),
        (lambda t: time_bars(t.with_columns(ts=1), "1m"), DataError),
    ],
)
def test_calls_that_make_no_sense(make: Any, kind: type[GrnError]) -> None:
    """Wrong arguments and columns are refused when the pipeline is built, before anything is read."""
    with pytest.raises(kind) as caught:
        make(tape(published_trades()))
    assert caught.value.hint or caught.value.seen
