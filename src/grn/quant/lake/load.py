"""Files of one's own into the lake: columns are guessed by name, shown, and refused where they do not fit.

A file is taken whole or not at all. It is read in batches, so it may be larger than memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import polars as pl
from polars.exceptions import PolarsError

from grn.kit.errors import DataError, UsageError
from grn.quant.lake.calendars import calendar_of
from grn.quant.lake.holdings import Lake
from grn.quant.lake.interval import DAY_NS, NS, is_daily, length_ns, parse_interval
from grn.quant.lake.kinds import KINDS, TS, Kind, kind_of
from grn.quant.lake.series import Series
from grn.quant.lake.store import Merged, Writer
from grn.quant.schema.stamps import read_stamps

T = TypeVar("T")

IMPORTED: Final = "import"
"""The source that imported series have."""

_BATCH_ROWS: Final = 200_000
"""Rows that are read at once: 24 million trades peak at 284 MiB as 8 million do (with a million, at 703)."""
_LOOK_ROWS: Final = 10_000
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "ts": ("ts", "timestamp", "datetime", "date", "time", "opentime", "transacttime", "t"),
    "symbol": ("symbol", "ticker", "instrument"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice", "last"),
    "volume": ("volume", "vol", "v", "basevolume"),
    "id": ("id", "tradeid", "aggtradeid", "aggid", "a"),
    "price": ("price", "p", "tradeprice"),
    "amount": ("amount", "qty", "quantity", "q", "size", "volume"),
    "side": ("side", "takerside", "direction"),
    "bid": ("bid", "bidprice", "bestbid"),
    "bid_size": ("bidsize", "bidqty", "bidquantity", "bidvolume"),
    "ask": ("ask", "askprice", "bestask"),
    "ask_size": ("asksize", "askqty", "askquantity", "askvolume"),
}
_OPTIONAL: Final = {"volume", "side", "bid_size", "ask_size", "received"}


@dataclass(frozen=True)
class LoadOptions:
    """How to read files.

    Attributes
    ----------
    symbol, interval, kind
        What the file holds, where it does not say so itself.
    columns
        Our name to the file's, for columns whose names are not guessed.
    calendar
        Market whose hours apply, such as ``XNYS`` or ``24/7``.
    wait_s
        How long to wait for another writer.
    """

    symbol: str | None = None
    interval: str | None = None
    kind: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    calendar: str | None = None
    wait_s: float = 10.0


@dataclass(frozen=True)
class Loaded:
    """What came of a file.

    Attributes
    ----------
    series
        Where its rows went.
    columns
        Our name to the file's.
    added, revised, repeated
        New rows; rows that replaced others, which were recorded; rows that were twice in the file.
    """

    series: Series
    columns: Mapping[str, str]
    added: int
    revised: int
    repeated: int


def load_file(
    lake: Lake, path: Path, options: LoadOptions, on_rows: Callable[[int], None] | None = None
) -> list[Loaded]:
    """Import one file.

    Raises
    ------
    UsageError
        It is no CSV or Parquet file, or what it holds cannot be guessed.
    DataError
        It cannot be read, or a row is wrong; nothing was imported.
    OutputError, BudgetError
        The lake cannot be written.
    """
    if options.calendar:
        # A name that nobody knows is refused before anything is read.
        calendar_of(options.calendar, "1d").closed_until(0)
    scan = _open(path)
    names = _guarded(path, lambda: scan.collect_schema().names())
    kind, columns = _recognise(path, names, options)
    head = _guarded(path, lambda: scan.head(_LOOK_ROWS).collect())
    if head.is_empty():
        raise DataError(f"{path.name} holds no rows", seen="0 rows")
    interval = _interval(path, _read(head, kind, columns, 0, path), options) if kind.name == "bars" else None
    symbols = _symbols(scan, columns, options, path)
    loaded = []
    for symbol in symbols:
        rows = (
            scan
            if "symbol" not in columns
            else scan.filter(pl.col(columns["symbol"]).cast(pl.String) == symbol)
        )
        series = Series(kind.name, IMPORTED, options.symbol or symbol, interval)
        with lake.store(series).writing(options.wait_s) as writer:
            merged, repeated = _pour(writer, rows, columns, path, on_rows)
            _finish(writer, options)
        loaded.append(Loaded(series, columns, merged.added, merged.revised, repeated))
    return loaded


def _pour(
    writer: Writer,
    rows: pl.LazyFrame,
    columns: Mapping[str, str],
    path: Path,
    on_rows: Callable[[int], None] | None,
) -> tuple[Merged, int]:
    kind, interval = writer.store.kind, writer.store.series.interval
    merged, repeated, place = Merged(), 0, 0
    for batch in _batches(path, rows):
        read = _read(batch, kind, columns, place, path)
        if interval is not None and is_daily(interval):
            read = read.with_columns(pl.col("ts").dt.truncate("1d"))
        single = read.unique()
        repeated += read.height - single.height
        twice = single.filter(pl.struct(kind.key).is_duplicated())
        if not twice.is_empty():
            raise DataError(
                f"{path.name} has two different rows for one key",
                seen=str(kind.sort(twice).row(0)),
                hint="keep one of them",
            )
        merged += writer.merge(single)
        place += batch.height
        if on_rows is not None:
            on_rows(batch.height)
    return merged, repeated


def _finish(writer: Writer, options: LoadOptions) -> None:
    manifest = writer.manifest
    facts = {"calendar": options.calendar} if options.calendar else {}
    covered = []
    if manifest.first_ns is not None and manifest.last_ns is not None:
        interval = writer.store.series.interval
        step = 1 if interval is None else length_ns(interval)
        covered = [(manifest.first_ns, manifest.last_ns + step)]
    writer.commit(covered=covered, facts=facts, pulled=True)
    if writer.compact():
        writer.commit()


def _open(path: Path) -> pl.LazyFrame:
    if not path.is_file():
        raise UsageError("there is no such file", seen=str(path))
    name = path.name.lower()
    if name.endswith(".parquet"):
        return pl.scan_parquet(path, glob=False)
    if name.endswith((".csv", ".csv.gz", ".txt")):
        return pl.scan_csv(path, infer_schema=False, glob=False)
    raise UsageError("a file of this kind is not imported", seen=path.name, hint=".parquet, .csv, .csv.gz")


def _recognise(path: Path, names: list[str], options: LoadOptions) -> tuple[Kind, dict[str, str]]:
    """Guess the kind, and which column is which."""
    plain = {re.sub(r"[\W_]", "", name.lower()): name for name in reversed(names)}
    for ours, theirs in options.columns.items():
        if theirs not in names:
            raise UsageError(f"{path.name} has no such column", seen=theirs, hint=", ".join(names))
        if ours not in _ALIASES:
            raise UsageError("there is no such column to fill", seen=ours, hint=", ".join(_ALIASES))
    found = {
        ours: plain[next(alias for alias in aliases if alias in plain)]
        for ours, aliases in _ALIASES.items()
        if any(alias in plain for alias in aliases)
    } | dict(options.columns)
    wanted = [kind_of(options.kind)] if options.kind else list(KINDS.values())
    for kind in wanted:
        if all(name in found for name in kind.columns if name not in _OPTIONAL):
            return kind, {name: found[name] for name in (*kind.columns, "symbol") if name in found}
    lacking = [name for name in wanted[0].columns if name not in _OPTIONAL and name not in found]
    raise DataError(
        f"{path.name} has not the columns of {wanted[0].name}: {', '.join(lacking)}",
        seen=", ".join(names) or "no columns",
        hint=f"say which it is: --column {lacking[0]}=NAME",
    )


def _symbols(scan: pl.LazyFrame, columns: Mapping[str, str], options: LoadOptions, path: Path) -> list[str]:
    if "symbol" not in columns:
        if options.symbol is None:
            raise UsageError(f"{path.name} does not say of which symbol it is", hint="give --symbol NAME")
        return [options.symbol]
    column = pl.col(columns["symbol"]).cast(pl.String)
    found = _guarded(path, lambda: scan.select(column.unique()).collect(engine="streaming"))
    symbols = sorted(symbol for symbol in found.to_series().to_list() if symbol)
    if options.symbol is not None and len(symbols) > 1:
        raise UsageError(
            f"{path.name} has several symbols; --symbol names one",
            seen=", ".join(symbols[:5]),
            hint="leave it out",
        )
    return symbols


def _interval(path: Path, head: pl.DataFrame, options: LoadOptions) -> str:
    """Take the commonest step between labels."""
    if options.interval is not None:
        return parse_interval(options.interval)
    steps = head["ts"].unique().sort().diff().drop_nulls().dt.total_nanoseconds()
    step: int = min(steps.mode().to_list(), default=0)
    for unit, size in (("w", 7 * DAY_NS), ("d", DAY_NS), ("h", 3600 * NS), ("m", 60 * NS), ("s", NS)):
        if step and step % size == 0:
            return parse_interval(f"{step // size}{unit}")
    raise UsageError(
        f"the interval of {path.name} cannot be guessed", seen=f"{step} ns", hint="give --interval 1d"
    )


def _read(
    batch: pl.DataFrame, kind: Kind, columns: Mapping[str, str], place: int, path: Path
) -> pl.DataFrame:
    """A batch as rows of a kind; `place` is how many rows came before it."""
    stamps = batch[columns["ts"]].alias("ts")
    try:
        ts = pl.Series("ts", read_stamps(_epoch(stamps))[0]).cast(TS)
    except DataError as error:
        raise DataError(f"{path.name}: {error.what}", seen=error.seen, hint=error.hint) from error
    read: dict[str, pl.Series] = {"ts": ts}
    for name, dtype in kind.columns.items():
        if name == "ts":
            continue
        if name not in columns:
            empty = 0.0 if name == "volume" else None
            read[name] = pl.Series(name, [empty] * len(ts), dtype=dtype)
            continue
        cells = batch[columns[name]]
        value = cells.cast(dtype, strict=False)
        lost = value.is_null() & cells.is_not_null()
        if lost.any():
            row = int(lost.arg_max() or 0)
            raise DataError(
                f"{path.name}: {columns[name]} in row {place + row} is no number", seen=cells[row]
            )
        read[name] = value.alias(name)
    frame = pl.DataFrame(read)
    _check(frame, kind, place, path)
    return frame


def _epoch(stamps: pl.Series) -> pl.Series:
    """Numbers are counts since 1970 in the unit that puts them between the years 2001 and 2286."""
    number = stamps
    if stamps.dtype == pl.String and stamps.str.contains(r"^\s*\d{10,19}\s*$").all():
        number = stamps.str.strip_chars().cast(pl.Int64)
    if not number.dtype.is_integer() or not len(number):
        return stamps
    digits = len(str(abs(int(number[0] or 0))))
    unit_ns = next((ns for most, ns in ((11, NS), (14, 10**6), (17, 10**3)) if digits <= most), 1)
    return (number.cast(pl.Int64) * unit_ns).cast(TS)


def _check(frame: pl.DataFrame, kind: Kind, place: int, path: Path) -> None:
    """Refuse rows that no market ever had."""
    prices = [
        name for name in ("open", "high", "low", "close", "price", "bid", "ask") if name in kind.columns
    ]
    wrong = {name: ~(pl.col(name).is_finite() & (pl.col(name) > 0)).fill_null(value=False) for name in prices}
    if kind.name == "bars":
        wrong["high"] = wrong["high"] | (pl.col("high") < pl.max_horizontal("open", "close", "low"))
        wrong["low"] = wrong["low"] | (pl.col("low") > pl.min_horizontal("open", "close"))
        wrong["volume"] = ~(pl.col("volume").is_finite() & (pl.col("volume") >= 0)).fill_null(value=False)
    for name, rule in wrong.items():
        hits = frame.with_row_index("row").filter(rule)
        if not hits.is_empty():
            row = hits.row(0, named=True)
            raise DataError(
                f"{path.name}: {name} in row {place + row['row']} cannot be",
                seen=row[name],
                hint="prices are positive and finite, low ≤ open, close ≤ high; mend or drop that row",
            )


def _batches(path: Path, rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    batches = iter(rows.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True))
    while (batch := _guarded(path, lambda: next(batches, None))) is not None:
        yield batch


def _guarded(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except (PolarsError, OSError) as error:
        raise DataError(
            f"{path} cannot be read",
            seen=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}",
        ) from error
