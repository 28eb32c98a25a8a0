"""Holding: what a position pays and receives between two bars, and what a split does to it."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from grn.quant.engine.account import (
    BASIS,
    BEST,
    CARRIED,
    CASH,
    ENTRY,
    FULL,
    UNITS,
    WORK_PRICE,
)
from grn.quant.engine.forms import FIRST_LEVEL, FIRST_STOP, MEASURE, ORDER, STOP_WIDTH, STOPS
from grn.quant.engine.forms import PRICE as TICKET_PRICE
from grn.quant.engine.levels import find_nearest
from grn.quant.engine.tariff import in_lots
from grn.quant.engine.terms import BORROW, INTEREST, LOT, MULTIPLIER
from grn.quant.strategy.orders import PERCENT


def hold(
    a: MutableSequence[float],
    r: Sequence[float],
    form: Sequence[float],
    ticket: MutableSequence[float],
    levels: MutableSequence[float],
    last_close: float,
    opening: float,
    years: float,
    split: float,
    dividend: float,
    funding: float,
) -> None:
    """Pass from the last close to this bar's open.

    In this order: the fee for a borrowed short and the interest on borrowed cash, on the last close and for
    the time since the last bar; the split; the dividend on the units after it; funding on the value at the
    open.
    """
    moved = 0.0
    held = a[UNITS]
    if held < 0.0:
        moved = held * last_close * r[MULTIPLIER] * (r[BORROW] * years)
    if held != 0.0 and a[CASH] < 0.0:
        moved = moved + a[CASH] * (r[INTEREST] * years)
    if split != 1.0:
        moved = moved + split_units(a, r, opening, split)
        split_prices(a, form, ticket, levels, split)
    held = a[UNITS]
    if held != 0.0:
        moved = moved + held * dividend * r[MULTIPLIER]
        moved = moved - held * opening * r[MULTIPLIER] * funding
    if moved != 0.0:
        a[CASH] = a[CASH] + moved
        a[CARRIED] = a[CARRIED] + moved
        a[BASIS] = a[BASIS] - moved if held > 0.0 else a[BASIS] + moved


def split_units(a: MutableSequence[float], r: Sequence[float], opening: float, split: float) -> float:
    """Multiply the units; what is no whole lot afterwards is paid out at the open.  Returns that cash."""
    held = a[UNITS] * split
    rest = 0.0
    if r[LOT] > 0.0:
        whole = in_lots(abs(held), r)
        kept = whole if held > 0.0 else -whole
        if kept != 0.0:
            rest = (held - kept) * opening * r[MULTIPLIER]
            held = kept
    a[UNITS] = held
    a[FULL] = a[FULL] * split
    return rest


def split_prices(
    a: MutableSequence[float],
    form: Sequence[float],
    ticket: MutableSequence[float],
    levels: MutableSequence[float],
    split: float,
) -> None:
    """Divide every price that was noted before the split."""
    a[ENTRY] = a[ENTRY] / split
    a[BEST] = a[BEST] / split
    a[WORK_PRICE] = a[WORK_PRICE] / split
    if form[ORDER] > 0.0:
        ticket[TICKET_PRICE] = ticket[TICKET_PRICE] / split
    for i in range(int(form[STOPS])):
        levels[2 * i] = levels[2 * i] / split
        if form[FIRST_STOP + STOP_WIDTH * i + MEASURE] != PERCENT:
            levels[2 * i + 1] = levels[2 * i + 1] / split
            ticket[FIRST_LEVEL + i] = ticket[FIRST_LEVEL + i] / split
    if a[UNITS] != 0.0:
        find_nearest(a, form, levels)
