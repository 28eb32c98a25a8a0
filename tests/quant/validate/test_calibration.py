"""The verdict's promises, simulated: few false passes, most true edges found. Full counts run nightly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.calibrate import (
    BARS,
    FAMILIES,
    LEAST_POWER,
    MOST_FALSE,
    PLANTED,
    TRIALS,
    YEAR,
    Family,
    judge,
    simulate_coins,
    sweep_crossings,
    upper_bound,
)
from tests.conftest import NIGHTLY

NULLS = 500 if NIGHTLY else 5
EDGED = 50 if NIGHTLY else 4


@pytest.mark.timeout(0 if NIGHTLY else 600)
def test_few_null_sweeps_pass():
    """Random walks with clustered volatility, sweeps of 1,000: at most 5 % of the verdicts are "pass".

    Five sets a family in CI, where two passes would be a chance of one in a hundred at 5 %.
    """
    verdicts = [judge(family, 0.0, 10_000 + seed) for seed in range(NULLS) for family in FAMILIES]
    passed = sum(verdict.decision == "pass" for verdict in verdicts)
    assert passed <= max(1.0, MOST_FALSE * len(verdicts))
    # Without any correction the best of 1,000 unrelated ones always looks certain.
    assert all(verdict.psr >= 0.95 for verdict in verdicts if verdict.family == "unrelated")


@pytest.mark.timeout(0 if NIGHTLY else 600)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_edge_of_two_is_found(family: Family):
    """A true Sharpe ratio of 2 over ten years of days, the best of 1,000: at least 80 % pass."""
    verdicts = [judge(family, 2.0, 10_000 + seed) for seed in range(EDGED)]
    passed = sum(verdict.decision == "pass" and verdict.found for verdict in verdicts)
    assert passed >= LEAST_POWER * len(verdicts) - (0 if NIGHTLY else 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_planted_strategy_has_the_sharpe_ratio_it_was_given(family: Family):
    """A true 2 over ten years: the mean of eight samples is within four standard errors of it."""
    found = []
    for seed in range(8):
        if family == "crossings":
            result = sweep_crossings(2.0, seed)
            assert (len(result), len(result.bars[0])) == (TRIALS, BARS)
            assert result.grid.binding(PLANTED) == {"fast": 22.0, "slow": 98.0}
            found.append(float(result.trial_sharpes[0][PLANTED]))
        else:
            returns = simulate_coins(2.0, seed)
            assert returns.shape == (BARS, TRIALS)
            found.append(float(returns[:, 0].mean() / returns[:, 0].std()))
    assert abs(float(np.mean(found)) * math.sqrt(YEAR) - 2.0) < 4.0 / math.sqrt(8 * 10)


def test_same_seed_same_set():
    """A set is a function of family, edge and seed."""
    sharpes = [sweep_crossings(1.0, seed).trial_sharpes[0].tobytes() for seed in (3, 3, 4)]
    assert sharpes[0] == sharpes[1] != sharpes[2]
    assert simulate_coins(1.0, 3).tobytes() == simulate_coins(1.0, 3).tobytes()


def test_upper_bounds_are_exact():
    """No hit in 59 is the least that shows a rate of at most 5 % at 95 %: 0.95**59 = 0.0485."""
    assert upper_bound(0, 59) < 0.05 < upper_bound(0, 58)
    assert upper_bound(3, 3) == 1.0
