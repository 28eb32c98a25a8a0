"""From the journal of a recording to Parquet: merged into the series, then removed.

Merging a journal twice changes nothing, so a process that is killed at any moment leaves either the journal,
which whoever records next (or ``grn quant repair``) takes in, or its rows, or both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from grn.kit.errors import UsageError
from grn.kit.files import lock
from grn.quant.lake.book import book_rows
from grn.quant.lake.journal import find_journals, read_journal
from grn.quant.lake.kinds import GAPS, KINDS, TS, Kind
from grn.quant.lake.store import Store

RECORDING: Final = "record.lock"
"""File whose lock the one recorder of a series holds."""
NOT_RECORDED: Final = "not recorded"
"""State of a gap in trades that nobody listened to."""
_TRADES: Final = KINDS["trades"]


def is_recorded(store: Store) -> bool:
    """Whether a process is recording this series now."""
    path = store.folder / RECORDING
    if not path.exists():
        return False
    try:
        with lock(path, timeout_s=0.0):
            return False
    except UsageError:
        return True


def recover_idle(store: Store, wait_s: float) -> int:
    """Take in the journals of a recorder that is no more, if nobody records the series now."""
    if not find_journals(store.folder):
        return 0
    try:
        with lock(store.folder / RECORDING, timeout_s=0.0):
            return recover(store, {}, wait_s)
    except UsageError:
        return 0


def recover(store: Store, facts: Mapping[str, str], wait_s: float) -> int:
    """Take in every journal of a recorder that is no more; returns how many there were."""
    paths = find_journals(store.folder)
    for path in paths:
        take_in(store, path, facts, None, wait_s)
    return len(paths)


def take_in(store: Store, path: Path, facts: Mapping[str, str], skew_ns: int | None, wait_s: float) -> None:
    """Merge a journal into the series, then remove it.

    Raises
    ------
    UsageError
        Another process still writes this series after `wait_s`; the journal stays.
    OutputError, BudgetError
        There is no room; the journal stays.
    """
    if store.kind.name == "book":
        rows, gaps = book_rows(read_journal(path)), None
    else:
        rows, gaps = _trade_rows(path)
    with store.writing(wait_s) as writer:
        writer.merge(rows)
        if store.kind.name == "book" and rows.height:
            facts = {**facts, "next_seq": str(int(rows["seq"].max()) + 1)}  # type: ignore[arg-type]
        if gaps is not None and gaps.height:
            gaps = pl.concat([store.table(writer.manifest, "gaps"), gaps]).unique(GAPS.key, keep="last")
        else:
            gaps = None
        writer.commit(facts=facts, gaps=gaps, skew_ns=skew_ns, pulled=True)
    path.unlink()


def _trade_rows(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trades of a journal, and the gaps between them; a trade that came twice counts once."""
    trades: list[tuple[Any, ...]] = []
    gaps: list[tuple[Any, ...]] = []
    damaged = False
    for record in read_journal(path):
        if record is None:
            damaged = True
        elif record[0] == "gap":
            gaps.append((*record[1:], NOT_RECORDED, 0))
        else:
            ts, received, name, price, amount, side = record[1:]
            if damaged and trades and trades[-1][0] < ts:
                gaps.append((trades[-1][0] + 1, ts, NOT_RECORDED, 0))
            damaged = False
            trades.append((ts, name, price, amount, side, received))
    rows = pl.DataFrame(trades, schema=_plain(_TRADES), orient="row")
    unique = _TRADES.fit(rows).unique(_TRADES.key, keep="first", maintain_order=True)
    return unique, GAPS.fit(pl.DataFrame(gaps, schema=_plain(GAPS), orient="row"))


def _plain(kind: Kind) -> pl.Schema:
    """The columns with moments as whole numbers."""
    return pl.Schema({name: pl.Int64() if dtype == TS else dtype for name, dtype in kind.columns.items()})
