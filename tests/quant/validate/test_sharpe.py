"""Sharpe ratio statistics against published and independently recomputed numbers, and at their edges."""

from __future__ import annotations

import itertools
import math
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grn.quant.validate.sharpe import (
    deflated_sharpe_ratio,
    deflated_track_record_length,
    expected_max_sharpe,
    max_trials,
    min_backtest_length,
    min_track_record_length,
    probabilistic_sharpe_ratio,
    required_sharpe,
)

NAN = math.nan
# Bailey & López de Prado (2014), the worked example: 2.5 a year over five years of 250 days, and the
# variance of the trials' annual Sharpe ratios is 1/2.
EXAMPLE_SR = 2.5 / math.sqrt(250.0)
EXAMPLE_VARIANCE = 0.5 / 250.0
EXAMPLE_N = 1250


def test_expected_maximum_of_a_hundred_normals():
    """The approximation at N = 100, recomputed independently in double precision."""
    assert expected_max_sharpe(100) == pytest.approx(2.5306028932, abs=5e-11)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_expected_maximum_is_that_of_simulated_normals(n: int):
    """The approximation is within three per cent of the mean maximum of n simulated standard normals."""
    draws = np.random.default_rng(3).standard_normal((2000, n))
    assert expected_max_sharpe(n) == pytest.approx(float(draws.max(axis=1).mean()), rel=0.03)


def test_deflated_sharpe_ratio_of_the_papers_example():
    """Bailey & López de Prado (2014): SR0 0.1132, DSR 0.9004; digits recomputed independently.

    0.9017786 would be the mistake of taking the kurtosis as excess.
    """
    assert expected_max_sharpe(100, EXAMPLE_VARIANCE) == pytest.approx(0.1131720, abs=5e-8)
    found = deflated_sharpe_ratio(
        EXAMPLE_SR, EXAMPLE_N, n_trials=100, variance=EXAMPLE_VARIANCE, skew=-3.0, kurtosis=10.0
    )
    assert found == pytest.approx(0.9003968345, abs=1e-10)


@pytest.mark.parametrize(
    ("n_trials", "skew", "kurtosis", "expected"),
    [(46, -3.0, 10.0, 0.9505017), (88, 0.0, 3.0, 0.9504908)],
)
def test_trials_that_the_papers_example_bears(n_trials: int, skew: float, kurtosis: float, expected: float):
    """Bailey & López de Prado (2014): 46 trials, or 88 under normality, are the most at 95 %."""
    kwargs = {"variance": EXAMPLE_VARIANCE, "skew": skew, "kurtosis": kurtosis}
    found = deflated_sharpe_ratio(EXAMPLE_SR, EXAMPLE_N, n_trials=n_trials, **kwargs)
    assert found == pytest.approx(expected, abs=5e-8)
    assert max_trials(EXAMPLE_SR, EXAMPLE_N, **kwargs) == n_trials


def test_probabilistic_sharpe_ratio_of_two_years_of_months():
    """Bailey & López de Prado (2012): 0.982 for a monthly 0.458 over 24 months, normal returns."""
    assert probabilistic_sharpe_ratio(0.458, 0.0, 24) == pytest.approx(0.982, abs=5e-4)


def test_probabilistic_sharpe_ratio_with_a_fat_left_tail():
    """Bailey & López de Prado (2012): 0.913 once skewness and kurtosis enter; digits recomputed
    independently.
    """
    found = probabilistic_sharpe_ratio(1.585 / math.sqrt(12.0), 0.0, 24, skew=-2.448, kurtosis=10.164)
    assert found == pytest.approx(0.9132343, abs=5e-8)


@pytest.mark.parametrize(
    ("ppy", "years", "tolerance"),
    [(250.0, 2.7311878, 5e-8), (52.0, 2.8288336, 5e-8), (12.0, 3.2398, 5e-5)],
    ids=["daily", "weekly", "monthly"],
)
def test_track_record_for_two_against_one(ppy: float, years: float, tolerance: float):
    """Bailey & López de Prado (2012): an annual 2 against 1, normal, 95 %: 2.73, 2.83 and 3.24 years."""
    found = min_track_record_length(2.0 / math.sqrt(ppy), 1.0 / math.sqrt(ppy)) / ppy
    assert found == pytest.approx(years, abs=tolerance)


def test_track_record_of_a_monthly_strategy():
    """Monthly 0.7079 against 0 with skewness -0.225 and kurtosis 2.957: 0.7152 years, recomputed
    independently.
    """
    found = min_track_record_length(0.7079, 0.0, skew=-0.225, kurtosis=2.957) / 12.0
    assert found == pytest.approx(0.7152, abs=5e-5)


def test_track_record_of_a_close_race():
    """An annual 3 against 2.5, monthly, skewness -0.72, kurtosis 5.78: 27.35292 years, recomputed
    independently.
    """
    root = math.sqrt(12.0)
    found = min_track_record_length(3.0 / root, 2.5 / root, skew=-0.72, kurtosis=5.78) / 12.0
    assert found == pytest.approx(27.35292, abs=5e-6)


def test_backtest_length_of_forty_five_trials():
    """Bailey, Borwein, López de Prado & Zhu (2014): five years bear 45 trials at E[max] = 1; recomputed
    digits.
    """
    assert min_backtest_length(45, 1.0) == pytest.approx(4.9980870, abs=5e-8)


def test_one_trial_selects_nothing():
    """With a single trial there is no maximum to deflate by: DSR is PSR against 0, whatever the variance."""
    assert [expected_max_sharpe(1, variance) for variance in (0.0, 1.0, NAN)] == [0.0, 0.0, 0.0]
    assert deflated_sharpe_ratio(0.1, 500, n_trials=1, variance=NAN) == probabilistic_sharpe_ratio(
        0.1, 0.0, 500
    )
    assert min_backtest_length(1, 0.5) == 0.0


def test_identical_trials_select_nothing():
    """Trials without spread are one trial."""
    assert expected_max_sharpe(1000, 0.0) == 0.0


@pytest.mark.parametrize(
    ("n_trials", "variance"), [(0, 1.0), (-3, 1.0), (NAN, 1.0), (10, NAN), (10, -1.0), (0, NAN)]
)
def test_expected_maximum_is_undefined_without_trials_or_spread(n_trials: float, variance: float):
    """NaN, not an exception, where there is nothing to take the maximum of."""
    assert math.isnan(expected_max_sharpe(n_trials, variance))
    assert math.isnan(deflated_sharpe_ratio(0.1, 500, n_trials=n_trials, variance=variance))


def test_expected_maximum_of_a_fraction_of_a_trial_more_is_not_negative():
    """The approximation dives below zero just above one trial; the answer stays at zero."""
    assert expected_max_sharpe(1.0001) == 0.0


@pytest.mark.parametrize("n_trials", [1e6, 1e12, 1e18, 1e100])
def test_expected_maximum_survives_any_ledger(n_trials: float):
    """Beyond 2**53 trials 1 - 1/N is 1; mirrored quantiles keep growing like sqrt(2 ln N)."""
    found = expected_max_sharpe(n_trials)
    assert found == pytest.approx(math.sqrt(2.0 * math.log(n_trials)), rel=0.12)
    assert found > expected_max_sharpe(n_trials / 10.0)


@pytest.mark.parametrize("n", [NAN, -1.0, 0.0, 1.0, 1.9])
def test_too_few_returns_give_no_probability(n: float):
    """Below two returns nothing can be said."""
    assert math.isnan(probabilistic_sharpe_ratio(0.1, 0.0, n))


@pytest.mark.parametrize("position", range(5))
def test_a_nan_input_gives_nan(position: int):
    """NaN in any input of PSR and of the track record's length comes out as NaN."""
    sharpe, benchmark, n, skew, kurtosis = (
        NAN if index == position else value for index, value in enumerate((0.1, 0.0, 500.0, 0.0, 3.0))
    )
    assert math.isnan(probabilistic_sharpe_ratio(sharpe, benchmark, n, skew=skew, kurtosis=kurtosis))
    if position != 2:
        assert math.isnan(min_track_record_length(sharpe, benchmark, skew=skew, kurtosis=kurtosis))


def test_impossible_moments_give_nan():
    """Kurtosis is at least skew squared plus one; below it the variance of the estimate can be negative."""
    assert math.isnan(probabilistic_sharpe_ratio(1.0, 0.0, 500, skew=5.0, kurtosis=3.0))
    assert math.isnan(min_track_record_length(1.0, 0.0, skew=5.0, kurtosis=3.0))


def test_infinite_sharpe_ratios_give_nan():
    """An infinite ratio (another package's answer to zero risk) is not certainty."""
    assert math.isnan(probabilistic_sharpe_ratio(math.inf, 0.0, 500))


def test_no_record_is_long_enough_below_the_benchmark():
    """At or below the benchmark the length is infinite; an unreachable confidence is NaN."""
    assert min_track_record_length(0.1, 0.1) == math.inf
    assert min_track_record_length(0.05, 0.1) == math.inf
    assert math.isnan(min_track_record_length(0.2, 0.1, confidence=1.0))


def test_no_backtest_is_long_enough_for_nothing():
    """A Sharpe ratio of 0 or less is always surpassed by luck."""
    assert min_backtest_length(10, 0.0) == math.inf
    assert math.isnan(min_backtest_length(10, NAN))
    assert math.isnan(min_backtest_length(0, 1.0))


def test_the_most_trials_has_both_ends():
    """0 when a single trial is too many, 2**63 when no number is."""
    assert max_trials(0.01, 100, variance=0.001) == 0
    assert max_trials(NAN, 100, variance=0.001) == 0
    assert max_trials(0.5, 5000, variance=0.0) == 2**63


sharpes = st.floats(-0.3, 0.3)
lengths = st.integers(2, 20_000)


@given(sharpes, sharpes, lengths, st.floats(-3.0, 3.0), st.floats(0.0, 20.0))
def test_record_length_and_probability_are_one_statement(
    sharpe: float, benchmark: float, n: int, skew: float, beyond: float
):
    """PSR is at 95 % exactly when the track record is at least the minimum length."""
    kurtosis = skew * skew + 1.0 + beyond
    probability = probabilistic_sharpe_ratio(sharpe, benchmark, n, skew=skew, kurtosis=kurtosis)
    needed = min_track_record_length(sharpe, benchmark, skew=skew, kurtosis=kurtosis)
    assume(not math.isnan(probability))
    assume(abs(probability - 0.95) > 1e-9)
    assert (probability >= 0.95) == (n >= needed)


@given(sharpes, lengths, st.floats(1e-6, 0.01))
def test_more_trials_never_help(sharpe: float, n: int, variance: float):
    """The deflated Sharpe ratio falls, or stays, as the number of trials grows."""
    found = [
        deflated_sharpe_ratio(sharpe, n, n_trials=count, variance=variance)
        for count in (1, 2, 10, 1000, 10**6)
    ]
    assert all(earlier >= later for earlier, later in itertools.pairwise(found))


@pytest.mark.skipif(find_spec("vectorbt") is None, reason="the extra `peers` is not installed")
@pytest.mark.parametrize("seed", range(5))
def test_deflated_sharpe_ratio_is_that_of_vectorbt(seed: int):
    """Those of vectorbt 1.2.0, whose kurtosis is raw since then, for random moments, lengths and trials."""
    from benchmarks.peer_vectorbt import load_vectorbt

    load_vectorbt()
    from vectorbt.returns import metrics

    rng = np.random.default_rng(seed)
    sharpe, skew = rng.normal(0.05, 0.05, 20), rng.normal(0.0, 0.5, 20)
    kurtosis, n = skew**2 + 1.0 + rng.gamma(3.0, 1.0, 20), rng.integers(50, 5000, 20)
    trials, variance = int(rng.integers(2, 100_000)), float(rng.uniform(1e-4, 1e-2))
    theirs = metrics.deflated_sharpe_ratio(
        est_sharpe=sharpe,
        var_sharpe=variance,
        nb_trials=trials,
        backtest_horizon=n,
        skew=skew,
        kurtosis=kurtosis,
    )
    ours = [
        deflated_sharpe_ratio(s, int(t), n_trials=trials, variance=variance, skew=g, kurtosis=k)
        for s, t, g, k in zip(sharpe, n, skew, kurtosis, strict=True)
    ]
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("n_trials", [1.0, 4.0, 68.0, 1e6])
@pytest.mark.parametrize(("skew", "kurtosis"), [(0.0, 3.0), (-1.2, 9.0)])
def test_length_and_ratio_that_are_needed_are_where_the_deflated_one_is_at_95(
    n_trials: float, skew: float, kurtosis: float
) -> None:
    """Luck falls with the length too: at the length, and at the ratio, the probability is 0.95 exactly."""
    moments = {"skew": skew, "kurtosis": kurtosis}
    for ratio in (0.01, 0.05, 0.2):
        n = deflated_track_record_length(ratio, n_trials, **moments)
        deflated = deflated_sharpe_ratio(ratio, n, n_trials=n_trials, variance=1.0 / (n - 1.0), **moments)
        assert deflated == pytest.approx(0.95, abs=1e-9)
        assert required_sharpe(n, n_trials, **moments) == pytest.approx(ratio, rel=1e-9)
    assert deflated_track_record_length(0.0, n_trials) == math.inf
    assert math.isnan(required_sharpe(1.5, n_trials, kurtosis=math.nan))
