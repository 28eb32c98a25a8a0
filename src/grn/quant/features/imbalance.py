"""Imbalance bars: a bar closes when buying and selling differ more than was to be expected.

López de Prado, Advances in Financial Machine Learning, 2018, pp. 29-30: a bar takes trades until
|theta| > E[T] |E[b v]|, theta being the sum of signed trades (1, amount, or price x amount times the sign),
E[T] the expected number of trades in a bar and E[b v] the expected signed trade.  Both expectations are
exponentially weighted means with finite windows, the weights normalised.

The rule feeds on itself: long bars raise E[T], which makes longer bars.  `trades_range` bounds it, and
``expected_bars=None`` keeps E[T] constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.kit.errors import UsageError
from grn.quant.features.builder import BAR_SCHEMA, FINISHED_SCHEMA, Builder
from grn.quant.features.filling import Floats, Ints, more, new_state
from grn.quant.features.kernels import compiled
from grn.quant.features.stream import through
from grn.quant.features.trades import Columns, Signs, read_trades
from grn.quant.features.windows import check_window

Unit = Literal["trade", "volume", "dollar"]

SIGNATURE: Final = (
    *("int", "int", "int", "float", "float"),
    *("i4", "i8", "f8", "f8", "i1"),
    *("f8+2", "i8+2", "f8+2", "f8+2", "f8+2", "i8+2"),
    *("f8+2", "i8+2"),
)


def imbalance_bars(
    trades: pl.LazyFrame,
    unit: Unit = "dollar",
    *,
    first_trades: int = 20_000,
    window: int = 10_000,
    expected_bars: int | None = 3,
    trades_range: Sequence[float] = (0.0, math.inf),
    signs: Signs = "side",
    unfinished: bool = False,
) -> pl.LazyFrame:
    """Close a bar when the imbalance of its trades exceeds what was expected.

    Parameters
    ----------
    trades
        Columns ts, symbol, price, amount and, for ``signs="side"``, side.
    unit
        What a trade counts: 1, its amount, or price x amount.
    first_trades
        E[T] of the first bar; no bar closes before so many trades.
    window
        Trades over which the expected signed trade is taken, over the ends of bars.
    expected_bars
        Bars over which E[T] is taken; None keeps it at `first_trades`.
    trades_range
        Bounds of E[T].
    signs
        The column `side`, or the tick rule.
    unfinished
        Also give each symbol's open bar, marked in the column `finished`.

    Returns
    -------
    LazyFrame with the columns of `time_bars`. Memory: 8 bytes x `window` per symbol.

    Raises
    ------
    UsageError
        A parameter out of its range.
    DataError
        As for `time_bars`.
    """
    if unit not in get_args(Unit):
        raise UsageError("unknown unit of imbalance", seen=unit, hint=", ".join(get_args(Unit)))
    check_window("first_trades", first_trades)
    check_window("window", window)
    check_window("expected_bars", 1 if expected_bars is None else expected_bars)
    least, most = map(float, trades_range)
    if not 0.0 <= least <= most:
        raise UsageError("trades_range must be a smaller and a larger number", seen=tuple(trades_range))

    def start() -> Builder:
        filler = _Imbalance(get_args(Unit).index(unit), first_trades, window, expected_bars or 0, least, most)
        return Builder(filler, window_ns=None, unfinished=unfinished)

    schema = FINISHED_SCHEMA if unfinished else BAR_SCHEMA
    settings = (first_trades, window, expected_bars, least, most, unfinished)
    return through(read_trades(trades, signs), start, schema, f"{unit} imbalance bars", *settings)


class _Imbalance:
    """The filler of imbalance bars."""

    def __init__(
        self, unit: int, first_trades: int, window: int, expected_bars: int, least: float, most: float
    ) -> None:
        self._rule = (unit, window, expected_bars, least, most)
        self._first = first_trades
        self._kernel = compiled(fill_imbalance, SIGNATURE)
        self.cells, self.marks = new_state(0)
        self._beliefs, self._signed = np.empty((0, 3)), np.empty((0, window))
        self._lengths, self._counts = np.empty((0, max(expected_bars, 1))), np.empty((0, 2), dtype=np.int64)

    def grow(self, symbols: int) -> None:
        have = len(self.cells)
        self.cells, self.marks = more((self.cells, self.marks), symbols)
        extra = len(self.cells) - have
        if extra:
            fresh = np.tile([0.0, float(self._first), np.nan], (extra, 1))
            self._beliefs = np.concatenate([self._beliefs, fresh])
            self._signed = np.concatenate([self._signed, np.zeros((extra, self._signed.shape[1]))])
            self._lengths = np.concatenate([self._lengths, np.zeros((extra, self._lengths.shape[1]))])
            self._counts = np.concatenate([self._counts, np.zeros((extra, 2), dtype=np.int64)])

    def fill(self, slots: npt.NDArray[np.int32], trades: Columns, bars: Floats, labels: Ints) -> int:
        read = (slots, trades.ts_ns, trades.price, trades.amount, trades.sign)
        own = (self._beliefs, self._signed, self._lengths, self._counts)
        return int(self._kernel(*self._rule, *read, self.cells, self.marks, *own, bars, labels))


def fill_imbalance(
    unit: int,
    window: int,
    expected_bars: int,
    least: float,
    most: float,
    slots: npt.NDArray[np.int32],
    ts: Ints,
    price: Floats,
    amount: Floats,
    sign: npt.NDArray[np.int8],
    cells: Floats,
    marks: Ints,
    beliefs: Floats,
    signed: Floats,
    lengths: Floats,
    counts: Ints,
    bars: Floats,
    labels: Ints,
) -> int:
    """Fill imbalance bars with a batch of trades; `fill` says what its arguments share with this one.

    Parameters
    ----------
    beliefs
        Shape (S, 3): theta, E[T], E[b v].
    signed, lengths
        Shapes (S, window), (S, bars): rings of signed trades and of trades per bar.
    counts
        Shape (S, 2): how much was ever written to each ring.
    """
    made = 0
    for i in range(ts.shape[0]):
        s, t, p, a = slots[i], ts[i], price[i], amount[i]
        direction = np.int64(sign[i])
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
        if direction > 0:
            cells[s, 6] += a
        marks[s, 0] += 1

        one = 1.0 if unit == 0 else (a if unit == 1 else a * p)
        theta = direction * one
        signed[s, counts[s, 0] % window] = theta
        counts[s, 0] += 1
        beliefs[s, 0] += theta

        closed = False
        # At most two rounds: the second renews what is expected after a bar was closed.
        while True:
            if math.isnan(beliefs[s, 2]) and counts[s, 0] >= beliefs[s, 1]:
                known = min(counts[s, 0], window)
                keep = 1.0 - 2.0 / (known + 1)
                total, weight, power = 0.0, 0.0, 1.0
                for k in range(known):
                    total = total * keep + signed[s, (counts[s, 0] - known + k) % window]
                    weight += power
                    power *= keep
                beliefs[s, 2] = total / weight
            if closed or not abs(beliefs[s, 0]) > beliefs[s, 1] * abs(beliefs[s, 2]):
                break
            closed = True
            beliefs[s, 2] = math.nan
            if expected_bars > 0:
                lengths[s, counts[s, 1] % expected_bars] = marks[s, 0]
                counts[s, 1] += 1
                known = min(counts[s, 1], expected_bars)
                keep = 1.0 - 2.0 / (expected_bars + 1)
                total, weight, power = 0.0, 0.0, 1.0
                for k in range(known):
                    total = total * keep + lengths[s, (counts[s, 1] - known + k) % expected_bars]
                    weight += power
                    power *= keep
                beliefs[s, 1] = min(max(total / weight, least), most)
        if closed:
            for k in range(7):
                bars[made, k] = cells[s, k]
            marks[s, 2] = max(t, marks[s, 2] + 1)
            labels[made, 0], labels[made, 1] = s, marks[s, 2]
            labels[made, 2], labels[made, 3] = t, marks[s, 0]
            made += 1
            marks[s, 0] = 0
            beliefs[s, 0] = 0.0
    return made
