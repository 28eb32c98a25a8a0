"""Volatility of each symbol over its last bars, by five estimators.

With O, H, L, C the prices of a bar, C' the close before, u = ln H/O, d = ln L/O, c = ln C/O, o = ln O/C', and
n bars in the window, the variance per bar is

``close``            sample variance of ln C/C', n - 1 in the denominator.
``parkinson``        mean of (u - d)^2 / (4 ln 2).  M. Parkinson, The Extreme Value Method for Estimating the
                     Variance of the Rate of Return, Journal of Business 53 (1980), 61-65.
``garman_klass``     mean of (u - d)^2 / 2 - (2 ln 2 - 1) c^2.  M. B. Garman and M. J. Klass, On the
Estimation of
                     Security Price Volatilities from Historical Data, Journal of Business 53 (1980), 67-78:
                     the practical form of their best analytic estimator, without the cross terms.
``rogers_satchell``  mean of u (u - c) + d (d - c).  L. C. G. Rogers and S. E. Satchell, Estimating Variance
from High,
                     Low and Closing Prices, Annals of Applied Probability 1 (1991), 504-512.
``yang_zhang``       V_o + k V_c + (1 - k) V_rs, the sample variances of o and of c and the mean of Rogers and
                     Satchell, k = 0.34 / (1.34 + (n + 1) / (n - 1)).  D. Yang and Q. Zhang, Drift-Independent
                     Volatility Estimation Based on High, Low, Open, and Close Prices, Journal of Business 73
                     (2000), 477-491.

Parkinson, Garman-Klass and Rogers-Satchell see prices within bars only: a jump between bars does not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.kit.errors import UsageError
from grn.quant.features.filling import Floats, Ints
from grn.quant.features.kernels import compiled
from grn.quant.features.windows import check_window, with_lookback

Estimator = Literal["close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang"]
SIGNATURE = ("int", "int", "i4", "f8", "f8", "f8", "f8", "f8+", "f8+2", "f8+2", "f8+2", "i8+", "f8+")


def with_volatility(
    bars: pl.LazyFrame,
    estimator: Estimator = "yang_zhang",
    window: int = 20,
    *,
    periods_per_year: float | None = None,
    name: str | None = None,
) -> pl.LazyFrame:
    """Add the volatility of each symbol over its last `window` bars, the bar itself included.

    Parameters
    ----------
    bars
        Columns symbol, open, high, low, close (``close`` alone needs no others), each symbol in order of
        time.
    estimator
        One of the five of this module.
    window
        Bars, at least 2.
    periods_per_year
        Bars in a year, for an annual figure; None gives volatility per bar.
    name
        Of the new column; by default ``<estimator>_<window>``.

    Returns
    -------
    LazyFrame with one more column, float64: a standard deviation of log returns, as a fraction. NaN until
    `window` bars of the symbol are there (one more for ``close`` and ``yang_zhang``, which look at the close
    before), and while a price in the window is missing or not above zero.

    Raises
    ------
    UsageError
        An unknown estimator, a window below 2, or a name that is taken.
    DataError
        A column is missing.
    """
    if estimator not in get_args(Estimator):
        raise UsageError("unknown estimator", seen=estimator, hint=", ".join(get_args(Estimator)))
    if periods_per_year is not None and not 0.0 < periods_per_year < math.inf:
        raise UsageError("periods_per_year must be above 0", seen=periods_per_year)
    size = check_window("window", window, least=2)
    column = f"{estimator}_{window}" if name is None else name
    rule = get_args(Estimator).index(estimator)
    needed = ["close"] if estimator == "close" else ["open", "high", "low", "close"]
    made = with_lookback(bars, needed, column, lambda: _Volatility(rule, size), estimator, size)
    return (
        made if periods_per_year is None else made.with_columns(pl.col(column) * math.sqrt(periods_per_year))
    )


class _Volatility:
    def __init__(self, rule: int, window: int) -> None:
        self._rule, self._window = rule, window
        self._kernel = compiled(volatility, SIGNATURE)
        self._before = np.empty(0)
        self._rings = [np.empty((0, window)) for _ in range(3)]
        self._count = np.empty(0, dtype=np.int64)

    def grow(self, symbols: int) -> None:
        extra = symbols - len(self._before)
        if extra > 0:
            self._before = np.concatenate([self._before, np.full(extra, np.nan)])
            fresh = np.full((extra, self._window), np.nan)
            self._rings = [np.concatenate([ring, fresh]) for ring in self._rings]
            self._count = np.concatenate([self._count, np.zeros(extra, dtype=np.int64)])

    def values(self, slots: npt.NDArray[np.int32], columns: Sequence[Floats]) -> Floats:
        out = np.empty(len(slots))
        prices = columns if len(columns) == 4 else [columns[0]] * 4
        self._kernel(self._rule, self._window, slots, *prices, self._before, *self._rings, self._count, out)
        return out


def volatility(
    rule: int,
    window: int,
    slots: npt.NDArray[np.int32],
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    before: Floats,
    overnight: Floats,
    intraday: Floats,
    range_: Floats,
    count: Ints,
    out: Floats,
) -> None:
    """Estimate the volatility of each row's symbol.

    Parameters
    ----------
    rule, window
        Position of the estimator in `Estimator`; bars in the window.
    slots, open_, high, low, close
        Shape (N,).
    before, count
        Shape (S,): last close of each symbol, and bars seen.
    overnight, intraday, range_
        Shape (S, window): rings of terms. Estimators without a variance in them use the last one only.
    out
        Shape (N,).
    """
    k = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    for i in range(close.shape[0]):
        s = slots[i]
        at = count[s] % window
        count[s] += 1
        before_bar, before[s] = before[s], close[i]
        overnight[s, at] = intraday[s, at] = range_[s, at] = math.nan
        # Also false where one of them is NaN.
        traded = open_[i] > 0.0 and high[i] > 0.0 and low[i] > 0.0 and close[i] > 0.0
        if traded and rule == 0:
            range_[s, at] = 0.0
            if before_bar > 0.0:
                overnight[s, at] = math.log(close[i] / before_bar)
        elif traded:
            u = math.log(high[i] / open_[i])
            d = math.log(low[i] / open_[i])
            c = math.log(close[i] / open_[i])
            if rule == 1:
                range_[s, at] = (u - d) * (u - d) / (4.0 * math.log(2.0))
            elif rule == 2:
                range_[s, at] = 0.5 * (u - d) * (u - d) - (2.0 * math.log(2.0) - 1.0) * c * c
            else:
                range_[s, at] = u * (u - c) + d * (d - c)
            if rule == 4 and before_bar > 0.0:
                overnight[s, at] = math.log(open_[i] / before_bar)
                intraday[s, at] = c
        out[i] = math.nan
        if count[s] < window:
            continue
        # Oldest term first: after `count` terms it stands where the next one will be written.
        oldest = count[s] % window
        mean_range, mean_o, mean_c = 0.0, 0.0, 0.0
        j = oldest
        for _ in range(window):
            mean_range += range_[s, j]
            mean_o += overnight[s, j]
            mean_c += intraday[s, j]
            j = j + 1 if j + 1 < window else 0
        variance = mean_range / window
        if rule == 0 or rule == 4:
            mean_o /= window
            mean_c /= window
            square_o, square_c = 0.0, 0.0
            j = oldest
            for _ in range(window):
                square_o += (overnight[s, j] - mean_o) * (overnight[s, j] - mean_o)
                square_c += (intraday[s, j] - mean_c) * (intraday[s, j] - mean_c)
                j = j + 1 if j + 1 < window else 0
            square_o /= window - 1
            square_c /= window - 1
            variance = square_o if rule == 0 else square_o + k * square_c + (1.0 - k) * variance
        # Bars whose high is below their close can make it negative; NaN does not compare.
        if variance >= 0.0:
            out[i] = math.sqrt(variance)
