"""Looking a recorded order book over: do its messages follow each other, and do they add up."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from grn.quant.lake.book import BASES, find_breaks, find_faults, levels_of, messages
from grn.quant.lake.findings import LOOK, WRONG, Finding
from grn.quant.lake.manifest import Manifest
from grn.quant.lake.store import Store


def check_book(store: Store, manifest: Manifest) -> Iterator[Finding]:
    """Look for gaps that nobody wrote down, values that cannot be, and books that do not add up.

    Every checkpoint, which is the book that the recorder had in memory, is compared with the one that the
    stored rows before it make.
    """
    series, rows = store.series, store.scan(manifest)
    level = pl.col("side").is_not_null()
    price, amount = pl.col("price"), pl.col("amount")
    bad = rows.filter(
        level & ~(price.is_finite() & (price > 0) & amount.is_finite() & (amount >= 0)).fill_null(value=False)
    ).collect(engine="streaming")
    if bad.height:
        when = int(bad["ts"].to_physical()[0])
        yield Finding(series, WRONG, "value", when, bad.height, f"{bad.height:,} levels that cannot be")
    heads = messages(rows)
    faults = find_faults(heads)
    if faults.height:
        detail = f"{faults.height:,} updates do not go on from the one before, and no break says so"
        yield Finding(series, WRONG, "gap", int(faults["ts"].to_physical()[0]), faults.height, detail)
    for ts_ns, until, why, missed in (
        find_breaks(heads)
        .select(pl.col("ts").to_physical(), pl.col("until").dt.strftime("%Y-%m-%dT%H:%M:%S"), "why", "missed")
        .rows()
    ):
        count = "" if missed is None else f", {missed:,} changes missed"
        yield Finding(
            series, LOOK, "gap", ts_ns, 1, f"the book is not known until {until or 'now'}: {why}{count}"
        )
    yield from _bases(store, manifest, heads)


def _bases(store: Store, manifest: Manifest, heads: pl.DataFrame) -> Iterator[Finding]:
    """Compare each checkpoint with what is stored before it; no book may be crossed."""
    heads = heads.with_columns(
        stretch=(pl.col("event") == "break").cum_sum(), base=pl.col("event").is_in(BASES).cum_sum()
    )
    before: pl.DataFrame | None = None
    stretch = -1
    for _, run in heads.filter(pl.col("base") > 0).group_by("base", maintain_order=True):
        low, high = int(run["seq"][0]), int(run["seq"][-1])
        stamps = run["ts"].to_physical()
        bounds = (int(stamps.min()), int(stamps.max()) + 1)  # type: ignore[arg-type]
        rows = store.scan(manifest, bounds).filter(pl.col("seq").is_between(low, high)).collect()
        book = levels_of(rows.filter(pl.col("seq") == low))
        when = int(stamps[0])
        if _crossed(book):
            yield Finding(store.series, WRONG, "book", when, 1, "the best bid is not below the best ask")
        follows = run["event"][0] == "checkpoint" and stretch == run["stretch"][0]
        if follows and before is not None and not book.equals(before):
            detail = "the rows before a checkpoint do not make the book that the recorder had"
            yield Finding(store.series, WRONG, "book", when, 1, detail)
        before, stretch = levels_of(rows), int(run["stretch"][0])


def _crossed(book: pl.DataFrame) -> bool:
    bids, asks = (book.filter(side=side)["price"] for side in ("bid", "ask"))
    return len(bids) > 0 and len(asks) > 0 and bool(bids[0] >= asks[0])
