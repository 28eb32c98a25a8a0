"""The stage around the filling kernels: batches of trades in, frames of closed bars out."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.quant.features.filling import CHECK_SIGNATURE, LABEL, LAST_TS, TRADES, Floats, Ints, check
from grn.quant.features.kernels import compiled
from grn.quant.features.trades import TS, Columns, Slots, columns_of, fault

_NUMBERS: Final = ("open", "high", "low", "close", "volume", "value", "bought")

BAR_SCHEMA: Final = pl.Schema(
    {
        "ts": TS,
        "symbol": pl.String(),
        **dict.fromkeys(_NUMBERS, pl.Float64()),
        "trades": pl.Int64(),
        "known_ts": TS,
    }
)
"""What every builder of bars returns.  `ts` labels a bar and is unique within a symbol: the start of its
window, or the time of the trade that closed it (a nanosecond later for each further bar of the same moment).
`value` is the sum of price x amount, `bought` the volume of trades whose sign is +1.  `known_ts` is the
moment from which the bar may be used: the end of its window, or the time of the trade that closed it."""

FINISHED_SCHEMA: Final = pl.Schema({**BAR_SCHEMA, "finished": pl.Boolean()})


class Filler(Protocol):
    """A kernel with its state, one row per symbol."""

    cells: Floats
    marks: Ints

    def grow(self, symbols: int) -> None:
        """Make room for so many symbols."""
        ...

    def fill(self, slots: npt.NDArray[np.int32], trades: Columns, bars: Floats, labels: Ints) -> int:
        """Fill bars with a batch of trades, checked and signed, and return how many were closed."""
        ...


class Builder:
    """The stage of every kind of bar.

    Parameters
    ----------
    filler
        What closes bars.
    window_ns
        Width of windows of time; None where bars are labelled by the trade that closes them.
    unfinished
        Whether bars that are still open come last, marked in the column `finished`.
    """

    def __init__(self, filler: Filler, *, window_ns: int | None, unfinished: bool) -> None:
        self._filler, self._window_ns, self._unfinished = filler, window_ns, unfinished
        self._slots = Slots()
        self._before = 0
        # Pages of these are touched only where bars are written.
        self._bars, self._labels = np.empty((0, 7)), np.empty((0, 4), dtype=np.int64)
        self._check = compiled(check, CHECK_SIGNATURE)

    def take(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give the bars that these trades close."""
        slots = self._slots.of(rows["symbol"])
        self._filler.grow(len(self._slots))
        if len(self._bars) < rows.height:
            self._bars, self._labels = np.empty((rows.height, 7)), np.empty((rows.height, 4), dtype=np.int64)
        trades = self._checked(slots, columns_of(rows), rows)
        made = self._filler.fill(slots, trades, self._bars, self._labels)
        self._before += rows.height
        return self._frame(self._bars[:made], self._labels[:made], finished=True)

    def _checked(self, slots: npt.NDArray[np.int32], trades: Columns, rows: pl.DataFrame) -> Columns:
        """Refuse trades that cannot be, and sign those that are not by the tick rule."""
        unsigned = np.empty(0 if len(trades.sign) else rows.height, dtype=np.int8)
        read = (slots, trades.ts_ns, trades.price, trades.amount)
        code, row = self._check(*read, self._filler.cells, self._filler.marks, unsigned)
        if code:
            raise fault(code, row, rows, self._before)
        return replace(trades, sign=unsigned) if len(unsigned) else trades

    def finish(self) -> pl.DataFrame | None:
        """Give the bars that are still open, when they were asked for."""
        if not self._unfinished:
            return None
        cells, marks = self._filler.cells, self._filler.marks
        still = np.flatnonzero(marks[: len(self._slots), TRADES] > 0)
        last = marks[still, LAST_TS]
        if self._window_ns is None:
            label, known = np.maximum(last, marks[still, LABEL] + 1), last
        else:
            label = marks[still, LABEL]
            known = label + self._window_ns
        labels = np.column_stack([still, label, known, marks[still, TRADES]])
        return self._frame(cells[still, :7], labels, finished=False)

    def _frame(self, bars: Floats, labels: Ints, *, finished: bool) -> pl.DataFrame:
        frame = pl.DataFrame(
            {
                "ts": pl.Series(labels[:, 1].copy()).cast(TS),
                "symbol": self._slots.series(labels[:, 0]),
                **{name: bars[:, k].copy() for k, name in enumerate(_NUMBERS)},
                "trades": labels[:, 3].copy(),
                "known_ts": pl.Series(labels[:, 2].copy()).cast(TS),
            },
            schema=BAR_SCHEMA,
        )
        return frame.with_columns(finished=pl.lit(finished)) if self._unfinished else frame
