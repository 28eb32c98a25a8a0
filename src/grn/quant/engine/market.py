"""The market of a run: the columns of one symbol's bars that an account meets, as plain arrays."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules

Array = npt.NDArray[np.float64]
Market = tuple[Array, Array, Array, Array, Array, Array, Array, Array, Array, Array]

OPEN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
FILL: Final = 4
VOLUME: Final = 5
DIVIDENDS: Final = 6
SPLITS: Final = 7
FUNDING: Final = 8
YEARS: Final = 9
"""Time since the bar before, in years of 365.25 days."""

NS_PER_YEAR: Final = 365.25 * 86_400 * 1e9


def build_market(bars: Bars, rules: Rules) -> Market:
    """Columns at the places named above: float64 [T] each.

    A column that nothing reads may be absent from the data; another one then stands in its place.

    Raises
    ------
    DataError
        A price to fill at, or a split, that is missing or not above 0.
    """
    close = writable(bars.column("close"))

    def column(name: str, *, default: Array = close) -> Array:
        return writable(bars.column(name)) if name in bars.columns else default

    fill = column(rules.fill_column)
    check_positive(bars, rules.fill_column, fill)
    events = rules.events
    zeros = np.zeros(len(bars)) if events.columns else close
    dividends, splits, funding = zeros, close, zeros
    years = close
    if events.columns or rules.margin is not None:
        years = np.diff(bars.ts_ns, prepend=bars.ts_ns[:1]) / NS_PER_YEAR
        splits = np.ones(len(bars))
        zeros = dividends = funding = np.zeros(len(bars))
    if events.dividends is not None:
        dividends = np.nan_to_num(bars.column(events.dividends), nan=0.0)
    if events.funding is not None:
        funding = np.nan_to_num(bars.column(events.funding), nan=0.0)
    if events.splits is not None:
        splits = np.nan_to_num(bars.column(events.splits), nan=1.0)
        check_positive(bars, events.splits, splits)
    return (
        column("open"), column("high"), column("low"), close, fill, column("volume"),
        dividends, splits, funding, years,
    )  # fmt: skip


def check_positive(bars: Bars, name: str, column: Array) -> None:
    """Refuse a column with a value that is missing, infinite or not above 0."""
    wrong = np.flatnonzero(~(np.isfinite(column) & (column > 0.0)))
    if len(wrong):
        raise DataError(
            f"{name!r} must be above 0 on every bar",
            seen=f"{column[wrong[0]]:g} on bar {wrong[0]:,} of {bars.symbol}",
            hint="fill or drop those bars, or fill at another price",
        )


class _Lent:
    """Memory of a read-only array, for code that takes any array and only reads."""

    def __init__(self, column: Array) -> None:
        self.owner = column
        self.__array_interface__ = {**column.__array_interface__, "data": (column.ctypes.data, False)}


def writable(column: Array) -> Array:
    """The column, contiguous, as an array that Numba types like every other: a read-only one is another type.

    Nothing is copied: who gets it must not write to it, and kernels do not.
    """
    if not column.flags.c_contiguous:
        return np.array(column)
    return column if column.flags.writeable else np.asarray(_Lent(column))
