"""An order book as it was recorded: a row per level, and the book of any moment made from them.

Columns of the kind ``book``:

- ``ts``: the exchange's time of the message; a snapshot that tells none has that of the update after it.
  Where the exchange's clock steps back, ``ts`` stands still until it is there again.
- ``seq``, ``line``: number of the message in the recording, and of the row in the message. Messages follow
  each other by ``seq``, whatever the exchange's clock does.
- ``event``: ``snapshot`` (the exchange's whole book, as far as it shows it), ``update`` (levels that
  changed), ``checkpoint`` (the recorder's own book, written at the begin of a file, so that no file depends
  on those before it), ``break`` (until the next of the first and the third the book is not known; ``why``
  says the reason).
- ``side``, ``price``, ``amount``: what is offered at a price now, 0 when nothing is. All three are null in a
  ``break``, and in an ``update`` that changed nothing.
- ``first_id``, ``last_id``: the exchange's numbers of the changes in a message, where it counts them.
- ``received``: this machine's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import polars as pl

from grn.kit.errors import DataError
from grn.quant.lake.journal import Record
from grn.quant.lake.kinds import KINDS, TS
from grn.quant.lake.manifest import Manifest, Part
from grn.quant.lake.parquet import collect, scan
from grn.quant.lake.store import Store

Stamp = Literal["ts", "received"]
BASES: Final = ("snapshot", "checkpoint")
_CHUNK: Final = 50_000
_KIND: Final = KINDS["book"]


def book_rows(records: Iterable[Record | None]) -> pl.DataFrame:
    """Turn the records of a journal into rows; a record that is damaged is a break.

    Parameters
    ----------
    records
        ``[event, seq, ts, received, first_id, last_id, why, bids, asks]``.
    """
    chunks, seq, ts = [_KIND.empty()], 0, 0
    rows: list[tuple[object, ...]] = []
    for record in records:
        if record is None:
            record = ["break", seq + 1, ts + 1, ts + 1, None, None, "a damaged line in the journal", [], []]
        rows += _rows(record)
        seq, ts = record[1], record[2]
        if len(rows) >= _CHUNK:
            chunks.append(_frame(rows))
            rows = []
    return pl.concat([*chunks, _frame(rows)])


def _rows(record: Record) -> Iterator[tuple[object, ...]]:
    event, seq, ts, received, first, last, why, bids, asks = record
    levels = [*(("bid", *level) for level in bids), *(("ask", *level) for level in asks)]
    for line, level in enumerate(levels or [(None, None, None)]):
        yield (ts, seq, line, event, *level, first, last, received, why)


def _frame(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    plain = {name: pl.Int64() if dtype == TS else dtype for name, dtype in _KIND.columns.items()}
    return _KIND.fit(pl.DataFrame(rows, schema=plain, orient="row"))


def break_after(store: Store, manifest: Manifest, ts_ns: int) -> pl.DataFrame:
    """Make the row that says that rows from a moment on have been taken out; none where none were before."""
    last = (
        store.scan(manifest)
        .filter(pl.col("ts") < pl.lit(ts_ns).cast(TS))
        .select("seq", pl.col("ts").to_physical())
        .sort("seq")
        .tail(1)
        .collect()
    )
    if last.is_empty():
        return _KIND.empty()
    seq, ts = last.row(0)
    return _frame([(ts + 1, seq + 1, 0, "break", None, None, None, None, None, ts + 1, "a file is damaged")])


def levels_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Make a book of a base and what came after it.

    Returns
    -------
    DataFrame
        ``side``, ``price``, ``amount``: bids from the best down, then asks from the best up.
    """
    newest = (
        rows.filter(pl.col("side").is_not_null())
        .sort("seq", "line")
        .group_by("side", "price")
        .agg(pl.col("amount").last())
        .filter(pl.col("amount") > 0)
    )
    bid = pl.col("side") == "bid"
    away = pl.when(bid).then(-pl.col("price")).otherwise(pl.col("price"))
    return newest.sort(~bid, away).select("side", "price", "amount")


def book_at(store: Store, parts: Sequence[Part], at_ns: int | None, by: Stamp) -> pl.DataFrame:
    """Make the book as it was at a moment, changes of that very moment included; ``None``: at the last one.

    Raises
    ------
    DataError
        Nothing was recorded before, or after, the recording was broken then, or a file is damaged.
    """
    end = _last(store, parts, by)
    if end is None or (at_ns is not None and at_ns > end):
        until = "nothing" if end is None else f"until {_text(end)}"
        raise DataError(f"{store.series} was not recorded then", seen=f"{_text(at_ns or 0)}; {until}")
    at_ns = end if at_ns is None else at_ns
    stamp = pl.col(by) <= pl.lit(at_ns).cast(TS)
    possible = [part for part in parts if by == "received" or part.first_ns <= at_ns]
    after: list[Part] = []
    for part in reversed(possible):
        after.append(part)
        path = store.folder / part.name
        bases = (
            scan([path], store.kind)
            .filter(stamp, pl.col("event") != "update", pl.col("line") == 0)
            .select("seq", "event", "why", pl.col("ts").to_physical())
            .sort("seq")
            .tail(1)
        )
        last = collect(bases, [path])
        if not last.is_empty():
            break
    else:
        raise DataError(f"{store.series} has no recording that begins before this moment", seen=_text(at_ns))
    seq, event, why, since = last.row(0)
    if event == "break":
        raise DataError(
            f"the book of {store.series} is not known at {_text(at_ns)}",
            seen=f"{why}, from {_text(since)} on",
            hint="book_gaps() lists such times",
        )
    paths = [store.folder / part.name for part in reversed(after)]
    return levels_of(collect(scan(paths, store.kind).filter(stamp, pl.col("seq") >= seq), paths))


def _last(store: Store, parts: Sequence[Part], by: Stamp) -> int | None:
    """The last moment of the recording."""
    if by == "ts" or not parts:
        return parts[-1].last_ns if parts else None
    path = store.folder / parts[-1].name
    last = scan([path], store.kind).select(pl.col(by).max().to_physical())
    return int(collect(last, [path]).item())


def messages(rows: pl.LazyFrame) -> pl.DataFrame:
    """Give one row per message, in their order: without side, price and amount."""
    heads = rows.filter(pl.col("line") == 0).drop("line", "side", "price", "amount")
    return heads.collect(engine="streaming").sort("seq")


def find_breaks(heads: pl.DataFrame) -> pl.DataFrame:
    """List the times at which the book is not known.

    Parameters
    ----------
    heads
        As `messages` gives them.

    Returns
    -------
    DataFrame
        ``ts`` (after this moment), ``until`` (from this moment on it is known again; null if it is not),
        ``why``, ``missed`` (changes that the exchange counted in between; null where it counts none).
    """
    base = pl.col("event").is_in(BASES)
    broken = pl.col("event") == "break"
    table = heads.with_columns(
        until=pl.when(base).then("ts").backward_fill(),
        before=pl.when(~broken).then("last_id").forward_fill(),
        after=pl.when(base).then("last_id").backward_fill(),
        again=broken & broken.shift(1, fill_value=False),
    )
    return table.filter(broken & ~pl.col("again")).select(
        "ts", "until", "why", missed=pl.col("after") - pl.col("before")
    )


def find_faults(heads: pl.DataFrame) -> pl.DataFrame:
    """List updates that do not go on from the message before, where no break says so: there must be none."""
    before = pl.col("last_id").shift(1)
    follows = (pl.col("event") == "update") & pl.col("event").shift(1).is_in(["update", *BASES])
    return heads.filter(follows & (pl.col("first_id") > before + 1))


def _text(ts_ns: int) -> str:
    return str(pl.select(pl.lit(ts_ns).cast(TS).dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")).item())
