"""Returns by calendar month and year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Months:
    """Compounded returns by month.

    Attributes
    ----------
    years : int64 [Y], consecutive.
    months : float64 [Y, 12]; NaN where there is no bar.
    totals : float64 [Y]; NaN for a year without a bar.
    """

    years: npt.NDArray[np.int64]
    months: Array
    totals: Array


def by_month(ts_ns: npt.NDArray[np.int64], returns: Array) -> Months:
    """Compound the returns of the bars labelled in each UTC month and year.

    Parameters
    ----------
    ts_ns : int64 [T], labels of the bars.
    returns : float64 [T], return of each bar.
    """
    month = ts_ns.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    years = np.arange(month[0] // 12, month[-1] // 12 + 1)
    table = np.full((len(years), 12), np.nan)
    starts, growth = _compound(month, returns)
    table[month[starts] // 12 - years[0], month[starts] % 12] = growth
    totals = np.full(len(years), np.nan)
    starts, growth = _compound(month // 12, returns)
    totals[month[starts] // 12 - years[0]] = growth
    return Months(years + 1970, table, totals)


def _compound(group: npt.NDArray[np.int64], returns: Array) -> tuple[npt.NDArray[np.int64], Array]:
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]).astype(np.int64)
    growth: Array = np.multiply.reduceat(1.0 + returns, starts) - 1.0
    return starts, growth
