"""What the windows of an average share: sums from the first bar on, where they are exact.

A moving sum over one window takes a chain of ten dependent operations a bar.  A sweep asks for a hundred
windows of one series.  If every sum from the first bar on is held exactly by a pair ``high + low`` of
numbers, the sum of a window is the difference of two of them, exactly, and so the pair that
`averages.rolling_sum` arrives at, bit for bit: the nearest number to the sum, and what is left.  No bar waits
for the one before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.jit import place_cache

place_cache()

import numba  # noqa: E402  # the place of its cache comes first

Array = npt.NDArray[np.float64]
Sums = tuple[Array, Array]

RANGE_BITS = 100
"""A pair of numbers holds 106 bits, and the low one of them must hold sums of what rounding took."""

_jit: Any = numba.njit(nogil=True, cache=True, error_model="numpy")


def exact_sums(x: Array) -> Sums | None:
    """Sums of ``x[:t + 1]`` as pairs ``(high, low)``, float64 [T] each; None where a sum might not be exact.

    Every value is a whole multiple of the last place of the smallest one, and no sum exceeds the sum of all
    sizes.  With at most `RANGE_BITS` bits between them no operation of a two-sum rounds (Knuth, TAOCP vol. 2,
    section 4.2.2).  Missing values and infinities are left to the other way.
    """
    total, least = _sizes(np.ascontiguousarray(x))
    # A sum in float64 may be short by a little: one bit more.
    if not 0.0 < total < 1e290 or not least > 1e-290:
        return None
    if np.frexp(total)[1] + 1 - (np.frexp(least)[1] - 53) > RANGE_BITS:
        return None
    high, low = np.empty(len(x)), np.empty(len(x))
    _sum_up(np.ascontiguousarray(x), high, low)
    return high, low


def mean_of_window(sums: Sums, n: int) -> Array:
    """What `averages.sma` gives for window `n`, from the sums of the series: float64 [T]."""
    out = np.empty(len(sums[0]))
    out[: n - 1] = np.nan
    if n <= len(out):
        _mean(*sums, n, out)
    return out


@_jit  # type: ignore[untyped-decorator]
def _sizes(x: Any) -> tuple[float, float]:
    """Sum of all sizes, and the least one above zero."""
    total = 0.0
    least = np.inf
    for value in x:
        size = abs(value)
        total += size
        if 0.0 < size < least:
            least = size
    return total, least


@_jit  # type: ignore[untyped-decorator]
def _sum_up(x: Any, high: Any, low: Any) -> None:
    top = rest = 0.0
    for t in range(len(x)):
        total = top + x[t]
        part = total - top
        rest += (top - (total - part)) + (x[t] - part)
        top = total + rest
        rest -= top - total
        high[t] = top
        low[t] = rest


@_jit  # type: ignore[untyped-decorator]
def _mean(high: Any, low: Any, n: int, out: Any) -> None:
    out[n - 1] = _divided(high[n - 1], low[n - 1], n)
    for t in range(n, len(high)):
        before = high[t - n]
        total = high[t] - before
        part = total - high[t]
        rest = (high[t] - (total - part)) - (before + part)
        rest += low[t] - low[t - n]
        top = total + rest
        part = top - total
        out[t] = _divided(top, (total - (top - part)) + (rest - part), n)


@_jit  # type: ignore[untyped-decorator]
def _divided(top: float, rest: float, n: int) -> float:
    """The quotient of a pair and a window, rounded once (see `averages.sma`)."""
    mean = top / n
    scaled = 134217729.0 * mean
    upper = scaled - (scaled - mean)
    lower = mean - upper
    return mean + (((top - upper * n) - lower * n) + rest) / n
