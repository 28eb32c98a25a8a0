"""Bars from trades: by time, by number of trades, by volume, by value.

One pass in the order of the rows, memory for one unfinished bar per symbol.  Within a symbol, trades stand in
order of time; symbols may interleave or follow each other.  Every trade belongs to exactly one bar: the sums
of `volume`, `value` and `trades` over all bars, the unfinished ones included, are those of the trades.

A bar appears when it is certain: by count, volume or value with the trade that reaches the threshold (``>=``,
as in López de Prado, Advances in Financial Machine Learning, 2018, pp. 26-28, the excess staying in the bar);
by time with the symbol's first trade in a later window.  Cutting off later trades therefore only shortens the
list.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.kit.errors import UsageError
from grn.quant.features.builder import BAR_SCHEMA, FINISHED_SCHEMA, Builder
from grn.quant.features.filling import (
    BY_TIME,
    BY_TRADES,
    BY_VALUE,
    BY_VOLUME,
    FILL_SIGNATURE,
    Floats,
    Ints,
    fill,
    more,
    new_state,
)
from grn.quant.features.kernels import compiled
from grn.quant.features.stream import through
from grn.quant.features.trades import Columns, Signs, read_trades

_UNIT_NS: Final = {
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
    "w": 7 * 86_400 * 10**9,
}
_MONDAY_NS: Final = 4 * 86_400 * 10**9
"""1970-01-01 was a Thursday; weeks are counted from Monday 1970-01-05, as in `tf`."""


def time_bars(
    trades: pl.LazyFrame, every: str, *, signs: Signs = "side", unfinished: bool = False
) -> pl.LazyFrame:
    """Aggregate trades to windows of time.

    Windows start at multiples of `every` since 1970-01-01 UTC, weeks on Mondays. A window without a trade has
    no bar.

    Parameters
    ----------
    trades
        Columns ts, symbol, price, amount and, for ``signs="side"``, side.
    every
        A number and a unit out of ``s m h d w``, such as ``"1m"``.
    signs
        Where `bought` comes from: the column `side`, or the tick rule.
    unfinished
        Also give each symbol's last window, which a later trade could still change; a column `finished` then
        tells it from the others.

    Returns
    -------
    LazyFrame with the columns of `BAR_SCHEMA`, in the order in which bars became certain.

    Raises
    ------
    UsageError
        `every` or `signs` is unknown.
    DataError
        A column is missing; or, when collected, a price that is not above zero, an amount that is negative, a
        time that goes back. The row is named.
    """
    width_ns, origin_ns = window_ns(every)
    return _bars(trades, BY_TIME, 0.0, width_ns, origin_ns, signs, unfinished, f"time bars of {every}")


def tick_bars(
    trades: pl.LazyFrame, size: int, *, signs: Signs = "side", unfinished: bool = False
) -> pl.LazyFrame:
    """Close a bar with every `size`-th trade of a symbol; parameters and errors as in `time_bars`."""
    return _bars(trades, BY_TRADES, _size(size), 1, 0, signs, unfinished, f"bars of {size} trades")


def volume_bars(
    trades: pl.LazyFrame, size: float, *, signs: Signs = "side", unfinished: bool = False
) -> pl.LazyFrame:
    """Close a bar when at least `size` was traded; parameters and errors as in `time_bars`."""
    return _bars(trades, BY_VOLUME, _size(size), 1, 0, signs, unfinished, f"bars of volume {size:g}")


def dollar_bars(
    trades: pl.LazyFrame, size: float, *, signs: Signs = "side", unfinished: bool = False
) -> pl.LazyFrame:
    """Close a bar when price x amount adds up to at least `size`, in the currency of the price.

    Parameters and errors as in `time_bars`.
    """
    return _bars(trades, BY_VALUE, _size(size), 1, 0, signs, unfinished, f"bars of value {size:g}")


def window_ns(every: object) -> tuple[int, int]:
    """Return width and origin of windows such as ``"1m"``, in nanoseconds.

    Raises
    ------
    UsageError
        It is no number with a unit out of ``s m h d w``.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", every) if isinstance(every, str) else None
    if not found:
        raise UsageError("unknown width of a window", seen=every, hint='such as "1s", "5m", "1h", "1d", "1w"')
    return int(found[1]) * _UNIT_NS[found[2]], _MONDAY_NS if found[2] == "w" else 0


def _size(size: object) -> float:
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < math.inf:
        raise UsageError("the size of a bar must be a number above 0", seen=repr(size))
    return float(size)


def _bars(
    trades: pl.LazyFrame,
    rule: int,
    size: float,
    every: int,
    origin: int,
    signs: Signs,
    unfinished: bool,
    name: str,
) -> pl.LazyFrame:
    def start() -> Builder:
        filler = _Threshold(rule, size, every, origin)
        return Builder(filler, window_ns=every if rule == BY_TIME else None, unfinished=unfinished)

    schema = FINISHED_SCHEMA if unfinished else BAR_SCHEMA
    return through(read_trades(trades, signs), start, schema, name, size, every, unfinished)


class _Threshold:
    """The filler whose bars are full at a threshold, or at the end of a window."""

    def __init__(self, rule: int, size: float, every: int, origin: int) -> None:
        self._rule = (rule, size, every, origin)
        self._kernel = compiled(fill, FILL_SIGNATURE)
        self.cells, self.marks = new_state(0)

    def grow(self, symbols: int) -> None:
        self.cells, self.marks = more((self.cells, self.marks), symbols)

    def fill(self, slots: npt.NDArray[np.int32], trades: Columns, bars: Floats, labels: Ints) -> int:
        read = (slots, trades.ts_ns, trades.price, trades.amount, trades.sign)
        return int(self._kernel(*self._rule, *read, self.cells, self.marks, bars, labels))
