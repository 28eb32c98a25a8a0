"""The kernels that check trades and fill bars with them.

State is one row per symbol: `cells` (float64) and `marks` (int64), columns as named below.  `check` comes
first, for every kind of bar; a kernel that fills need not look at a trade twice.  A trade closes at most one
bar, so the output needs as many rows as there are trades.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OPEN, HIGH, LOW, CLOSE, VOLUME, VALUE, BOUGHT, LAST_PRICE = range(8)
CELLS = 8
TRADES, LAST_TS, LABEL, SIGN = range(4)
MARKS = 4

BY_TIME, BY_TRADES, BY_VOLUME, BY_VALUE = range(4)

CHECK_SIGNATURE: Final = ("i4", "i8", "f8", "f8", "f8+2", "i8+2", "i1+")
FILL_SIGNATURE: Final = (
    *("int", "float", "int", "int"),
    *("i4", "i8", "f8", "f8", "i1"),
    *("f8+2", "i8+2", "f8+2", "i8+2"),
)


def check(
    slots: npt.NDArray[np.int32],
    ts: Ints,
    price: Floats,
    amount: Floats,
    cells: Floats,
    marks: Ints,
    sign: npt.NDArray[np.int8],
) -> tuple[int, int]:
    """Find the first trade that cannot be, and the signs of the others by the tick rule.

    Parameters
    ----------
    slots, ts, price, amount
        The trades, each shape (N,).
    cells, marks
        Shapes (S, CELLS), (S, MARKS): the last price, time and sign of each symbol are kept there.
    sign
        Shape (N,): written; or shape (0,), where signs are known.

    Returns
    -------
    Code of the fault (0: none, 1: price, 2: amount, 3: time) and its row.
    """
    by_tick_rule = sign.shape[0] > 0
    for i in range(ts.shape[0]):
        s, t, p, a = slots[i], ts[i], price[i], amount[i]
        if not (p > 0.0 and p < math.inf):
            return 1, i
        if not (a >= 0.0 and a < math.inf):
            return 2, i
        if t < marks[s, 1]:
            return 3, i
        marks[s, 1] = t
        if by_tick_rule:
            last = cells[s, 7]
            if p > last and last > 0.0:
                marks[s, 3] = 1
            elif p < last:
                marks[s, 3] = -1
            cells[s, 7] = p
            sign[i] = marks[s, 3]
    return 0, 0


def fill(
    rule: int,
    size: float,
    every: int,
    origin: int,
    slots: npt.NDArray[np.int32],
    ts: Ints,
    price: Floats,
    amount: Floats,
    sign: npt.NDArray[np.int8],
    cells: Floats,
    marks: Ints,
    bars: Floats,
    labels: Ints,
) -> int:
    """Fill bars of one rule with a batch of trades.

    Parameters
    ----------
    rule, size, every, origin
        One of the rules above; the threshold of the others, reached with ``>=``; width and origin of windows
        of time, in nanoseconds.
    slots, ts, price, amount, sign
        The trades, each shape (N,), checked before.
    cells, marks
        Shapes (S, CELLS), (S, MARKS): bars being filled; changed in place.
    bars, labels
        Shapes (N, 7), (N, 4): closed bars, open to bought; and slot, label, known from, trades.

    Returns
    -------
    Number of closed bars.
    """
    made = 0
    for i in range(ts.shape[0]):
        s, t, p, a = slots[i], ts[i], price[i], amount[i]
        if rule == 0:
            window = (t - origin) // every * every + origin
            if marks[s, 0] > 0 and window > marks[s, 2]:
                # The bar before is over: a trade of a later window has come.
                for k in range(7):
                    bars[made, k] = cells[s, k]
                labels[made, 0], labels[made, 1] = s, marks[s, 2]
                labels[made, 2], labels[made, 3] = marks[s, 2] + every, marks[s, 0]
                made += 1
                marks[s, 0] = 0
            marks[s, 2] = window

        if marks[s, 0] == 0:
            cells[s, 0] = cells[s, 1] = cells[s, 2] = p
            cells[s, 4] = cells[s, 5] = cells[s, 6] = 0.0
        else:
            if p > cells[s, 1]:
                cells[s, 1] = p
            if p < cells[s, 2]:
                cells[s, 2] = p
        cells[s, 3] = p
        cells[s, 4] += a
        cells[s, 5] += p * a
        if sign[i] > 0:
            cells[s, 6] += a
        marks[s, 0] += 1

        full = False
        if rule == 1:
            full = marks[s, 0] >= size
        elif rule == 2:
            full = cells[s, 4] >= size
        elif rule == 3:
            full = cells[s, 5] >= size
        if full:
            for k in range(7):
                bars[made, k] = cells[s, k]
            # Several bars may close at one moment; labels stay distinct by a nanosecond each.
            marks[s, 2] = max(t, marks[s, 2] + 1)
            labels[made, 0], labels[made, 1] = s, marks[s, 2]
            labels[made, 2], labels[made, 3] = t, marks[s, 0]
            made += 1
            marks[s, 0] = 0
    return made


def new_state(symbols: int) -> tuple[Floats, Ints]:
    """Return `cells` and `marks` of symbols that have not traded yet."""
    cells, marks = np.zeros((symbols, CELLS)), np.zeros((symbols, MARKS), dtype=np.int64)
    marks[:, LAST_TS] = marks[:, LABEL] = -(2**63) + 1
    return cells, marks


def more(state: tuple[Floats, Ints], symbols: int) -> tuple[Floats, Ints]:
    """Return `cells` and `marks` with room for at least `symbols` symbols."""
    if len(state[0]) >= symbols:
        return state
    old_cells, old_marks = state
    cells, marks = new_state(max(symbols, 2 * len(old_cells), 16))
    cells[: len(old_cells)], marks[: len(old_marks)] = old_cells, old_marks
    return cells, marks
