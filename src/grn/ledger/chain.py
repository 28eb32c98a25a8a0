"""A chain of hashes through all rows of the ledger, and the check that finds a row that is gone or changed.

Each row has a link: the SHA-256 of the link before it, the table, the row's number and its values. Whoever
changes a row, or takes one out, would have to write all later links anew. The chain keeps slips and quiet
edits from passing unseen; it keeps no forger out who computes a chain of his own. The newest link stands in
every certificate (`grn quant certify`): what was certified cannot be forgotten without contradicting it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from grn.kit.canonical import canonical_json
from grn.kit.files import sha256_hex

START: Final = "0" * 64
"""What the first link is chained to."""

TABLES: Final = (
    "invocations", "outcomes", "trials", "sketches", "members", "erasures", "holdouts", "openings", "returns",
)  # fmt: skip


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> int:
    """Insert a row and its link, inside the caller's transaction; returns the row's number."""
    names = ", ".join(values)
    places = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(values.values()))
    seq = cursor.lastrowid
    assert seq is not None
    _link(connection, head(connection), table, seq)
    return seq


def head(connection: sqlite3.Connection) -> str:
    """The newest link's hash."""
    row = connection.execute("SELECT sha256 FROM links ORDER BY seq DESC LIMIT 1").fetchone()
    return START if row is None else str(row[0])


def adopt(connection: sqlite3.Connection) -> None:
    """Chain the rows of a ledger that was written before there were links; the caller keeps others out."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT 1 FROM links LIMIT 1").fetchone() is None:
            last = START
            for table in TABLES:
                for (seq,) in connection.execute(f"SELECT seq FROM {table} ORDER BY seq").fetchall():
                    last = _link(connection, last, table, seq)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def faults(connection: sqlite3.Connection) -> list[str]:
    """What does not fit, in words; empty when every row is as it was written."""
    found: list[str] = []
    last, number, linked = START, 0, set()
    for seq, table, row, sha256 in connection.execute(
        "SELECT seq, kind, row, sha256 FROM links ORDER BY seq"
    ):
        if seq != number + 1:
            found.append(f"links {number + 1} to {seq - 1} are gone")
        number = seq
        if table not in TABLES:
            found.append(f"link {seq} is of no table: {table!r}")
        elif _exists(connection, table, row):
            linked.add((table, row))
            if _hash(connection, last, table, row) != sha256:
                found.append(f"{table} {row} was changed, or what comes before its link was")
        else:
            found.append(f"{table} {row} is gone")
        last = sha256
    for table in TABLES:
        for (seq,) in connection.execute(f"SELECT seq FROM {table} ORDER BY seq"):
            if (table, seq) not in linked:
                found.append(f"{table} {seq} was written by another program: it has no link")
    for table in ("invocations", "outcomes", "trials"):
        newest, count = connection.execute(f"SELECT coalesce(max(seq), 0), count(*) FROM {table}").fetchone()
        if newest != count:
            found.append(f"{table} has {count:,} rows and numbers up to {newest:,}")
    return found


def holds(connection: sqlite3.Connection, sha256: str) -> bool:
    """Whether a link of that hash is, or is before, the newest one."""
    found = connection.execute("SELECT 1 FROM links WHERE sha256 = ?", (sha256,)).fetchone()
    return sha256 == START or found is not None


def _link(connection: sqlite3.Connection, last: str, table: str, row: int) -> str:
    made = _hash(connection, last, table, row)
    connection.execute("INSERT INTO links (kind, row, sha256) VALUES (?, ?, ?)", (table, row, made))
    return made


def _exists(connection: sqlite3.Connection, table: str, row: int) -> bool:
    return connection.execute(f"SELECT 1 FROM {table} WHERE seq = ?", (row,)).fetchone() is not None


def _hash(connection: sqlite3.Connection, last: str, table: str, row: int) -> str:
    # Read back and not taken from what was inserted: columns convert what they are given.
    values = connection.execute(f"SELECT * FROM {table} WHERE seq = ?", (row,)).fetchone()
    plain = [sha256_hex(value) if isinstance(value, bytes) else value for value in values]
    return sha256_hex(canonical_json([last, table, plain]))
