"""How much of a Sharpe ratio is left when its p-value pays for every test.

The Sharpe ratio becomes a t-statistic, that a p-value; the p-value is corrected for the number of tests, and
turned back into the Sharpe ratio that a single test would need for it.

Sources: Harvey, C. R. and Liu, Y. (2015). Backtesting. Journal of Portfolio Management 42(1), 13-28. Holm, S.
(1979). A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal of Statistics 6.
Benjamini, Y. and Yekutieli, D. (2001). The Control of the False Discovery Rate in Multiple Testing under
Dependency. Annals of Statistics 29(4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.returns import Array

Method = Literal["bonferroni", "holm", "bhy"]
METHODS: Final[tuple[Method, ...]] = ("bonferroni", "holm", "bhy")

_EULER_GAMMA: Final = 0.5772156649015329
_SUMMED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Haircut:
    """A Sharpe ratio after a correction: ``p_value`` corrected (two-sided), ``sharpe`` per bar.

    ``haircut`` is the share that was cut off, 0 to 1. All NaN where the Sharpe ratio is not defined.
    """

    method: Method
    p_value: float
    sharpe: float
    haircut: float


def p_values(sharpes: npt.ArrayLike, n: int) -> Array:
    """Two-sided p-values of Sharpe ratios per bar over ``n`` returns, from Student's t with n - 1 degrees.

    A Sharpe ratio of 0 or less has 1: a loss is no evidence of skill. NaN where the Sharpe ratio is, and for
    fewer than two returns.
    """
    from scipy.special import stdtr

    ratios = np.asarray(sharpes, dtype=np.float64)
    if n < 2:
        return np.full(ratios.shape, np.nan)
    values: Array = np.where(ratios > 0.0, 2.0 * stdtr(n - 1, -np.abs(ratios) * math.sqrt(n)), 1.0)
    values[np.isnan(ratios)] = np.nan
    return values


def correct(values: npt.ArrayLike, method: Method, *, tests: int | None = None) -> Array:
    """Correct p-values [trials] for the number of tests; at most 1, NaN stays.

    Parameters
    ----------
    values
        The p-values that are known.
    method
        ``bonferroni``: p N. ``holm``: the k-th smallest times N - k + 1, never below an earlier one. ``bhy``:
        the k-th smallest times N c / k with c the sum of 1 / i up to N, never above a later one.
    tests
        N, at least the number of p-values that are no NaN (the default). Tests beyond those given count as if
        their p-values were 1.
    """
    if method not in METHODS:
        raise UsageError("unknown correction", seen=method, hint="one of " + ", ".join(METHODS))
    given = np.asarray(values, dtype=np.float64)
    out = np.full(given.shape, np.nan)
    known = np.flatnonzero(~np.isnan(given))
    count = known.size if tests is None else tests
    if count < known.size:
        raise UsageError("there are more p-values than tests", seen=f"{known.size} and {count}")
    if not known.size:
        return out
    order = known[np.argsort(given[known], kind="stable")]
    ranked, rank = given[order], np.arange(1, order.size + 1)
    if method == "bonferroni":
        ranked = ranked * count
    elif method == "holm":
        ranked = np.maximum.accumulate(ranked * (count - rank + 1.0))
    else:
        # Of the tests beyond, with p-values of 1, the smallest correction is 1 or more: the cut below.
        scaled = ranked * (count * _harmonic(count)) / rank
        ranked = np.minimum.accumulate(scaled[::-1])[::-1]
    out[order] = np.minimum(ranked, 1.0)
    return out


def haircut_sharpe(
    sharpes: npt.ArrayLike, n: int, *, best: int, tests: int | None = None
) -> tuple[Haircut, ...]:
    """Cut the Sharpe ratio of one trial by each method of `METHODS` (Harvey & Liu 2015).

    Parameters
    ----------
    sharpes
        Sharpe ratios per bar of the trials that are known, float [trials].
    n
        Returns behind each.
    best
        The trial to cut.
    tests
        Tests made in all; see :func:`correct`.
    """
    ratios = np.asarray(sharpes, dtype=np.float64)
    single = p_values(ratios, n)
    found = []
    for method in METHODS:
        p_value = float(correct(single, method, tests=tests)[best])
        if math.isnan(p_value):
            found.append(Haircut(method, math.nan, math.nan, math.nan))
            continue
        observed = float(ratios[best])
        left = _ratio_of(p_value, n)
        # A p-value too small for a float: nothing was cut that could be seen.
        left = min(left, observed) if observed > 0.0 else 0.0
        found.append(Haircut(method, p_value, left, 1.0 - left / observed if observed > 0.0 else math.nan))
    return tuple(found)


def _ratio_of(p_value: float, n: int) -> float:
    """Sharpe ratio per bar that has this two-sided p-value; 0.0 from 1 on, infinite for 0."""
    from scipy.special import stdtrit

    if p_value >= 1.0:
        return 0.0
    return math.inf if p_value == 0.0 else float(-stdtrit(n - 1, p_value / 2.0)) / math.sqrt(n)


def _harmonic(count: int) -> float:
    """Sum of 1 / i up to ``count``; beyond ten thousand by the expansion, exact to 1e-17 there."""
    if count <= _SUMMED:
        return math.fsum(1.0 / i for i in range(1, count + 1))
    return math.log(count) + _EULER_GAMMA + 1.0 / (2.0 * count) - 1.0 / (12.0 * count * count)
