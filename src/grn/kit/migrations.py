"""Bringing an SQLite file of ours to the latest version of its schema, step by numbered step."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from grn.kit.errors import LedgerError


def apply_steps(
    connection: sqlite3.Connection, steps: Sequence[Sequence[str]], *, application_id: int, what: str
) -> None:
    """Run the steps that a file has not seen, in one transaction; the caller keeps other openers out.

    A process that is killed meanwhile leaves the file at the version that it had.

    Parameters
    ----------
    connection
        In autocommit mode.
    steps
        Statements of each version, the first one from an empty file.
    application_id
        Tells this file from any other SQLite file (https://www.sqlite.org/fileformat.html, offset 68).
    what
        Name of the file in messages.

    Raises
    ------
    LedgerError
        The file is of another program, or of a newer version of this one. It is left as it was.
    """
    version = _pragma(connection, "user_version")
    owner = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != application_id and (owner or version or tables):
        raise LedgerError(
            "the file is an SQLite database of another program",
            seen=f"application_id {owner}",
            hint="point GRN_HOME to another folder",
        )
    if version > len(steps):
        raise LedgerError(
            f"{what} was written by a newer grn: this one knows schema versions up to {len(steps)}",
            seen=version,
            hint="pip install --upgrade alpha-metaphorica, or set GRN_HOME to another folder",
        )
    if version == len(steps):
        return
    # One for all steps: each ends with a wait for the disk, which is most of what a new file takes.
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in steps[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def append_only(table: str, same: str, what: str) -> tuple[str, ...]:
    """Give triggers that refuse every change of a row, for every program that opens the file.

    ``INSERT OR REPLACE`` deletes without firing delete triggers unless the connection asks for recursive
    triggers, hence the third trigger: a row that exists cannot be inserted again.

    Parameters
    ----------
    table
        Which table.
    same
        When two rows are the same, in SQL.
    what
        Name of the file in messages.
    """
    refuse = f"BEGIN SELECT RAISE(ABORT, '{what} is append-only'); END"
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {refuse}",
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
