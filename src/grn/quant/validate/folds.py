"""Bars to choose on, and bars to be judged on: k-fold, combinatorial and walk-forward, purged and embargoed.

Neighbouring bars share information: a label or a position that begins in one fold ends in the next. Purging
leaves out bars on both sides of a test fold from the training bars, an embargo more of those behind it.

Folds are numbers only. What a sweep found on all bars is indexed by them; nothing is run again.

Source: López de Prado, M. (2018). Advances in Financial Machine Learning, chapters 7 (purging and embargo)
and 12 (combinatorial purged cross-validation). Wiley.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from grn.kit.errors import UsageError
from grn.quant.validate.kernels import Integers

MOST_SPLITS: Final = 100_000


@dataclass(frozen=True, eq=False)
class Split:
    """Bars to train on and bars to test on, int64 ascending; ``folds`` are the numbers of the test folds."""

    train: Integers
    test: Integers
    folds: tuple[int, ...]


@dataclass(frozen=True)
class Folds:
    """Bars cut into ``n_folds``, of which a split tests ``n_test``: combinatorial, or k-fold for 1.

    The first folds have ``n_bars // n_folds`` bars each, and the last one what is left. Splits come in the
    order of ``itertools.combinations``. For ``n_test`` of 2 or more, indices, splits and paths are those of
    `skfolio`'s ``CombinatorialPurgedCV``.

    Parameters
    ----------
    n_bars, n_folds, n_test
        Bars, folds (at least 2), and test folds of a split (at least 1, fewer than the folds).
    purge
        Bars left out of training on both sides of a run of test bars.
    embargo
        Bars left out behind it, further to those purged.

    Raises
    ------
    UsageError
        A fold would be empty, or purge and embargo would empty one, or there would be too many splits.
    """

    n_bars: int
    n_folds: int
    n_test: int = 1
    purge: int = 0
    embargo: int = 0

    def __post_init__(self) -> None:
        if not (2 <= self.n_folds <= self.n_bars and 1 <= self.n_test < self.n_folds):
            raise UsageError(
                "folds do not fit the bars",
                seen=f"{self.n_test} of {self.n_folds} folds, {self.n_bars} bars",
                hint="at least two folds, fewer of them to test on, at least a bar in each",
            )
        if self.purge < 0 or self.embargo < 0:
            raise UsageError("purge and embargo must not be negative", seen=(self.purge, self.embargo))
        if self.purge + self.embargo and self.purge + self.embargo >= self.size - 1:
            raise UsageError(
                "purge and embargo leave nothing of a fold",
                seen=f"{self.purge} + {self.embargo} of {self.size} bars",
            )
        if self.n_splits > MOST_SPLITS:
            raise UsageError("too many splits", seen=f"{self.n_splits:,}", hint=f"at most {MOST_SPLITS:,}")

    @property
    def size(self) -> int:
        """Bars of each fold but the last."""
        return self.n_bars // self.n_folds

    @property
    def n_splits(self) -> int:
        """Ways to choose the test folds."""
        return math.comb(self.n_folds, self.n_test)

    @property
    def n_paths(self) -> int:
        """Paths over all bars that the tests can be put together to; each split's tests are used once."""
        return self.n_splits * self.n_test // self.n_folds

    def bounds(self) -> list[int]:
        """First bar of each fold, and the end of the last."""
        return [*range(0, self.size * self.n_folds, self.size), self.n_bars]

    def tests(self) -> list[tuple[int, ...]]:
        """Test folds of each split."""
        return list(itertools.combinations(range(self.n_folds), self.n_test))

    def train_runs(self, test: tuple[int, ...]) -> list[tuple[int, int]]:
        """Bars to train on as runs ``first <= bar < last``, for the test folds of a split."""
        bounds, runs, begin = self.bounds(), [], 0
        for first, last in _runs(test):
            runs.append((begin, bounds[first] - self.purge if first else 0))
            begin = bounds[last + 1] + self.purge + self.embargo
        runs.append((begin, self.n_bars))
        return [(a, b) for a, b in runs if a < b]

    def __iter__(self) -> Iterator[Split]:
        """Every split, its bars written out."""
        bounds = self.bounds()
        for test in self.tests():
            train = [np.arange(a, b) for a, b in self.train_runs(test)]
            tested = [np.arange(bounds[fold], bounds[fold + 1]) for fold in test]
            empty = np.empty(0, dtype=np.int64)
            yield Split(np.concatenate((empty, *train)), np.concatenate(tested), test)

    def paths(self) -> Integers:
        """The split whose test gives a fold of a path: int64 [paths, folds].

        Path p takes, for every fold, the p-th split that tests it.
        """
        tests = self.tests()
        by_fold = [[k for k, test in enumerate(tests) if fold in test] for fold in range(self.n_folds)]
        return np.array(by_fold, dtype=np.int64).T


@dataclass(frozen=True)
class Window:
    """One step of a walk forward: train on ``train[0] <= bar < train[1]``, then trade ``test`` likewise."""

    train: tuple[int, int]
    test: tuple[int, int]


def walk_windows(
    n_bars: int, *, train: int, test: int, anchored: bool = False, purge: int = 0
) -> list[Window]:
    """Windows of a walk forward: choose on the past, trade the next bars, move on by as many.

    Parameters
    ----------
    n_bars
        Bars in all.
    train
        Bars to choose on; ``anchored``: in the first window, all bars from the first on in later ones.
    test
        Bars to trade; the last window may have fewer.
    purge
        Bars left out between the two.

    Raises
    ------
    UsageError
        A length is out of range, or not a single window fits.
    """
    if train < 1 or test < 1 or purge < 0 or train + purge >= n_bars:
        raise UsageError(
            "the windows do not fit the bars",
            seen=f"train {train}, purge {purge}, test {test} in {n_bars} bars",
            hint="at least one bar to trade must be left",
        )
    found = []
    for begin in range(train + purge, n_bars, test):
        end = begin - purge
        found.append(Window((0 if anchored else end - train, end), (begin, min(begin + test, n_bars))))
    return found


def _runs(folds: tuple[int, ...]) -> list[tuple[int, int]]:
    """Neighbouring folds joined: first and last of each run."""
    found: list[tuple[int, int]] = []
    for fold in folds:
        if found and found[-1][1] == fold - 1:
            found[-1] = found[-1][0], fold
        else:
            found.append((fold, fold))
    return found
