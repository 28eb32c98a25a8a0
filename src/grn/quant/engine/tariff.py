"""The tariff: at which price an order fills, what it costs, and which amounts can be traded.

Plain functions of numbers; `r` is a row of `terms`.  They run as they are in the reference engine and
compiled in the others: operations and their order are part of the specification.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from grn.quant.engine.terms import (
    FEE,
    FIRST_TIER,
    IMPACT,
    LOT,
    MINIMUM_FEE,
    MULTIPLIER,
    SLIPPAGE,
    SLIPPAGE_TICKS,
    TICK,
    TIERS,
    UNIT_FEE,
)

WHOLE = 9007199254740992.0
"""2**53: from here on every float64 is a whole number."""
NEAR = 1e-9
"""A quotient this close to a whole number, relatively, is one: 0.3 is three ticks of 0.1."""


def whole(x: float, direction: int) -> float:
    """`x` as a whole number: rounded down (-1), up (1) or to the nearest (0, halves up)."""
    if not -WHOLE < x < WHOLE:
        return x
    nearest = float(math.floor(x + 0.5))
    if direction == 0 or abs(x - nearest) <= NEAR * max(1.0, abs(x)):
        return nearest
    return float(math.floor(x)) if direction < 0 else float(math.ceil(x))


def on_tick(price: float, direction: int, r: Sequence[float]) -> float:
    """`price` as a multiple of the tick, rounded in a direction (see `whole`)."""
    if r[TICK] == 0.0:
        return price
    return whole(price / r[TICK], direction) * r[TICK]


def in_lots(units: float, r: Sequence[float]) -> float:
    """`units` as a multiple of the lot, rounded down."""
    if r[LOT] == 0.0:
        return units
    return whole(units / r[LOT], -1) * r[LOT]


def market_price(price: float, side: int, r: Sequence[float]) -> float:
    """Fill price of a market order that buys (`side` 1) or sells (-1): slipped, then rounded against it."""
    if side > 0:
        fill = price * (1.0 + r[SLIPPAGE]) + r[SLIPPAGE_TICKS] * r[TICK]
    else:
        fill = price * (1.0 - r[SLIPPAGE]) - r[SLIPPAGE_TICKS] * r[TICK]
    fill = on_tick(fill, side, r)
    return fill if fill > 0.0 else 0.0


def pressed_price(fill: float, side: int, units: float, volume: float, r: Sequence[float]) -> float:
    """Fill price after the order's own pressure: it moves by `impact` times its share of the volume."""
    if r[IMPACT] == 0.0:
        return fill
    fill = on_tick(fill * (1.0 + side * (r[IMPACT] * (units / volume))), side, r)
    return fill if fill > 0.0 else 0.0


def fees_of(value: float, units: float, fixed: float, r: Sequence[float]) -> float:
    """Fees of a leg of this value and this many units; `fixed` is its part of the fixed fee."""
    if r[TIERS] == 0.0:
        fees = value * r[FEE]
    else:
        fees = 0.0
        tiers = int(r[TIERS])
        for k in range(tiers):
            start = r[FIRST_TIER + 2 * k]
            if value <= start:
                break
            end = value
            if k + 1 < tiers and r[FIRST_TIER + 2 * k + 2] < value:
                end = r[FIRST_TIER + 2 * k + 2]
            fees = fees + (end - start) * r[FIRST_TIER + 2 * k + 1]
    fees = fees + units * r[UNIT_FEE]
    if fees < r[MINIMUM_FEE]:
        fees = r[MINIMUM_FEE]
    return fees + fixed


def value_for(spend: float, fill: float, fixed: float, r: Sequence[float]) -> float:
    """Value of a leg that costs `spend` with its fees: ``value + fees_of(value, ...) = spend``.

    Zero or negative when the fees alone exceed it.
    """
    room = spend - fixed
    per_value = 0.0
    if r[UNIT_FEE] > 0.0:
        per_value = r[UNIT_FEE] / (fill * r[MULTIPLIER])
    if r[TIERS] == 0.0:
        value = room / (1.0 + r[FEE] + per_value)
    else:
        value = 0.0
        below = 0.0
        tiers = int(r[TIERS])
        for k in range(tiers):
            start = r[FIRST_TIER + 2 * k]
            fee = r[FIRST_TIER + 2 * k + 1]
            value = (room - below + start * fee) / (1.0 + fee + per_value)
            if k + 1 < tiers:
                end = r[FIRST_TIER + 2 * k + 2]
                if value <= end:
                    break
                below = below + (end - start) * fee
    if room - value < r[MINIMUM_FEE]:
        value = room - r[MINIMUM_FEE]
    return value
