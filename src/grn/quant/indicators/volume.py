"""Volume: on-balance volume and volume-weighted average prices."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.spec import Indicator, ParamSpec, Scratch, bars

NAN = math.nan


def obv(close: Sequence[float], volume: Sequence[float], out: MutableSequence[float]) -> None:
    """Sum volume, signed by the close's direction, in a pair of 106 bits (see ``rolling_sum``)."""
    high = low = 0.0
    run = 0
    for t in range(len(close)):
        if (close[t] - close[t]) + (volume[t] - volume[t]) != 0.0:
            run = 0
            out[t] = NAN
            continue
        run += 1
        if run == 1:
            high = volume[t]
            low = 0.0
        elif close[t] != close[t - 1]:
            step = volume[t] if close[t] > close[t - 1] else -volume[t]
            total = high + step
            part = total - high
            low += (high - (total - part)) + (step - part)
            high = total + low
            low -= high - total
        out[t] = high


def vwap(
    high: Sequence[float],
    low: Sequence[float],
    close: Sequence[float],
    volume: Sequence[float],
    n: int,
    typical: MutableSequence[float],
    out: MutableSequence[float],
) -> None:
    """Mean typical price of the last ``n`` bars weighted by volume; sums distances from the newest price."""
    run = 0
    for t in range(len(close)):
        typical[t] = ((high[t] + low[t]) + close[t]) / 3.0
        run = run + 1 if (typical[t] - typical[t]) + (volume[t] - volume[t]) == 0.0 else 0
        out[t] = NAN
        if run < n:
            continue
        traded = moved = 0.0
        for i in range(t - n + 1, t + 1):
            traded += volume[i]
            moved += volume[i] * (typical[i] - typical[t])
        if traded > 0.0:
            out[t] = typical[t] + moved / traded


def session_vwap(
    high: Sequence[float],
    low: Sequence[float],
    close: Sequence[float],
    volume: Sequence[float],
    day: Sequence[float],
    out: MutableSequence[float],
) -> None:
    """Mean typical price since ``day`` last changed, weighted by volume (West 1979, incremental mean)."""
    today = NAN
    mean = traded = 0.0
    clean = False
    for t in range(len(close)):
        out[t] = NAN
        typical = ((high[t] + low[t]) + close[t]) / 3.0
        if day[t] - day[t] == 0.0 and day[t] != today:
            today = day[t]
            mean = traded = 0.0
            clean = True
        if (typical - typical) + (volume[t] - volume[t]) + (day[t] - day[t]) != 0.0:
            clean = False
        if clean and volume[t] > 0.0:
            traded += volume[t]
            mean += (typical - mean) * (volume[t] / traded)
        if clean and traded > 0.0:
            out[t] = mean


_BAR = ("high", "low", "close", "volume")

FAMILY = (
    Indicator(
        name="obv",
        inputs=("close", "volume"),
        params=(),
        outputs=("value",),
        kernel=obv,
        warmup=lambda params: 0,
        summary="On-balance volume: volume added on rising closes, subtracted on falling ones.",
        formula="value[t] = value[t-1] + sign(close[t] − close[t-1]) · volume[t]; value[0] = volume[0]",
        source="Granville, Granville's New Key to Stock Market Profits (1963); start as TA-Lib",
        talib="OBV",
    ),
    Indicator(
        name="vwap",
        inputs=_BAR,
        params=(ParamSpec("n"),),
        outputs=("value",),
        kernel=vwap,
        scratch=(Scratch("float"),),
        warmup=bars("n", -1),
        summary="Volume-weighted average of the typical price over the last n bars.",
        formula="value[t] = Σ volume · (high + low + close)/3 / Σ volume over n bars; NaN without volume",
        source="Berkowitz, Logue, Noser, Journal of Finance 43(1), 1988, on a rolling window",
    ),
    Indicator(
        name="session_vwap",
        inputs=(*_BAR, "day"),
        params=(),
        outputs=("value",),
        kernel=session_vwap,
        warmup=lambda params: 0,
        summary="Volume-weighted average of the typical price since the session began.",
        formula="value[t] = Σ volume · (high + low + close)/3 / Σ volume over the bars since `day` changed; "
        "NaN until something was traded, and from a missing value to the end of its session",
        source="Berkowitz, Logue, Noser, Journal of Finance 43(1), 1988; update: West, CACM 22(9), 1979",
    ),
)
