"""Signals: what the conditions of a bar ask for, and how it is carried out.

Actions share their numbers with the sides: `LONG` is 1, `SHORT` is -1.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import Final

from grn.quant.engine.account import (
    LEAVE,
    LEGS,
    ORDERS,
    REJECTED,
    SINCE,
    STOPPED,
    TIME,
    UNITS,
    close_by_signal,
    open_units,
    worth,
)
from grn.quant.engine.forms import (
    AT_NEXT,
    FIRST_LEVEL,
    ORDER,
    PRICE,
    SCALE,
    SIZED,
    STOPS,
    TIMED,
)
from grn.quant.engine.levels import passed, place_levels
from grn.quant.engine.tariff import in_lots
from grn.quant.engine.terms import (
    ADDS,
    BOTH,
    CLOSE_ONLY,
    ENTRY,
    EXIT,
    FIXED_FEE,
    FOR_LONG,
    FOR_SHORT,
    IGNORE,
    MULTIPLIER,
    OPPOSITE,
    REDUCES,
    REPLACES,
    SAME,
    SIZE,
    SIZE_KIND,
    SIZE_QUANTITY,
    SIZE_VALUE,
    SKIPS,
)

NONE: Final = 0
LONG: Final = 1
SHORT: Final = -1
LEAVE_POSITION: Final = 2
REDUCE_POSITION: Final = 3


def decide(
    position: float,
    long_entry: bool,
    long_exit: bool,
    short_entry: bool,
    short_exit: bool,
    r: Sequence[float],
) -> int:
    """Action for the position held; `LONG` and `SHORT` open a position, add to it, or reverse it.

    By default conflicts cancel: an entry and an exit of one side on one bar, and a long and a short entry.
    """
    same = r[SAME]
    if long_entry and long_exit:
        long_entry = same == ENTRY
        long_exit = same == EXIT
    if short_entry and short_exit:
        short_entry = same == ENTRY
        short_exit = same == EXIT
    if long_entry and short_entry:
        long_entry = r[BOTH] == FOR_LONG
        short_entry = r[BOTH] == FOR_SHORT
    if position > 0.0:
        if short_entry and r[OPPOSITE] != IGNORE:
            return LEAVE_POSITION if r[OPPOSITE] == CLOSE_ONLY else SHORT
        if long_exit:
            return REDUCE_POSITION if r[REDUCES] > 0.0 else LEAVE_POSITION
        if long_entry and r[ADDS] > 0.0:
            return LONG
    elif position < 0.0:
        if long_entry and r[OPPOSITE] != IGNORE:
            return LEAVE_POSITION if r[OPPOSITE] == CLOSE_ONLY else LONG
        if short_exit:
            return REDUCE_POSITION if r[REDUCES] > 0.0 else LEAVE_POSITION
        if short_entry and r[ADDS] > 0.0:
            return SHORT
    elif long_entry:
        return LONG
    elif short_entry:
        return SHORT
    return NONE


def impose(a: MutableSequence[float], r: Sequence[float], form: Sequence[float], action: int, t: int) -> int:
    """The action after what stands above the signals: a stop that filled on this bar, and a duty to leave.

    A time stop leaves so that the position is held for its number of bars between the two fills.
    """
    if r[SKIPS] > 0.0 and a[STOPPED] == t:
        action = NONE
    if a[UNITS] != 0.0:
        if a[TIME] > 0.0 and t - a[SINCE] + form[AT_NEXT] >= a[TIME]:
            a[LEAVE] = 1.0
        if a[LEAVE] > 0.0 and (action in (NONE, REDUCE_POSITION) or action * a[UNITS] > 0.0):
            return LEAVE_POSITION
    return action


def usable(form: Sequence[float], ticket: Sequence[float]) -> bool:
    """Whether every number that an entry needs is there: above zero and finite."""
    if form[SIZED] > 0.0 and not 0.0 < ticket[SCALE] < math.inf:
        return False
    if form[ORDER] > 0.0 and not 0.0 < ticket[PRICE] < math.inf:
        return False
    for i in range(int(form[STOPS])):
        if not 0.0 < ticket[FIRST_LEVEL + i] < math.inf:
            return False
    return True


def act(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    ticket: Sequence[float],
    levels: MutableSequence[float],
    action: int,
    price: float,
    slips: bool,
    volume: float,
    t: int,
    log: Sequence[MutableSequence[float]],
) -> bool:
    """Carry out an action at a price, as one order; whether it placed a position anew.

    A position is new when it was opened, or when an addition replaced its levels.  A reversal closes first;
    its opening leg pays no fixed fee and is sized on the cash after the closing one.
    """
    before = worth(a, price, r)
    legs = a[LEGS]
    fixed = r[FIXED_FEE]
    opened = False
    entering = action in (LONG, SHORT)
    against = entering and action * a[UNITS] < 0.0
    guarded = form[STOPS] > 0.0 or form[TIMED] > 0.0
    if entering and guarded and passed(form, ticket, action, price, slips, r):
        a[REJECTED] = a[REJECTED] + 1.0
        entering = False
    if against or (action == LEAVE_POSITION and a[UNITS] != 0.0):
        close_by_signal(a, r, abs(a[UNITS]), price, slips, volume, t, before, log)
        fixed = 0.0
    elif action == REDUCE_POSITION and a[UNITS] != 0.0:
        close_by_signal(a, r, units_to_close(a, r, price), price, slips, volume, t, before, log)
    if entering and action * a[UNITS] >= 0.0:
        flat = a[UNITS] == 0.0
        scale = ticket[SCALE] if form[SIZED] > 0.0 else 1.0
        if open_units(a, r, action, price, slips, volume, scale, fixed, t, before, log):
            opened = flat or r[REPLACES] > 0.0
            if guarded and (flat or r[REPLACES] > 0.0):
                place_levels(a, r, form, ticket, levels)
    if a[LEGS] > legs:
        a[ORDERS] = a[ORDERS] + 1.0
    return opened


def units_to_close(a: Sequence[float], r: Sequence[float], price: float) -> float:
    """Units by which an exit reduces the position: the size, or that fraction of it; at most all."""
    held = abs(a[UNITS])
    units = r[SIZE] * held
    if r[SIZE_KIND] == SIZE_QUANTITY:
        units = r[SIZE]
    elif r[SIZE_KIND] == SIZE_VALUE:
        units = r[SIZE] / (price * r[MULTIPLIER])
    units = in_lots(units, r)
    return units if 0.0 < units < held else held
