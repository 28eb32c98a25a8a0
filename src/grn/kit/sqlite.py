"""SQLite files of ours: opened durably, by one process at a time, written in whole transactions."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from grn.kit.errors import LedgerError
from grn.kit.files import lock, make_dir

BUSY_S = 60.0
"""How long a writer waits for another one."""


def connect(
    file: Path,
    migrate: Callable[[sqlite3.Connection], None],
    *,
    what: str,
    across_threads: bool = False,
) -> sqlite3.Connection:
    """Open a file, creating or migrating it when needed; every commit reaches the disk.

    Parameters
    ----------
    file
        On a local disk: SQLite's write-ahead log does not work over a network. A lock file lies beside it.
    migrate
        Brings it to the latest schema, usually with :func:`grn.kit.migrations.apply_steps`.
    what
        Name of the file in messages: ``the ledger``.
    across_threads
        Threads share the connection, and see to it that one at a time uses it.

    Raises
    ------
    LedgerError
        The file is damaged, of another program or of a newer version, or stays locked.
    OutputError
        The folder cannot be created or written.
    """
    make_dir(file.parent)
    with explained(file.parent, what):
        # isolation_level=None: transactions begin and end where the code says so.
        connection = sqlite3.connect(
            file, timeout=BUSY_S, isolation_level=None, check_same_thread=not across_threads
        )
        try:
            # Two processes that create the same file: switching to WAL does not wait for a busy file.
            with lock(lock_of(file)):
                migrate(connection)
                _make_durable(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def lock_of(file: Path) -> Path:
    """Name the lock beside a file: ``ledger.sqlite3`` has ``ledger.lock``."""
    return file.with_suffix(".lock")


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """Run one transaction that takes the write lock at once: it never has to be retried half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def explained(folder: Path, what: str) -> Iterator[None]:
    """Turn what SQLite says into what a person can do about it: LedgerError with a hint."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            hint = f"another process has held {what} for more than {BUSY_S:g} s: end it and try again"
        elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR")):
            hint = f"check permissions and free space of {folder}"
        elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            hint = f"restore {folder} from a backup, or set GRN_HOME to another folder"
        else:
            hint = "nothing was recorded"
        raise LedgerError(f"{what} cannot be used", seen=str(error), hint=hint) from error


def _make_durable(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(
            "this file system does not allow a write-ahead log",
            seen=f"journal_mode {mode}",
            hint="put GRN_HOME on a local disk",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")
