"""Taking the bulk of a run out of the ledger, and writing down that it was done.

Blobs go: the market data, the settings of a search, kept returns. The rows stay, and so do trial keys and
Sharpe ratios: an erased run counts as much as before.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from grn.ledger import chain
from grn.ledger.blobs import BlobStore
from grn.ledger.records import Invocation

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Erasure:
    """What was taken out of a run, when, by whom and why; ``kept`` are blobs that other runs use too."""

    run: str
    erased_ns: int
    who: str
    why: str
    blobs: tuple[str, ...]
    kept: tuple[str, ...] = ()


def of_run(connection: sqlite3.Connection, run: str) -> Erasure | None:
    """What is written down of a run's erasure."""
    query = "SELECT run, erased_ns, who, why, blobs FROM erasures WHERE run = ?"
    found = connection.execute(query, (run,)).fetchone()
    if found is None:
        return None
    name, erased_ns, who, why, blobs = found
    return Erasure(name, erased_ns, who, why, tuple(json.loads(blobs)))


def of_blob(connection: sqlite3.Connection, digest: str) -> Erasure | None:
    """The erasure that took a blob out."""
    query = "SELECT e.run FROM erasures e, json_each(e.blobs) b WHERE b.value = ? ORDER BY e.seq DESC LIMIT 1"
    found = connection.execute(query, (digest,)).fetchone()
    return None if found is None else of_run(connection, found[0])


def write(
    connection: sqlite3.Connection, blobs: BlobStore, run: Invocation, *, erased_ns: int, who: str, why: str
) -> Erasure:
    """Enter an erasure, inside the caller's transaction; nothing is removed yet."""
    mine = sorted(set(_named(connection, run, blobs)))
    kept = [name for name in mine if used_elsewhere(connection, name, run.run)]
    gone = [name for name in mine if name not in kept]
    row = {"run": run.run, "erased_ns": erased_ns, "who": who, "why": why, "blobs": json.dumps(gone)}
    chain.insert(connection, "erasures", row)
    return Erasure(run.run, erased_ns, who, why, tuple(gone), tuple(kept))


def _named(connection: sqlite3.Connection, run: Invocation, blobs: BlobStore) -> Iterator[str]:
    """Blobs that a run's inputs, outputs and kept returns name; those of its trials are not among them."""
    counted = {row.blob for row in run.trials}
    parts: list[object] = [run.inputs, None if run.outcome is None else run.outcome.outputs]
    parts += [r[0] for r in connection.execute("SELECT blob FROM returns WHERE run = ?", (run.run,))]
    for text in _texts(parts):
        if _DIGEST.fullmatch(text) and text not in counted and blobs.path(text).exists():
            yield text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def used_elsewhere(connection: sqlite3.Connection, digest: str, run: str) -> bool:
    """Whether a run that was not erased names a blob too."""
    live = "run != ?1 AND run NOT IN (SELECT run FROM erasures)"
    query = (
        f"SELECT 1 FROM invocations WHERE {live} AND instr(inputs, ?2) UNION ALL "
        f"SELECT 1 FROM outcomes WHERE {live} AND instr(outputs, ?2) UNION ALL "
        f"SELECT 1 FROM returns WHERE {live} AND blob = ?2 UNION ALL "
        "SELECT 1 FROM trials WHERE blob = ?2 LIMIT 1"
    )
    return connection.execute(query, (run, digest)).fetchone() is not None
