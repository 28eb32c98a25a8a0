"""Looking over a ledger: what was changed, or taken out, since it was written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from grn.kit.errors import LedgerError
from grn.ledger import chain
from grn.ledger.blobs import BlobStore

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes
    ----------
    faults
        What does not fit, in words: rows that are gone or changed, blobs that are missing or damaged.
    notes
        What may have an innocent reason.
    rows
        Rows that were looked at.
    head
        Hash of the newest link: it stands for everything written so far.
    """

    faults: tuple[str, ...]
    notes: tuple[str, ...]
    rows: int
    head: str


def check(connection: sqlite3.Connection, blobs: BlobStore) -> Check:
    """Look over the rows, the chain of hashes and the blobs of all trials."""
    faults = [*_guards(connection), *chain.faults(connection), *_trials(connection, blobs)]
    rows = connection.execute("SELECT count(*) FROM links").fetchone()[0]
    return Check(tuple(faults), tuple(_strays(connection, blobs)), int(rows), chain.head(connection))


def _guards(connection: sqlite3.Connection) -> Iterator[str]:
    """The triggers that refuse changes must be there."""
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    for table in (*chain.TABLES, "links"):
        gone = [what for what in ("update", "delete", "replace") if f"{table}_no_{what}" not in there]
        if gone:
            yield f"{table} is no longer guarded against {', '.join(gone)}"


def _trials(connection: sqlite3.Connection, blobs: BlobStore) -> Iterator[str]:
    from grn.ledger.trials import decode_trials

    for seq, n, blob in connection.execute("SELECT seq, n, blob FROM trials ORDER BY seq"):
        try:
            found = len(decode_trials(blobs.get(blob))[0])
        except LedgerError as error:
            yield f"trials {seq}: {error}"
            continue
        if found != n:
            yield f"trials {seq} says {n:,} trials, its blob holds {found:,}"


def _strays(connection: sqlite3.Connection, blobs: BlobStore) -> Iterator[str]:
    """Blobs of trials that no row names: of a writer that was killed, or of rows that were taken out."""
    from grn.ledger.trials import MAGIC

    queries = (
        "SELECT blob FROM trials",
        "SELECT blob FROM returns",
        "SELECT inputs FROM invocations",
        "SELECT outputs FROM outcomes",
    )
    texts = [row[0] for query in queries for row in connection.execute(query)]
    named = {digest for text in texts for digest in _DIGEST.findall(text)}
    n = sum(blobs.get(name).startswith(MAGIC) for name in blobs.names() if name not in named)
    if n:
        yield f"{n} blob(s) of trials belong to no row: a writer was killed, or rows were taken out"
