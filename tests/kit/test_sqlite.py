from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from grn.kit.errors import LedgerError
from grn.kit.migrations import append_only, apply_steps
from grn.kit.sqlite import connect, explained, lock_of, writing

STEPS = (
    (
        "CREATE TABLE t (seq INTEGER PRIMARY KEY, x TEXT)",
        *append_only("t", "seq = NEW.seq", "the file of this test"),
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    apply_steps(connection, STEPS, application_id=7, what="the file of this test")


def write_and_fail(connection: sqlite3.Connection) -> None:
    with writing(connection):
        connection.execute("INSERT INTO t (x) VALUES ('a')")
        connection.execute("INSERT INTO nowhere VALUES (1)")


def test_a_file_is_opened_durably(tmp_path: Path) -> None:
    """Made with its folder, write-ahead log, full synchronisation; opened again it is the same."""
    file = tmp_path / "new" / "t.sqlite3"
    for number in range(2):
        with closing(connect(file, migrate, what="the file")) as connection:
            for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
                assert connection.execute(f"PRAGMA {name}").fetchone()[0] == value
            with writing(connection):
                connection.execute("INSERT INTO t (x) VALUES ('a')")
            assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == number + 1
    assert lock_of(file) == tmp_path / "new" / "t.lock"


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    """An error in the middle leaves nothing behind; what is written is never changed."""
    with closing(connect(tmp_path / "t.sqlite3", migrate, what="the file")) as connection:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            write_and_fail(connection)
        assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 0
        connection.execute("INSERT INTO t (x) VALUES ('a')")
        for change in ("UPDATE t SET x = 'b'", "DELETE FROM t", "REPLACE INTO t VALUES (1, 'b')"):
            with pytest.raises(sqlite3.IntegrityError, match="the file of this test is append-only"):
                connection.execute(change)


def test_what_sqlite_says_is_explained(tmp_path: Path) -> None:
    """By what a person can do, with the file's name."""
    (tmp_path / "t.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(LedgerError, match="the file cannot be used") as caught:
        connect(tmp_path / "t.sqlite3", migrate, what="the file")
    assert "backup" in (caught.value.hint or "")
    with pytest.raises(LedgerError) as caught, explained(tmp_path, "the file"):
        raise sqlite3.OperationalError("something else")
    assert caught.value.hint == "nothing was recorded"
