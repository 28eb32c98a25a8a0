"""Statistics of a moving window: extremes, deviation, z-score, correlation, regression slope.

Deviations are taken in two passes over the window, as distances from its newest value: O(n) per bar, but
nothing cancels. The textbook difference of mean square and squared mean loses twice the digits that price and
deviation are apart: at a price of 1e8 moving by 1 nothing is left.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.averages import sma
from grn.quant.indicators.spec import Indicator, ParamSpec, Scratch, bars

NAN = math.nan


def rolling_max(x: Sequence[float], n: int, queue: MutableSequence[int], out: MutableSequence[float]) -> None:
    """Largest of the last ``n`` values.

    ``queue[first:last]`` holds the bars that can still become the maximum, in falling order of value; every
    bar enters and leaves once, so the whole series costs O(bars) whatever ``n``.
    """
    first = last = run = 0
    for t in range(len(x)):
        if x[t] - x[t] != 0.0:
            first = last = run = 0
            out[t] = NAN
            continue
        run += 1
        while last > first and x[queue[last - 1]] <= x[t]:
            last -= 1
        queue[last] = t
        last += 1
        if queue[first] <= t - n:
            first += 1
        out[t] = x[queue[first]] if run >= n else NAN


def rolling_min(x: Sequence[float], n: int, queue: MutableSequence[int], out: MutableSequence[float]) -> None:
    """Smallest of the last ``n`` values; the queue is that of :func:`rolling_max`, in rising order."""
    first = last = run = 0
    for t in range(len(x)):
        if x[t] - x[t] != 0.0:
            first = last = run = 0
            out[t] = NAN
            continue
        run += 1
        while last > first and x[queue[last - 1]] >= x[t]:
            last -= 1
        queue[last] = t
        last += 1
        if queue[first] <= t - n:
            first += 1
        out[t] = x[queue[first]] if run >= n else NAN


def rolling_std(x: Sequence[float], n: int, ddof: int, out: MutableSequence[float]) -> None:
    """Deviation (root mean square) from the mean of the last ``n`` values, with divisor ``n - ddof``."""
    run = 0
    for t in range(len(x)):
        run = run + 1 if x[t] - x[t] == 0.0 else 0
        if run < n:
            out[t] = NAN
            continue
        shift = 0.0
        for i in range(t - n + 1, t):
            shift += x[i] - x[t]
        shift /= n
        squares = 0.0
        for i in range(t - n + 1, t + 1):
            distance = (x[i] - x[t]) - shift
            squares += distance * distance
        out[t] = math.sqrt(squares / (n - ddof))


def zscore(
    x: Sequence[float],
    n: int,
    ddof: int,
    mean: MutableSequence[float],
    rest: MutableSequence[float],
    out: MutableSequence[float],
) -> None:
    """Distance of the newest value from the window's mean in deviations; NaN on a constant window."""
    sma(x, n, rest, mean)
    rolling_std(x, n, ddof, out)
    for t in range(len(x)):
        out[t] = (x[t] - mean[t]) / out[t] if out[t] > 0.0 else NAN


def correlation(x: Sequence[float], y: Sequence[float], n: int, out: MutableSequence[float]) -> None:
    """Pearson correlation over the last ``n`` bars, held within −1 … 1; NaN when either side is constant."""
    run = 0
    for t in range(len(x)):
        run = run + 1 if (x[t] - x[t]) + (y[t] - y[t]) == 0.0 else 0
        out[t] = NAN
        if run < n:
            continue
        shift_x = shift_y = 0.0
        for i in range(t - n + 1, t):
            shift_x += x[i] - x[t]
            shift_y += y[i] - y[t]
        shift_x /= n
        shift_y /= n
        xx = yy = xy = 0.0
        for i in range(t - n + 1, t + 1):
            dx = (x[i] - x[t]) - shift_x
            dy = (y[i] - y[t]) - shift_y
            xx += dx * dx
            yy += dy * dy
            xy += dx * dy
        scale = math.sqrt(xx) * math.sqrt(yy)
        if scale > 0.0:
            ratio = xy / scale
            out[t] = 1.0 if ratio > 1.0 else -1.0 if ratio < -1.0 else ratio


def slope(x: Sequence[float], n: int, out: MutableSequence[float]) -> None:
    """Slope per bar of the least-squares line through the last ``n`` values."""
    middle = (n - 1) / 2.0
    scale = n * (1.0 * n * n - 1.0) / 12.0
    run = 0
    for t in range(len(x)):
        run = run + 1 if x[t] - x[t] == 0.0 else 0
        if run < n:
            out[t] = NAN
            continue
        total = 0.0
        for i in range(n - 1):
            total += (i - middle) * (x[t - n + 1 + i] - x[t])
        out[t] = total / scale


_WINDOW = ParamSpec("n", minimum=2)
_DDOF = ParamSpec("ddof", minimum=0, maximum=1, default=0)

FAMILY = (
    Indicator(
        name="rolling_max",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=rolling_max,
        scratch=(Scratch("int"),),
        warmup=bars("n", -1),
        summary="Largest of the last n values, the current bar included.",
        formula="value[t] = max(x[t], x[t-1], …, x[t-n+1])",
        source="definition; monotonic queue: Lemire, Streaming Maximum-Minimum Filter (2006), algorithm 1",
        talib="MAX",
    ),
    Indicator(
        name="rolling_min",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=rolling_min,
        scratch=(Scratch("int"),),
        warmup=bars("n", -1),
        summary="Smallest of the last n values, the current bar included.",
        formula="value[t] = min(x[t], x[t-1], …, x[t-n+1])",
        source="definition; monotonic queue: Lemire, Streaming Maximum-Minimum Filter (2006), algorithm 1",
        talib="MIN",
    ),
    Indicator(
        name="rolling_std",
        inputs=("x",),
        params=(_WINDOW, _DDOF),
        outputs=("value",),
        kernel=rolling_std,
        warmup=bars("n", -1),
        summary="Standard deviation of the last n values (population; ddof=1 for the sample's).",
        formula="value[t] = √( Σ (x[i] − mean)² / (n − ddof) ), i = t−n+1 … t",
        source="definition; two passes: Chan, Golub, LeVeque, The American Statistician 37(3), 1983",
        talib="STDDEV",
        differs="Same numbers with ddof=0, the only divisor TA-Lib knows.",
    ),
    Indicator(
        name="zscore",
        inputs=("x",),
        params=(_WINDOW, _DDOF),
        outputs=("value",),
        kernel=zscore,
        scratch=(Scratch("float"), Scratch("float")),
        warmup=bars("n", -1),
        summary="Distance from the mean of the last n values, in their standard deviations.",
        formula="value[t] = (x[t] − sma(x, n)[t]) / rolling_std(x, n, ddof)[t]; NaN on a constant window",
        source="definition",
    ),
    Indicator(
        name="correlation",
        inputs=("x", "y"),
        params=(_WINDOW,),
        outputs=("value",),
        kernel=correlation,
        warmup=bars("n", -1),
        summary="Pearson correlation of two series over the last n bars.",
        formula="value[t] = Σ (x−mean x)(y−mean y) / √(Σ (x−mean x)² · Σ (y−mean y)²) over i = t−n+1 … t",
        source="Pearson 1895; two-pass as rolling_std",
        talib="CORREL",
        differs="Where a side is constant the value is NaN; TA-Lib gives 0.",
    ),
    Indicator(
        name="slope",
        inputs=("x",),
        params=(_WINDOW,),
        outputs=("value",),
        kernel=slope,
        warmup=bars("n", -1),
        summary="Slope per bar of the least-squares line through the last n values.",
        formula="value[t] = Σ (i − (n−1)/2) · x[t−n+1+i] / (n(n²−1)/12), i = 0 … n−1",
        source="ordinary least squares on the bar number",
        talib="LINEARREG_SLOPE",
        differs="Same definition. TA-Lib subtracts products of large sums, which loses digits when the level "
        "is large against the movement.",
    ),
)
