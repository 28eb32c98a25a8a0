"""The working order: an entry that waits in the market for its price."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.engine.account import LOWER, UPPER, WORK_PRICE, WORK_UNTIL, WORKING
from grn.quant.engine.forms import BY_LIMIT, EXPIRES, ORDER, PRICE
from grn.quant.engine.levels import judge_levels
from grn.quant.engine.signals import act
from grn.quant.engine.tariff import on_tick


def rest_order(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    ticket: Sequence[float],
    side: int,
    t: int,
) -> None:
    """Put an entry into the market from the next bar on, in place of one that is there."""
    # Away from the market, both kinds: a tick never makes an order easier to fill.
    a[WORKING] = side
    a[WORK_PRICE] = on_tick(ticket[PRICE], -side if form[ORDER] == BY_LIMIT else side, r)
    a[WORK_UNTIL] = t + form[EXPIRES]


def cancel_order(a: MutableSequence[float], long_exit: bool, short_exit: bool) -> None:
    """Take the working order back when the exit condition of its side is true."""
    if (a[WORKING] > 0.0 and long_exit) or (a[WORKING] < 0.0 and short_exit):
        a[WORKING] = 0.0


def find_fill(
    a: MutableSequence[float], form: Sequence[float], opening: float, low: float, high: float, t: int
) -> float:
    """Price at which the order fills on this bar, or NaN: the open if that is past it, else its own."""
    if t > a[WORK_UNTIL]:
        a[WORKING] = 0.0
        return math.nan
    price = a[WORK_PRICE]
    # A buying limit and a selling stop entry wait below the market, the other two above it.
    if (a[WORKING] > 0.0) == (form[ORDER] == BY_LIMIT):
        if opening <= price:
            return opening
        return price if low <= price else math.nan
    if opening >= price:
        return opening
    return price if high >= price else math.nan


def work_order(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    ticket: Sequence[float],
    levels: MutableSequence[float],
    opening: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    t: int,
    log: Sequence[MutableSequence[float]],
) -> int:
    """Fill the order if the bar reaches it, and judge the new position by what the bar did after the fill.

    Returns which prices of the bar a position placed by it has certainly seen: 0 nothing was placed, 1 the
    whole bar (filled at the open), 2 its low and its close, 3 its high and its close.
    """
    price = find_fill(a, form, opening, low, high, t)
    if price != price:
        return 0
    side = 1 if a[WORKING] > 0.0 else -1
    a[WORKING] = 0.0
    by_limit = form[ORDER] == BY_LIMIT
    if not act(a, r, form, ticket, levels, side, price, not by_limit, volume, t, log):
        return 0
    seen = 1
    if price != opening:
        # The price came to a limit from its good side, and to a stop entry from the other: the extreme beyond
        # the order's price came after the fill, the opposite one may have come before.
        opening = math.nan
        if (side > 0) == by_limit:
            seen = 2
            high = close
        else:
            seen = 3
            low = close
    if low <= a[LOWER] or high >= a[UPPER]:
        judge_levels(a, r, form, levels, opening, low, high, t, log)
    return seen
