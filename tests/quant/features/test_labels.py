from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import grn
from grn.kit.errors import DataError, UsageError
from grn.quant import Strategy, close, col, load_bars
from grn.quant.features import labels as labels_module
from grn.quant.features.labels import LABEL_SCHEMA, triple_barrier
from tests.quant.features.markets import GOLDEN, TS, published_trades, tape

Bar = tuple[int, str, float, float | None, float]


@st.composite
def bars_of(draw: st.DrawFn) -> list[Bar]:
    """Bars of two symbols: seconds, symbol, close, width, side."""
    second, bars = 0, []
    for _ in range(draw(st.integers(0, 30))):
        second += draw(st.integers(1, 5))
        width = draw(st.sampled_from([0.05, 0.1, 0.25, None, math.nan, 0.0]))
        price, side = draw(st.integers(8, 16)), draw(st.sampled_from([1.0, -1.0]))
        bars.append((second, draw(st.sampled_from("AB")), float(price), width, side))
    return bars


def frame_of(bars: list[Bar]) -> pl.LazyFrame:
    types = {
        "ts": pl.Int64, "symbol": pl.String, "close": pl.Float64, "vol": pl.Float64, "bet": pl.Float64,
    }  # fmt: skip
    frame = pl.LazyFrame(bars, schema=types, orient="row")
    return frame.with_columns((pl.col("ts") * 10**9).cast(TS))


def reference(
    bars: list[Bar], above: float, below: float, rows: int, seconds: int, bet: bool
) -> list[tuple[Any, ...]]:
    """Labels of one symbol: walk on from each bar."""
    found: list[tuple[Any, ...]] = []
    for i, (start, symbol, price, width, side) in enumerate(bars):
        if width is None or not width > 0:
            continue
        for k, (now, _, later, _, _) in enumerate(bars[i + 1 :], start=1):
            gain = (later / price - 1) * (side if bet else 1.0)
            up, down = above > 0 and gain > above * width, below > 0 and gain < -below * width
            late = k >= rows if rows else now - start >= seconds
            if up or down or late:
                label = 1 if up else -1 if down else 0
                found.append((start, symbol, max(label, 0) if bet else label, gain, now, width))
                break
    return found


@given(
    bars=bars_of(),
    above=st.sampled_from([0.0, 1.0, 2.0]),
    below=st.sampled_from([0.0, 1.0, 1.5]),
    horizon=st.sampled_from([1, 3, 100, "4s", "1m"]),
    bet=st.booleans(),
)
def test_equal_to_the_reference(
    bars: list[Bar], above: float, below: float, horizon: int | str, bet: bool
) -> None:
    """Label, return, touch and width are those of a walk along each symbol's own bars."""
    side = {"side": "bet"} if bet else {}
    made = triple_barrier(frame_of(bars), width="vol", horizon=horizon, above=above, below=below, **side)
    rows, seconds = (horizon, 0) if isinstance(horizon, int) else (0, {"4s": 4, "1m": 60}[horizon])
    expected = []
    for symbol in dict.fromkeys(bar[1] for bar in bars):
        own = [bar for bar in bars if bar[1] == symbol]
        expected += reference(own, above, below, rows, seconds, bet)
    seconds_of = pl.col("ts", "ahead_ts").to_physical() // 10**9
    assert made.with_columns(seconds_of).collect().rows() == expected


@given(bars=bars_of(), cut=st.integers(0, 30))
def test_later_bars_change_no_label(bars: list[Bar], cut: int) -> None:
    """A label once given stays: those of the first bars are all the labels known by then."""
    whole = triple_barrier(frame_of(bars), width="vol", horizon=4).collect()
    part = triple_barrier(frame_of(bars[:cut]), width="vol", horizon=4).collect()
    last = bars[:cut][-1][0] * 10**9 if bars[:cut] else -1
    known = whole.filter(pl.col("ahead_ts").to_physical() <= last)
    assert part.equals(known)


def test_equal_to_mlfinpy() -> None:
    """The published implementation's touches, returns and labels: golden/mlfinpy.json says the settings."""
    trades = tape(published_trades()).with_row_index("row")
    bars = trades.with_columns(close="price", vol=pl.lit(0.0005), event=pl.col("row") % 10 == 0)
    # Four hundred seconds are no window of the language of `horizon`: 400 times one second.
    made = triple_barrier(bars, width="vol", horizon="400s", events="event").collect()
    rows = made.select(pl.col("ts", "ahead_ts").to_physical() // 10**9, "ahead_return", "ahead_label").rows()
    assert len(rows) == len(GOLDEN["labels"]) == 29
    for row, (ts, touch, gain, label) in zip(rows, GOLDEN["labels"], strict=True):
        assert row == (ts, touch, pytest.approx(gain, rel=1e-9), label)


def test_compiled_is_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel run as plain Python and compiled gives the same bits."""
    bars = tape(published_trades()).with_columns(close="price", vol=pl.lit(0.0005))
    compiled = triple_barrier(bars, width="vol", horizon="10m").collect()
    monkeypatch.setattr(labels_module, "compiled", lambda kernel, signature: kernel)
    assert triple_barrier(bars, width="vol", horizon="10m").collect().equals(compiled)


def test_no_strategy_is_given_a_label() -> None:
    """Every column of a label begins with `ahead_`; loading or trading on one is refused by name."""
    bars = tape(published_trades()).with_columns(close="price", vol=pl.lit(0.0005))
    labels = triple_barrier(bars, width="vol", horizon=5)
    assert [name for name in LABEL_SCHEMA if name.startswith("ahead_")] == [
        "ahead_label", "ahead_return", "ahead_ts",
    ]  # fmt: skip
    joined = bars.select("ts", "symbol", "close").join(labels, on=["ts", "symbol"], maintain_order="left")
    with pytest.raises(DataError, match="'ahead_label' was made from later bars") as caught:
        load_bars(joined, needs=["ahead_label"])
    assert "rename" in (caught.value.hint or "")
    for signal in (col("ahead_return") > 0, close * 0 + pl.col("ahead_label").cast(pl.Float64) > 0):
        with pytest.raises(DataError, match="looks ahead"):
            grn.backtest(Strategy(entry=signal, exit=close < 0), joined, fill="close")
    # Bars built by hand are held to the same rule.
    (loaded,) = load_bars(joined)
    with pytest.raises(DataError, match="looks ahead"):
        load_bars(loaded, needs=["ahead_label"])


def test_no_bars_no_labels() -> None:
    """The schema is known without collecting; nothing in, nothing out."""
    made = triple_barrier(frame_of([]), width="vol", horizon=5)
    assert made.collect_schema() == made.collect().schema == LABEL_SCHEMA
    assert made.collect().is_empty()


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"above": -1.0}, UsageError),
        ({"below": math.inf}, UsageError),
        ({"horizon": 0}, UsageError),
        ({"horizon": "soon"}, UsageError),
        ({"width": "sigma"}, DataError),
        ({"side": "bets"}, DataError),
        ({"events": "event"}, DataError),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], kind: type[Exception]) -> None:
    """Wrong settings are refused when the pipeline is built."""
    with pytest.raises(kind):
        triple_barrier(frame_of([]), **{"width": "vol", "horizon": 5, **settings})


def test_faults() -> None:
    """Times that go back, and a side that is neither +1 nor -1 where a label is asked for, are refused."""
    bars = frame_of([(1, "A", 10.0, 0.1, 1.0), (2, "A", 11.0, 0.1, 0.5), (3, "A", 12.0, None, 0.5)])
    with pytest.raises(DataError, match="go back"):
        triple_barrier(bars.reverse(), width="vol", horizon=1).collect()
    with pytest.raises(DataError, match="side is neither"):
        triple_barrier(bars, width="vol", horizon=1, side="bet").collect()
