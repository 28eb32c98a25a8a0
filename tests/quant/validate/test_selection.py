"""Walk-forward and cross-validated choices, against the same computed from the bars themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grn.quant.validate.folds import Folds
from grn.quant.validate.selection import cross_validate, walk_forward


def _noise(bars: int, trials: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (bars, trials))


def _best(x: np.ndarray) -> int:
    return int(np.argmax(x.mean(axis=0) / x.std(axis=0, ddof=1)))


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("purge", [0, 3])
def test_a_walk_forward_is_what_its_windows_say(anchored: bool, purge: int):
    """Each window's choice made from its own bars, and the returns of the bars behind it."""
    x = _noise(200, 15, 1)
    found = walk_forward(x, train=50, test=20, anchored=anchored, purge=purge)
    earned = []
    for window, column, ratio in zip(found.windows, found.chosen, found.inside, strict=True):
        train = x[slice(*window.train)]
        assert column == _best(train)
        assert ratio == pytest.approx(train[:, column].mean() / train[:, column].std(ddof=1), rel=1e-9)
        earned.append(x[slice(*window.test), column])
    assert np.array_equal(found.returns, np.concatenate(earned))
    assert found.returns.size == 200 - 50 - purge
    assert found.sharpe == pytest.approx(found.returns.mean() / found.returns.std(ddof=1), rel=1e-12)


@pytest.mark.parametrize(("n_folds", "n_test"), [(6, 2), (5, 1), (6, 4)])
def test_paths_are_what_their_splits_say(n_folds: int, n_test: int):
    """Each split's choice made from its own training bars; each path of the chosen trials' test bars."""
    x = _noise(130, 12, 2)
    found = cross_validate(x, n_folds=n_folds, n_test=n_test, purge=2, embargo=1)
    folds = Folds(130, n_folds, n_test, 2, 1)
    for split, column in zip(folds, found.chosen, strict=True):
        assert column == _best(x[split.train])
    bounds = folds.bounds()
    for path, splits in zip(found.returns, folds.paths(), strict=True):
        for fold, split in enumerate(splits):
            bars = slice(bounds[fold], bounds[fold + 1])
            assert np.array_equal(path[bars], x[bars, found.chosen[split]])
    expected = found.returns.mean(axis=1) / found.returns.std(axis=1, ddof=1)
    assert found.sharpes == pytest.approx(expected, rel=1e-12)


def test_an_edge_survives_and_noise_does_not():
    """A trial that is truly good is chosen and earns; the best of noise earns nothing to speak of."""
    x = _noise(2400, 100, 3)
    noise = cross_validate(x)
    x[:, 31] += 0.0025
    edge, walked = cross_validate(x), walk_forward(x, train=600, test=100)
    assert set(edge.chosen.tolist()) == {31}
    assert edge.sharpes.min() > 0.15
    assert np.median(noise.sharpes) < 0.06
    assert set(walked.chosen.tolist()) == {31}
    assert walked.efficiency == pytest.approx(1.0, abs=0.4)


def test_undefined_trials_are_not_chosen():
    """NaN and constant columns are passed over; a trial flat on the training bars is too."""
    x = _noise(120, 4, 4)
    x[:, 0], x[3, 1] = 0.01, np.nan
    x[:80, 2] = 0.0
    found = walk_forward(x, train=40, test=40)
    assert found.chosen.tolist() == [3, 3]


@pytest.mark.parametrize("returns", [np.zeros((60, 3)), np.full((60, 3), np.nan), np.empty((60, 0))])
def test_nothing_to_choose_earns_nothing(returns: np.ndarray):
    """No trial with a Sharpe ratio: -1, a return of 0 on every bar, and no warning."""
    walked, paths = walk_forward(returns, train=20, test=10), cross_validate(returns, n_folds=6)
    assert set(walked.chosen.tolist()) == set(paths.chosen.tolist()) == {-1}
    assert not walked.returns.any()
    assert not paths.returns.any()
    assert math.isnan(walked.sharpe)
    assert math.isnan(walked.efficiency)
    assert np.isnan(paths.sharpes).all()


def test_of_equal_trials_the_first_is_chosen():
    """Identical columns: the lowest number, everywhere."""
    x = np.repeat(_noise(120, 1, 5), 5, axis=1)
    assert set(cross_validate(x, n_folds=6).chosen.tolist()) <= {0, -1}
    assert set(walk_forward(x, train=30, test=30).chosen.tolist()) == {0}
