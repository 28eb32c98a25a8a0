"""The way to the file: opened durably, by one process at a time, with errors that a person can act on."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from grn.kit.errors import LedgerError
from grn.kit.files import lock, make_dir
from grn.ledger.migrations import migrate

_BUSY_S = 60.0


def connect(file: Path) -> sqlite3.Connection:
    """Open the file, creating or migrating it when needed; every commit reaches the disk.

    Raises
    ------
    LedgerError
        The file is damaged, of another program or of a newer version, or stays locked.
    OutputError
        The folder cannot be created or written.
    """
    make_dir(file.parent)
    with explained(file.parent):
        # isolation_level=None: transactions begin and end where the code says so.
        connection = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
        try:
            # Two processes that create the same ledger: switching to WAL does not wait for a busy file.
            with lock(file.parent / "ledger.lock"):
                _prepare(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what SQLite says into what a person can do about it: LedgerError with a hint."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            hint = f"another process has held the ledger for more than {_BUSY_S:g} s: end it and try again"
        elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR")):
            hint = f"check permissions and free space of {folder}"
        elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            hint = f"restore {folder} from a backup, or set GRN_HOME to another folder"
        else:
            hint = "nothing was recorded"
        raise LedgerError("the ledger cannot be used", seen=str(error), hint=hint) from error


def _prepare(connection: sqlite3.Connection) -> None:
    migrate(connection)
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
