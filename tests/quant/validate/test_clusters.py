"""How many independent trials a sweep is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.clusters import MOST, cluster_trials, count_clusters, effective_trials
from grn.quant.validate.sharpe import expected_max_sharpe


def _noise(bars: int, trials: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (bars, trials))


def test_noise_is_as_many_trials_as_it_says():
    """Trials that share nothing are all counted."""
    assert effective_trials(_noise(1000, 60)) == 60.0


def test_clones_are_one_trial():
    """Copies, scaled copies and copies with a little noise add nothing."""
    x = _noise(1000, 5)
    copies = np.concatenate((x, 2.0 * x, x + 0.001 * _noise(1000, 5, 1)), axis=1)
    assert effective_trials(copies) == 5.0
    assert cluster_trials(copies).tolist() == [0, 1, 2, 3, 4] * 3


def test_a_trial_and_its_mirror_image_are_two():
    """Short where the other is long: one of them is lucky where the other is not."""
    x = _noise(500, 1)
    assert effective_trials(np.concatenate((x, -x), axis=1)) == 2.0


@pytest.mark.parametrize("groups", [2, 5, 20])
def test_groups_of_neighbours_are_found(groups: int):
    """Trials that correlate at 0.9 within groups of six: one cluster a group."""
    rng = np.random.default_rng(groups)
    common = np.repeat(rng.normal(size=(2000, groups)), 6, axis=1)
    x = math.sqrt(0.9) * common + math.sqrt(0.1) * rng.normal(size=common.shape)
    assert cluster_trials(x).tolist() == np.repeat(np.arange(groups), 6).tolist()


def test_it_is_no_lower_than_the_luck_of_neighbours():
    """Sixty momentum rules on one noise, a grid's usual family: on average over 40 noises the best of them is
    no luckier than the best of the effective number of independent trials.
    """
    best = []
    for seed in range(40):
        sign = np.cumsum(_noise(1500, 1, seed)[:, 0])
        returns = np.diff(sign)
        spans = np.unique(np.geomspace(5, 400, 60).astype(int))
        x = np.stack([np.sign(sign[400:-1] - sign[400 - s : -1 - s]) * returns[400:] for s in spans], axis=1)
        best.append(float((x.mean(axis=0) / x.std(axis=0)).max() * math.sqrt(len(x))))
    assert 1.0 < effective_trials(x) < len(spans) / 2
    assert np.mean(best) < expected_max_sharpe(effective_trials(x))


def test_what_was_not_kept_counts_in_proportion():
    """A sample of 10 in 1,000 trials with 5 clusters is worth 500; 990 made elsewhere are 990 more."""
    x = np.repeat(_noise(300, 5), 2, axis=1)
    assert effective_trials(x) == 5.0
    assert effective_trials(x, sampled=1000) == 500.0
    assert effective_trials(x, counted=1000) == 5.0 + 990.0
    assert effective_trials(x, sampled=100, counted=1000) == 50.0 + 900.0
    assert effective_trials(x, counted=3) == 5.0


def test_clones_wash_nothing_away():
    """A sweep full of copies makes the trials of other sweeps no fewer."""
    x = _noise(300, 5)
    assert effective_trials(np.repeat(x, 100, axis=1), counted=10_500) == 5.0 + 10_000.0


def test_trials_without_a_sharpe_ratio_form_no_cluster():
    """NaN and constant trials have the label -1; nothing at all is worth nothing."""
    x = _noise(100, 4)
    x[:, 1], x[0, 2] = 0.0, np.nan
    assert cluster_trials(x).tolist() == [0, -1, -1, 1]
    assert effective_trials(x) == 2.0
    assert effective_trials(np.zeros((100, 3))) == 0.0
    assert effective_trials(np.zeros((1, 3)), counted=10) == 7.0


def test_arguments_out_of_range_are_refused():
    """A correlation that joins nothing or everything, and more trials than a tree should have."""
    for alike in (0.0, 1.5):
        with pytest.raises(UsageError):
            cluster_trials(_noise(10, 2), alike=alike)
    with pytest.raises(UsageError):
        cluster_trials(_noise(3, MOST + 1))


def test_a_search_has_more_clusters_than_its_sample():
    """Unrelated trials in proportion, clones by the root, half and half nearly as the unrelated half.

    A whole search has as many as are found.
    """
    rng = np.random.default_rng(3)
    lone, base = rng.normal(size=(300, 200)), rng.normal(size=(300, 1))
    clones = base + 1e-3 * rng.normal(size=(300, 200))
    assert count_clusters(lone, sampled=2000) == (200, 10.0)
    assert count_clusters(clones, sampled=2000) == (1, pytest.approx(10.0**0.5))
    found, times = count_clusters(np.concatenate([lone[:, :100], clones[:, :100]], axis=1), sampled=2000)
    assert found == 101
    assert 8.5 < times <= 10.0
    assert count_clusters(lone, sampled=200) == count_clusters(lone) == (200, 1.0)
    assert effective_trials(lone, sampled=2000, counted=2005) == 2005.0
    assert count_clusters(lone[:, :60], sampled=600) == (60, 10.0)  # too few to halve
