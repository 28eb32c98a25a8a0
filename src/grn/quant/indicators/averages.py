"""Averages over a window (SMA, WMA, and the sum they rest on) and the exponential average."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.spec import Indicator, ParamSpec, Scratch, bars

NAN = math.nan

_RESIDUE = (
    "Same definition. TA-Lib's running sum keeps the rounding error of a large move after the move has left "
    "the window; here nothing is left."
)


def rolling_sum(
    x: Sequence[float], n: int, rest: MutableSequence[float], out: MutableSequence[float]
) -> None:
    """Sum of the last ``n`` values; ``rest`` receives what rounding took from ``out``.

    The running sum is an unevaluated pair ``high + low`` of about 106 bits (two-sum: Knuth, TAOCP vol. 2,
    section 4.2.2, theorem B). A step loses less than 2**-103 of the largest ``high`` met since the pair was
    last built; when ``high`` has fallen below 2**-20 of that peak, the pair is built again from the window.
    So 2**23 bars lose less than 2**-60 of the sum, and a large move is forgotten when it leaves the window.
    """
    high = low = peak = 0.0
    run = 0
    for t in range(len(x)):
        if x[t] - x[t] != 0.0:
            high = low = peak = 0.0
            run = 0
            rest[t] = NAN
            out[t] = NAN
            continue
        run += 1
        total = high + x[t]
        part = total - high
        low += (high - (total - part)) + (x[t] - part)
        high = total + low
        low -= high - total
        if abs(high) > peak:
            peak = abs(high)
        if run > n:
            total = high - x[t - n]
            part = total - high
            low += (high - (total - part)) - (x[t - n] + part)
            high = total + low
            low -= high - total
            # "Not above" rather than "below": an overflowed sum has become NaN and must be built again too.
            if not (abs(high) >= peak / 1048576.0):
                high = low = peak = 0.0
                for i in range(t - n + 1, t + 1):
                    total = high + x[i]
                    part = total - high
                    low += (high - (total - part)) + (x[i] - part)
                    high = total + low
                    low -= high - total
                    if abs(high) > peak:
                        peak = abs(high)
        if run < n:
            rest[t] = NAN
            out[t] = NAN
        else:
            rest[t] = low
            out[t] = high


def sma(x: Sequence[float], n: int, rest: MutableSequence[float], out: MutableSequence[float]) -> None:
    """Mean of the last ``n`` values, rounded once from the sum of 106 bits.

    The remainder ``sum - n * mean`` is taken exactly (``mean`` is split into halves of 27 bits: Dekker 1971;
    exact for n < 2**26), so a constant window gives the constant itself. Without that step
    ``n * c / n`` misses ``c`` for many n, and two averages of a flat market would cross.
    """
    rolling_sum(x, n, rest, out)
    for t in range(len(x)):
        mean = out[t] / n
        if abs(mean) < 1e290:
            scaled = 134217729.0 * mean
            upper = scaled - (scaled - mean)
            lower = mean - upper
            mean += (((out[t] - upper * n) - lower * n) + rest[t]) / n
        out[t] = mean


def ema(x: Sequence[float], n: int, out: MutableSequence[float]) -> None:
    """Exponential average with weight 2 / (n + 1), seeded with the mean of the first ``n`` values."""
    weight = 2.0 / (n + 1.0)
    level = 0.0
    run = 0
    for t in range(len(x)):
        if x[t] - x[t] != 0.0:
            run = 0
            out[t] = NAN
            continue
        run += 1
        if run == 1 or n == 1:
            level = x[t]
        elif run <= n:
            level += (x[t] - level) / run
        else:
            level += (x[t] - level) * weight
        out[t] = level if run >= n else NAN


def wma(x: Sequence[float], n: int, out: MutableSequence[float]) -> None:
    """Linearly weighted mean, newest value heaviest; every bar sums the distances from ``x[t]``."""
    scale = n * (n + 1.0) / 2.0
    run = 0
    for t in range(len(x)):
        run = run + 1 if x[t] - x[t] == 0.0 else 0
        if run < n:
            out[t] = NAN
            continue
        total = 0.0
        for i in range(1, n):
            total += i * (x[t - n + i] - x[t])
        out[t] = x[t] + total / scale


FAMILY = (
    Indicator(
        name="rolling_sum",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=rolling_sum,
        scratch=(Scratch("float"),),
        warmup=bars("n", -1),
        summary="Sum of the last n values, without drift.",
        formula="value[t] = x[t] + x[t-1] + … + x[t-n+1]",
        source="definition; error-free sums: Knuth, The Art of Computer Programming, vol. 2, 4.2.2",
        talib="SUM",
        differs=_RESIDUE,
    ),
    Indicator(
        name="sma",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=sma,
        scratch=(Scratch("float"),),
        warmup=bars("n", -1),
        summary="Simple moving average: the mean of the last n values.",
        formula="value[t] = (x[t] + x[t-1] + … + x[t-n+1]) / n",
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 9",
        talib="SMA",
        differs=_RESIDUE,
    ),
    Indicator(
        name="ema",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=ema,
        warmup=bars("n", -1),
        summary="Exponential moving average with weight 2/(n+1).",
        formula="value[t] = value[t-1] + 2/(n+1) · (x[t] − value[t-1]); seed: the mean of the first n values",
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 9; seed as TA-Lib's default",
        talib="EMA",
    ),
    Indicator(
        name="wma",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=wma,
        warmup=bars("n", -1),
        summary="Linearly weighted moving average: weight n for the newest value down to 1 for the oldest.",
        formula="value[t] = (n·x[t] + (n−1)·x[t-1] + … + 1·x[t-n+1]) / (n(n+1)/2)",
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 9",
        talib="WMA",
        differs=_RESIDUE,
    ),
)
