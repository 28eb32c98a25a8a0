"""The account: what an order does to cash and position.  The one place where money moves.

The functions are plain Python and compile under Numba unchanged; the reference engine runs them as they
are, the cpu engine compiles them.  Operations and their order are part of the specification: with the
same inputs every engine gets the same bits.

Prices: a buy fills at ``price * (1 + slippage)``, a sell at ``price * (1 - slippage)``.
Fees: ``value * fee + fixed`` per order; in a reversal the closing leg carries the fixed part.

Actions (what a bar decides) and leg codes share these numbers.
"""

from __future__ import annotations

NONE = 0
LONG = 1
SHORT = -1
CLOSE = 2

SIZE_FRACTION = 0
SIZE_QUANTITY = 1
SIZE_VALUE = 2


def decide(position: float, long_entry: bool, long_exit: bool, short_entry: bool, short_exit: bool) -> int:
    """Action for the position held: `NONE`, `LONG`, `SHORT` (opening, or reversing) or `CLOSE`.

    Conflicts cancel: an entry and an exit of one side on one bar, and a long and a short entry.
    """
    go_long = long_entry and not long_exit
    go_short = short_entry and not short_exit
    if go_long and go_short:
        go_long = False
        go_short = False
    if position > 0.0:
        if go_short:
            return SHORT
        if long_exit and not long_entry:
            return CLOSE
    elif position < 0.0:
        if go_long:
            return LONG
        if short_exit and not short_entry:
            return CLOSE
    elif go_long:
        return LONG
    elif go_short:
        return SHORT
    return NONE


def close_leg(
    position: float, price: float, fee: float, fixed: float, slippage: float
) -> tuple[float, float, float]:
    """Close the whole position: (fill price, traded value, fees).

    A long sells: cash changes by ``value - fees``.  A short buys: cash changes by ``-(value + fees)``.
    """
    if position > 0.0:
        fill = price * (1.0 - slippage)
        value = position * fill
    else:
        fill = price * (1.0 + slippage)
        value = -position * fill
    return fill, value, value * fee + fixed


def open_leg(
    action: int,
    cash: float,
    price: float,
    fee: float,
    fixed: float,
    slippage: float,
    size_kind: int,
    size: float,
) -> tuple[float, float, float, float, float]:
    """Open a position from flat: (signed units, fill price, traded value, fees, cash afterwards).

    Units are 0 when nothing can be traded (no cash, or fees above it).  A purchase that the cash cannot pay
    is cut to what it can: then, and with a fraction of the cash, ``spend`` is fixed first, the value is
    ``(spend - fixed) / (1 + fee)``, and fees are the difference, so that cash adds up exactly.
    """
    if action == LONG:
        fill = price * (1.0 + slippage)
    else:
        fill = price * (1.0 - slippage)
    if cash <= 0.0 or fill <= 0.0:
        return 0.0, fill, 0.0, 0.0, cash
    if size_kind == SIZE_FRACTION:
        spend = size * cash
        value = (spend - fixed) / (1.0 + fee)
        if value <= 0.0:
            return 0.0, fill, 0.0, 0.0, cash
        units = value / fill
        if action == LONG:
            return units, fill, value, spend - value, cash - spend
        fees = value * fee + fixed
        return -units, fill, value, fees, cash + (value - fees)
    if size_kind == SIZE_QUANTITY:
        units = size
        value = units * fill
    else:
        value = size
        units = value / fill
    fees = value * fee + fixed
    if action == LONG:
        if value + fees > cash:
            value = (cash - fixed) / (1.0 + fee)
            if value <= 0.0:
                return 0.0, fill, 0.0, 0.0, cash
            return value / fill, fill, value, cash - value, 0.0
        return units, fill, value, fees, cash - (value + fees)
    if value - fees < 0.0:
        return 0.0, fill, 0.0, 0.0, cash
    return -units, fill, value, fees, cash + (value - fees)
