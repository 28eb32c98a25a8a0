"""Bootstraps, reality check, SPA, StepM and model confidence set: equal to arch, and what they must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import MCS, SPA, CircularBlockBootstrap, RealityCheck, StationaryBootstrap, StepM

from grn.kit.errors import UsageError
from grn.quant.validate.resampling import KINDS, Bootstrap, Kind, usual_block
from grn.quant.validate.superiority import (
    bootstrap_variances,
    confidence_set,
    measure_superiority,
    superior_trials,
)
from tests.conftest import NIGHTLY

THEIRS = {"stationary": StationaryBootstrap, "circular": CircularBlockBootstrap}
SEEDS = range(20 if NIGHTLY else 4)


def _noise(bars: int, trials: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (bars, trials))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("bars", "block"), [(103, 7), (50, 1), (64, 64), (10, 3)])
def test_resamples_are_those_of_arch(kind: Kind, bars: int, block: int):
    """Those of arch 8.0.0, index by index, drawn in one batch or in two."""
    theirs = [data[0][0] for data in THEIRS[kind](block, np.arange(bars), seed=5).bootstrap(9)]
    ours = Bootstrap(bars, block, 5, kind)
    drawn = [ours.draw(2), ours.draw(7)]
    found = [batch.indices(k) for batch in drawn for k in range(len(batch))]
    assert all(np.array_equal(one, other) for one, other in zip(found, theirs, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_runs_stay_inside_the_data(kind: Kind):
    """Every run lies in the data, and a resample's runs add up to its bars."""
    batch = Bootstrap(97, 11, 3, kind).draw(50)
    assert (batch.starts >= 0).all()
    assert (batch.ends <= 97).all()
    assert (batch.ends > batch.starts).all()
    lengths = np.add.reduceat(batch.ends - batch.starts, batch.offsets[:-1])
    assert (lengths == 97).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_spa_and_reality_check_are_those_of_arch(kind: Kind, seed: int):
    """Lower, consistent and upper p-values of arch 8.0.0, equal at equal seeds; 40 trials, 33 and 1."""
    for trials in (40, 33, 1):
        x = _noise(203, trials, seed) + 0.0008 * np.random.default_rng(seed).standard_normal(trials)
        options = {"block_size": 9, "reps": 499, "bootstrap": kind, "seed": seed}
        theirs = SPA(np.zeros(203), -x, **options)
        check = RealityCheck(np.zeros(203), -x, **options)
        theirs.compute()
        check.compute()
        ours = measure_superiority(x, block=9, resamples=499, seed=seed, studentize=False, kind=kind)
        assert [ours.p_lower, ours.p_consistent, ours.p_upper] == theirs.pvalues.tolist()
        assert ours.p_upper == check.pvalues["upper"]
        assert ours.best == int(np.argmax(x.mean(axis=0)))


@pytest.mark.parametrize("seed", SEEDS)
def test_stepwise_test_is_that_of_arch(seed: int):
    """The superior trials of arch 8.0.0: some planted, some found in a later step."""
    x = _noise(203, 30, seed)
    x[:, [3, 5]] += 0.004
    x[:, 8] += 0.0022
    theirs = StepM(np.zeros(203), -x, block_size=9, reps=499, seed=seed)
    theirs.compute()
    ours = superior_trials(x, block=9, resamples=499, seed=seed, studentize=False)
    assert ours.tolist() == theirs.superior_models
    assert {3, 5} <= set(ours.tolist())


def test_confidence_set_is_that_of_arch():
    """P-values of arch 8.0.0 for every trial; equal trials share one, and undefined ones have none."""
    x = _noise(203, 12, 6)
    x[:, 4] += 0.003
    theirs = MCS(-x, 0.05, reps=300, block_size=9, seed=6)
    theirs.compute()
    expected = theirs.pvalues["Pvalue"].to_dict()
    found = confidence_set(x, block=9, resamples=300, seed=6)
    assert dict(enumerate(found.tolist())) == expected
    wider = np.concatenate((x, x[:, [4]], np.zeros((203, 1))), axis=1)
    again = confidence_set(wider, block=9, resamples=300, seed=6)
    assert np.array_equal(again[:12], found)
    assert again[12] == found[4] == 1.0
    assert math.isnan(again[13])


@pytest.mark.parametrize(("bars", "block"), [(60, 5), (61, 9), (97, 1), (128, 40)])
def test_variances_are_those_of_the_lags(bars: int, block: int):
    """Politis & Romano (1994), lemma 1, summed lag by lag as Hansen (2005) writes it."""
    x = _noise(bars, 3, bars)
    centred = x - x.mean(axis=0)
    q = 1.0 - 1.0 / block
    expected = (centred**2).sum(axis=0) / bars
    for lag in range(1, bars):
        weight = (1.0 - lag / bars) * q**lag + lag / bars * q ** (bars - lag)
        expected += 2.0 * weight * (centred[:-lag] * centred[lag:]).sum(axis=0) / bars
    assert bootstrap_variances(centred, block) == pytest.approx(expected, rel=1e-10)


def test_variances_are_those_of_resampled_means():
    """The variance of the root of n times a stationary resample's mean, over 4,000 of them, to 8 %."""
    x = _noise(150, 2, 1).cumsum(axis=0)
    x -= x.mean(axis=0)
    batch = Bootstrap(150, 12, 0).draw(4000)
    means = np.array([x[batch.indices(k)].mean(axis=0) for k in range(len(batch))])
    assert bootstrap_variances(x, 12) == pytest.approx(150 * means.var(axis=0), rel=0.08)


def test_studentized_trials_compete_by_their_sharpe_ratios():
    """A noisy trial with a large mean hides a steady one from plain means, and not from studentized ones."""
    x = _noise(500, 2, 8)
    x[:, 0] *= 100.0
    x[:, 1] += 0.002
    x[:, 0] += 0.01 - x[:, 0].mean()
    plain = measure_superiority(x, resamples=500, studentize=False)
    fair = measure_superiority(x, resamples=500)
    assert (plain.best, fair.best) == (0, 1)
    assert plain.p_value > 0.2
    assert fair.p_value < 0.01
    assert fair.p_lower <= fair.p_consistent <= fair.p_upper


def test_noise_is_rarely_superior():
    """Over seeded noise, p-values of 0.10 or less come up about one time in ten (120 sets; nightly 600)."""
    count = 600 if NIGHTLY else 120
    p = [measure_superiority(_noise(300, 40, s), resamples=199, seed=s).p_value for s in range(count)]
    rate = float(np.mean(np.array(p) <= 0.10))
    assert abs(rate - 0.10) < 4.0 * math.sqrt(0.10 * 0.90 / count)


@pytest.mark.parametrize("trials", [1, 31, 33, 70])
def test_bytes_do_not_depend_on_threads(trials: int):
    """One thread or three, whole tiles or not: the same bytes."""
    x = _noise(120, trials, 3)
    one, three = (measure_superiority(x, resamples=700, threads=t) for t in (1, 3))
    assert one.peaks.tobytes() == three.peaks.tobytes()


def test_kernels_are_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch):
    """Python and machine code: the same bytes."""
    x = _noise(40, 5, 4)
    fast = measure_superiority(x, resamples=20)
    for module in ("resampling", "superiority"):
        monkeypatch.setattr(f"grn.quant.validate.{module}.compiled", lambda kernel, _: kernel)
    assert measure_superiority(x, resamples=20).peaks.tobytes() == fast.peaks.tobytes()


@pytest.mark.parametrize(
    "returns",
    [np.zeros((400, 5)), np.full((400, 5), np.nan), _noise(400, 0), _noise(15, 5), np.empty((0, 2))],
    ids=["flat", "nan", "none", "short", "empty"],
)
def test_nothing_to_test_is_nan(returns: np.ndarray):
    """No trial with a Sharpe ratio, or fewer than 16 bars: NaN, nobody superior, no warning."""
    found = measure_superiority(returns, resamples=50)
    assert found.best == -1
    assert all(math.isnan(p) for p in (found.p_lower, found.p_consistent, found.p_upper, found.p_value))
    assert superior_trials(returns, resamples=50).size == 0
    assert np.isnan(confidence_set(returns, resamples=50)).all()


def test_one_trial_and_identical_trials_agree():
    """Copies of a trial change no p-value; the first is named, and all of them are as good.

    NumPy adds one column up in another order than several, so that the last bits may differ.
    """
    x = _noise(200, 1, 2) + 0.003
    one, many = (measure_superiority(np.repeat(x, k, axis=1), resamples=300) for k in (1, 9))
    assert one.peaks == pytest.approx(many.peaks, rel=1e-12)
    assert one.p_value == many.p_value
    assert (one.best, many.best) == (0, 0)
    assert superior_trials(np.repeat(x, 3, axis=1), resamples=300).tolist() == [0, 1, 2]
    assert confidence_set(np.repeat(x, 3, axis=1), resamples=50).tolist() == [1.0, 1.0, 1.0]


def test_returns_that_cancel_within_blocks_are_no_trap():
    """Alternating returns have hardly a variance in blocks: defined, and nothing is divided by 0."""
    x = np.tile([0.01, -0.01], 100)[:, None]
    assert 0.0 <= measure_superiority(x, block=20, resamples=50).p_value <= 1.0


def test_usual_blocks_are_cube_roots():
    """1,000 bars: blocks of ten."""
    assert [usual_block(n) for n in (0, 1, 8, 1000, 5000)] == [1, 1, 2, 10, 17]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: measure_superiority(x, resamples=0),
        lambda x: measure_superiority(x, block=0),
        lambda x: measure_superiority(x, seed=-1),
        lambda x: measure_superiority(x, kind="moving"),
        lambda x: measure_superiority(x, kind="circular", block=1000),
        lambda x: superior_trials(x, size=0.0),
        lambda x: confidence_set(np.repeat(x, 60, axis=1) + _noise(100, 180), resamples=10_000),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    """No resample, blocks that do not fit, unknown bootstraps, and sets too large to hold."""
    with pytest.raises(UsageError):
        call(_noise(100, 3))
