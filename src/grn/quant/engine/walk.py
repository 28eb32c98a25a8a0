"""The walk: one account over all bars, everything written down.

`walk` is the specification of a simulation.  In plain Python it is the reference engine's second half;
compiled unchanged it draws the path of a chosen row (orders, equity) for reports.  The fused kernels of
`engine.emit` must give the same bits without writing anything down.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from grn.quant.engine.account import CLOSE, NONE, close_leg, decide, open_leg

OPEN_LEG = 1
CLOSE_LEG = 2
FORCED_LEG = 3


def walk(
    long_entry: Sequence[bool],
    long_exit: Sequence[bool],
    short_entry: Sequence[bool],
    short_exit: Sequence[bool],
    fill: Sequence[float],
    close: Sequence[float],
    at_next_bar: bool,
    fee: float,
    fixed: float,
    slippage: float,
    size_kind: int,
    size: float,
    cash: float,
    out_cash: MutableSequence[float],
    out_position: MutableSequence[float],
    out_equity: MutableSequence[float],
    legs: Sequence[MutableSequence[float]],
) -> int:
    """Walk one account over T bars; return the number of legs written.

    Per bar: fill the order decided on the previous bar (next-open fill), read the signals, decide, fill
    now (close fill), mark to the close.  If equity at a close is not positive, the position is closed at that
    close and trading ends.
    """
    position = 0.0
    pending = NONE
    n_legs = 0
    n_orders = 0
    alive = True
    for t in range(len(close)):
        action = pending
        pending = NONE
        if alive:
            decided = NONE
            if not at_next_bar:
                decided = decide(position, long_entry[t], long_exit[t], short_entry[t], short_exit[t])
                action = decided
            if action != NONE:
                price = fill[t]
                before = cash + position * price
                fixed_left = fixed
                first = n_legs
                if position != 0.0:
                    paid, value, fees = close_leg(position, price, fee, fixed_left, slippage)
                    if position > 0.0:
                        cash = cash + (value - fees)
                    else:
                        cash = cash - (value + fees)
                    legs[n_legs][0] = t
                    legs[n_legs][1] = n_orders
                    legs[n_legs][2] = CLOSE_LEG
                    legs[n_legs][3] = -position
                    legs[n_legs][4] = paid
                    legs[n_legs][5] = value
                    legs[n_legs][6] = fees
                    legs[n_legs][7] = before
                    n_legs += 1
                    position = 0.0
                    fixed_left = 0.0
                if action != CLOSE:
                    units, paid, value, fees, cash = open_leg(
                        action, cash, price, fee, fixed_left, slippage, size_kind, size
                    )
                    if units != 0.0:
                        legs[n_legs][0] = t
                        legs[n_legs][1] = n_orders
                        legs[n_legs][2] = OPEN_LEG
                        legs[n_legs][3] = units
                        legs[n_legs][4] = paid
                        legs[n_legs][5] = value
                        legs[n_legs][6] = fees
                        legs[n_legs][7] = before
                        n_legs += 1
                        position = units
                if n_legs > first:
                    n_orders += 1
            if at_next_bar:
                pending = decide(position, long_entry[t], long_exit[t], short_entry[t], short_exit[t])
        equity = cash + position * close[t]
        if equity <= 0.0 and alive:
            alive = False
            pending = NONE
            if position != 0.0:
                paid, value, fees = close_leg(position, close[t], fee, fixed, slippage)
                if position > 0.0:
                    cash = cash + (value - fees)
                else:
                    cash = cash - (value + fees)
                legs[n_legs][0] = t
                legs[n_legs][1] = n_orders
                legs[n_legs][2] = FORCED_LEG
                legs[n_legs][3] = -position
                legs[n_legs][4] = paid
                legs[n_legs][5] = value
                legs[n_legs][6] = fees
                legs[n_legs][7] = equity
                n_legs += 1
                n_orders += 1
                position = 0.0
                equity = cash
        out_cash[t] = cash
        out_position[t] = position
        out_equity[t] = equity
    return n_legs
