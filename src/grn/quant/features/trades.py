"""Trades as the bar builders read them: columns as numbers, symbols as small integers, rules checked."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.kit.errors import DataError, UsageError
from grn.quant.schema.stamps import stamp

Signs = Literal["side", "tick_rule"]
"""Who bought: ``side`` reads the column of that name (``buy``, ``sell``, anything else is unknown);
``tick_rule`` takes the direction of the last price change, and is 0 before the first one
(López de Prado, Advances in Financial Machine Learning, 2018, p. 29)."""

TS: Final = pl.Datetime("ns", "UTC")

_FAULTS: Final = {
    1: ("price is not finite and above zero", "price", "drop such rows: .filter(pl.col('price') > 0)"),
    2: ("amount is not finite or negative", "amount", "drop such rows: .filter(pl.col('amount') >= 0)"),
    3: ("time goes back within a symbol", "ts", "sort the trades first: .sort('ts', maintain_order=True)"),
}


def check_columns(frame: pl.LazyFrame, needed: Collection[str]) -> pl.Schema:
    """Return the schema of a frame, after making sure that the columns are there and `ts` is a time.

    Raises
    ------
    DataError
        A column is missing; the hint names one that looks like it.
    """
    if not isinstance(frame, pl.LazyFrame):
        raise UsageError(
            "a Polars LazyFrame is needed", seen=type(frame).__name__, hint="call .lazy() on a DataFrame"
        )
    schema = frame.collect_schema()
    for name in needed:
        if name not in schema:
            near = difflib.get_close_matches(name, schema.names(), n=1, cutoff=0.5)
            hint = f".rename({{{near[0]!r}: {name!r}}})?" if near else f"needed: {', '.join(needed)}"
            raise DataError(f"the frame has no column {name!r}", seen=", ".join(schema.names()), hint=hint)
        if name.endswith("ts") and not isinstance(schema[name], pl.Datetime | pl.Date):
            hint = f"for example .with_columns(pl.from_epoch({name!r}, time_unit='ms'))"
            raise DataError(f"{name} is no time", seen=schema[name], hint=hint)
    return schema


def utc_ns(schema: pl.Schema, name: str = "ts") -> pl.Expr:
    """Return a time column as Datetime[ns, UTC]; one without a zone counts as UTC."""
    kind, column = schema[name], pl.col(name)
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("ns")
    return column.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def read_trades(trades: pl.LazyFrame, signs: Signs) -> pl.LazyFrame:
    """Reduce trades to what a bar needs: ts, symbol (Categorical), price, amount and, from `side`, a sign.

    Raises
    ------
    DataError
        A column is missing.
    UsageError
        `signs` is unknown.
    """
    if signs not in get_args(Signs):
        raise UsageError("unknown source of signs", seen=signs, hint=" or ".join(get_args(Signs)))
    by_side = signs == "side"
    needed = ("ts", "symbol", "price", "amount", *(("side",) if by_side else ()))
    schema = check_columns(trades, needed)
    side = pl.col("side").cast(pl.String)
    sign = pl.when(side == "buy").then(1).when(side == "sell").then(-1).otherwise(0).cast(pl.Int8)
    return trades.select(
        utc_ns(schema),
        as_category(schema),
        pl.col("price", "amount").cast(pl.Float64),
        *((sign.alias("sign"),) if by_side else ()),
    )


def as_category(schema: pl.Schema) -> pl.Expr:
    """Return the symbols with an integer each, encoded by Polars' threads and not row by row here."""
    column = pl.col("symbol")
    return column if isinstance(schema["symbol"], pl.Enum) else column.cast(pl.String).cast(pl.Categorical)


class Slots:
    """Symbols numbered in order of appearance, over all batches."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._slot_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def of(self, symbols: pl.Series) -> npt.NDArray[np.int32]:
        """Number the symbols of one batch, shape (N,).

        Raises
        ------
        DataError
            A symbol is missing.
        """
        if symbols.null_count():
            raise DataError("a row has no symbol", seen="null", hint=".with_columns(symbol=pl.lit('NAME'))")
        distinct = symbols.unique(maintain_order=True)
        for name in distinct.cast(pl.String).to_list():
            if name not in self._slot_of:
                self._slot_of[name] = len(self.names)
                self.names.append(name)
        slots = [self._slot_of[name] for name in distinct.cast(pl.String).to_list()]
        if len(slots) == 1:
            return np.full(len(symbols), slots[0], dtype=np.int32)
        codes = distinct.to_physical().to_numpy()
        table = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.int32)
        table[codes] = slots
        return np.asarray(table[symbols.to_physical().to_numpy()])

    def series(self, slots: npt.NDArray[np.int64]) -> pl.Series:
        """Return the names behind slots."""
        return pl.Series("symbol", self.names, dtype=pl.String).gather(slots)


@dataclass(frozen=True)
class Columns:
    """One batch of trades as arrays, each of shape (N,)."""

    ts_ns: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    amount: npt.NDArray[np.float64]
    sign: npt.NDArray[np.int8]
    """Empty when signs come from the tick rule."""


def columns_of(rows: pl.DataFrame) -> Columns:
    """Take the arrays out of a batch; views where Polars holds a column in one piece."""
    return Columns(
        ts_ns=filled(rows["ts"].to_physical(), -(2**63)),
        price=filled(rows["price"], float("nan")),
        amount=filled(rows["amount"], float("nan")),
        sign=rows["sign"].to_numpy() if "sign" in rows.columns else np.empty(0, dtype=np.int8),
    )


def filled(column: pl.Series, missing: float) -> npt.NDArray[Any]:
    """Return a column as an array, `missing` where it is null; without nulls a view of it."""
    # Asked first: `fill_null` waits for the threads that decode the next batch.
    return (column.fill_null(missing) if column.null_count() else column).to_numpy()


def fault(code: int, row: int, rows: pl.DataFrame, before: int) -> DataError:
    """Describe the fault that a kernel met in row `row` of a batch; `before` rows came before the batch."""
    what, column, hint = _FAULTS[code]
    where = f"row {before + row:,} ({rows['symbol'].cast(pl.String)[row]!r}"
    ts = rows["ts"].to_physical()[row]
    if ts is None:
        return DataError(f"ts is missing in {where})", seen="null", hint="every trade needs its time")
    seen = rows[column][row]
    return DataError(f"{what} in {where} at {stamp(ts)})", seen="null" if seen is None else seen, hint=hint)
