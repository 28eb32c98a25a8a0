"""The complete verdict: what passes, what is refused, and what it says."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.assessment import assess, compare
from grn.quant.validate.autocorrelation import memory_of
from grn.quant.validate.clusters import MOST
from grn.quant.validate.reasons import say_change
from grn.quant.validate.sharpe import deflated_sharpe_ratio, expected_max_sharpe
from grn.quant.validate.verdict import Assessment, Noise, decide

YEAR = 252.0
QUICK = {"ppy": YEAR, "resamples": 300, "blocks": 8}


def _trials(bars: int = 2520, trials: int = 60, edge: float = 0.0, seed: int = 0) -> np.ndarray:
    """Noise with a deviation of 1 % a day; column 7 has a true annual Sharpe ratio of `edge`."""
    x = np.random.default_rng(seed).normal(0.0, 0.01, (bars, trials))
    x[:, min(7, trials - 1)] += 0.01 * edge / math.sqrt(YEAR)
    return x


def test_an_edge_passes_and_noise_does_not():
    """A true 2.5 over ten years passes; the same noise without it is rejected."""
    passed, refused = assess(_trials(edge=2.5), **QUICK), assess(_trials(), **QUICK)
    assert (passed.decision, passed.best) == ("pass", 7)
    assert refused.decision == "reject"
    assert passed.effective == passed.counted == 60
    assert passed.overfitting.loss < 0.05
    assert passed.superiority.p_value == pytest.approx(1 / 301)


def test_its_numbers_are_those_of_the_parts():
    """Luck has the sampling variance 1 / (n - 1); the deflated Sharpe ratio is the formula's."""
    x = _trials(edge=1.0)
    found = assess(x, counted=5000, **QUICK)
    series = x[:, found.best]
    ratio = series.mean() / series.std(ddof=1)
    shape = {"skew": found.skew, "kurtosis": found.kurtosis}
    assert found.memory == memory_of(series)[0]
    worth = 1.0 + (len(x) - 1) / found.memory
    variance = 1.0 / (worth - 1.0)
    assert found.sharpe == pytest.approx(ratio * math.sqrt(YEAR), rel=1e-12)
    assert found.luck == pytest.approx(expected_max_sharpe(5000, variance) * math.sqrt(YEAR), rel=1e-12)
    expected = deflated_sharpe_ratio(float(ratio), worth, n_trials=5000, variance=variance, **shape)
    assert found.dsr == pytest.approx(expected, rel=1e-12)
    assert found.effective == 5000.0
    assert found.skill_p == found.superiority.p_of(found.best) == found.superiority.p_value


def test_a_winner_is_held_against_the_resamples_itself():
    """Beside a trial with skill, one that lost is worth what it is: the question is not about the family."""
    x = _trials(edge=4.0)
    loser = int(np.argmin(x.mean(axis=0)))
    assert assess(x, **QUICK).skill_p < 0.01
    found = assess(x, best=loser, **QUICK)
    assert found.skill_p > 0.99
    assert found.skill_score < 0.0 < found.superiority.statistic
    assert found.decision == "reject"


def test_a_sample_pays_for_the_whole_search():
    """Of a search ten times as large, the best of any of ten such samples is what it is held against."""
    x = _trials(edge=1.2)
    one, ten = assess(x, **QUICK), assess(x, sampled=600, **QUICK)
    assert ten.superiority.resamples == 10 * one.superiority.resamples
    assert ten.skill_p == pytest.approx(1.0 - (1.0 - ten.superiority.p_of(7)) ** 10, rel=1e-12)
    assert ten.skill_p > one.skill_p
    assert ten.effective == 10 * one.effective


def test_returns_that_follow_from_each_other_say_less():
    """Noise with an autocorrelation of 0.8 is no skill: a mean of it is worth that of a ninth."""
    passed, memories = 0, []
    for seed in range(25):
        shocks = np.random.default_rng(seed).normal(0.0, 0.01, (2520, 20))
        x = np.empty_like(shocks)
        x[0] = shocks[0]
        for t in range(1, len(x)):
            x[t] = 0.8 * x[t - 1] + shocks[t]
        found = assess(x, ppy=YEAR, resamples=200, blocks=8)
        passed += found.decision == "pass"
        memories.append(found.memory)
    assert passed <= 3  # four would be a chance of 3.4 % at 5 %
    assert (
        6.0 < float(np.median(memories)) < 9.5
    )  # (1 + 0.8) / (1 - 0.8) = 9, and a bandwidth sees most of it


def test_more_counted_trials_never_help():
    """Look twice, pay twice: the deflated Sharpe ratio falls with every trial that was counted."""
    x = _trials(edge=1.5)
    found = [assess(x, counted=n, **QUICK) for n in (60, 600, 10**5, 10**9)]
    for earlier, later in itertools.pairwise(found):
        assert earlier.effective_dsr > later.effective_dsr
        assert earlier.dsr > later.dsr
    assert found[0].decision == "pass"
    assert found[-1].decision == "reject"


def test_clones_do_not_help_either():
    """Copies of the noise with a little noise leave the hurdle where it is: no spread to shrink."""
    x = _trials(edge=1.5)
    near = np.concatenate((x, x[:, 8:] + 1e-5 * _trials(trials=52, seed=1)), axis=1)
    one, two = assess(x, **QUICK), assess(near, **QUICK)
    assert two.effective == one.effective
    assert two.effective_dsr == one.effective_dsr
    assert two.dsr < one.dsr


@pytest.mark.parametrize(
    ("change", "decision"),
    [
        ({}, "pass"),
        ({"effective_dsr": 0.94}, "weak"),
        ({"effective_dsr": 0.89}, "reject"),
        ({"effective_dsr": math.nan}, "reject"),
        ({"noise": Noise(99, 0.5, 0.9, 4, 0.05)}, "pass"),
        ({"noise": Noise(99, 0.5, 0.9, 5, 0.06)}, "weak"),
        ({"noise": Noise(99, 0.5, 0.9, 9, 0.10)}, "weak"),
        ({"noise": Noise(99, 0.5, 0.9, 10, 0.11)}, "reject"),
        ({"noise": Noise(18, 0.5, 0.9, 0, 1 / 19)}, "weak"),
        ({"noise": Noise(5, 0.5, 0.9, 0, 1 / 6)}, "weak"),
        ({"noise": Noise(5, 0.5, 0.9, 1, 2 / 6)}, "reject"),
        ({"noise": Noise(0, math.nan, math.nan, 0, math.nan)}, "weak"),
        ({"loss": 0.5}, "pass"),
        ({"loss": 0.51}, "weak"),
        ({"loss": math.nan}, "weak"),
        ({"skill_p": 0.05}, "pass"),
        ({"skill_p": 0.051}, "weak"),
        ({"skill_p": 0.10}, "weak"),
        ({"skill_p": 0.101}, "reject"),
    ],
)
def test_every_answer_is_needed(change: dict[str, float], decision: str):
    """The bounds: 0.95 and 0.90, 0.05 and 0.10, one half. Each change stands alone, and `say_change` has a
    sentence for it.
    """
    found = assess(_trials(edge=2.5), **QUICK)
    change = dict(change)
    if "loss" in change:
        changed = dataclasses.replace(found.overfitting, loss=change.pop("loss"))
        found = dataclasses.replace(found, overfitting=changed)
    found = dataclasses.replace(found, **change)
    assert decide(found) == decision
    assert say_change(dataclasses.replace(found, decision=decide(found)))


def test_shuffled_sweeps_are_ranked():
    """The winner is one more draw; a sweep in which nothing traded is none."""
    x = _trials(edge=2.5)
    assert assess(x, **QUICK).noise is None
    assert assess(x, null_best=[0.1, math.nan, 99.0, 0.3], **QUICK).noise == Noise(3, 0.3, 99.0, 1, 0.5)
    empty = assess(x, null_best=[math.nan], **QUICK).noise
    assert empty is not None
    assert (empty.shuffles, math.isnan(empty.p_value)) == (0, True)
    assert compare(0.3, [0.1, 0.3]).reached == 1


def test_too_few_shuffles_say_how_many_are_needed():
    """Below 19 no p-value reaches 0.05: the other three answers alone are never a pass."""
    found = assess(_trials(edge=2.5), null_best=[0.1] * 18, **QUICK)
    assert found.decision == "weak"
    assert found.change.startswith("at least 19 shuffled sweeps")


def test_a_winner_may_be_named_and_have_bars_of_its_own():
    """Its own Sharpe ratio, length and moments come from its series; the table is the trials'."""
    x = _trials(edge=2.5)
    own = x[1000:, 3]
    found = assess(x, best=3, series=own, **QUICK)
    assert (found.best, found.years_held) == (3, pytest.approx(1520 / YEAR))
    assert found.sharpe == pytest.approx(own.mean() / own.std(ddof=1) * math.sqrt(YEAR), rel=1e-12)
    assert found.superiority.p_value == assess(x, **QUICK).superiority.p_value
    x[:, 3] = 0.0
    assert assess(x, best=3, **QUICK).decision == "reject"
    with pytest.raises(UsageError):
        assess(x, best=60, **QUICK)


def test_undefined_trials_count_and_cannot_win():
    """NaN and constant columns are counted; the winner keeps its number."""
    x = _trials(edge=2.5)
    x[:, 0], x[5, 1], x[:, 2] = 0.0, np.nan, 0.5
    found = assess(x, **QUICK)
    assert (found.best, found.counted) == (7, 60)
    assert found.decision == "pass"
    assert (found.superiority.best, set(found.overfitting.best.tolist()) >= {7}) == (7, True)


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros((400, 5)),
        np.full((400, 5), 0.01),
        np.full((400, 5), np.nan),
        np.empty((400, 0)),
        np.empty((0, 5)),
        _trials(1, 5),
        _trials(2, 5),
        _trials(10, 5),
    ],
    ids=["flat", "constant", "nan", "none", "empty", "one bar", "two bars", "ten bars"],
)
def test_what_cannot_be_judged_is_rejected(returns: np.ndarray):
    """Reject, with text and JSON that still work, and without a warning."""
    found = assess(returns, **QUICK)
    assert found.decision == "reject"
    assert all(found.reasons)
    assert found.change
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.lines()


def test_one_trial_was_not_chosen():
    """A single trial needs no cross-validation, and luck is 0."""
    found = assess(_trials(trials=1, edge=2.0), **QUICK)
    assert (found.decision, found.luck, found.effective) == ("pass", 0.0, 1.0)
    assert "nothing was chosen" in found.reasons[2]
    assert found.effective_dsr == found.psr


def test_identical_trials_are_one():
    """Sixty copies of a good trial are worth one, and pass as it does."""
    found = assess(np.repeat(_trials(trials=1, edge=2.0), 60, axis=1), **QUICK)
    assert (found.decision, found.effective, found.counted) == ("pass", 1.0, 60)


def test_the_text_says_why():
    """The three facts, with their bounds, and what would change it."""
    lines = assess(_trials(edge=2.5), counted=1000, **QUICK).lines()
    assert lines[0] == "verdict   PASS"
    assert lines[2] == "trials    1,000 counted on this data, worth 1,000 independent ones"
    assert "deflated probability" in lines[3]
    assert "p = 0.003 <= 0.05" in lines[4]
    assert "70 splits" in lines[5]
    assert lines[7].startswith("to change more than ")


def test_the_json_is_plain_and_whole():
    """Every field is in it, and infinities are text."""
    found = assess(_trials(), **QUICK)
    plain = found.to_dict()
    assert set(plain) == set(Assessment.__dataclass_fields__)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert dataclasses.replace(found, years_needed=math.inf).to_dict()["years_needed"] == "Infinity"


def test_same_numbers_same_verdict():
    """On one thread and on three: the same JSON."""
    x = _trials(edge=1.0, trials=40)
    one, three = (json.dumps(assess(x, threads=t, **QUICK).to_dict()) for t in (1, 3))
    assert one == three


def test_arguments_out_of_range_are_refused():
    """No bars a year, or more trials than can be clustered."""
    with pytest.raises(UsageError):
        assess(_trials(20, 3), ppy=0.0)
    with pytest.raises(UsageError):
        assess(_trials(3, MOST + 1), ppy=YEAR)
