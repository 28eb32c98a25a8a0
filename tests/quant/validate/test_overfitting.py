"""Combinatorially symmetric cross-validation: fast equals plain, known answers, and the edges."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate import kernels
from grn.quant.validate.overfitting import half_splits, measure_overfitting, overfitting_plainly
from tests.conftest import NIGHTLY


def _noise(bars: int, trials: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (bars, trials))


@pytest.mark.parametrize(
    ("bars", "trials", "blocks"),
    [(203, 20, 8), (64, 3, 4), (48, 2, 2), (100, 37, 10), (160, 11, 6), (177, 5, 12)],
)
def test_fast_equals_plain(bars: int, trials: int, blocks: int):
    """Sums over blocks give what every split's own bars give: logits equal, Sharpe ratios to rounding."""
    x = _noise(bars, trials, bars)
    found = measure_overfitting(x, blocks=blocks)
    logits, outside, best = overfitting_plainly(x, blocks)
    assert np.array_equal(found.logits, logits)
    assert np.array_equal(found.best, best)
    assert found.outside == pytest.approx(outside, abs=1e-12)
    assert found.bars_left_out == bars % blocks


@pytest.mark.parametrize(("blocks", "splits"), [(8, 70), (16, 12_870)])
def test_number_of_splits(blocks: int, splits: int):
    """Bailey et al. (2017): 70 splits of 8 blocks, 12,870 of 16."""
    assert measure_overfitting(_noise(64, 3), blocks=blocks).logits.size == splits


def test_mirror_images_stand_opposite():
    """Split -1 - k is the other half of split k, in the order of combinations."""
    every = list(itertools.combinations(range(6), 3))
    halves = half_splits(6)
    for k, (one, rest) in enumerate(zip(halves[:, :3].tolist(), halves[:, 3:].tolist(), strict=True)):
        assert tuple(one) == every[k]
        assert tuple(rest) == every[-1 - k]


def test_recentred_noise_is_always_overfit():
    """With every column's mean taken away, what is won in one half is lost in the other: exactly 1."""
    x = _noise(320, 50)
    found = measure_overfitting(x - x.mean(axis=0))
    assert found.pbo == 1.0
    assert found.loss == 1.0
    assert found.slope < 0.0


def test_a_planted_edge_is_found():
    """0.15 deviations per observation in 10 of 100 columns over 1,000 bars: about 0, and choosing helps.

    Not to the first order: whoever is best in one half was lucky there, so that of ten equals another one
    tends to lead the other half. A single edge of 0.3 dominates to the first order too.
    """
    x = np.random.default_rng(5).standard_normal((1000, 100))
    x[:, :10] += 0.15
    found = measure_overfitting(x, dominance=True)
    assert found.pbo < 0.01
    assert found.loss < 0.01
    assert (found.best < 10).mean() > 0.99
    assert found.dominance is not None
    assert found.dominance.second
    assert not found.dominance.first
    x[:, 0] += 0.3
    alone = measure_overfitting(x, dominance=True).dominance
    assert alone is not None
    assert alone.first
    assert alone.second


def test_the_null_is_a_coin_that_falls_either_way():
    """Noise, T = 1000, N = 200, S = 16: recomputed independently over 60 matrices, mean 0.48, deviation 0.14.

    Never one seed: 12 matrices here, 60 in the nightly run.
    """
    count = 60 if NIGHTLY else 12
    found = [measure_overfitting(_noise(1000, 200, seed)).pbo for seed in range(count)]
    assert np.mean(found) == pytest.approx(0.48, abs=4 * 0.14 / math.sqrt(count))
    assert 0.06 < np.std(found, ddof=1) < 0.25


def test_distributions_add_up():
    """Shares below a level rise from 0 to 1, and those of the chosen are those of the splits."""
    x = _noise(160, 30, 3)
    found = measure_overfitting(x, blocks=8, dominance=True)
    d = found.dominance
    assert d is not None
    for shares in (d.chosen, d.all_trials):
        assert (shares[0], shares[-1]) == (0.0, pytest.approx(1.0))
        assert (np.diff(shares) >= 0.0).all()
    middle = float(np.median(found.outside))
    at = int(np.searchsorted(d.levels, middle))
    assert d.chosen[at] == pytest.approx((found.outside < d.levels[at]).mean(), abs=1 / 70 + 1e-12)
    assert not (d.first and np.array_equal(d.chosen, d.all_trials))


def test_bytes_do_not_depend_on_threads():
    """One thread or three: the same bytes."""
    x = _noise(160, 40, 7)
    one, three = (measure_overfitting(x, threads=t, dominance=True) for t in (1, 3))
    assert one.outside.tobytes() == three.outside.tobytes()
    assert one.dominance is not None
    assert three.dominance is not None
    assert one.dominance.all_trials.tobytes() == three.dominance.all_trials.tobytes()


def test_the_kernel_is_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch):
    """Python and machine code: the same bytes, the histogram included."""
    x = _noise(60, 7, 9)
    fast = measure_overfitting(x, blocks=6, dominance=True)
    monkeypatch.setattr("grn.quant.validate.overfitting.compiled", lambda kernel, _: kernel)
    plain = measure_overfitting(x, blocks=6, dominance=True)
    assert kernels.compare_halves.__name__ == "compare_halves"
    assert fast.outside.tobytes() == plain.outside.tobytes()
    assert fast.dominance is not None
    assert plain.dominance is not None
    assert fast.dominance.all_trials.tobytes() == plain.dominance.all_trials.tobytes()


@pytest.mark.parametrize(
    "returns",
    [
        np.zeros((400, 5)),
        np.full((400, 5), 0.01),
        np.full((400, 5), np.nan),
        _noise(400, 1),
        _noise(400, 0),
        _noise(31, 5),
        _noise(1, 5),
        np.empty((0, 5)),
    ],
    ids=["flat", "constant", "nan", "one", "none", "short", "bar", "empty"],
)
def test_nothing_to_choose_is_nan(returns: np.ndarray):
    """No two trials with a Sharpe ratio, or fewer than two bars a block: NaN, without a warning."""
    found = measure_overfitting(returns, dominance=True)
    assert all(math.isnan(value) for value in (found.pbo, found.loss, found.slope))
    assert found.logits.size == 0
    assert found.dominance is None


def test_identical_trials_are_a_coin():
    """The best of equals is the median: every split counts half, and the first column is named."""
    found = measure_overfitting(np.repeat(_noise(320, 1), 6, axis=1))
    assert found.pbo == 0.5
    assert set(found.best.tolist()) == {0}
    assert (found.logits == 0.0).all()


def test_halves_without_a_trade_earn_nothing():
    """A trial that trades in one block only: the other half's Sharpe ratio is 0, which loses half."""
    x = np.zeros((64, 2))
    x[:8, 0] = np.tile([0.02, 0.01], 4)
    x[:8, 1] = np.tile([-0.02, -0.01], 4)
    found = measure_overfitting(x, blocks=8)
    assert set(found.outside.tolist()) <= {0.0, found.inside.max(), -found.inside.max()}
    assert found.loss == pytest.approx(0.5, abs=0.5)


def test_undefined_columns_keep_their_numbers():
    """The best trial is named by its column in the matrix that was given."""
    x = _noise(320, 4, 2)
    x[:, 0] = 0.0
    x[:, 3] += 0.01
    assert set(measure_overfitting(x, blocks=8).best.tolist()) == {3}


@pytest.mark.parametrize("blocks", [0, 7, -2, 22])
def test_blocks_out_of_range_are_refused(blocks: int):
    """Odd, none, or more splits than anyone waits for."""
    with pytest.raises(UsageError):
        measure_overfitting(_noise(64, 3), blocks=blocks)
