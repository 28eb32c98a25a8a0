from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from grn.kit.errors import LedgerError
from grn.ledger import Ledger
from grn.ledger.migrations import APPLICATION_ID, LATEST

ROWS = {
    "invocations": "INSERT {} INTO invocations VALUES (1, 'r', 0, 'c', '{{}}', 'h', '{{}}')",
    "outcomes": "INSERT {} INTO outcomes VALUES (1, 'r', 0, 0, NULL, NULL, '{{}}', '{{}}')",
    "trials": "INSERT {} INTO trials VALUES (1, 'r', 0, 'd', 's', 0, 'b')",
}


@pytest.fixture
def plain(tmp_path: Path) -> sqlite3.Connection:
    """A ledger with one row per table, opened as any other program would: no pragma of ours is set."""
    Ledger.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    for insert in ROWS.values():
        connection.execute(insert.format(""))
    return connection


@pytest.mark.parametrize("table", ROWS)
@pytest.mark.parametrize(
    "change",
    ["UPDATE {} SET run = 'other'", "DELETE FROM {}", "UPDATE OR REPLACE {} SET seq = 2"],
)
def test_rows_cannot_be_changed_or_deleted_by_any_program(
    plain: sqlite3.Connection, table: str, change: str
) -> None:
    """Append-only holds for whoever opens the file, not only for this class."""
    before = plain.execute(f"SELECT * FROM {table}").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        plain.execute(change.format(table))
    assert plain.execute(f"SELECT * FROM {table}").fetchall() == before
    plain.close()


@pytest.mark.parametrize("table", ROWS)
@pytest.mark.parametrize("how", ["OR REPLACE", "OR IGNORE", ""])
def test_rows_cannot_be_replaced(plain: sqlite3.Connection, table: str, how: str) -> None:
    """INSERT OR REPLACE deletes without delete triggers (SQLite's documentation of recursive_triggers)."""
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        plain.execute(ROWS[table].format(how))
    plain.close()


def test_a_new_file_is_marked_and_in_wal(tmp_path: Path) -> None:
    """The file says whose it is and how old its schema is; it stays in WAL for the next opener."""
    Ledger.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3")
    found = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "journal_mode")
    ]
    connection.close()
    assert found == [APPLICATION_ID, LATEST, "wal"]


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An old release must not write into what it does not understand; the hint says what to do."""
    Ledger.open(tmp_path).close()
    file = tmp_path / "ledger.sqlite3"
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    with pytest.raises(LedgerError, match="newer grn") as caught:
        Ledger.open(tmp_path)
    assert caught.value.seen == LATEST + 1
    assert "pip install --upgrade" in (caught.value.hint or "")
    assert file.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A ledger's tables are never added to somebody else's file."""
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3")
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="another program"):
        Ledger.open(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """SQLite's own words come with a hint."""
    (tmp_path / "ledger.sqlite3").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(LedgerError, match="not a database") as caught:
        Ledger.open(tmp_path)
    assert "backup" in (caught.value.hint or "")


def test_a_migration_that_fails_leaves_the_version_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is all or nothing: its first statements are undone with its last."""
    from grn.ledger import migrations

    Ledger.open(tmp_path).close()
    broken = (*migrations.MIGRATIONS, ("CREATE TABLE later (x)", "CREATE TABLE later (x)"))
    monkeypatch.setattr(migrations, "MIGRATIONS", broken)
    monkeypatch.setattr(migrations, "LATEST", len(broken))
    with pytest.raises(LedgerError, match="already exists"):
        Ledger.open(tmp_path)
    monkeypatch.undo()
    Ledger.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "ledger.sqlite3")
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone()[0] == 0
    connection.close()


def test_a_later_migration_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old records are still there after the schema has grown."""
    from grn.ledger import migrations

    with Ledger.open(tmp_path) as ledger:
        run = ledger.begin("quant sweep", {})
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ("CREATE TABLE later (x)",)))
    monkeypatch.setattr(migrations, "LATEST", LATEST + 1)
    with Ledger.open(tmp_path) as ledger:
        assert ledger.show(run).command == "quant sweep"
