"""What returns that follow from each other do to an annual Sharpe ratio.

Multiplying by the root of the periods per year takes returns as uncorrelated. Trending returns make that too
high, by as much as 65 % for funds of smoothed prices, and alternating ones too low.

Sources: Lo, A. W. (2002). The Statistics of Sharpe Ratios. Financial Analysts Journal 58(4), 36-52. Newey, W.
K. and West, K. D. (1987). A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent
Covariance Matrix. Econometrica 55(3), 703-708. Andrews, D. W. K. (1991). Heteroskedasticity and
Autocorrelation Consistent Covariance Matrix Estimation. Econometrica 59(3), 817-858.
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


def memory_of(returns: npt.ArrayLike) -> tuple[float, int]:
    """Return how many bars of a series are worth one independent bar, at least 1, and how far it remembers.

    The variance of its mean over that of independent bars (Newey & West 1987, Bartlett weights), with the
    bandwidth that is best for a first-order autoregression of the same first autocorrelation (Andrews 1991,
    eq. 6.2 and 6.4). Alternating returns, whose mean is better known, are taken as independent. 1.0 and 0 for
    fewer than three bars and for constant returns.

    Parameters
    ----------
    returns
        One trial's returns, float [bars].
    """
    series = np.asarray(returns, dtype=np.float64)
    first = autocorrelations(series, 1)
    if series.size < 3 or not np.isfinite(first).all():
        return 1.0, 0
    rho = min(abs(float(first[0])), 0.97)
    alpha = 4.0 * rho * rho / (1.0 - rho * rho) ** 2
    lags = min(int(1.1447 * math.cbrt(alpha * series.size)), series.size // 2, 500)
    correlations = autocorrelations(series, lags)
    weights = 1.0 - np.arange(1, lags + 1) / (lags + 1.0)
    return max(1.0, 1.0 + 2.0 * float(weights @ correlations)), lags
