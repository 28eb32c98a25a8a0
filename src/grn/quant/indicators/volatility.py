"""Volatility: average true range and Bollinger bands."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.averages import sma
from grn.quant.indicators.rolling import rolling_std
from grn.quant.indicators.spec import Indicator, ParamSpec, Scratch, bars

NAN = math.nan


def atr(
    high: Sequence[float], low: Sequence[float], close: Sequence[float], n: int, out: MutableSequence[float]
) -> None:
    """Wilder's average of the true range; ``run`` counts the true ranges since the series (re)started."""
    level = 0.0
    run = -1
    for t in range(len(close)):
        out[t] = NAN
        if (high[t] - high[t]) + (low[t] - low[t]) + (close[t] - close[t]) != 0.0:
            run = -1
            continue
        run += 1
        if run == 0:
            continue
        top = high[t] if high[t] > close[t - 1] else close[t - 1]
        bottom = low[t] if low[t] < close[t - 1] else close[t - 1]
        width = top - bottom
        if run == 1 or n == 1:
            level = width
        else:
            level += (width - level) / (run if run < n else n)
        if run >= n:
            out[t] = level


def bollinger(
    x: Sequence[float],
    n: int,
    k: float,
    rest: MutableSequence[float],
    upper: MutableSequence[float],
    middle: MutableSequence[float],
    lower: MutableSequence[float],
) -> None:
    """SMA and ``k`` population standard deviations to either side."""
    sma(x, n, rest, middle)
    rolling_std(x, n, 0, upper)
    for t in range(len(x)):
        width = k * upper[t]
        upper[t] = middle[t] + width
        lower[t] = middle[t] - width


FAMILY = (
    Indicator(
        name="atr",
        inputs=("high", "low", "close"),
        params=(ParamSpec("n", default=14),),
        outputs=("value",),
        kernel=atr,
        warmup=bars("n"),
        summary="Average true range: Wilder's average of the bar's range, gaps included.",
        formula="range[t] = max(high[t], close[t-1]) − min(low[t], close[t-1]); "
        "value[t] = value[t-1] + (range[t] − value[t-1]) / n; seed: the mean of range[1] … range[n]",
        source="Wilder, New Concepts in Technical Trading Systems (1978), section III",
        talib="ATR",
    ),
    Indicator(
        name="bollinger",
        inputs=("x",),
        params=(ParamSpec("n", minimum=2, default=20), ParamSpec("k", "float", minimum=0.0, default=2.0)),
        outputs=("upper", "middle", "lower"),
        kernel=bollinger,
        scratch=(Scratch("float"),),
        warmup=bars("n", -1),
        summary="Bollinger bands: SMA and k standard deviations (population) to either side.",
        formula="middle = sma(x, n); upper, lower = middle ± k · rolling_std(x, n, ddof=0)",
        source="Bollinger, Bollinger on Bollinger Bands (2001)",
        talib="BBANDS",
        differs="Same numbers. Default n is 20; TA-Lib's is 5.",
    ),
)
