"""The stage of features that look back a fixed number of rows of the same symbol.

Windows are summed anew for every row, from the oldest term to the newest: rows x window additions, and in
return a value depends on the rows of its window alone. No running sum drifts, a jump leaves no trace behind
it, and the same rows give the same bits wherever a batch, a file or the data begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.kit.errors import UsageError
from grn.quant.features.filling import Floats
from grn.quant.features.stream import through
from grn.quant.features.trades import Slots, as_category, check_columns, filled

_CODES: Final = "grn symbol"


class Lookback(Protocol):
    """A computation over rows, with state for each symbol."""

    def grow(self, symbols: int) -> None:
        """Make room for so many symbols."""
        ...

    def values(self, slots: npt.NDArray[np.int32], columns: Sequence[Floats]) -> Floats:
        """Return one value per row, NaN where the window is not full."""
        ...


def with_lookback(
    frame: pl.LazyFrame, columns: Sequence[str], name: str, start: Callable[[], Lookback], *settings: object
) -> pl.LazyFrame:
    """Add the column `name`, made from `columns` by symbol and in the order of rows.

    Raises
    ------
    DataError
        A column is missing.
    UsageError
        The frame has a column `name`.
    """
    schema = check_columns(frame, ("symbol", *columns))
    if name in schema:
        raise UsageError("the frame has this column", seen=name, hint="give another name=")
    keyed = frame.with_columns(as_category(schema).alias(_CODES))
    made = pl.Schema({**schema, name: pl.Float64()})
    return through(keyed, lambda: _Windows(columns, name, start()), made, name, *columns, *settings)


def check_window(name: str, value: object, least: int = 1) -> int:
    """Return a count of rows that is a whole number of at least `least`.

    Raises
    ------
    UsageError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}", seen=repr(value))
    return value


class _Windows:
    def __init__(self, columns: Sequence[str], name: str, lookback: Lookback) -> None:
        self._columns, self._name, self._lookback = columns, name, lookback
        self._slots = Slots()

    def take(self, rows: pl.DataFrame) -> pl.DataFrame:
        slots = self._slots.of(rows[_CODES])
        self._lookback.grow(len(self._slots))
        numbers = [filled(rows[name].cast(pl.Float64), float("nan")) for name in self._columns]
        values = self._lookback.values(slots, numbers)
        return rows.drop(_CODES).with_columns(pl.Series(self._name, values))

    def finish(self) -> None:
        return None
