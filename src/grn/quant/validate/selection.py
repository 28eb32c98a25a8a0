"""What a search would have earned: choose on some bars, earn on others.

Every trial's returns on all bars are there after one sweep. A choice needs the Sharpe ratio of every trial on
the training bars, which is a difference of running sums per run of bars; so 66 splits cost what one sweep's
table costs to read, and nothing is run again.

This holds for trials without memory of their training bars, as parameter settings are. A model that is fitted
to bars has to be fitted anew for every split, and is not what is chosen between here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grn.quant.validate.folds import Folds, Window, walk_windows
from grn.quant.validate.kernels import Integers
from grn.quant.validate.returns import CONSTANT, Array, keep_defined, sharpe_ratios


@dataclass(frozen=True, eq=False)
class WalkForward:
    """A walk forward: what was chosen in each window, and the returns it then earned.

    Attributes
    ----------
    windows
        Bars of each step.
    chosen
        int64 [windows], the column chosen; -1 where no trial had a Sharpe ratio, which earns 0.
    inside, outside
        float64 [windows], its Sharpe ratios per bar on the training bars and on the bars traded; NaN where
        there is none.
    returns
        float64 [bars traded], one after the other from bar ``windows[0].test[0]`` on.
    """

    windows: tuple[Window, ...]
    chosen: Integers
    inside: Array
    outside: Array
    returns: Array

    @property
    def sharpe(self) -> float:
        """Sharpe ratio per bar of all bars traded."""
        return float(sharpe_ratios(self.returns[:, None])[0])

    @property
    def efficiency(self) -> float:
        """Mean Sharpe ratio on the bars traded over that on the training bars; NaN without both."""
        both = ~np.isnan(self.inside) & ~np.isnan(self.outside)
        before = float(self.inside[both].mean()) if both.any() else 0.0
        return float(self.outside[both].mean()) / before if before > 0.0 else float("nan")


@dataclass(frozen=True, eq=False)
class Paths:
    """Combinatorial purged cross-validation: every path that the chosen trials' tests can be put together to.

    Attributes
    ----------
    folds
        How the bars were cut.
    chosen, inside
        int64 and float64 [splits], the column chosen on the training bars (-1: none) and its Sharpe ratio
        there.
    returns
        float64 [paths, bars], each over all bars, of nothing but test bars.
    sharpes
        float64 [paths], Sharpe ratios per bar: their distribution is what one walk forward is a draw from.
    """

    folds: Folds
    chosen: Integers
    inside: Array
    returns: Array
    sharpes: Array


class RunningSums:
    """Sums of returns and squares from the first bar on, of trials that are defined on all bars.

    Made of returns [bars, trials] once, they serve any number of walks and cross-validations.
    """

    def __init__(self, returns: npt.ArrayLike) -> None:
        trials = keep_defined(returns)
        self.returns, self.columns, self.n_bars = trials.returns, trials.columns, trials.n_bars
        shape = trials.n_bars + 1, trials.kept
        self._sums, self._squares = np.zeros(shape), np.zeros(shape)
        np.cumsum(trials.returns, axis=0, out=self._sums[1:])
        np.cumsum(trials.returns**2, axis=0, out=self._squares[1:])

    def choose(self, runs: list[tuple[int, int]]) -> tuple[int, float]:
        """Place of the best trial on these runs of bars, and its Sharpe ratio there; -1 and NaN for none.

        Flat trials cannot be chosen; of equal ones the first is.
        """
        n = sum(b - a for a, b in runs)
        if n < 2 or not self.columns.size:
            return -1, float("nan")
        s1 = np.sum([self._sums[b] - self._sums[a] for a, b in runs], axis=0)
        s2 = np.sum([self._squares[b] - self._squares[a] for a, b in runs], axis=0)
        spread = s2 - s1 * s1 / n
        # Running sums keep the rounding of all bars before: what is flat here has a spread of that size.
        flat = spread <= CONSTANT * self._squares[-1]
        with np.errstate(all="ignore"):
            ratio = np.where(flat, -np.inf, s1 / n / np.sqrt(spread / (n - 1)))
        best = int(np.argmax(ratio))
        return (best, float(ratio[best])) if np.isfinite(ratio[best]) else (-1, float("nan"))

    def earn(self, place: int, first: int, last: int) -> Array:
        """Returns of a trial on some bars; nothing chosen earns 0."""
        return self.returns[first:last, place] if place >= 0 else np.zeros(last - first)

    def column(self, place: int) -> int:
        """Its column in the matrix that was given."""
        return int(self.columns[place]) if place >= 0 else -1


def walk_forward(
    returns: npt.ArrayLike | RunningSums, *, train: int, test: int, anchored: bool = False, purge: int = 0
) -> WalkForward:
    """Choose the best trial (by Sharpe ratio) on past bars, earn its returns on the next, and move on.

    Parameters
    ----------
    returns
        Returns of every trial, float [bars, trials]. Trials with a NaN or constant returns are not chosen.
    train, test, anchored, purge
        See :func:`~grn.quant.validate.folds.walk_windows`.
    """
    sums = returns if isinstance(returns, RunningSums) else RunningSums(returns)
    windows = walk_windows(sums.n_bars, train=train, test=test, anchored=anchored, purge=purge)
    found = [sums.choose([window.train]) for window in windows]
    earned = [sums.earn(place, *window.test) for (place, _), window in zip(found, windows, strict=True)]
    return WalkForward(
        windows=tuple(windows),
        chosen=np.array([sums.column(place) for place, _ in found], dtype=np.int64),
        inside=np.array([ratio for _, ratio in found]),
        outside=np.array([float(sharpe_ratios(part[:, None])[0]) for part in earned]),
        returns=np.concatenate(earned),
    )


def cross_validate(
    returns: npt.ArrayLike | RunningSums,
    *,
    n_folds: int = 12,
    n_test: int = 2,
    purge: int = 0,
    embargo: int = 0,
) -> Paths:
    """Choose on the training bars of every split, and put the test bars together to paths.

    López de Prado (2018), section 12.4; ``n_test=1`` is purged k-fold, whose tests make up one path.

    Parameters
    ----------
    returns
        Returns of every trial, float [bars, trials]. Trials with a NaN or constant returns are not chosen.
    n_folds, n_test, purge, embargo
        See :class:`~grn.quant.validate.folds.Folds`; (12, 2) has 66 splits and 11 paths.
    """
    sums = returns if isinstance(returns, RunningSums) else RunningSums(returns)
    folds = Folds(sums.n_bars, n_folds, n_test, purge, embargo)
    found = [sums.choose(folds.train_runs(test)) for test in folds.tests()]
    bounds = folds.bounds()
    paths = np.empty((folds.n_paths, sums.n_bars))
    for path, splits in enumerate(folds.paths().tolist()):
        for fold, split in enumerate(splits):
            first, last = bounds[fold], bounds[fold + 1]
            paths[path, first:last] = sums.earn(found[split][0], first, last)
    return Paths(
        folds=folds,
        chosen=np.array([sums.column(place) for place, _ in found], dtype=np.int64),
        inside=np.array([ratio for _, ratio in found]),
        returns=paths,
        sharpes=sharpe_ratios(paths.T),
    )
