"""The walk: one account over all bars, everything written down.

`walk` is the specification of a simulation.  In plain Python it is the reference engine's second half;
compiled unchanged it draws the path of a chosen row (orders, equity) for reports.  The fused kernels of
`engine.emit` must give the same bits without writing anything down.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.engine.account import (
    BEST,
    CARRIED,
    CASH,
    FORCED_LEG,
    LEAVE,
    LEGS,
    LOWER,
    MARGIN_LEG,
    UNITS,
    UPPER,
    WORKING,
    liquidate,
    open_account,
    worth,
)
from grn.quant.engine.forms import AT_NEXT, AT_OPEN, CARRIES, FIRST_LEVEL, ORDER, STOPS, TRAILS
from grn.quant.engine.holding import hold
from grn.quant.engine.levels import judge_levels, trail_levels
from grn.quant.engine.market import (
    CLOSE,
    DIVIDENDS,
    FILL,
    FUNDING,
    HIGH,
    LOW,
    OPEN,
    SPLITS,
    VOLUME,
    YEARS,
)
from grn.quant.engine.signals import LEAVE_POSITION, LONG, NONE, SHORT, act, decide, impose, usable
from grn.quant.engine.terms import MAINTENANCE, MULTIPLIER, TRAILS_CLOSE
from grn.quant.engine.working import cancel_order, rest_order, work_order


def walk(
    long_entry: Sequence[bool],
    long_exit: Sequence[bool],
    short_entry: Sequence[bool],
    short_exit: Sequence[bool],
    tickets: Sequence[Sequence[float]],
    market: Sequence[Sequence[float]],
    form: Sequence[float],
    r: Sequence[float],
    initial: float,
    a: MutableSequence[float],
    ticket: MutableSequence[float],
    levels: MutableSequence[float],
    out: Sequence[MutableSequence[float]],
    log: Sequence[MutableSequence[float]],
) -> int:
    """Walk one account over T bars; return the number of legs.

    Per bar: what happened overnight; the order decided on the previous bar; the levels of the position; the
    working entry order; the signals and what they decide, filled now or on the next bar; the close.
    `out` takes cash, position, equity and carried cash per bar.  If equity at a close is not positive, the
    position is closed at that close and trading ends.
    """
    close = market[CLOSE]
    open_account(a, initial)
    pending = NONE
    alive = True
    for t in range(len(close)):
        if alive:
            opening, low, high = market[OPEN][t], market[LOW][t], market[HIGH][t]
            volume = market[VOLUME][t]
            if form[CARRIES] > 0.0 and t > 0:
                hold(
                    a, r, form, ticket, levels, close[t - 1], opening, market[YEARS][t],
                    market[SPLITS][t], market[DIVIDENDS][t], market[FUNDING][t],
                )  # fmt: skip
            if pending != NONE:
                beyond = a[UNITS] != 0.0 and (opening <= a[LOWER] or opening >= a[UPPER])
                if beyond and form[AT_OPEN] == 0.0:
                    # The open comes before any other price of the bar, that of the fill included.
                    judge_levels(a, r, form, levels, opening, opening, opening, t, log)
                opened = act(a, r, form, ticket, levels, pending, market[FILL][t], True, volume, t, log)
                pending = NONE
                if opened and form[AT_OPEN] == 0.0:
                    # Somewhere inside the bar: of what the position saw only the close is certain.
                    opening, low, high = math.nan, close[t], close[t]
            if a[UNITS] != 0.0 and (low <= a[LOWER] or high >= a[UPPER]):
                judge_levels(a, r, form, levels, opening, low, high, t, log)
            if a[WORKING] != 0.0:
                seen = work_order(
                    a, r, form, ticket, levels, market[OPEN][t], market[HIGH][t], market[LOW][t], close[t],
                    volume, t, log,
                )  # fmt: skip
                if seen > 0:
                    low = close[t] if seen == 3 else market[LOW][t]
                    high = close[t] if seen == 2 else market[HIGH][t]
            if form[TRAILS] > 0.0 and a[UNITS] != 0.0:
                best = close[t] if r[TRAILS_CLOSE] > 0.0 else high if a[UNITS] > 0.0 else low
                if best > a[BEST] if a[UNITS] > 0.0 else best < a[BEST]:
                    trail_levels(a, r, form, levels, best)
            action = decide(a[UNITS], long_entry[t], long_exit[t], short_entry[t], short_exit[t], r)
            action = impose(a, r, form, action, t)
            if a[WORKING] != 0.0:
                cancel_order(a, long_exit[t], short_exit[t])
            if action in (LONG, SHORT):
                for k in range(FIRST_LEVEL + int(form[STOPS])):
                    ticket[k] = tickets[k][t]
                if not usable(form, ticket):
                    a[WORKING] = 0.0
                    action = LEAVE_POSITION if action * a[UNITS] < 0.0 else NONE
                elif form[ORDER] > 0.0:
                    rest_order(a, r, form, ticket, action, t)
                    # The order may never fill: a duty to leave does not wait for it.
                    action = LEAVE_POSITION if a[LEAVE] > 0.0 else NONE
            if form[AT_NEXT] > 0.0:
                pending = action
            elif action != NONE:
                act(a, r, form, ticket, levels, action, market[FILL][t], True, volume, t, log)
        equity = worth(a, close[t], r)
        if alive and equity <= 0.0:
            alive = False
            if a[UNITS] != 0.0:
                liquidate(a, r, close[t], FORCED_LEG, t, log)
                equity = a[CASH]
        elif a[UNITS] != 0.0 and equity < r[MAINTENANCE] * abs(a[UNITS]) * close[t] * r[MULTIPLIER]:
            liquidate(a, r, close[t], MARGIN_LEG, t, log)
            equity = a[CASH]
        out[0][t] = a[CASH]
        out[1][t] = a[UNITS]
        out[2][t] = equity
        out[3][t] = a[CARRIED]
    return int(a[LEGS])
