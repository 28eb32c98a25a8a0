"""Price channels: Donchian."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.rolling import rolling_max, rolling_min
from grn.quant.indicators.spec import Indicator, ParamSpec, Scratch, bars


def donchian(
    high: Sequence[float],
    low: Sequence[float],
    n: int,
    queue: MutableSequence[int],
    upper: MutableSequence[float],
    middle: MutableSequence[float],
    lower: MutableSequence[float],
) -> None:
    """Highest high and lowest low of the last ``n`` bars, and their mean."""
    rolling_max(high, n, queue, upper)
    rolling_min(low, n, queue, lower)
    for t in range(len(high)):
        middle[t] = (upper[t] + lower[t]) / 2.0


FAMILY = (
    Indicator(
        name="donchian",
        inputs=("high", "low"),
        params=(ParamSpec("n", default=20),),
        outputs=("upper", "middle", "lower"),
        kernel=donchian,
        scratch=(Scratch("int"),),
        warmup=bars("n", -1),
        summary="Donchian channel: highest high and lowest low of n bars, the current bar included.",
        formula="upper = rolling_max(high, n); lower = rolling_min(low, n); middle = (upper + lower) / 2. "
        "The current bar is part of the channel: a breakout compares with the channel one bar earlier",
        source="Donchian's four-week rule, after Murphy (1999), ch. 9",
        talib="MAX, MIN",
    ),
)
