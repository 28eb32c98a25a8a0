"""The matrix that every statistic of many trials reads: returns, float64 [bars, trials], a column a trial."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError

Array = npt.NDArray[np.float64]
Columns = npt.NDArray[np.int64]

CONSTANT: Final = 1e-12
"""Returns whose variance is this small a part of their mean square are constant: no strategy has a Sharpe
ratio of a million per bar, and below it the variance is rounding."""


@dataclass(frozen=True)
class Trials:
    """The trials that have a Sharpe ratio.

    Attributes
    ----------
    returns
        float64 [bars, kept], C-contiguous.
    columns
        int64 [kept], their columns in the matrix that was given, ascending.
    given
        How many trials there were.
    """

    returns: Array
    columns: Columns
    given: int

    @property
    def n_bars(self) -> int:
        """Returns per trial."""
        return int(self.returns.shape[0])

    @property
    def kept(self) -> int:
        """Trials that have a Sharpe ratio."""
        return int(self.columns.size)


def keep_defined(returns: npt.ArrayLike) -> Trials:
    """Leave out the trials that have no Sharpe ratio: with a NaN, an infinity, or constant returns.

    A trial that is left out can be neither chosen nor beaten. It still counts where trials are counted.

    Parameters
    ----------
    returns
        Float [bars, trials]; a single series [bars] is one trial.

    Raises
    ------
    UsageError
        The array has more than two dimensions.
    """
    matrix = np.asarray(returns, dtype=np.float64)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise UsageError("returns must be an array [bars, trials]", seen=matrix.shape)
    n_bars, given = matrix.shape
    if n_bars < 2:
        return Trials(np.empty((n_bars, 0)), np.empty(0, dtype=np.int64), given)
    # One sum finds every NaN and infinity: a finite sum has finite terms.
    with np.errstate(all="ignore"):
        sound = np.isfinite(np.add.reduce(np.abs(matrix), axis=0))
        mean = matrix.mean(axis=0)
        square = np.einsum("ij,ij->j", matrix, matrix)
        sound &= np.isfinite(square) & (square - n_bars * mean * mean > CONSTANT * square)
    columns = np.flatnonzero(sound).astype(np.int64)
    if columns.size == given:
        return Trials(np.ascontiguousarray(matrix), columns, given)
    return Trials(np.ascontiguousarray(matrix[:, columns]), columns, given)


def sharpe_ratios(returns: Array) -> Array:
    """Sharpe ratio per bar of each column, float64 [trials]; the deviation with n - 1.

    NaN for fewer than two bars and for constant returns.
    """
    n_bars, width = returns.shape
    if n_bars < 2:
        return np.full(width, np.nan)
    with np.errstate(all="ignore"):
        mean = returns.mean(axis=0)
        centred = returns - mean
        square = np.einsum("ij,ij->j", centred, centred)
        ratio: Array = mean / np.sqrt(square / (n_bars - 1))
    ratio[square <= CONSTANT * n_bars * mean * mean] = np.nan
    return ratio


def shape_of(returns: Array) -> tuple[float, float]:
    """Skewness and raw kurtosis of one series [bars] (of the sample, divisor n); NaN for constant returns."""
    if returns.size < 2:
        return float("nan"), float("nan")
    centred = returns - returns.mean()
    second = float(np.mean(centred**2))
    if not second > CONSTANT * float(np.mean(returns**2)):
        return float("nan"), float("nan")
    return float(np.mean(centred**3)) / second**1.5, float(np.mean(centred**4)) / second**2


def usable_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
