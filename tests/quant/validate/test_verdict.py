"""The verdict: its thresholds, what it says, and that it never passes what it cannot judge."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from grn.kit.canonical import canonical_json
from grn.quant.validate.verdict import TrialStats, Verdict, judge, luck_variance

NAN = math.nan


@dataclass(frozen=True)
class Count:
    n: int = 100
    widest_variance: float = NAN
    watermark: int = 7


# The worked example of Bailey & López de Prado (2014), see test_sharpe.
WINNER = TrialStats("sma 12/80", 2.5 / math.sqrt(250.0), 1250, -3.0, 10.0, 250.0, 120, 0.5 / 250.0)
QUIET = np.linspace(0.2, 1.2, 99)
"""Ninety-nine shuffled sweeps, none of which comes near the winner."""


def _judge(
    winner: TrialStats = WINNER, count: Count | None = None, null_best: np.ndarray | None = QUIET
) -> Verdict:
    return judge(winner=winner, trials=count or Count(), null_best=null_best)


def test_the_papers_example_is_weak():
    """DSR 0.9003968345 (Bailey & López de Prado 2014) is above 0.90 and below 0.95; 46 trials would pass."""
    verdict = _judge()
    assert verdict.decision == "weak"
    assert verdict.dsr == pytest.approx(0.9003968345, abs=1e-10)
    assert verdict.luck == pytest.approx(0.1131720 * math.sqrt(250.0), abs=1e-6)
    assert verdict.sharpe == pytest.approx(2.5, rel=1e-15)
    assert (verdict.trials, verdict.trials_allowed, verdict.watermark) == (100, 46, 7)
    assert verdict.years_held == 5.0
    assert verdict.years_needed > 5.0
    assert (verdict.noise.p_value, verdict.noise.reached) == (0.01, 0)


@pytest.mark.parametrize(
    ("trials", "reaching", "decision"),
    [
        (46, 4, "pass"),
        (47, 4, "weak"),
        (46, 5, "weak"),
        (46, 9, "weak"),
        (46, 10, "reject"),
        (100, 0, "weak"),
        (101, 0, "reject"),
        (100_000, 0, "reject"),
    ],
)
def test_both_answers_are_needed(trials: int, reaching: int, decision: str):
    """46 trials are the most at 95 % and 100 at 90 %; 4 of 99 shuffles are p = 0.05 and 9 are p = 0.10."""
    null_best = QUIET.copy()
    null_best[:reaching] = 2.6
    assert _judge(count=Count(trials), null_best=null_best).decision == decision


@pytest.mark.parametrize("null_best", [None, np.array([]), np.full(18, 0.5)])
def test_nothing_passes_without_enough_shuffles(null_best: np.ndarray | None):
    """Below 19 shuffles no p-value reaches 0.05: the deflated Sharpe ratio alone is never a pass."""
    verdict = _judge(count=Count(2), null_best=null_best)
    assert verdict.decision == "weak"
    assert "19 shuffled sweeps" in verdict.change


def test_few_shuffles_that_reach_the_winner_reject():
    """Two of five noise sweeps as good as the winner are evidence enough against it."""
    verdict = _judge(count=Count(2), null_best=np.array([0.5, 0.6, 0.7, 2.6, 2.7]))
    assert (verdict.decision, verdict.noise.p_value) == ("reject", 0.5)


def test_a_tie_counts_for_noise():
    """A shuffled sweep that equals the winner has reached it."""
    assert _judge(null_best=np.full(4, WINNER.sharpe_per_period * math.sqrt(250.0))).noise.reached == 4


def test_a_shuffled_sweep_without_a_sharpe_ratio_is_no_evidence():
    """NaN is a sweep in which nothing traded: it is left out, and fifty of them let nothing pass."""
    noise = _judge(null_best=np.array([NAN, 0.5, 0.7])).noise
    assert (noise.shuffles, noise.reached, noise.p_value) == (2, 0, pytest.approx(1 / 3))
    assert (noise.median, noise.highest) == (0.6, 0.7)
    empty = _judge(count=Count(2), null_best=np.full(50, NAN))
    assert empty.decision == "weak"
    assert math.isnan(empty.noise.p_value)


def test_the_spread_of_luck_never_falls_and_never_explodes():
    """Own search, at least what was seen before, which counts up to the spread of no skill.

    By hand for 101 bars, whose sampling variance is 1/100.
    """
    assert luck_variance(0.02, NAN, 101) == 0.02
    assert luck_variance(0.001, 0.004, 101) == 0.004
    assert luck_variance(0.004, 0.001, 101) == 0.004
    assert luck_variance(0.001, 9.0, 101) == 0.01
    assert luck_variance(NAN, NAN, 101) == 0.01
    assert luck_variance(0.0, NAN, 101) == 0.0
    assert math.isnan(luck_variance(0.1, 0.1, 1))


@pytest.mark.parametrize(
    "winner",
    [
        replace(WINNER, sharpe_per_period=NAN),
        replace(WINNER, skew=NAN),
        replace(WINNER, kurtosis=NAN),
        replace(WINNER, n_bars=1),
        replace(WINNER, n_bars=0),
    ],
)
def test_what_cannot_be_judged_is_rejected(winner: TrialStats):
    """No Sharpe ratio, no moments or no bars: reject, with text and JSON that still work."""
    verdict = _judge(winner=winner)
    assert verdict.decision == "reject"
    assert len(verdict.lines()) <= 8
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_no_trial_counted_is_rejected():
    """A ledger that knows of no trial has not seen the winner either."""
    assert _judge(count=Count(0, NAN)).decision == "reject"


def test_without_a_variance_the_sampling_error_stands_in():
    """Several trials of which fewer than two had a Sharpe ratio: 1 / (n - 1) is the variance without
    skill.
    """
    expected = _judge(count=Count(10, 1.0 / 1249.0))
    assert _judge(count=Count(10, NAN)) == expected


def test_a_winner_below_luck_needs_forever():
    """No number of years lifts a Sharpe ratio above a larger one."""
    verdict = _judge(winner=replace(WINNER, sharpe_per_period=0.05))
    assert verdict.years_needed == math.inf
    assert "no number of years" in verdict.reasons[2]
    assert verdict.to_dict()["years_needed"] == "Infinity"


def test_years_needed_agree_with_the_deflated_sharpe_ratio():
    """DSR is at 95 % exactly when the data held is at least the data needed."""
    for trials in range(2, 200):
        verdict = _judge(count=Count(trials))
        assert (verdict.dsr >= 0.95) == (verdict.years_held >= verdict.years_needed)
        assert (verdict.dsr >= 0.95) == (verdict.trials <= verdict.trials_allowed)


def test_the_text_is_short_and_says_why():
    """The whole text of the paper's example."""
    assert _judge().lines() == [
        "verdict   WEAK: sma 12/80",
        "winner    Sharpe 2.50 a year from 120 trades; above 0 with probability 1.0000, above luck 0.9004",
        "trials    100 counted on this data (ledger watermark 7)",
        "because   luck in 100 trials: Sharpe 1.79; the winner 2.50: deflated probability 0.9004 < 0.95",
        "because   best on shuffled bars: Sharpe 0.70 (median) to 1.20; "
        "0 of 99 reached 2.50: p = 0.010 <= 0.05",
        "because   5.0 years of data held, 8.2 needed to tell this Sharpe ratio from luck at 95 %",
        "to change 3.2 more years at this Sharpe ratio, or a search of at most 46 trials instead of 100",
    ]


def test_the_json_is_canonical():
    """`to_dict` holds plain values that the ledger can hash, and all of the verdict."""
    verdict = _judge(count=Count(2), null_best=None)
    plain = verdict.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert canonical_json(plain) == canonical_json(verdict.to_dict())
    assert set(plain) == set(Verdict.__dataclass_fields__)
    assert plain["noise"]["p_value"] == "NaN"  # type: ignore[index]
