"""From a source to checked bars: the one way in.

Only the columns that are asked for are collected, so a Parquet file with a hundred features
costs what is used of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError
from grn.quant.schema.bars import Bars
from grn.quant.schema.faults import BAR_COLUMNS, Rows, check_order, check_values
from grn.quant.schema.source import Source, open_source
from grn.quant.schema.stamps import read_stamps

if TYPE_CHECKING:
    import polars as pl

    BarSource = pl.LazyFrame | pl.DataFrame | str | PathLike[str] | Bars | Sequence[Bars]
else:
    BarSource = object

_LABELS: Final = ("symbol", "ts")
AHEAD: Final = "ahead_"
"""How columns begin that were made from later rows, such as labels for learning.  They are never loaded."""


def load_bars(source: BarSource, needs: Collection[str] = ("close",)) -> tuple[Bars, ...]:
    """Read, check and split market data.

    Parameters
    ----------
    source
        A Polars LazyFrame or DataFrame (or any table that exports the Arrow C stream), a path (.parquet,
        .csv, .csv.gz, .arrow, .ipc, .feather), the name of a sample, or bars. It holds ``ts``, ``close``, the
        columns in `needs` and, if it covers several instruments, ``symbol``. Rows of one symbol stand in
        order of time; symbols may interleave.
    needs
        Columns to load beside ``close``. Booleans become 0 and 1, integers float64, null NaN.

    Returns
    -------
    tuple of Bars
        One per symbol, in order of first appearance.

    Raises
    ------
    DataError
        For every fault of the source, with row (counted from zero, a CSV's header not counted) and value: a
        missing column, a wrong type, unsorted or duplicate timestamps, mixed time zones, a price that is NaN,
        infinite or not positive, prices outside high and low, a negative volume, an empty frame, a file that
        cannot be read.
    MissingExtraError
        When a sample belongs to an extra that is not installed.
    """
    names = tuple(dict.fromkeys(("close", *needs)))
    label = next((name for name in names if name in _LABELS), None)
    if label is not None:
        raise DataError(
            f"{label!r} labels the rows and cannot be used as a column of numbers",
            hint="copy it under another name and make it a number first",
        )
    ahead = next((name for name in names if name.startswith(AHEAD)), None)
    if ahead is not None:
        raise DataError(
            f"{ahead!r} was made from later bars: a strategy that reads it looks ahead",
            hint=f"names that begin with {AHEAD!r} are kept for labels; rename the column if it is none",
        )
    if isinstance(source, Bars):
        return _check_bars((source,), names)
    if isinstance(source, (tuple, list)):
        return _check_bars(tuple(source), names)
    return _load_frame(open_source(source), names)


def _check_bars(every: tuple[Bars, ...], names: tuple[str, ...]) -> tuple[Bars, ...]:
    """Hold bars that were built by hand to the rules for those that were read."""
    if not every or not all(isinstance(bars, Bars) for bars in every):
        kinds = ", ".join(sorted({type(item).__name__ for item in every})) or "nothing"
        raise DataError("a sequence of bars is needed", seen=kinds, hint="pass Bars, a frame or a path")
    seen: dict[str, Bars] = {}
    for bars in every:
        if not len(bars):
            raise DataError(f"there are no bars for {bars.symbol!r}", seen="0 rows")
        if bars.symbol in seen:
            raise DataError(
                "two series of bars have the same symbol", seen=bars.symbol, hint="rename one of them"
            )
        seen[bars.symbol] = bars
        # No zone and UTC are the same labels; any other pair puts the start of a day at two different times.
        if (bars.timezone or "UTC") != (every[0].timezone or "UTC"):
            raise DataError(
                f"mixed time zones: {bars.symbol!r} is in {bars.timezone or 'UTC'}",
                seen=f"{every[0].symbol!r} is in {every[0].timezone or 'UTC'}",
                hint="load them with one zone, e.g. .dt.convert_time_zone('UTC')",
            )
        rows = Rows((bars.symbol,), np.array([0, len(bars)]), bars.ts_ns, np.arange(len(bars)))
        check_order(rows)
        check_values(rows, {name: bars.column(name) for name in names})
    return every


def _load_frame(source: Source, names: tuple[str, ...]) -> tuple[Bars, ...]:
    at_hand = source.columns()
    for name in ("ts", *names):
        if name not in at_hand:
            raise _missing(name, names, at_hand, source)
    frame = source.collect([name for name in ("symbol", "ts", *names) if name in at_hand])
    if frame.is_empty():
        raise DataError(
            f"{source.described} holds no rows", seen="0 rows", hint="check the file, or the filter on it"
        )
    ts_ns, timezone = read_stamps(frame["ts"])
    symbols, starts, order = _group(frame, source)
    columns = {name: _read_numbers(frame[name], text=source.text) for name in names}
    if order is None:
        source_row = np.arange(frame.height)
    else:
        source_row = order
        ts_ns, columns = ts_ns[order], {name: values[order] for name, values in columns.items()}
    for values in (ts_ns, *columns.values()):
        values.flags.writeable = False  # nobody else holds them: bars may share them instead of copying
    rows = Rows(symbols, starts, ts_ns, source_row, by_symbol="symbol" in frame.columns)
    check_order(rows)
    check_values(rows, columns)
    return tuple(
        Bars(symbol, ts_ns[lo:hi], {name: values[lo:hi] for name, values in columns.items()}, timezone)
        for symbol, lo, hi in zip(symbols, starts[:-1], starts[1:], strict=True)
    )


def _missing(name: str, names: Sequence[str], at_hand: Sequence[str], source: Source) -> DataError:
    from difflib import get_close_matches

    def plain(column: str) -> str:
        return re.sub(r"[\W_]", "", column.lower())

    aliases = {"ts": ("date", "datetime", "time", "timestamp"), "close": ("adjclose", "price")}
    # A column that is needed under its own name must not be given another one.
    free = {plain(c): c for c in reversed(at_hand) if c not in ("symbol", "ts", *BAR_COLUMNS, *names)}
    # 0.75 lets through `hihg` for `high`, and not `close` for `score` (0.6).
    likely = (plain(name), *aliases.get(name, ()), *get_close_matches(plain(name), free, n=1, cutoff=0.75))
    near = next((free[key] for key in likely if key in free), None)
    rename = f"rename it, e.g. .rename({{{near!r}: {name!r}}}); " if near else ""
    if near and name not in ("ts", *BAR_COLUMNS):
        rename = f"did you mean {near!r}? else " + rename
    return DataError(
        f"{source.described} has no column {name!r}",
        seen=", ".join(at_hand) or "no columns",
        hint=f"{rename}needed are ts, close, what the strategy uses, and symbol if there are several",
    )


def _group(
    frame: pl.DataFrame, source: Source
) -> tuple[tuple[str, ...], npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
    """Return the symbols, where each begins, and the order of rows that groups them (None: they are)."""
    import polars as pl

    if "symbol" not in frame.columns:
        return (source.symbol,), np.array([0, frame.height]), None
    column = frame["symbol"]
    if not (
        column.dtype in (pl.String, pl.Categorical, pl.Null)
        or column.dtype.is_integer()
        or column.dtype == pl.Enum
    ):
        raise DataError(
            f"symbol has type {column.dtype}: row 0 is no name",
            seen=column[0],
            hint="cast it, e.g. .cast(pl.String)",
        )
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(
            f"symbol is missing in row {row}", seen="null", hint="name it, or drop the column for one symbol"
        )
    # The row where a symbol first appears is its sort key: the order promised, and no dictionary.
    keys = pl.DataFrame({"symbol": column.cast(pl.String)}).with_row_index("row")
    keys = keys.select("symbol", first=pl.col("row").min().over("symbol").cast(pl.Int64))
    first = keys["first"].to_numpy()
    order = (
        None if bool((first[1:] >= first[:-1]).all()) else np.argsort(first, kind="stable").astype(np.int64)
    )
    grouped = first if order is None else first[order]
    heads = np.concatenate(([0], np.flatnonzero(grouped[1:] != grouped[:-1]) + 1))
    symbols = keys["symbol"].gather(grouped[heads]).to_list()
    return tuple(symbols), np.append(heads, len(first)).astype(np.int64), order


def _read_numbers(column: pl.Series, *, text: bool) -> npt.NDArray[np.float64]:
    """Return a column as float64, null as NaN. `text`: the source has no types (CSV), so cells are parsed."""
    import polars as pl

    dtype = column.dtype
    if dtype == pl.String and text:
        numbers = _parse_numbers(column)
    elif dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        numbers = column.cast(pl.Float64)
    else:
        raise DataError(
            f"{column.name} has type {dtype}: row 0 is no number",
            seen=column[0],
            hint=f"cast it first, e.g. .with_columns(pl.col({column.name!r}).cast(pl.Float64))",
        )
    return numbers.fill_null(float("nan")).to_numpy()


def _parse_numbers(column: pl.Series) -> pl.Series:
    import polars as pl

    cell = pl.col(column.name).str.strip_chars()
    lower = cell.str.to_lowercase()
    truth = pl.when(lower == "true").then(1.0).when(lower == "false").then(0.0)
    parsed = truth.otherwise(cell.cast(pl.Float64, strict=False))
    numbers = column.to_frame().select(parsed.alias(column.name)).to_series()
    unread = numbers.is_null() & column.is_not_null()
    if unread.any():
        row = int(unread.arg_max() or 0)
        raise DataError(
            f"{column.name} in row {row} is not a number",
            seen=column[row],
            hint="leave a cell empty where there is no value; no thousands separators, a decimal point",
        )
    return numbers
