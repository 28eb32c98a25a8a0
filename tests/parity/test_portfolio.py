"""Parity of target weights with vectorbt 1.2.0, and what differs on purpose, each with its numbers by hand.

`benchmarks.portfolios` is the registry; `docs/concepts/parity.md` lists the differences under "Portfolios".
`GRN_NIGHTLY=1` compares every combination under every set of rules.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from benchmarks.comparisons import agree as agree_on_metrics
from benchmarks.comparisons import largest_differences
from benchmarks.market import random_market
from benchmarks.portfolios import (
    COMBINATIONS,
    COMPARISONS,
    METRICS,
    PortfolioComparison,
    run_ours,
)
from grn.quant import Bars, Costs, Rules, col
from grn.quant.engine.portfolio.panel import Panel
from grn.quant.engine.portfolio.path import PortfolioPath, trace_portfolio
from grn.quant.strategy.weights import Weights

pytestmark = pytest.mark.skipif(find_spec("vectorbt") is None, reason="the extra `peers` is not installed")

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
STRIDES = {"rotation": 1}
"""The rotation is compared in full, always; of the others CI takes every 23rd combination."""


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.name)
def test_target_weights_agree_with_vectorbt(comparison: PortfolioComparison) -> None:
    """Total return, Sharpe ratio, maximum drawdown and number of orders of every combination, within 1e-9."""
    from benchmarks.peer_portfolios import run_theirs

    combinations = COMBINATIONS if NIGHTLY else COMBINATIONS[:: STRIDES.get(comparison.name, 23)]
    market = random_market(6, 300, seed=5)
    ours = run_ours(comparison, market, combinations)
    theirs = run_theirs(comparison, market, combinations)
    assert all(ours[name].shape == (len(comparison.groups), len(combinations)) for name in METRICS)
    assert ours["orders"].min() >= 4, "a run without orders compares nothing"
    found = largest_differences(ours, theirs)
    assert agree_on_metrics(found), f"{comparison.name}: {found}"


def test_the_comparisons_have_their_size() -> None:
    """1,000 combinations, and every mode among the comparisons."""
    assert len(COMBINATIONS) == len(set(COMBINATIONS)) == 1_000
    assert {c.calls for c in COMPARISONS} == {"auto", "default", "reversed"}
    assert any(len(c.groups) > 1 for c in COMPARISONS)


def run_both(
    closes: dict[str, list[float]], weights: dict[str, list[float]], **costs: float
) -> tuple[PortfolioPath, Any]:
    """The same weights in both programs, filled at the close, with 1,000 in cash."""
    import pandas as pd  # type: ignore[import-untyped]

    from benchmarks.peer_vectorbt import load_vectorbt

    stamps = 86_400_000_000_000 * np.arange(1, len(next(iter(closes.values()))) + 1, dtype=np.int64)
    bars = tuple(
        Bars(symbol=s, ts_ns=stamps, columns={"close": np.array(x), "w": np.array(weights[s])})
        for s, x in closes.items()
    )
    rules = Rules(fill="close", costs=Costs(**costs), cash=1_000.0)  # type: ignore[arg-type]
    ours = trace_portfolio(Weights(col("w"), every=1), Panel(bars), rules, {})
    vbt = load_vectorbt()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = vbt.Portfolio.from_orders(
            pd.DataFrame(closes), pd.DataFrame(weights), size_type="targetpercent", init_cash=1_000.0,
            cash_sharing=True, group_by=True, call_seq="auto", freq="1D",
            fees=costs.get("fee", 0.0), fixed_fees=costs.get("fixed_fee", 0.0),
        )  # fmt: skip
    return ours, theirs


def test_a_missing_weight_is_a_target_of_zero_12() -> None:
    """Half at 10, then no weight, at 20: vectorbt keeps the 50 units (1,500), grn sells them and holds 1,500
    in cash; when the price falls to 10, vectorbt has 1,000 and grn 1,500.
    """
    ours, theirs = run_both({"A": [10.0, 20.0, 10.0]}, {"A": [0.5, np.nan, np.nan]})
    assert theirs.value().tolist() == [1_000.0, 1_500.0, 1_000.0]
    assert ours.equity.tolist() == [1_000.0, 1_500.0, 1_500.0]


def test_an_account_below_zero_is_closed_13() -> None:
    """100 units short at 10; at 25 the account is worth 2,000 - 2,500 = -500.  vectorbt rejects every order
    of an account without value and holds on: 2,000 - 500 = 1,500 at a price of 5.  grn closes at 25: -500.
    """
    ours, theirs = run_both({"A": [10.0, 25.0, 5.0]}, {"A": [-1.0, -1.0, -1.0]})
    assert theirs.value().tolist() == [1_000.0, -500.0, 1_500.0]
    assert ours.equity.tolist() == [1_000.0, -500.0, -500.0]


def test_a_cover_is_never_cut_14() -> None:
    """100 units of A short at 10 pay for 200 of B at 10: no cash is left.  A is to be covered at 11, B rose
    to 11 as well, and is to be kept.  vectorbt has no cash to cover with and keeps the short; grn covers for
    1,100 and owes them: 2,200 - 1,100 = 1,100 of equity.
    """
    ours, theirs = run_both({"A": [10.0, 11.0], "B": [10.0, 11.0]}, {"A": [-1.0, 0.0], "B": [2.0, 2.0]})
    assert theirs.assets().iloc[1].tolist() == [-100.0, 200.0]
    assert ours.units[1].tolist() == [0.0, 200.0]
    assert ours.cash.tolist() == [0.0, -1_100.0]
    assert ours.equity.tolist() == theirs.value().tolist() == [1_000.0, 1_100.0]


def test_a_trade_lasts_from_flat_to_flat_15() -> None:
    """0.8, 0.5, 0 of A: one position, sold in two parts.  vectorbt counts two trades and one position; a
    trade of grn is its position, with the same profit: 80 units at 10 are 800, at 20 worth 1,600 of 1,800; 35
    are sold for 700, the other 45 at 10 for 450: 350 more than they cost.
    """
    ours, theirs = run_both({"A": [10.0, 20.0, 10.0]}, {"A": [0.8, 0.5, 0.0]})
    assert (theirs.trades.count(), theirs.positions.count()) == (2, 1)
    trades = ours.trades()
    assert trades.select("units", "status").rows() == [(80.0, "closed")]
    assert trades["pnl"].to_list() == pytest.approx([350.0])
    assert float(theirs.positions.pnl.sum()) == pytest.approx(350.0)
