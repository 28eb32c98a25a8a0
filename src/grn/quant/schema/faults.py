"""What may be wrong with the values of a bar, found column by column over all rows at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError
from grn.quant.schema.stamps import stamp

PRICE_COLUMNS: Final = ("open", "high", "low", "close")
BAR_COLUMNS: Final = (*PRICE_COLUMNS, "volume")
"""The columns whose meaning is fixed, and whose values are checked. Any further column is the user's own."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Rows of a source in the order symbol, then time, with what is needed to name one of them.

    Parameters
    ----------
    symbols
        Names in order of first appearance.
    starts
        Shape (S + 1,), int64: the rows of symbol s are `starts[s]:starts[s + 1]`.
    ts_ns
        Shape (N,), int64.
    source_row
        Shape (N,), int64: the position of each row in the source, counted from zero.
    by_symbol
        Whether the source has a column `symbol`, so that advice on sorting names columns that are there.
    """

    symbols: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    ts_ns: npt.NDArray[np.int64]
    source_row: npt.NDArray[np.int64]
    by_symbol: bool = False

    def first(self, wrong: Mask) -> int | None:
        """Return the index of the fault that comes first in the source, None when nothing is wrong."""
        hits = np.flatnonzero(wrong)
        return int(hits[np.argmin(self.source_row[hits])]) if len(hits) else None

    def name(self, index: int) -> str:
        """Name a row as a person would look it up, for example ``row 17 ('SP500' at 1999-01-28)``."""
        symbol = self.symbols[int(np.searchsorted(self.starts, index, side="right")) - 1]
        return f"row {self.source_row[index]} ({symbol!r} at {stamp(int(self.ts_ns[index]))})"


def check_order(rows: Rows) -> None:
    """Refuse timestamps that repeat or go back within one symbol.

    Raises
    ------
    DataError
        Naming the first offending row, its timestamp and the one before.
    """
    stuck = np.empty(len(rows.ts_ns), dtype=np.bool_)
    np.less_equal(rows.ts_ns[1:], rows.ts_ns[:-1], out=stuck[1:])
    stuck[rows.starts[:-1]] = False
    at = rows.first(stuck)
    if at is None:
        return
    keys = "'symbol', 'ts'" if rows.by_symbol else "'ts'"
    now, before = stamp(int(rows.ts_ns[at])), stamp(int(rows.ts_ns[at - 1]))
    if now == before:
        raise DataError(
            f"duplicate timestamp in {rows.name(at)}",
            seen=now,
            hint=f"row {rows.source_row[at - 1]} has it too; keep one of them, "
            f"e.g. .unique([{keys}], maintain_order=True)",
        )
    raise DataError(
        f"timestamps are not sorted: {rows.name(at)} comes after {before}",
        seen=now,
        hint=f"sort the source first, e.g. .sort({keys})",
    )


def check_values(rows: Rows, columns: Mapping[str, Floats]) -> None:
    """Refuse prices that cannot be traded at and volumes that cannot have been traded.

    Prices are finite and positive, volumes finite and not negative, and no price lies outside high and low.
    Columns with other names are not looked at: they may hold anything, NaN included.

    Raises
    ------
    DataError
        Naming column, row and value of the first fault.
    """
    for name in BAR_COLUMNS:
        if name in columns:
            _check_numbers(rows, name, columns[name])
    high, low = columns.get("high"), columns.get("low")
    if high is not None and low is not None:
        _check_pair(rows, "high", high, "low", low)
    for name in ("open", "close"):
        if name in columns and high is not None:
            _check_pair(rows, "high", high, name, columns[name])
        if name in columns and low is not None:
            _check_pair(rows, name, columns[name], "low", low)


def _check_numbers(rows: Rows, name: str, values: Floats) -> None:
    sane = np.isfinite(values) & (values >= 0.0 if name == "volume" else values > 0.0)
    at = rows.first(~sane)
    if at is None:
        return
    value = float(values[at])
    if np.isnan(value):
        fault, hint = (
            "is missing or NaN",
            f"drop such rows, e.g. .filter(pl.col({name!r}).is_finite()), or fill them",
        )
    elif np.isinf(value):
        fault, hint = "is infinite", "mend it at its origin: most often a division by zero"
    elif name == "volume":
        fault, hint = (
            "is negative",
            "volume counts what was traded; a signed flow belongs in a column of another name",
        )
    else:
        fault, hint = (
            "is not positive",
            "returns need prices above zero; a spread belongs in a column of another name",
        )
    raise DataError(f"{name} {fault} in {rows.name(at)}", seen=value, hint=hint)


def _check_pair(rows: Rows, upper: str, above: Floats, lower: str, below: Floats) -> None:
    at = rows.first(above < below)
    if at is not None:
        raise DataError(
            f"{upper} is below {lower} in {rows.name(at)}",
            seen=f"{upper} {float(above[at])!r}, {lower} {float(below[at])!r}",
            hint="low ≤ open, close ≤ high must hold on every bar: columns swapped, or adjusted differently?",
        )
