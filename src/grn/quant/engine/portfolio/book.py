"""The book: one account for all symbols, and what an order does to it.

The functions are plain Python and compile under Numba unchanged; the reference runs them as they are, the
cpu engine compiles them.  Operations and their order are part of the specification: symbols in the order of
their names, one after the other.

A *trade* of a symbol is what happens between one flat position and the next: its profit is the cash that the
symbol moved in between, fees and what holding it paid included.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import Any, Final, NamedTuple

from grn.quant.engine.tariff import fees_of, in_lots, market_price, pressed_price, value_for
from grn.quant.engine.terms import (
    FIXED_FEE,
    IMPACT,
    LEVERAGE,
    LOT,
    MIN_UNITS,
    MIN_VALUE,
    MULTIPLIER,
    REJECTS,
    SHORTS_LIMITED,
    VOLUME_SHARE,
)

CASH: Final = 0
ROWS: Final = 1
"""Entries written."""
ORDERS: Final = 2
OPENED: Final = 3
CLOSED: Final = 4
WINS: Final = 5
WIN_SUM: Final = 6
LOSS_SUM: Final = 7
TRADED: Final = 8
FEES: Final = 9
INTEREST_PAID: Final = 10
SLOTS: Final = 11

ENTRY: Final = 10
"""Columns of an entry: bar, order, kind, symbol, signed units, price, value, fees, equity before, reason."""
OPENING, ADDING, REDUCING, CLOSING, SPLIT, CARRY, LENDING = 1, 2, 3, 4, 5, 6, 7
"""Kinds: four of legs, a split, what holding a symbol moved, interest on the account's negative cash.  Of the
last two the value is the cash moved, signed."""
REBALANCE, STOP, CALL, RUIN = 1, 2, 3, 4
"""Reasons of an order: a target, the portfolio stop, a margin call, the end of an account."""


class Book(NamedTuple):
    """One account.  Every part is a row of numbers, changed in place.

    Attributes
    ----------
    a
        Cash and sums, at the places named above.
    units
        Units held, negative: short.  [S]
    price
        Price at which a position is valued now.  [S]
    flow
        Cash that the open trade moved so far.  [S]
    goal
        Target weights of a rebalance.  [S]
    change
        Units that a rebalance wants to trade.  [S]
    leaving
        1 while a stopped position waits for its fill.  [S]
    lock
        Side on which a stopped symbol may not come back yet, or 0.  [S]
    scope
        Stop that watches a symbol, or -1.  [S]
    pooled, opened, best
        Per stop: cash moved since its first position, equity just before that, best profit since.
    turn
        Symbols in order of execution.  [S]
    log
        Entries, as far as there are rows for them.
    """

    a: MutableSequence[float]
    units: MutableSequence[float]
    price: MutableSequence[float]
    flow: MutableSequence[float]
    goal: MutableSequence[float]
    change: MutableSequence[float]
    leaving: MutableSequence[float]
    lock: MutableSequence[float]
    scope: Sequence[int]
    pooled: MutableSequence[float]
    opened: MutableSequence[float]
    best: MutableSequence[float]
    turn: MutableSequence[int]
    log: Any


def worth(b: Book, r: Sequence[float]) -> float:
    """Equity: cash, and every position at its present price."""
    total = b.a[CASH]
    for s in range(len(b.units)):
        if b.units[s] != 0.0:
            total = total + b.units[s] * b.price[s] * r[MULTIPLIER]
    return total


def gross(b: Book, r: Sequence[float]) -> float:
    """Value of all positions by size."""
    total = 0.0
    for s in range(len(b.units)):
        if b.units[s] != 0.0:
            total = total + abs(b.units[s]) * b.price[s] * r[MULTIPLIER]
    return total


def write(
    b: Book,
    t: int,
    kind: int,
    s: int,
    units: float,
    price: float,
    value: float,
    fees: float,
    before: float,
    reason: int,
) -> None:
    """Write an entry, if there is a row for it."""
    k = int(b.a[ROWS])
    if k < len(b.log):
        row = b.log[k]
        row[0] = t
        row[1] = b.a[ORDERS]
        row[2] = kind
        row[3] = s
        row[4] = units
        row[5] = price
        row[6] = value
        row[7] = fees
        row[8] = before
        row[9] = reason
    b.a[ROWS] = b.a[ROWS] + 1.0


def move(b: Book, s: int, cash: float) -> None:
    """Move cash on account of a symbol."""
    b.a[CASH] = b.a[CASH] + cash
    b.flow[s] = b.flow[s] + cash
    if b.scope[s] >= 0:
        b.pooled[b.scope[s]] = b.pooled[b.scope[s]] + cash


def count(b: Book, value: float, fees: float, before: float, reason: int) -> None:
    """Enter a leg in the sums of turnover and fees."""
    b.a[FEES] = b.a[FEES] + fees
    if before > 0.0 and reason != RUIN:
        b.a[TRADED] = b.a[TRADED] + value / before


def reduce(
    b: Book,
    r: Sequence[float],
    s: int,
    units: float,
    fill: float,
    t: int,
    before: float,
    reason: int,
) -> None:
    """Trade `units` towards zero.  It is never cut: what a cover costs is owed, if need be.

    A rebalance does not trim a long by a sale that costs more than it brings.
    """
    held = b.units[s]
    value = units * fill * r[MULTIPLIER]
    fees = fees_of(value, units, r[FIXED_FEE], r)
    if reason == REBALANCE and units < held and value - fees < 0.0:
        return
    if held > 0.0:
        signed = -units
        move(b, s, value - fees)
    else:
        signed = units
        move(b, s, -(value + fees))
    count(b, value, fees, before, reason)
    if units < abs(held):
        b.units[s] = held + signed
        write(b, t, REDUCING, s, signed, fill, value, fees, before, reason)
        return
    b.units[s] = 0.0
    b.leaving[s] = 0.0
    write(b, t, CLOSING, s, signed, fill, value, fees, before, reason)
    pnl = b.flow[s]
    b.flow[s] = 0.0
    b.a[CLOSED] = b.a[CLOSED] + 1.0
    if pnl > 0.0:
        b.a[WINS] = b.a[WINS] + 1.0
        b.a[WIN_SUM] = b.a[WIN_SUM] + pnl
    elif pnl < 0.0:
        b.a[LOSS_SUM] = b.a[LOSS_SUM] - pnl


def power(b: Book, r: Sequence[float], side: int) -> float:
    """What a position that is opened or added to may cost now, fees included.

    Without margin a purchase is limited by the cash and a short by nothing.  With margin both are limited
    to what leverage leaves: leverage times equity, less all positions by size, at the prices before slippage.
    """
    if r[SHORTS_LIMITED] > 0.0:
        return r[LEVERAGE] * worth(b, r) - gross(b, r)
    return b.a[CASH] if side > 0 else math.inf


def increase(
    b: Book,
    r: Sequence[float],
    s: int,
    side: int,
    units: float,
    fill: float,
    fixed: float,
    limit: float,
    t: int,
    before: float,
    reason: int,
) -> None:
    """Trade `units` away from zero, as far as `limit` and the account's power pay for it."""
    one = fill * r[MULTIPLIER]
    if one <= 0.0:
        return
    value = units * one
    fees = fees_of(value, units, fixed, r)
    allowed = power(b, r, side)
    if value + fees > allowed and r[REJECTS] > 0.0:
        return
    if limit < allowed:
        allowed = limit
    spends = False
    spend = 0.0
    if value + fees > allowed:
        spends = True
        spend = allowed
        value = value_for(spend, fill, fixed, r)
        units = value / one
        fees = spend - value if side > 0 else fees_of(value, units, fixed, r)
    if r[LOT] > 0.0:
        whole = in_lots(units, r)
        if whole != units:
            units = whole
            spends = False
            value = units * one
            fees = fees_of(value, units, fixed, r)
            if value + fees > allowed:  # rounded up to a lot that was a hair away
                units = in_lots(units - 0.5 * r[LOT], r)
                value = units * one
                fees = fees_of(value, units, fixed, r)
    if not value > 0.0 or units < r[MIN_UNITS] or value < r[MIN_VALUE]:
        return
    if side > 0:
        cash = -spend if spends else -(value + fees)
    else:
        cash = value - fees
        if cash < 0.0:
            return
    kind = ADDING
    if b.units[s] == 0.0:
        kind = OPENING
        b.a[OPENED] = b.a[OPENED] + 1.0
    move(b, s, cash)
    count(b, value, fees, before, reason)
    b.units[s] = b.units[s] + side * units
    write(b, t, kind, s, side * units, fill, value, fees, before, reason)


def trade(
    b: Book,
    r: Sequence[float],
    s: int,
    change: float,
    volume: float,
    limit: float,
    t: int,
    before: float,
    reason: int,
) -> None:
    """One order: `change` units at the market, first towards zero, what is left away from it.

    A volume share cuts the order before anything else; its own pressure on the price is that of the order as
    it then stands.  The fixed fee is paid once.
    """
    side = 1 if change > 0.0 else -1
    size = abs(change)
    if r[VOLUME_SHARE] > 0.0 or r[IMPACT] > 0.0:
        if not volume > 0.0:
            return
        if r[VOLUME_SHARE] > 0.0 and size > r[VOLUME_SHARE] * volume:
            size = in_lots(r[VOLUME_SHARE] * volume, r)
            if size <= 0.0:
                return
    fill = market_price(b.price[s], side, r)
    if r[IMPACT] > 0.0:
        fill = pressed_price(fill, side, size, volume, r)
    if fill < 0.0:
        fill = 0.0
    rows = b.a[ROWS]
    held = b.units[s]
    fixed = r[FIXED_FEE]
    if held * side < 0.0:
        back = size if size < abs(held) else abs(held)
        reduce(b, r, s, back, fill, t, before, reason)
        size = size - back
        fixed = 0.0
    if size > 0.0:
        increase(b, r, s, side, size, fill, fixed, limit, t, before, reason)
    if b.a[ROWS] > rows:
        b.a[ORDERS] = b.a[ORDERS] + 1.0


def liquidate(b: Book, r: Sequence[float], t: int, reason: int) -> None:
    """Close every position at its present price, whatever the volume."""
    before = worth(b, r)
    for s in range(len(b.units)):
        if b.units[s] != 0.0:
            side = -1 if b.units[s] > 0.0 else 1
            fill = market_price(b.price[s], side, r)
            if fill < 0.0:
                fill = 0.0
            reduce(b, r, s, abs(b.units[s]), fill, t, before, reason)
            b.a[ORDERS] = b.a[ORDERS] + 1.0
