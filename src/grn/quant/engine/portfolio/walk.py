"""The walk: one account for all symbols over the bars of their common calendar.

In plain Python it is the reference's second half; compiled unchanged it is what the cpu engine runs.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any, NamedTuple

from grn.quant.engine.portfolio.book import (
    CALL,
    CARRY,
    CASH,
    INTEREST_PAID,
    LENDING,
    RUIN,
    SLOTS,
    SPLIT,
    STOP,
    Book,
    gross,
    liquidate,
    move,
    trade,
    worth,
    write,
)
from grn.quant.engine.portfolio.targets import AT_NEXT, LOSS, Desk, judge, rebalance
from grn.quant.engine.tariff import in_lots
from grn.quant.engine.terms import BORROW, INTEREST, LOT, MAINTENANCE, MULTIPLIER

INFINITE = float("inf")


class Market(NamedTuple):
    """What the account meets: one row per bar of the calendar, one column per symbol, by name.

    `here` says whether a symbol has a bar.  Where it has none, its close is its last one and nothing else is
    read.  Columns that no rule reads have no rows.

    Attributes
    ----------
    here
        bool [T, S].
    fill, close
        float64 [T, S].
    volume, opening, dividends, splits, funding
        float64 [T, S], or empty.
    years
        float64 [T]: time since the bar before, in years of 365.25 days.
    due
        bool [T]: bars on which the account is rebalanced.
    """

    here: Any
    fill: Any
    close: Any
    volume: Any
    opening: Any
    dividends: Any
    splits: Any
    funding: Any
    years: Any
    due: Any


def hold(b: Book, r: Sequence[float], m: Market, t: int) -> None:
    """Pass from the last close to this bar's open.

    First the interest on negative cash.  Then for each symbol, in this order: the fee for a borrowed short,
    on the last close and for the time since the last bar; the split; the dividend on the units after it;
    funding on the value at the open.
    """
    if r[INTEREST] > 0.0 and b.a[CASH] < 0.0:
        paid = b.a[CASH] * (r[INTEREST] * m.years[t])
        b.a[CASH] = b.a[CASH] + paid
        b.a[INTEREST_PAID] = b.a[INTEREST_PAID] - paid
        write(b, t, LENDING, -1, 0.0, 0.0, paid, 0.0, 0.0, 0)
    for s in range(len(b.units)):
        held = b.units[s]
        if held == 0.0:
            continue
        moved = 0.0
        if r[BORROW] > 0.0 and held < 0.0:
            moved = held * b.price[s] * r[MULTIPLIER] * (r[BORROW] * m.years[t])
        if m.here[t][s]:
            if len(m.splits) > 0 and m.splits[t][s] != 1.0:
                moved = moved + split(b, r, s, m.opening[t][s], m.splits[t][s], t)
                held = b.units[s]
            if len(m.dividends) > 0:
                moved = moved + held * m.dividends[t][s] * r[MULTIPLIER]
            if len(m.funding) > 0:
                moved = moved - held * m.opening[t][s] * r[MULTIPLIER] * m.funding[t][s]
        if moved != 0.0:
            move(b, s, moved)
            write(b, t, CARRY, s, 0.0, 0.0, moved, 0.0, 0.0, 0)


def split(b: Book, r: Sequence[float], s: int, opening: float, ratio: float, t: int) -> float:
    """Multiply the units; what is no whole lot afterwards is paid out at the open.  Returns that cash."""
    before = b.units[s]
    held = before * ratio
    rest = 0.0
    if r[LOT] > 0.0:
        whole = in_lots(abs(held), r)
        kept = whole if held > 0.0 else -whole
        if kept != 0.0:
            rest = (held - kept) * opening * r[MULTIPLIER]
            held = kept
    b.units[s] = held
    b.price[s] = b.price[s] / ratio
    write(b, t, SPLIT, s, held - before, ratio, 0.0, 0.0, 0.0, 0)
    return rest


def leave(b: Book, r: Sequence[float], m: Market, t: int) -> None:
    """Close what a stop has marked, for symbols that have a bar."""
    for s in range(len(b.units)):
        if b.leaving[s] > 0.0 and b.units[s] != 0.0 and m.here[t][s]:
            volume = m.volume[t][s] if len(m.volume) > 0 else 0.0
            trade(b, r, s, -b.units[s], volume, INFINITE, t, worth(b, r), STOP)


def walk(
    weights: Any,
    m: Market,
    d: Desk,
    r: Sequence[float],
    b: Book,
    cash: float,
    out_cash: MutableSequence[float],
    out_equity: MutableSequence[float],
    out_gross: MutableSequence[float],
    out_units: Any,
) -> None:
    """Walk the account over T bars.

    Per bar: what holding moves; at the fill price the positions that a stop has marked, then the rebalance,
    by the weights of the bar before (next-bar fills) or of this one (close fills); marking to the close.  If
    equity at a close is not positive, everything is closed at that close and trading ends.

    Parameters
    ----------
    weights
        float64 [T, S].
    cash
        Initial cash.
    out_cash, out_equity, out_gross
        Written at each close: float64 [T].
    out_units
        Units at each close: float64 [T, S], or empty.
    """
    start(b, cash)
    n = len(b.units)
    alive = True
    volume = b.change  # stands in where no rule reads a volume
    for t in range(len(m.years)):
        here = m.here[t]
        if len(m.volume) > 0:
            volume = m.volume[t]
        if alive and t > 0:
            hold(b, r, m, t)
        if alive and d.x[AT_NEXT] > 0.0:
            fill = m.fill[t]
            for s in range(n):
                if here[s]:
                    b.price[s] = fill[s]
            if d.x[LOSS] > 0.0:
                leave(b, r, m, t)
            if t > 0 and m.due[t]:
                rebalance(b, r, d, weights[t - 1], here, volume, t)
        close = m.close[t]
        for s in range(n):
            if here[s]:
                b.price[s] = close[s]
        if alive and d.x[AT_NEXT] == 0.0:
            if d.x[LOSS] > 0.0:
                judge(b, r, d)
                leave(b, r, m, t)
            if m.due[t]:
                rebalance(b, r, d, weights[t], here, volume, t)
        equity = worth(b, r)
        invested = gross(b, r)
        if alive and invested * r[MAINTENANCE] > equity > 0.0:
            liquidate(b, r, t, CALL)
            equity = b.a[CASH]
            invested = 0.0
        if alive and equity <= 0.0:
            alive = False
            liquidate(b, r, t, RUIN)
            equity = b.a[CASH]
            invested = 0.0
        if alive and d.x[LOSS] > 0.0 and d.x[AT_NEXT] > 0.0:
            judge(b, r, d)
        out_cash[t] = b.a[CASH]
        out_equity[t] = equity
        out_gross[t] = invested
        if len(out_units) > 0:
            for s in range(n):
                out_units[t][s] = b.units[s]


def start(b: Book, cash: float) -> None:
    """Begin with `cash` and nothing else."""
    for k in range(SLOTS):
        b.a[k] = 0.0
    b.a[CASH] = cash
    for s in range(len(b.units)):
        b.units[s] = 0.0
        b.price[s] = 0.0
        b.flow[s] = 0.0
        b.goal[s] = 0.0
        b.change[s] = 0.0
        b.leaving[s] = 0.0
        b.lock[s] = 0.0
        b.turn[s] = 0
    for g in range(len(b.opened)):
        b.pooled[g] = 0.0
        b.opened[g] = 0.0
        b.best[g] = 0.0
