"""Limits, stop entries and brackets held against backtesting.py 0.6.6, which has them and vectorbt has not.

`GRN_NIGHTLY=1` compares every combination. Differences on purpose: `docs/concepts/parity.md`.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.comparisons import agree, largest_differences
from benchmarks.peer_backtesting import (
    COMBINATIONS,
    COMPARISONS,
    BrokerComparison,
    run_ours,
    run_theirs,
    trade,
)
from grn.quant import Limit, Quantity, Rules, StopLoss, Strategy, TakeProfit, col
from grn.quant.engine.path import trace
from tests.parity.hand import Candle, Fill, fills_of, flat, make_candles

pytestmark = pytest.mark.skipif(find_spec("backtesting") is None, reason="the extra `peers` is not installed")

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.name)
def test_orders_agree_with_backtesting(comparison: BrokerComparison) -> None:
    """Equity of every bar, fill prices and number of orders, within 1e-9."""
    combinations = COMBINATIONS if NIGHTLY else COMBINATIONS[::31]
    ours, theirs = run_ours(comparison, combinations), run_theirs(comparison, combinations)
    assert ours["orders"].max() > 20, "a run without orders compares nothing"
    assert len(np.unique(ours["prices"])) > 15, "the offset decides where orders fill"
    found = largest_differences(ours, theirs)
    assert agree(found), f"{comparison.name}: {found}"


def test_there_are_a_thousand_combinations() -> None:
    """1,024 of windows and offsets, none twice."""
    assert len(COMBINATIONS) == len(set(COMBINATIONS)) == 1_024


LAST, NEVER = col("close"), col("close") < 0.0
START = [flat(100), flat(100)]


def both(
    rows: list[Candle], comparison: BrokerComparison, strategy: Strategy, offset: float
) -> tuple[list[Fill], list[float], list[float]]:
    """Our fills and equity, and backtesting.py's equity: ten units on the signal of bar 1, 10,000 of cash."""
    bars = make_candles([*START, *rows], long_in=[1])
    path = trace(strategy, bars, Rules(size=Quantity(10)), {})
    entries = bars.column("long_in") > 0
    equity, _ = trade(bars, comparison, offset, entries, np.zeros_like(entries), commission=0.0, units=10.0)
    return fills_of(path), path.equity.tolist(), equity.tolist()


def test_bracket_whose_target_the_open_has_passed_26() -> None:
    """Bought at 100, stop at 95, target at 107.50; the next bar opens at 108 and falls to 94.

    backtesting.py works through stops first and sells at 95. The open came first: we sell at 108.
    """
    stops = [StopLoss(price=LAST * 0.95), TakeProfit(price=LAST * 1.075)]
    rows = [(100.0, 101.0, 99.0, 100.0), (108.0, 109.0, 94.0, 96.0)]
    fills, ours, theirs = both(
        rows, BrokerComparison("hand", "market"), Strategy(col("long_in"), NEVER, stops=stops), 0.05
    )
    assert theirs == [10_000.0, 10_000.0, 10_000.0, 9_950.0]
    assert fills == [(2, 10.0, 100.0), (3, -10.0, 108.0)]
    assert ours == [10_000.0, 10_000.0, 10_000.0, 10_080.0]


def test_stop_in_the_bar_of_a_limit_27() -> None:
    """A limit at 97 with a stop 5 % below, 92.15; the bar opens at 100, falls to 90 and closes at 96.

    The way from 97 down to 90 leads over 92.15. backtesting.py begins with the stop on the next bar, says
    that its result is dubious, and holds. We have sold.
    """
    strategy = Strategy(col("long_in"), NEVER, entry_order=Limit(LAST * 0.97), stops=[StopLoss(0.05)])
    rows = [(100.0, 101.0, 90.0, 96.0), (96.0, 97.0, 95.5, 96.0)]
    fills, ours, theirs = both(rows, BrokerComparison("hand", "limit", stop=0.05), strategy, 0.03)
    assert theirs == [10_000.0, 10_000.0, 9_990.0, 9_990.0]
    assert fills == [(2, 10.0, 97.0), (2, -10.0, pytest.approx(92.15, rel=1e-15))]
    assert ours == pytest.approx([10_000.0, 10_000.0, 9_951.5, 9_951.5], rel=1e-15)
