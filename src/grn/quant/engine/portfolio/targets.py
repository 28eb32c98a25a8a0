"""Targets: from the weights that a strategy asks for to the orders that a rebalance sends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from grn.quant.engine.portfolio.book import REBALANCE, Book, power, trade, worth
from grn.quant.engine.tariff import fees_of, in_lots, market_price
from grn.quant.engine.terms import FIXED_FEE, LOT, MULTIPLIER, SHORTS_LIMITED

MOST: Final = 0
GROSS_LIMIT: Final = 1
DRIFT: Final = 2
LOSS: Final = 3
TRAILS: Final = 4
FRESH: Final = 5
EXECUTION: Final = 6
PRO_RATA: Final = 7
AT_NEXT: Final = 8
SETTINGS: Final = 9

SELLS_FIRST, LARGEST_FIRST, AS_GIVEN = 0, 1, 2


class Desk(NamedTuple):
    """What steers the account, fixed for a run.

    Attributes
    ----------
    x
        Settings, at the places named above.
    group
        Group of a symbol, or -1.  [S]
    limits
        Largest sum of weights by size of each group.
    place
        Place of a symbol in an order of execution that was given.  [S]
    """

    x: Sequence[float]
    group: Sequence[int]
    limits: Sequence[float]
    place: Sequence[int]


def aim(b: Book, d: Desk, weights: Sequence[float]) -> None:
    """Write the targets: weights that are there, at most so many, within the limits of groups and of all."""
    n = len(b.units)
    for s in range(n):
        w = weights[s]
        b.goal[s] = w if w - w == 0.0 else 0.0
    most = int(d.x[MOST])
    if 0 < most < n:
        for s in range(n):
            size = abs(b.goal[s])
            larger = 0
            for k in range(n):
                other = abs(b.goal[k])
                if other > size or (other == size and k < s):
                    larger += 1
            b.change[s] = float(larger)
        for s in range(n):
            if b.change[s] >= most:
                b.goal[s] = 0.0
    for g in range(len(d.limits)):
        total = 0.0
        for s in range(n):
            if d.group[s] == g:
                total = total + abs(b.goal[s])
        if total > d.limits[g]:
            scale = d.limits[g] / total
            for s in range(n):
                if d.group[s] == g:
                    b.goal[s] = b.goal[s] * scale
    if d.x[GROSS_LIMIT] > 0.0:
        total = 0.0
        for s in range(n):
            total = total + abs(b.goal[s])
        if total > d.x[GROSS_LIMIT]:
            scale = d.x[GROSS_LIMIT] / total
            for s in range(n):
                b.goal[s] = b.goal[s] * scale


def wanted(b: Book, r: Sequence[float], d: Desk, s: int, equity: float) -> float:
    """Units to trade so that a symbol has its target, valued at the price before slippage.

    A target of zero closes whole, lots or not; any other change is rounded down to lots, and none is made
    within the drift.
    """
    goal = b.goal[s]
    held = b.units[s]
    if goal == 0.0:
        return -held
    one = b.price[s] * r[MULTIPLIER]
    if held * goal > 0.0 and abs(goal - held * one / equity) <= d.x[DRIFT]:
        return 0.0
    change = goal * equity / one - held
    if r[LOT] == 0.0:
        return change
    if held * goal < 0.0:
        # Across zero the position is closed whole, and lots are counted from there.
        opened = in_lots(abs(change + held), r)
        return opened - held if change > 0.0 else -opened - held
    size = in_lots(abs(change), r)
    return size if change > 0.0 else -size


def precedes(b: Book, d: Desk, i: int, j: int) -> bool:
    """Whether symbol `i` is executed before symbol `j`."""
    if d.x[EXECUTION] == AS_GIVEN:
        return d.place[i] < d.place[j]
    a = b.change[i] * b.price[i]
    c = b.change[j] * b.price[j]
    if d.x[EXECUTION] == LARGEST_FIRST and a > 0.0 and c > 0.0:
        return a > c
    return a < c


def proportion(b: Book, r: Sequence[float], k: int, n: int) -> float:
    """Part of the purchases from place `k` on that can be paid; covers are paid first, and in full."""
    free = power(b, r, 1)
    need = 0.0
    for i in range(k, n):
        s = b.turn[i]
        fill = market_price(b.price[s], 1, r)
        size = b.change[s]
        fixed = r[FIXED_FEE]
        if b.units[s] < 0.0:
            back = size if size < -b.units[s] else -b.units[s]
            value = back * fill * r[MULTIPLIER]
            free = free + value if r[SHORTS_LIMITED] > 0.0 else free - value
            free = free - fees_of(value, back, fixed, r)
            size = size - back
            fixed = 0.0
        if size > 0.0:
            value = size * fill * r[MULTIPLIER]
            need = need + (value + fees_of(value, size, fixed, r))
    if need <= free:
        return 1.0
    return free / need if free > 0.0 else 0.0


def rebalance(
    b: Book,
    r: Sequence[float],
    d: Desk,
    weights: Sequence[float],
    here: Sequence[bool],
    volume: Sequence[float],
    t: int,
) -> None:
    """Bring every symbol that has a bar to its target.

    Equity and positions are taken at this bar's prices before the first order, and count as they were there
    for all orders of the bar.
    """
    before = worth(b, r)
    if before <= 0.0:
        return
    aim(b, d, weights)
    open_scopes(b, before)
    n = 0
    for s in range(len(b.units)):
        if not here[s]:
            continue
        if b.lock[s] != 0.0:
            if b.goal[s] * b.lock[s] > 0.0:
                b.goal[s] = 0.0
            else:
                b.lock[s] = 0.0
        b.leaving[s] = 0.0
        b.change[s] = wanted(b, r, d, s, before)
        if b.change[s] != 0.0:
            k = n
            while k > 0 and precedes(b, d, s, b.turn[k - 1]):
                b.turn[k] = b.turn[k - 1]
                k -= 1
            b.turn[k] = s
            n += 1
    part = -1.0
    for k in range(n):
        s = b.turn[k]
        change = b.change[s]
        limit = math.inf
        if change > 0.0 and d.x[PRO_RATA] > 0.0:
            if part < 0.0:
                part = proportion(b, r, k, n)
            if part < 1.0:
                limit = part * cost_of_increase(b, r, s)
        trade(b, r, s, change, volume[s] if len(volume) > 0 else 0.0, limit, t, before, REBALANCE)


def cost_of_increase(b: Book, r: Sequence[float], s: int) -> float:
    """What the part of a purchase that goes beyond zero costs, before its own pressure on the price."""
    size = b.change[s]
    fixed = r[FIXED_FEE]
    if b.units[s] < 0.0:
        size = size + b.units[s]
        fixed = 0.0
    value = size * market_price(b.price[s], 1, r) * r[MULTIPLIER]
    return value + fees_of(value, size, fixed, r) if size > 0.0 else 0.0


def open_scopes(b: Book, equity: float) -> None:
    """Begin anew the account of every stop that has no position to watch."""
    for g in range(len(b.opened)):
        flat = True
        for s in range(len(b.units)):
            if b.scope[s] == g and b.units[s] != 0.0:
                flat = False
        if flat:
            b.pooled[g] = 0.0
            b.best[g] = 0.0
            b.opened[g] = equity


def judge(b: Book, r: Sequence[float], d: Desk) -> None:
    """Mark the positions of every stop whose loss is reached at these prices."""
    for g in range(len(b.opened)):
        profit = b.pooled[g]
        flat = True
        for s in range(len(b.units)):
            if b.scope[s] == g and b.units[s] != 0.0:
                flat = False
                profit = profit + b.units[s] * b.price[s] * r[MULTIPLIER]
        if flat:
            continue
        if d.x[TRAILS] > 0.0 and profit > b.best[g]:
            b.best[g] = profit
        if b.best[g] - profit >= d.x[LOSS] * (b.opened[g] + b.best[g]):
            for s in range(len(b.units)):
                if b.scope[s] == g and b.units[s] != 0.0:
                    b.leaving[s] = 1.0
                    if d.x[FRESH] > 0.0:
                        b.lock[s] = 1.0 if b.units[s] > 0.0 else -1.0
