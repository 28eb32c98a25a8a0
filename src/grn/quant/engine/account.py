"""The account: what an order does to cash and position.  The one place where money moves.

An account is a row of numbers `a`, at the places named below; `r` are the rules as numbers (`terms`).  The
functions are plain Python and compile under Numba unchanged; the reference engine runs them as they
are, the cpu engine compiles them.  Operations and their order are part of the specification: with the
same inputs every engine gets the same bits.

A *leg* is one change of the position: an order has one, a reversal two.  Legs are written into `log`, a table
with `LEG` columns, when it has rows.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import Final

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
    SIZE,
    SIZE_FRACTION,
    SIZE_KIND,
    SIZE_QUANTITY,
    SIZE_VALUE,
    VOLUME_SHARE,
)

CASH: Final = 0
UNITS: Final = 1
BASIS: Final = 2
"""What the position cost with fees (a long), or brought after fees (a short), and what it paid since."""
ENTRY: Final = 3
"""Price at which the position was last entered."""
SINCE: Final = 4
"""Bar on which the position was opened."""
FULL: Final = 5
"""Units of the position after its last entry; parts of a ladder are parts of it."""
BEST: Final = 6
LOWER: Final = 7
UPPER: Final = 8
"""Nearest levels: nothing happens to the position inside a bar that stays between them."""
TIME: Final = 9
"""Bars after which a time stop closes; 0: never."""
LEAVE: Final = 10
"""1 when the position is to be closed at the next fill, whatever the signals say."""
STOPPED: Final = 11
"""Bar on which a level was last reached."""
WORKING: Final = 12
"""Side of the entry order in the market; 0: none."""
WORK_PRICE: Final = 13
WORK_UNTIL: Final = 14
CARRIED: Final = 15
"""Cash that positions received while they were held, net of what they paid."""
LEGS: Final = 16
ORDERS: Final = 17
OPENED: Final = 18
CLOSED: Final = 19
WINS: Final = 20
WIN_SUM: Final = 21
LOSS_SUM: Final = 22
TRADED: Final = 23
FEES: Final = 24
REJECTED: Final = 25
CUT: Final = 26
SLOTS: Final = 27

TALLIES: Final = {
    "opened": OPENED, "closed": CLOSED, "wins": WINS, "win_sum": WIN_SUM, "loss_sum": LOSS_SUM,
    "traded": TRADED, "fees": FEES,
}  # fmt: skip
"""Sums that the account keeps, by the names of `metrics.accumulators`."""

LEG: Final = 11
"""Columns of a leg: bar, order, kind, signed units, fill price, value, fees, equity before the order, units
held before the leg, profit of what it closed, price before slippage."""
OPEN_LEG, CLOSE_LEG, FORCED_LEG, STOP_LEG, TARGET_LEG, TRAIL_LEG, MARGIN_LEG = 1, 2, 3, 4, 5, 6, 7
REASONS: Final = {
    OPEN_LEG: "signal", CLOSE_LEG: "signal", FORCED_LEG: "ruin", STOP_LEG: "stop", TARGET_LEG: "target",
    TRAIL_LEG: "trail", MARGIN_LEG: "margin call",
}  # fmt: skip
"""Why an order was made, by the kind of its first leg."""


def open_account(a: MutableSequence[float], cash: float) -> None:
    """Begin with `cash` and nothing else."""
    for k in range(SLOTS):
        a[k] = 0.0
    a[CASH] = cash
    a[LOWER] = -math.inf
    a[UPPER] = math.inf
    a[STOPPED] = -1.0


def copy_account(a: Sequence[float], b: MutableSequence[float]) -> None:
    """Make `b` what `a` is."""
    for k in range(SLOTS):
        b[k] = a[k]


def worth(a: Sequence[float], price: float, r: Sequence[float]) -> float:
    """Equity at a price: cash and position."""
    return a[CASH] + a[UNITS] * price * r[MULTIPLIER]


def write_leg(
    a: MutableSequence[float],
    log: Sequence[MutableSequence[float]],
    t: int,
    kind: int,
    units: float,
    fill: float,
    value: float,
    fees: float,
    before: float,
    held: float,
    pnl: float,
    price: float,
) -> None:
    """Enter a leg in the sums of the account, and in the log if there is one."""
    a[FEES] = a[FEES] + fees
    if before > 0.0 and kind != FORCED_LEG:
        a[TRADED] = a[TRADED] + value / before
    k = int(a[LEGS])
    if k < len(log):
        row = log[k]
        row[0] = t
        row[1] = a[ORDERS]
        row[2] = kind
        row[3] = units
        row[4] = fill
        row[5] = value
        row[6] = fees
        row[7] = before
        row[8] = held
        row[9] = pnl
        row[10] = price
    a[LEGS] = a[LEGS] + 1.0


def close_units(
    a: MutableSequence[float],
    r: Sequence[float],
    units: float,
    price: float,
    fill: float,
    kind: int,
    t: int,
    before: float,
    log: Sequence[MutableSequence[float]],
) -> None:
    """Close `units` of the position at `fill`, which was `price` before slippage; its basis goes with them.

    A long sells: cash changes by ``value - fees``.  A short buys: cash changes by ``-(value + fees)``.
    """
    held = a[UNITS]
    value = units * fill * r[MULTIPLIER]
    fees = fees_of(value, units, r[FIXED_FEE], r)
    basis = a[BASIS]
    if units < abs(held):
        basis = basis * (units / abs(held))
        # What is left goes on as a trade of its own.
        a[OPENED] = a[OPENED] + 1.0
    if held > 0.0:
        signed = -units
        a[CASH] = a[CASH] + (value - fees)
        pnl = (value - fees) - basis
    else:
        signed = units
        a[CASH] = a[CASH] - (value + fees)
        pnl = basis - (value + fees)
    a[BASIS] = a[BASIS] - basis
    a[UNITS] = held + signed
    if a[UNITS] == 0.0:
        a[LEAVE] = 0.0
        a[LOWER] = -math.inf
        a[UPPER] = math.inf
    a[CLOSED] = a[CLOSED] + 1.0
    if pnl > 0.0:
        a[WINS] = a[WINS] + 1.0
        a[WIN_SUM] = a[WIN_SUM] + pnl
    elif pnl < 0.0:
        a[LOSS_SUM] = a[LOSS_SUM] - pnl
    write_leg(a, log, t, kind, signed, fill, value, fees, before, held, pnl, price)


def close_by_signal(
    a: MutableSequence[float],
    r: Sequence[float],
    units: float,
    price: float,
    slips: bool,
    volume: float,
    t: int,
    before: float,
    log: Sequence[MutableSequence[float]],
) -> None:
    """Close `units` at a price; what a bar's volume leaves of a whole exit is due at the next fill."""
    side = -1 if a[UNITS] > 0.0 else 1
    if r[VOLUME_SHARE] > 0.0 and units > r[VOLUME_SHARE] * volume:
        # The rest of an exit stays due; the rest of a reduction lapses.
        if units >= abs(a[UNITS]):
            a[LEAVE] = 1.0
        units = in_lots(r[VOLUME_SHARE] * volume, r)
        if units <= 0.0:
            return
    fill = price
    if slips:
        fill = market_price(price, side, r)
        if r[IMPACT] > 0.0 and volume > 0.0:
            fill = pressed_price(fill, side, units, volume, r)
    close_units(a, r, units, price, fill, CLOSE_LEG, t, before, log)


def open_units(
    a: MutableSequence[float],
    r: Sequence[float],
    side: int,
    price: float,
    slips: bool,
    volume: float,
    scale: float,
    fixed: float,
    t: int,
    before: float,
    log: Sequence[MutableSequence[float]],
) -> bool:
    """Buy (`side` 1) or sell short (-1) as much as the size says; whether anything was traded.

    Sizes that spend fix the amount first: the value is `value_for` it, fees are the difference, and cash adds
    up exactly.  So does a purchase that is cut to what the cash pays.
    """
    held = a[UNITS]
    cash = a[CASH]
    fill = market_price(price, side, r) if slips else price
    one = fill * r[MULTIPLIER]
    equity = cash + held * one
    # Cash that secures a short is not free.
    free = cash + 2.0 * held * one if held < 0.0 else cash
    a[REJECTED] = a[REJECTED] + 1.0  # taken back below
    if fill <= 0.0 or equity <= 0.0:
        return False
    kind = r[SIZE_KIND]
    size = r[SIZE] * scale
    spends = False
    spend = 0.0
    if kind == SIZE_QUANTITY:
        units = size
        value = units * one
    elif kind == SIZE_VALUE:
        value = size
        units = value / one
    else:
        spends = True
        spend = size * (free if kind == SIZE_FRACTION else equity)
        value = value_for(spend, fill, fixed, r)
        units = value / one
    if value <= 0.0:
        return False
    cut = False
    if r[VOLUME_SHARE] > 0.0 or r[IMPACT] > 0.0:
        if not volume > 0.0:
            return False
        most = in_lots(r[VOLUME_SHARE] * volume, r)
        if r[VOLUME_SHARE] > 0.0 and units > most:
            units = most
            spends = False
            cut = True
        if slips and r[IMPACT] > 0.0:
            fill = pressed_price(fill, side, units, volume, r)
            one = fill * r[MULTIPLIER]
            if one <= 0.0:
                return False
            if spends:
                value = value_for(spend, fill, fixed, r)
                units = value / one
            elif kind == SIZE_VALUE and not cut:
                units = value / one
        if not spends:
            value = units * one
    fees = spend - value if spends and side > 0 else fees_of(value, units, fixed, r)
    power = math.inf
    if side > 0:
        power = cash + (r[LEVERAGE] - 1.0) * equity
    elif r[SHORTS_LIMITED] > 0.0:
        power = r[LEVERAGE] * equity + held * one
    if (spend if spends else value + fees) > power:
        if r[REJECTS] > 0.0:
            return False
        cut = True
        spends = True
        spend = power
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
            if value + fees > power:  # rounded up to a lot that was a hair away
                units = in_lots(units - 0.5 * r[LOT], r)
                value = units * one
                fees = fees_of(value, units, fixed, r)
    if value <= 0.0 or units < r[MIN_UNITS] or value < r[MIN_VALUE]:
        return False
    if side > 0:
        a[CASH] = cash - spend if spends else cash - (value + fees)
        a[BASIS] = a[BASIS] + (value + fees)
    else:
        if value - fees < 0.0:
            return False
        a[CASH] = cash + (value - fees)
        a[BASIS] = a[BASIS] + (value - fees)
    a[REJECTED] = a[REJECTED] - 1.0
    if cut:
        a[CUT] = a[CUT] + 1.0
    if held == 0.0:
        a[OPENED] = a[OPENED] + 1.0
        a[SINCE] = t
    a[UNITS] = held + side * units
    a[FULL] = abs(a[UNITS])
    a[ENTRY] = fill
    write_leg(a, log, t, OPEN_LEG, side * units, fill, value, fees, before, held, 0.0, price)
    return True


def liquidate(
    a: MutableSequence[float],
    r: Sequence[float],
    price: float,
    kind: int,
    t: int,
    log: Sequence[MutableSequence[float]],
) -> None:
    """Close the whole position at the market, whatever the volume."""
    side = -1 if a[UNITS] > 0.0 else 1
    fill = market_price(price, side, r)
    close_units(a, r, abs(a[UNITS]), price, fill, kind, t, worth(a, price, r), log)
    a[ORDERS] = a[ORDERS] + 1.0
