"""Momentum: RSI, MACD, stochastic oscillator, rate of change."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.averages import ema, sma
from grn.quant.indicators.rolling import rolling_max, rolling_min
from grn.quant.indicators.spec import Indicator, Params, ParamSpec, Scratch, bars

NAN = math.nan


def rsi(x: Sequence[float], n: int, out: MutableSequence[float]) -> None:
    """Relative strength index; ``run`` counts the changes since the series (re)started."""
    gain = loss = 0.0
    run = -1
    for t in range(len(x)):
        out[t] = NAN
        if x[t] - x[t] != 0.0:
            run = -1
            continue
        run += 1
        if run == 0:
            continue
        change = x[t] - x[t - 1]
        up = change if change > 0.0 else 0.0
        down = -change if change < 0.0 else 0.0
        if run == 1:
            gain = up
            loss = down
        else:
            weight = run if run < n else n
            gain += (up - gain) / weight
            loss += (down - loss) / weight
        if run >= n and gain + loss > 0.0:
            out[t] = 100.0 * (gain / (gain + loss))


def macd(
    x: Sequence[float],
    fast: int,
    slow: int,
    smooth: int,
    line: MutableSequence[float],
    signal: MutableSequence[float],
    histogram: MutableSequence[float],
) -> None:
    """Difference of two EMAs, its EMA, and the distance between them."""
    ema(x, fast, histogram)
    ema(x, slow, line)
    for t in range(len(x)):
        line[t] = histogram[t] - line[t]
    ema(line, smooth, signal)
    for t in range(len(x)):
        histogram[t] = line[t] - signal[t]
        if histogram[t] != histogram[t]:
            line[t] = NAN


def stochastic(
    high: Sequence[float],
    low: Sequence[float],
    close: Sequence[float],
    n: int,
    smooth_k: int,
    smooth_d: int,
    queue: MutableSequence[int],
    raw: MutableSequence[float],
    rest: MutableSequence[float],
    k: MutableSequence[float],
    d: MutableSequence[float],
) -> None:
    """Place of the close in the range of ``n`` bars, smoothed once (k) and twice (d)."""
    rolling_max(high, n, queue, k)
    rolling_min(low, n, queue, d)
    for t in range(len(close)):
        raw[t] = 100.0 * ((close[t] - d[t]) / (k[t] - d[t])) if k[t] > d[t] else NAN
    sma(raw, smooth_k, rest, k)
    sma(k, smooth_d, rest, d)
    for t in range(len(close)):
        if d[t] != d[t]:
            k[t] = NAN


def roc(x: Sequence[float], n: int, out: MutableSequence[float]) -> None:
    """Change over ``n`` bars in percent; NaN where the earlier value is 0."""
    for t in range(len(x)):
        out[t] = NAN
        if t >= n and (x[t] - x[t]) + (x[t - n] - x[t - n]) == 0.0 and x[t - n] != 0.0:
            out[t] = 100.0 * ((x[t] - x[t - n]) / x[t - n])


def _macd_warmup(params: Params) -> int:
    return int(max(params["fast"], params["slow"]) + params["signal"]) - 2


def _stochastic_warmup(params: Params) -> int:
    return int(params["n"] + params["smooth_k"] + params["smooth_d"]) - 3


FAMILY = (
    Indicator(
        name="rsi",
        inputs=("x",),
        params=(ParamSpec("n", minimum=2, default=14),),
        outputs=("value",),
        kernel=rsi,
        warmup=bars("n"),
        summary="Relative strength index: share of gains in all movement, 0 … 100, Wilder's smoothing.",
        formula="value[t] = 100 · G[t] / (G[t] + L[t]); G[t] = G[t-1] + (max(x[t]−x[t-1], 0) − G[t-1]) / n, "
        "L alike with losses; seed: means of the first n changes; NaN when nothing has moved",
        source="Wilder, New Concepts in Technical Trading Systems (1978), section VI",
        talib="RSI",
        differs="A series that has not moved at all gives NaN; TA-Lib gives 0, which reads as oversold.",
    ),
    Indicator(
        name="macd",
        inputs=("x",),
        params=(ParamSpec("fast", default=12), ParamSpec("slow", default=26), ParamSpec("signal", default=9)),
        outputs=("line", "signal", "histogram"),
        kernel=macd,
        warmup=_macd_warmup,
        summary="Moving average convergence/divergence: fast EMA minus slow EMA, and its EMA.",
        formula="line = ema(x, fast) − ema(x, slow); signal = ema(line, signal); histogram = line − signal; "
        "all three start where signal does",
        source="Appel, Technical Analysis: Power Tools for Active Investors (2005)",
        talib="MACD",
        differs="line is exactly ema(x, fast) − ema(x, slow), each seeded at its own bar. TA-Lib seeds the "
        "fast EMA later, with the mean of the fast bars that end at bar slow−1; what that changes shrinks by "
        "the factor 1 − 2/(fast+1) per bar. TA-Lib also swaps fast and slow when fast is longer.",
    ),
    Indicator(
        name="stochastic",
        inputs=("high", "low", "close"),
        params=(
            ParamSpec("n", default=14),
            ParamSpec("smooth_k", default=3),
            ParamSpec("smooth_d", default=3),
        ),
        outputs=("k", "d"),
        kernel=stochastic,
        scratch=(Scratch("int"), Scratch("float"), Scratch("float")),
        warmup=_stochastic_warmup,
        summary="Slow stochastic oscillator: where the close lies in the range of n bars, 0 … 100.",
        formula="raw = 100 · (close − min low) / (max high − min low) over n bars; k = sma(raw, smooth_k); "
        "d = sma(k, smooth_d); both start where d does",
        source="Lane, Technical Analysis of Stocks & Commodities 2(3), 1984: Lane's Stochastics",
        talib="STOCH",
        differs="A range of height 0 gives NaN; TA-Lib gives 0, the lowest reading. Defaults are 14, 3, 3; "
        "TA-Lib's are 5, 3, 3.",
    ),
    Indicator(
        name="roc",
        inputs=("x",),
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=roc,
        warmup=bars("n"),
        summary="Rate of change over n bars, in percent.",
        formula="value[t] = 100 · (x[t] − x[t-n]) / x[t-n]; NaN when x[t-n] = 0; bars between do not count",
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 10",
        talib="ROC",
        differs="An earlier value of 0 gives NaN; TA-Lib gives 0.",
    ),
)
