"""Folds: indices equal to skfolio's, nothing tested is trained on, windows that walk."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.folds import Folds, Window, walk_windows

CASES = [(6, 2), (10, 2), (10, 8), (12, 2), (5, 3)]


@pytest.mark.parametrize(
    ("n_folds", "n_test", "splits", "paths"),
    [(6, 2, 15, 5), (10, 2, 45, 9), (10, 8, 45, 36), (12, 2, 66, 11), (5, 1, 5, 1)],
)
def test_numbers_of_splits_and_paths(n_folds: int, n_test: int, splits: int, paths: int):
    """López de Prado (2018), chapter 12: C(N, k) splits, and C(N, k) k / N paths."""
    folds = Folds(240, n_folds, n_test)
    assert (folds.n_splits, folds.n_paths) == (splits, paths)
    assert len(list(folds)) == splits
    assert folds.paths().shape == (paths, n_folds)


@pytest.mark.skipif(find_spec("skfolio") is None, reason="the extra `samples` is not installed")
@pytest.mark.parametrize(("n_folds", "n_test"), CASES)
@pytest.mark.parametrize(("bars", "purge", "embargo"), [(120, 0, 0), (131, 3, 2), (127, 0, 4), (140, 5, 0)])
def test_indices_and_paths_are_those_of_skfolio(
    n_folds: int, n_test: int, bars: int, purge: int, embargo: int
):
    """Training bars, test bars and paths of skfolio 1.12.2's CombinatorialPurgedCV, split by split."""
    from skfolio.model_selection import CombinatorialPurgedCV

    theirs = CombinatorialPurgedCV(n_folds, n_test, purged_size=purge, embargo_size=embargo)
    ours = Folds(bars, n_folds, n_test, purge, embargo)
    for mine, (train, tests) in zip(ours, theirs.split(np.zeros((bars, 1))), strict=True):
        assert np.array_equal(mine.train, train)
        assert np.array_equal(mine.test, np.concatenate(tests))
    assert np.array_equal(ours.paths(), theirs.recombined_paths.T)


@pytest.mark.parametrize("n_test", [1, 2, 3])
def test_nothing_near_a_test_is_trained_on(n_test: int):
    """Training bars keep `purge` bars from every test bar, and `purge` + `embargo` behind one."""
    for split in Folds(103, 6, n_test, purge=3, embargo=4):
        gap = split.train[:, None] - split.test[None, :]
        assert not ((gap >= -3) & (gap <= 7)).any()


def test_k_fold_tests_every_bar_once():
    """One test fold a split: together all bars, and one path."""
    tests = [split.test for split in Folds(47, 5)]
    assert np.array_equal(np.concatenate(tests), np.arange(47))
    assert Folds(47, 5).paths().tolist() == [[0, 1, 2, 3, 4]]


def test_every_path_uses_every_split_once_per_test_fold():
    """Each fold of each path comes from a split that tests it, and none is used twice."""
    folds = Folds(120, 6, 2)
    tests, used = folds.tests(), set()
    for path in folds.paths().tolist():
        for fold, split in enumerate(path):
            assert fold in tests[split]
            used.add((fold, split))
    assert len(used) == folds.n_splits * 2


@pytest.mark.parametrize(
    "arguments", [(10, 1), (10, 11), (10, 4, 4), (10, 4, 0), (20, 4, 1, -1), (20, 4, 1, 2, 2), (500, 100, 50)]
)
def test_folds_that_do_not_fit_are_refused(arguments: tuple[int, ...]):
    """One fold, more folds than bars, all tested, none tested, negative or too long purges, too many."""
    with pytest.raises(UsageError):
        Folds(*arguments)


def test_windows_by_hand():
    """Ten bars, four to train on, three to trade, one between: two windows, rolling and anchored."""
    rolling = walk_windows(10, train=4, test=3, purge=1)
    assert rolling == [Window((0, 4), (5, 8)), Window((3, 7), (8, 10))]
    anchored = walk_windows(10, train=4, test=3, purge=1, anchored=True)
    assert [window.train for window in anchored] == [(0, 4), (0, 7)]


@pytest.mark.parametrize(
    "arguments", [{"train": 0, "test": 1}, {"train": 1, "test": 0}, {"train": 10, "test": 1}]
)
def test_windows_that_do_not_fit_are_refused(arguments: dict[str, int]):
    """Nothing to train on, nothing to trade, or no bar left."""
    with pytest.raises(UsageError):
        walk_windows(10, **arguments)
