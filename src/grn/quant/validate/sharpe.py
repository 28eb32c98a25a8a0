"""How far to trust a Sharpe ratio: its sampling error, and how many were tried before it.

Sharpe ratios are per period (bar), never annualised, unless a name says otherwise; ``kurtosis`` is raw (3
for a normal distribution). Every function answers NaN, without a warning, where an input is NaN or the
statistic is not defined, and each docstring says where that is.

Sources
-------
.. [1] Bailey, D. H. and López de Prado, M. (2012). The Sharpe Ratio Efficient Frontier. Journal of Risk
   15(2).
.. [2] Bailey, D. H. and López de Prado, M. (2014). The Deflated Sharpe Ratio: Correcting for Selection Bias,
   Backtest Overfitting and Non-Normality. Journal of Portfolio Management 40(5).
.. [3] Bailey, D. H., Borwein, J. M., López de Prado, M. and Zhu, Q. J. (2014). Pseudo-Mathematics and
   Financial Charlatanism: The Effects of Backtest Overfitting on Out-of-Sample Performance. Notices of the
   AMS 61(5).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

EULER_MASCHERONI: Final = 0.5772156649015329
"""Mean of the standard Gumbel distribution, to which the maximum of many normals tends."""

_NORMAL: Final = NormalDist()
_MOST_TRIALS: Final = 2**63


def probabilistic_sharpe_ratio(
    sharpe: float,
    benchmark: float,
    n: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Return the probability that the true Sharpe ratio exceeds ``benchmark`` ([1]_).

    ``n`` is the number of returns behind ``sharpe``. NaN for ``n < 2`` and for moments that no distribution
    has (which leave the estimate without a variance).
    """
    error = _standard_error(sharpe, n, skew, kurtosis)
    if math.isnan(error) or math.isnan(benchmark):
        return math.nan
    return _normal_cdf((sharpe - benchmark) / error)


def expected_max_sharpe(n_trials: float, variance: float = 1.0) -> float:
    """Return the Sharpe ratio that the best of ``n_trials`` trials without skill is expected to show.

    [2]_, eq. 1. ``variance`` is the variance of the Sharpe ratios across the trials (1.0 gives the expected
    maximum of ``n_trials`` standard normals). The trials count as independent: correlated ones make the
    answer too high, which errs on the safe side.

    0.0 for one trial (nothing was selected) or a variance of 0, and never below 0.0 (the approximation
    fails for a fractional count just above one). NaN for no trial or a negative variance.
    """
    if not n_trials >= 1.0 or (math.isnan(variance) and n_trials > 1.0) or variance < 0.0:
        return math.nan
    if n_trials == 1.0 or variance == 0.0:
        return 0.0
    # Upper quantiles as mirrored lower ones: 1 - 1/N loses the digits of 1/N, and is 1 from N = 2**53 on.
    usual = -_NORMAL.inv_cdf(1.0 / n_trials)
    high = -_NORMAL.inv_cdf(1.0 / (n_trials * math.e))
    maximum = (1.0 - EULER_MASCHERONI) * usual + EULER_MASCHERONI * high
    return math.sqrt(variance) * max(0.0, maximum)


def deflated_sharpe_ratio(
    sharpe: float,
    n: float,
    *,
    n_trials: float,
    variance: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Return the probability that the winner of ``n_trials`` trials has skill at all ([2]_, eq. 2).

    The probabilistic Sharpe ratio against the expected maximum of that many trials without skill whose Sharpe
    ratios have this ``variance``. NaN where either is.
    """
    benchmark = expected_max_sharpe(n_trials, variance)
    return probabilistic_sharpe_ratio(sharpe, benchmark, n, skew=skew, kurtosis=kurtosis)


def min_track_record_length(
    sharpe: float,
    benchmark: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> float:
    """Return the number of returns from which ``sharpe`` beats ``benchmark`` at ``confidence`` ([1]_).

    In periods, as a real number. Infinite when ``sharpe <= benchmark``: no amount of such data would do.
    NaN for impossible moments or a confidence outside (0.5, 1).
    """
    spread = _spread(sharpe, skew, kurtosis)
    if math.isnan(spread) or math.isnan(benchmark) or not 0.5 < confidence < 1.0:
        return math.nan
    if sharpe <= benchmark:
        return math.inf
    z = _NORMAL.inv_cdf(confidence) / (sharpe - benchmark)
    return 1.0 + spread * z * z


def deflated_track_record_length(
    sharpe: float, n_trials: float, *, skew: float = 0.0, kurtosis: float = 3.0, confidence: float = 0.95
) -> float:
    """Return the number of returns from which the deflated Sharpe ratio is at ``confidence``.

    As :func:`min_track_record_length` against the best of ``n_trials`` without skill, whose Sharpe ratio
    falls with the root of the returns as well: 1 + ((E + z s) / SR)**2 with E the expected maximum of that
    many standard normals, z the quantile and s**2 the spread of the estimate. Infinite for ``sharpe <= 0``,
    NaN for impossible moments or a confidence outside (0.5, 1).
    """
    spread, maximum = _spread(sharpe, skew, kurtosis), expected_max_sharpe(n_trials)
    if math.isnan(spread) or math.isnan(maximum) or not 0.5 < confidence < 1.0:
        return math.nan
    if sharpe <= 0.0:
        return math.inf
    needed = (maximum + _NORMAL.inv_cdf(confidence) * math.sqrt(spread)) / sharpe
    return 1.0 + needed * needed


def required_sharpe(
    n: float, n_trials: float, *, skew: float = 0.0, kurtosis: float = 3.0, confidence: float = 0.95
) -> float:
    """Return the Sharpe ratio per return whose deflated one is at ``confidence`` with ``n`` returns.

    Found by halving; NaN where it is not defined, or not below 1,000.
    """
    low, high = 0.0, 1.0
    moments = {"skew": skew, "kurtosis": kurtosis, "confidence": confidence}
    while not deflated_track_record_length(high, n_trials, **moments) <= n:
        high *= 2.0
        if not high < 1e3:
            return math.nan
    for _ in range(60):
        middle = (low + high) / 2.0
        if deflated_track_record_length(middle, n_trials, **moments) <= n:
            high = middle
        else:
            low = middle
    return high


def min_backtest_length(n_trials: float, sharpe: float) -> float:
    """Return the length at which the best of ``n_trials`` without skill still shows ``sharpe`` ([3]_).

    In the unit of time of the Sharpe ratio: an annual one gives years. A shorter backtest of that many
    trials is expected to find at least this Sharpe ratio where there is nothing. Infinite for ``sharpe <=
    0`` and more than one trial.
    """
    maximum = expected_max_sharpe(n_trials)
    if math.isnan(maximum) or math.isnan(sharpe):
        return math.nan
    if maximum == 0.0:
        return 0.0
    if sharpe <= 0.0:
        return math.inf
    return (maximum / sharpe) * (maximum / sharpe)


def max_trials(
    sharpe: float,
    n: float,
    *,
    variance: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> int:
    """Return the largest number of trials for which the deflated Sharpe ratio is still at ``confidence``.

    0 when not even a single trial would do, or when that is not defined; 2**63 stands for "any number".
    """

    def holds(n_trials: int) -> bool:
        deflated = deflated_sharpe_ratio(
            sharpe, n, n_trials=n_trials, variance=variance, skew=skew, kurtosis=kurtosis
        )
        return deflated >= confidence

    if not holds(1):
        return 0
    enough, too_many = 1, 2
    while holds(too_many):
        if too_many >= _MOST_TRIALS:
            return _MOST_TRIALS
        enough, too_many = too_many, too_many * 2
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        enough, too_many = (middle, too_many) if holds(middle) else (enough, middle)
    return enough


def _standard_error(sharpe: float, n: float, skew: float, kurtosis: float) -> float:
    """Return the standard error of the estimate; NaN for n < 2 and where the spread is 0 or undefined."""
    spread = _spread(sharpe, skew, kurtosis)
    if not n >= 2.0 or not spread > 0.0:
        return math.nan
    return math.sqrt(spread / (n - 1.0))


def _spread(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return the variance of the estimate times (n - 1) ([1]_).

    Real moments have kurtosis >= skew**2 + 1, which keeps this at or above 0; a negative one is NaN.
    """
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    return spread if spread >= 0.0 and math.isfinite(spread) else math.nan


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))  # erfc keeps the digits of a small tail; 1 + erf does not
