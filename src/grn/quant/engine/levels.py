"""Levels: the stops and targets of a position, placed at its entry and judged inside each bar.

`form` and `ticket` are described in `forms`.  `levels` belong to the position held: for each stop its price
and its number.  A price that is missing (NaN) has been used up.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.engine.account import (
    BEST,
    ENTRY,
    FULL,
    LEAVE,
    LOWER,
    ORDERS,
    STOP_LEG,
    STOPPED,
    TARGET_LEG,
    TIME,
    TRAIL_LEG,
    UNITS,
    UPPER,
    close_units,
    worth,
)
from grn.quant.engine.forms import (
    BARS,
    FIRST_LEVEL,
    FIRST_STOP,
    KIND,
    MEASURE,
    PART,
    STOP_WIDTH,
    STOPS,
    TIMED,
)
from grn.quant.engine.tariff import in_lots, market_price, on_tick
from grn.quant.engine.terms import AT_MARKET, AT_SIGNAL, STOP_FILL, TARGET_FILL, TARGET_FIRST
from grn.quant.strategy.orders import DISTANCE, PERCENT, PRICE, PROFIT, TRAIL


def passed(
    form: Sequence[float], ticket: Sequence[float], side: int, price: float, slips: bool, r: Sequence[float]
) -> bool:
    """Whether an entry at `price` would fill on the wrong side of a level, or with one that no price reaches.

    A level at zero or below is none: the entry would stand without the stop, or the target, that it asks for.
    """
    fill = market_price(price, side, r) if slips else price
    for i in range(int(form[STOPS])):
        at = FIRST_STOP + STOP_WIDTH * i
        level = level_of(form, i, ticket[FIRST_LEVEL + i], side, fill)
        if not level > 0.0:
            return True
        if form[at + MEASURE] == PRICE:
            gain = side * (level - fill)
            if form[at + KIND] != PROFIT:
                gain = -gain
            if not gain > 0.0:
                return True
    return False


def level_of(form: Sequence[float], i: int, number: float, side: float, fill: float) -> float:
    """Price of level `i` of a position on `side` that was entered at `fill`."""
    at = FIRST_STOP + STOP_WIDTH * i
    away = side if form[at + KIND] == PROFIT else -side
    if form[at + MEASURE] == PERCENT:
        return fill * (1.0 + away * number)
    if form[at + MEASURE] == DISTANCE:
        return fill + away * number
    return number


def place_levels(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    ticket: Sequence[float],
    levels: MutableSequence[float],
) -> None:
    """Place the levels of a position around the price at which it was just entered, or added to."""
    side = 1.0 if a[UNITS] > 0.0 else -1.0
    fill = a[ENTRY]
    a[BEST] = fill
    a[TIME] = ticket[BARS] if form[TIMED] > 0.0 else 0.0
    for i in range(int(form[STOPS])):
        number = ticket[FIRST_LEVEL + i]
        levels[2 * i] = on_tick(level_of(form, i, number, side, fill), 0, r)
        levels[2 * i + 1] = number
    find_nearest(a, form, levels)


def find_nearest(a: MutableSequence[float], form: Sequence[float], levels: Sequence[float]) -> None:
    """Note the nearest level below and above."""
    lower, upper = -math.inf, math.inf
    for i in range(int(form[STOPS])):
        level = levels[2 * i]
        profit = form[FIRST_STOP + STOP_WIDTH * i + KIND] == PROFIT
        if profit == (a[UNITS] > 0.0):
            if level < upper:
                upper = level
        elif level > lower:
            lower = level
    a[LOWER] = lower
    a[UPPER] = upper


def trail_levels(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    levels: MutableSequence[float],
    best: float,
) -> None:
    """Pull the trailing levels behind a new best price; a level never moves back."""
    side = 1.0 if a[UNITS] > 0.0 else -1.0
    a[BEST] = best
    for i in range(int(form[STOPS])):
        at = FIRST_STOP + STOP_WIDTH * i
        if form[at + KIND] == TRAIL:
            number = levels[2 * i + 1]
            if form[at + MEASURE] == PERCENT:
                level = best * (1.0 - side * number)
            else:
                level = best - side * number
            level = on_tick(level, 0, r)
            if side * (level - levels[2 * i]) > 0.0:
                levels[2 * i] = level
    find_nearest(a, form, levels)


def strike(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    levels: MutableSequence[float],
    i: int,
    price: float,
    t: int,
    log: Sequence[MutableSequence[float]],
) -> None:
    """Execute level `i` at `price`; it is used up."""
    at = FIRST_STOP + STOP_WIDTH * i
    kind = form[at + KIND]
    how = r[TARGET_FILL] if kind == PROFIT else r[STOP_FILL]
    levels[2 * i] = math.nan
    a[STOPPED] = t
    if how == AT_SIGNAL:
        a[LEAVE] = 1.0
        return
    held = abs(a[UNITS])
    units = held if form[at + PART] == 1.0 else in_lots(form[at + PART] * a[FULL], r)
    if units > held:
        units = held
    if units <= 0.0:
        return
    fill = price
    if how == AT_MARKET:
        fill = market_price(price, -1 if a[UNITS] > 0.0 else 1, r)
    leg = TARGET_LEG if kind == PROFIT else TRAIL_LEG if kind == TRAIL else STOP_LEG
    close_units(a, r, units, price, fill, leg, t, worth(a, price, r), log)
    a[ORDERS] = a[ORDERS] + 1.0


def nearest_reached(
    a: Sequence[float], form: Sequence[float], levels: Sequence[float], low: float, high: float, profits: bool
) -> int:
    """The level of one kind (targets, or the others) that a move outwards reaches first, or -1."""
    found = -1
    for i in range(int(form[STOPS])):
        if (form[FIRST_STOP + STOP_WIDTH * i + KIND] == PROFIT) != profits:
            continue
        level = levels[2 * i]
        if profits == (a[UNITS] > 0.0):
            if level <= high and (found < 0 or level < levels[2 * found]):
                found = i
        elif level >= low and (found < 0 or level > levels[2 * found]):
            found = i
    return found


def judge_levels(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    levels: MutableSequence[float],
    opening: float,
    low: float,
    high: float,
    t: int,
    log: Sequence[MutableSequence[float]],
) -> None:
    """Execute every level that a bar reaches.

    First what the open has passed already, at the open.  Then what lies inside [low, high], each at its own
    price, nearest first: stops before targets, or the other way round if the rules say so.
    A missing `opening` leaves the first part out.
    """
    for group in range(2):
        while a[UNITS] != 0.0:
            i = nearest_reached(a, form, levels, opening, opening, group == 1)
            if i < 0:
                break
            strike(a, r, form, levels, i, opening, t, log)
    for group in range(2):
        profits = (group == 1) != (r[TARGET_FIRST] > 0.0)
        while a[UNITS] != 0.0:
            i = nearest_reached(a, form, levels, low, high, profits)
            if i < 0:
                break
            strike(a, r, form, levels, i, levels[2 * i], t, log)
    if a[UNITS] != 0.0:
        find_nearest(a, form, levels)
