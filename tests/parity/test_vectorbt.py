"""Parity with vectorbt 1.2.0: the sweep of its README, and every set of rules that both programs can express.

`benchmarks.comparisons` is the registry, shared with the timing; `docs/concepts/parity.md` lists what differs
on purpose. `GRN_NIGHTLY=1` compares every combination under every set of rules.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.comparisons import (
    BY_NAME,
    COMPARISONS,
    METRICS,
    PAIRS,
    TOLERANCE,
    TRADE_METRICS,
    Comparison,
    agree,
    largest_differences,
    market_of,
    run_ours,
)
from benchmarks.market import random_market
from grn.quant import AllCash, Bars, Costs, Rules, Strategy, col
from grn.quant.compute import compute
from grn.quant.engine.choose import Choice
from grn.quant.engine.plan import build_grid
from grn.quant.metrics.registry import parse_metrics

pytestmark = pytest.mark.skipif(find_spec("vectorbt") is None, reason="the extra `peers` is not installed")

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
# The README's sweep is compared in full, always; of the others CI takes every so many combinations.
STRIDES = {"readme": 1, "short": 7, "both": 7, "quantity": 7, "quantity-short": 7, "quantity-both": 7}


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.name)
def test_sweep_agrees_with_vectorbt(comparison: Comparison) -> None:
    """Every metric of every combination on every symbol, within 1e-9."""
    from benchmarks.peer_vectorbt import run_theirs

    stride = 1 if NIGHTLY else STRIDES.get(comparison.name, 29)
    combinations, market = comparison.combinations[::stride], market_of(comparison)
    ours, theirs = run_ours(comparison, market, combinations), run_theirs(comparison, market, combinations)
    assert set(METRICS) <= set(ours) <= set(METRICS + TRADE_METRICS)
    assert all(column.shape == (len(market), len(combinations)) for column in ours.values())
    assert ours["trades"].min() > 0, "a run without trades compares nothing"
    found = largest_differences(ours, theirs)
    assert agree(found), f"{comparison.name}: {found}"


@pytest.mark.parametrize("comparison", [c for c in COMPARISONS if c.stops], ids=lambda c: c.name)
def test_stops_are_reached(comparison: Comparison) -> None:
    """In every comparison of stops, the smallest and the largest stop give different returns and profits."""
    ends = comparison.combinations[0], comparison.combinations[len(comparison.combinations) // 8 - 1]
    assert ends[0][:2] == ends[1][:2], "the same windows"
    ours = run_ours(comparison, market_of(comparison), ends)
    assert ours["total_return"][0, 0] != ours["total_return"][0, 1]
    assert ours["profit_factor"][0, 0] != ours["profit_factor"][0, 1]


def test_every_comparison_has_a_thousand_combinations() -> None:
    """None is smaller, no combination occurs twice, no two comparisons have a name in common."""
    assert min(len(set(c.combinations)) for c in COMPARISONS) >= 1_000
    assert all(len(set(c.combinations)) == len(c.combinations) for c in COMPARISONS)
    assert len(BY_NAME) == len(COMPARISONS)


def test_the_readme_sweep_has_its_size() -> None:
    """4,851 pairs on 3 symbols of 3,000 bars: 14,553 combinations, none left out in CI."""
    market = random_market()
    assert (len(PAIRS), len(market), {len(bars) for bars in market}) == (4_851, 3, {3_000})
    assert len(PAIRS) * len(market) == 14_553
    assert STRIDES[COMPARISONS[0].name] == 1
    assert COMPARISONS[0] == Comparison("readme", "long", AllCash(), Costs(fee=0.001), "close")


def test_a_difference_is_seen() -> None:
    """The gate fails on one value off by 2e-9, on a NaN beside a number, and passes NaN beside NaN."""
    ours = {name: np.full((1, 3), 0.5) for name in METRICS}
    ours["sharpe"][0, 1] = np.nan
    theirs = {name: column.copy() for name, column in ours.items()}
    assert agree(largest_differences(ours, theirs))
    theirs["trades"][0, 2] += 2 * TOLERANCE
    assert not agree(largest_differences(ours, theirs))
    theirs["trades"][0, 2] = ours["trades"][0, 2]
    theirs["sharpe"][0, 1] = 0.0
    assert not agree(largest_differences(ours, theirs))


@pytest.mark.parametrize("fee", [0.0, 0.002])
def test_four_signals_at_random_agree_with_vectorbt(fee: float) -> None:
    """Conflicting entries and exits of both sides resolve as vectorbt's `ignore` does, on 150 accounts."""
    from benchmarks.peer_vectorbt import load_vectorbt

    rng = np.random.default_rng(11)
    sides = ("long_in", "long_out", "short_in", "short_out")
    n_accounts, n_bars = 150, 120
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, (n_accounts, n_bars)), axis=1))
    signals = {side: rng.random((n_accounts, n_bars)) < 0.25 for side in sides}
    stamps = 86_400_000_000_000 * np.arange(1, n_bars + 1, dtype=np.int64)
    market = tuple(
        Bars(
            symbol=f"S{k}",
            ts_ns=stamps,
            columns={"close": close[k], **{side: signals[side][k].astype(float) for side in sides}},
        )
        for k in range(n_accounts)
    )
    strategy = Strategy(*(col(side) for side in sides))
    ours = compute(
        strategy, market, build_grid(strategy, 1.0), Rules("close", Costs(fee)), parse_metrics(METRICS),
        Choice("cpu", "compared"), ppy=365.0,
    ).frame  # fmt: skip
    vbt = load_vectorbt()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        portfolio = vbt.Portfolio.from_signals(
            close.T, entries=signals["long_in"].T, exits=signals["long_out"].T,
            short_entries=signals["short_in"].T, short_exits=signals["short_out"].T,
            fees=fee, init_cash=10_000.0, freq="1D",
        )  # fmt: skip
        theirs = {
            "total_return": portfolio.total_return(), "sharpe": portfolio.sharpe_ratio(),
            "trades": portfolio.trades.count(),
        }  # fmt: skip
    for name, column in theirs.items():
        np.testing.assert_allclose(
            ours[name].to_numpy(), column.to_numpy(), rtol=1e-9, atol=1e-12, err_msg=name
        )
    assert ours["trades"].min() > 5
