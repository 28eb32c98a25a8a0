"""What returns that follow from each other do to an annual Sharpe ratio.

Multiplying by the root of the periods per year takes returns as uncorrelated. Trending returns make that too
high, by as much as 65 % for funds of smoothed prices, and alternating ones too low.

Source: Lo, A. W. (2002). The Statistics of Sharpe Ratios. Financial Analysts Journal 58(4), 36-52.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.returns import CONSTANT, Array


def autocorrelations(returns: npt.ArrayLike, lags: int) -> Array:
    """Sample autocorrelations of a series [bars] at lags 1 to ``lags``: float64 [lags].

    Sums of products about the mean of the whole series, over its sum of squares. NaN at lags that the series
    does not have, and for constant returns.
    """
    if lags < 0:
        raise UsageError("the number of lags must not be negative", seen=lags)
    series = np.asarray(returns, dtype=np.float64)
    n, out = series.size, np.full(lags, np.nan)
    if n < 2 or not np.isfinite(series).all():
        return out
    centred = series - series.mean()
    square = float(centred @ centred)
    if square <= CONSTANT * float(series @ series):
        return out
    for lag in range(1, min(lags, n - 1) + 1):
        out[lag - 1] = float(centred[lag:] @ centred[:-lag]) / square
    return out


def annual_factor(correlations: npt.ArrayLike, periods: int) -> float:
    """Return what an annual Sharpe ratio is of one per period, given autocorrelations from lag 1 on.

    Lo (2002), eq. 20: q / sqrt(q + 2 sum (q - k) rho_k) for q ``periods``; later autocorrelations than those
    given are taken as 0. The root of q where all are 0. NaN where one is NaN or the variance of the sum is
    not positive, which sample autocorrelations can bring about.
    """
    if periods < 1:
        raise UsageError("there must be at least one period a year", seen=periods)
    rho = np.asarray(correlations, dtype=np.float64)[: periods - 1]
    variance = periods + 2.0 * float(np.sum((periods - np.arange(1, rho.size + 1)) * rho))
    return periods / math.sqrt(variance) if variance > 0.0 else math.nan


def adjusted_sharpe_ratio(returns: npt.ArrayLike, periods: int, *, lags: int | None = None) -> float:
    """Return the annual Sharpe ratio of a series [bars] with its autocorrelation in it (Lo 2002, eq. 20).

    NaN for constant returns, NaN among them, fewer than three bars, and where :func:`annual_factor` is.

    Parameters
    ----------
    returns
        One trial's returns, float [bars].
    periods
        Bars per year.
    lags
        Autocorrelations to estimate; ``periods - 1`` is the paper's, which bars of a day or less have not the
        data for. By default that, and at most 10 log10(bars): each further lag adds its sampling error.
    """
    series = np.asarray(returns, dtype=np.float64)
    if series.size < 3:
        return math.nan
    usual = min(periods - 1, int(10.0 * math.log10(series.size)), series.size - 1)
    correlations = autocorrelations(series, usual if lags is None else lags)
    if not np.isfinite(correlations).all() or not np.isfinite(series).all():
        return math.nan
    mean, spread = float(series.mean()), float(series.std(ddof=1))
    if spread * spread <= CONSTANT * mean * mean or spread == 0.0:
        return math.nan
    return mean / spread * annual_factor(correlations, periods)
