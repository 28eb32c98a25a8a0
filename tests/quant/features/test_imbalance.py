from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import DataError, UsageError
from grn.quant.features import builder as builder_module
from grn.quant.features import imbalance as imbalance_module
from grn.quant.features import stream
from grn.quant.features.imbalance import imbalance_bars
from tests.quant.features.markets import GOLDEN, Trade, published_trades, tape, tapes
from tests.quant.features.reference_bars import by_imbalance, of_each_symbol
from tests.quant.features.test_bars import SIGNS, rows_of

UNITS = ("trade", "volume", "dollar")


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("unit", UNITS)
@given(
    trades=tapes(),
    first=st.integers(1, 9),
    window=st.integers(1, 12),
    bars_window=st.sampled_from([None, 1, 2, 5]),
    bounds=st.sampled_from([(0.0, math.inf), (3.0, 6.0)]),
)
def test_equal_to_the_reference(
    unit: Any,
    signs: Any,
    trades: list[Trade],
    first: int,
    window: int,
    bars_window: int | None,
    bounds: tuple[float, float],
) -> None:
    """Every value of every bar is that of the slow reference, which keeps all trades in lists."""
    frame = imbalance_bars(
        tape(trades), unit, first_trades=first, window=window,
        expected_bars=bars_window, trades_range=bounds, signs=signs,
    )  # fmt: skip
    expected = {
        symbol: [row[:-1] for row in by_imbalance(own, unit, first, window, bars_window, bounds, signs)]
        for symbol, own in of_each_symbol(trades).items()
    }
    assert rows_of(frame) == {symbol: rows for symbol, rows in expected.items() if rows}


@pytest.mark.parametrize(
    ("golden", "unit", "settings"),
    [
        ("trade", "trade", {"first_trades": 20, "window": 20, "trades_range": (10, 40)}),
        ("volume", "volume", {"first_trades": 20, "window": 20, "trades_range": (10, 40)}),
        (
            "dollar",
            "dollar",
            {"first_trades": 25, "window": 30, "trades_range": (15, 60), "expected_bars": 2},
        ),
        ("dollar constant", "dollar", {"first_trades": 15, "window": 30, "expected_bars": None}),
    ],
)
def test_equal_to_mlfinpy(golden: str, unit: Any, settings: dict[str, Any]) -> None:
    """The published implementation's bars: golden/mlfinpy.json names version and settings."""
    made = imbalance_bars(tape(published_trades()), unit, signs="tick_rule", **settings)
    rows = [(row[10] // 10**9, *row[2:10]) for row in rows_of(made)["X"]]  # type: ignore[operator]
    assert rows == [tuple(row) for row in GOLDEN[f"imbalance_bars {golden}"]]


@given(trades=tapes(), cut=st.integers(0, 60), size=st.integers(1, 7))
def test_later_trades_and_batches_change_nothing(trades: list[Trade], cut: int, size: int) -> None:
    """The bars of the first trades are the first bars of all, however the rows are cut into batches."""

    def make(rows: list[Trade]) -> pl.DataFrame:
        return imbalance_bars(tape(rows), "volume", first_trades=3, window=5).collect()

    whole = make(trades)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "STAGE_ROWS", size)
        part = make(trades[:cut])
    assert part.equals(whole.head(part.height))


@given(trades=tapes())
def test_nothing_is_lost(trades: list[Trade]) -> None:
    """With the unfinished bars, trades and volume add up to the tape."""
    made = imbalance_bars(tape(trades), first_trades=3, window=5, unfinished=True).collect()
    assert made["trades"].sum() == len(trades)
    assert made["volume"].sum() == sum(t.amount for t in trades)
    assert made.filter(~pl.col("finished"))["symbol"].is_unique().all()


def test_compiled_is_the_same_function() -> None:
    """The kernel run as plain Python and compiled gives the same bits."""
    settings: dict[str, Any] = {"first_trades": 20, "window": 20, "trades_range": (10, 40)}
    frame = tape(published_trades())
    compiled = imbalance_bars(frame, "dollar", signs="tick_rule", **settings).collect()
    with pytest.MonkeyPatch.context() as patch:
        for module in (imbalance_module, builder_module):
            patch.setattr(module, "compiled", lambda kernel, signature: kernel)
        assert imbalance_bars(frame, "dollar", signs="tick_rule", **settings).collect().equals(compiled)


def test_constant_expectations_are_far_from_one_trade_per_bar() -> None:
    """Buying only: expected and seen imbalance grow alike, so bars are about `first_trades` long."""
    trades = [Trade(i, "A", 10.0, 1.0, "buy") for i in range(1000)]
    made = imbalance_bars(tape(trades), "trade", first_trades=50, window=100, expected_bars=None).collect()
    assert set(made["trades"].to_list()) == {51}


@pytest.mark.parametrize(
    "settings",
    [
        {"unit": "dollars"},
        {"first_trades": 0},
        {"window": 2.5},
        {"expected_bars": 0},
        {"trades_range": (5, 1)},
        {"trades_range": (-1, 1)},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    """Wrong settings are refused when the pipeline is built."""
    with pytest.raises(UsageError):
        imbalance_bars(tape([]), **settings)


@pytest.mark.parametrize("change", [{"price": 0.0}, {"amount": -1.0}])
def test_faults(change: dict[str, float]) -> None:
    """A trade that cannot be is refused here as in every builder; so is time that goes back."""
    trades = tape(published_trades())
    with pytest.raises(DataError, match="row 0 "):
        imbalance_bars(trades.with_columns(**{k: pl.lit(v) for k, v in change.items()})).collect()
    with pytest.raises(DataError, match="time goes back"):
        imbalance_bars(trades.reverse()).collect()
