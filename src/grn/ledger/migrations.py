"""The ledger's schema, as numbered steps: a released step is never edited, a change is a new step.

The number of steps that a file has seen is its ``PRAGMA user_version``. Those that it has not seen run in one
transaction: a process that is killed in between leaves the file at a whole version.
"""

from __future__ import annotations

import sqlite3

from grn.kit.migrations import append_only, apply_steps
from grn.ledger.chain import adopt

# "grnL": tells a ledger from any other SQLite file (https://www.sqlite.org/fileformat.html, offset 68).
APPLICATION_ID = 0x67726E4C


_FIRST = (
    """
    CREATE TABLE invocations (
        seq INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        began_ns INTEGER NOT NULL,
        command TEXT NOT NULL,
        inputs TEXT NOT NULL,         -- canonical JSON
        inputs_sha256 TEXT NOT NULL,
        versions TEXT NOT NULL        -- JSON object
    )
    """,
    # The end of an invocation is a row of its own: nothing is ever updated.
    """
    CREATE TABLE outcomes (
        seq INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE REFERENCES invocations (run),
        finished_ns INTEGER NOT NULL,
        exit_code INTEGER NOT NULL,
        result_key TEXT,
        watermark INTEGER,            -- trials.seq up to which the verdict counted
        timings_s TEXT NOT NULL,      -- JSON object, seconds
        outputs TEXT NOT NULL         -- JSON object
    )
    """,
    # One row per data set of a sweep; the keys and Sharpe ratios are in the blob.
    """
    CREATE TABLE trials (
        seq INTEGER PRIMARY KEY,
        run TEXT NOT NULL REFERENCES invocations (run),
        recorded_ns INTEGER NOT NULL,
        data_id TEXT NOT NULL,
        strategy_key TEXT NOT NULL,
        n INTEGER NOT NULL,
        blob TEXT NOT NULL            -- sha256, see blobs.py
    )
    """,
    "CREATE INDEX trials_by_data ON trials (data_id, seq)",
    "CREATE INDEX trials_by_run ON trials (run, seq)",
    *append_only("invocations", "run = NEW.run OR seq = NEW.seq", "the ledger"),
    *append_only("outcomes", "run = NEW.run OR seq = NEW.seq", "the ledger"),
    *append_only("trials", "seq = NEW.seq", "the ledger"),
)

_SECOND = (
    # What a history looks like, whatever its name, scale and length: see sketch.py.
    """
    CREATE TABLE sketches (
        seq INTEGER PRIMARY KEY,
        identity TEXT NOT NULL UNIQUE,
        symbol TEXT NOT NULL,
        bars INTEGER NOT NULL,
        first_ns INTEGER NOT NULL,
        last_ns INTEGER NOT NULL,
        marks BLOB NOT NULL
    )
    """,
    # Which histories a data set, as trials are counted on it, is made of.
    """
    CREATE TABLE members (
        seq INTEGER PRIMARY KEY,
        data_id TEXT NOT NULL,
        identity TEXT NOT NULL REFERENCES sketches (identity),
        UNIQUE (data_id, identity)
    )
    """,
    """
    CREATE TABLE erasures (
        seq INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE REFERENCES invocations (run),
        erased_ns INTEGER NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        blobs TEXT NOT NULL           -- JSON array of those that were removed
    )
    """,
    """
    CREATE TABLE holdouts (
        seq INTEGER PRIMARY KEY,
        locked_ns INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        identity TEXT NOT NULL REFERENCES sketches (identity),
        from_ns INTEGER NOT NULL,
        watermark INTEGER NOT NULL,   -- trials.seq when it was locked
        UNIQUE (identity, from_ns, locked_ns)
    )
    """,
    """
    CREATE TABLE openings (
        seq INTEGER PRIMARY KEY,
        holdout INTEGER NOT NULL REFERENCES holdouts (seq),
        opened_ns INTEGER NOT NULL,
        run TEXT NOT NULL REFERENCES invocations (run),
        UNIQUE (holdout, run)
    )
    """,
    """
    CREATE TABLE returns (
        seq INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,    -- hash of what decides the numbers
        run TEXT NOT NULL REFERENCES invocations (run),
        blob TEXT NOT NULL
    )
    """,
    # Each row that is written is hashed together with the row written before it: see chain.py.
    """
    CREATE TABLE links (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,           -- a table
        row INTEGER NOT NULL,         -- its seq
        sha256 TEXT NOT NULL,
        UNIQUE (kind, row)
    )
    """,
    # Runs of older releases whose data have no sketch yet; a list of things to do, emptied as they are done.
    "CREATE TABLE unsketched (run TEXT PRIMARY KEY)",
    "INSERT INTO unsketched SELECT run FROM invocations",
    *append_only("sketches", "identity = NEW.identity OR seq = NEW.seq", "the ledger"),
    *append_only(
        "members", "seq = NEW.seq OR data_id = NEW.data_id AND identity = NEW.identity", "the ledger"
    ),
    *append_only("erasures", "run = NEW.run OR seq = NEW.seq", "the ledger"),
    *append_only(
        "holdouts",
        "seq = NEW.seq OR identity = NEW.identity AND from_ns = NEW.from_ns AND locked_ns = NEW.locked_ns",
        "the ledger",
    ),
    *append_only("openings", "seq = NEW.seq OR holdout = NEW.holdout AND run = NEW.run", "the ledger"),
    *append_only("returns", "name = NEW.name OR seq = NEW.seq", "the ledger"),
    *append_only("links", "seq = NEW.seq OR kind = NEW.kind AND row = NEW.row", "the ledger"),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND)
LATEST = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the latest version; the caller holds the lock that keeps other openers out.

    Raises
    ------
    LedgerError
        The file is of another program, or of a newer version of this one. It is left as it was.
    """
    before = int(connection.execute("PRAGMA user_version").fetchone()[0])
    apply_steps(connection, MIGRATIONS, application_id=APPLICATION_ID, what="the ledger")
    if before == 1:
        adopt(connection)
