"""The ledger's schema, as numbered steps: a released step is never edited, a change is a new step.

The number of steps that a file has seen is its ``PRAGMA user_version``. Every step runs in one transaction: a
process that is killed in between leaves the file at a whole version.
"""

from __future__ import annotations

import sqlite3

from grn.kit.migrations import append_only, apply_steps

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

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
LATEST = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the latest version; the caller holds the lock that keeps other openers out.

    Raises
    ------
    LedgerError
        The file is of another program, or of a newer version of this one. It is left as it was.
    """
    apply_steps(connection, MIGRATIONS, application_id=APPLICATION_ID, what="the ledger")
