"""How many different trials were made on a market, and how their Sharpe ratios spread."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable

from grn.ledger import markets, read
from grn.ledger.blobs import BlobStore
from grn.ledger.records import Market, TrialCount
from grn.ledger.trials import KeyUnion, RunSpread, decode_trials


def count(
    connection: sqlite3.Connection,
    blobs: BlobStore,
    data_ids: Iterable[str],
    watermark: int | None,
    *,
    alone: bool = False,
    until: tuple[int, int] | None = None,
) -> TrialCount:
    """Count the trials on some data sets and, unless these `alone`, on all that are the same markets.

    See :meth:`grn.Ledger.count_trials`; with `until` only those that were recorded up to a
    moment or up to a watermark, so that a clock that was set back hides nothing.
    """
    wanted = set(data_ids)
    upto = read.watermark(connection) if watermark is None else watermark
    ids = sorted(wanted) if alone else markets.related(connection, wanted)
    rows = read.trials_on(connection, ids, upto)
    if until is not None:
        rows = [row for row in rows if row.recorded_ns <= until[0] or row.watermark <= until[1]]
    bars = markets.bars_of(connection, {*wanted, *(row.data_id for row in rows)})
    longest = max((bars.get(data_id, 0) for data_id in wanted), default=0)
    union, spread = KeyUnion(), RunSpread()
    # An equal blob adds nothing: its first row counts, and it is read once.  The data's own rows come first:
    # of a trial that is found twice, their Sharpe ratio is kept.
    by_blob = {row.blob: row for row in reversed(rows)}
    for row in sorted(by_blob.values(), key=lambda row: (row.data_id not in wanted, row.watermark)):
        keys, sharpes = decode_trials(blobs.get(row.blob))
        if row.data_id not in wanted:
            # Without skill a Sharpe ratio varies as one over the number of bars (Lo 2002, eq. 8).
            sharpes = sharpes * math.sqrt(bars[row.data_id] / longest)
        union.add(keys, sharpes)
        spread.add(row.run, sharpes)
    mean, variance = union.moments()
    data_sets = len({row.data_id for row in rows})
    return TrialCount(len(union), mean, variance, spread.widest(), len(rows), upto, data_sets)


def runs_on(
    connection: sqlite3.Connection, data_ids: Iterable[str], watermark: int, *, but: str
) -> list[tuple[str, int]]:
    """Runs with trials on some data sets or on others of the same markets, and how many, the earliest first.

    Equal sets of trials are those of the run that made them first; what the run `but` made is left out.
    """
    rows = read.trials_on(connection, markets.related(connection, set(data_ids)), watermark)
    seen = {row.blob for row in rows if row.run == but}
    found: dict[str, int] = {}
    for row in rows:
        if row.blob not in seen:
            seen.add(row.blob)
            found[row.run] = found.get(row.run, 0) + row.n
    return list(found.items())


def markets_tried(connection: sqlite3.Connection, blobs: BlobStore) -> list[Market]:
    """List the markets that trials were made on, the earliest first."""
    found = []
    for ids in markets.groups(connection, read.data_ids(connection)):
        symbols, first_ns, last_ns = markets.describe(connection, ids)
        runs, earliest_ns, newest_ns = read.span(connection, ids)
        total = count(connection, blobs, ids, None)
        found.append(Market(symbols, tuple(ids), first_ns, last_ns, runs, earliest_ns, newest_ns, total))
    return found
