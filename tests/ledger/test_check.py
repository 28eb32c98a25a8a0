"""What the chain of hashes finds, and what an erasure leaves."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from grn.kit.clock import FixedClock
from grn.kit.errors import LedgerError
from grn.ledger import Ledger
from grn.ledger.chain import START, TABLES

START_NS = 1_795_401_000_000_000_000  # 2026-11-23 02:30:00 UTC
HIDDEN = ("DROP TRIGGER {}_no_update", "DROP TRIGGER {}_no_delete")


def opened(folder: Path) -> Ledger:
    numbers = itertools.count()
    return Ledger.open(folder, FixedClock(START_NS), suffix=lambda: f"{next(numbers):06x}")


def sweep(ledger: Ledger, n: int, *, data: str = "") -> str:
    """A run with `n` trials."""
    run = ledger.begin("quant sweep", {"n": n, "data": data})
    keys = np.arange(n, dtype=np.uint64) + 1_000 * n
    mark = ledger.record_trials(run, data_id="d", strategy_key="s", keys=keys, sharpes=np.arange(n) * 0.01)
    ledger.finish(run, exit_code=0, watermark=mark)
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with four runs."""
    with opened(tmp_path) as ledger:
        for n in (3, 5, 8, 13):
            sweep(ledger, n)
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Iterator[sqlite3.Connection]:
    """The same, opened by another program that takes the guards away."""
    connection = sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)
    for table in (*TABLES, "links"):
        for statement in HIDDEN:
            connection.execute(statement.format(table))
    yield connection
    connection.close()


def restore_guards(file: sqlite3.Connection) -> None:
    """What a careful forger would do: the triggers are there again."""
    for table in (*TABLES, "links"):
        for what in ("update", "delete"):
            file.execute(
                f"CREATE TRIGGER {table}_no_{what} BEFORE {what} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )


def test_what_was_written_is_whole(folder: Path) -> None:
    """Four runs of three rows each; the head changes with every row and stands in the ledger."""
    with opened(folder) as ledger:
        found = ledger.check()
        assert (found.faults, found.notes, found.rows) == ((), (), 12)
        sweep(ledger, 21)
        assert ledger.check().head != found.head != START


TAMPERED = {
    "a row is deleted": ("DELETE FROM trials WHERE seq = 2", "trials 2 is gone"),
    "a count is lowered": ("UPDATE trials SET n = 1 WHERE seq = 3", "trials 3 was changed"),
    "a row is moved to other data": ("UPDATE trials SET data_id = 'x' WHERE seq = 1", "trials 1 was changed"),
    "a run's end is changed": ("UPDATE outcomes SET exit_code = 1 WHERE seq = 4", "outcomes 4 was changed"),
    "a link is taken out": ("DELETE FROM links WHERE seq = 6", "links 6 to 6 are gone"),
    "a link is rewritten": (
        "UPDATE links SET sha256 = 'x' WHERE seq = 5",
        "was changed, or what comes before",
    ),
    "a row is slipped in": ("INSERT INTO trials VALUES (9, 'r', 0, 'd', 's', 1, 'b')", "it has no link"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found(name: str, folder: Path, file: sqlite3.Connection) -> None:
    """Whoever opens the file and drops the triggers can change it, but not unseen."""
    statement, fault = TAMPERED[name]
    file.execute(statement)
    restore_guards(file)
    with opened(folder) as ledger:
        assert any(fault in found for found in ledger.check().faults), ledger.check().faults


def test_missing_guards_are_found(folder: Path, file: sqlite3.Connection) -> None:
    """Triggers that were dropped and not restored are a fault of their own."""
    with opened(folder) as ledger:
        assert "trials is no longer guarded against update, delete" in ledger.check().faults


def test_a_tail_that_was_cut_off_shows_in_its_blobs_and_against_its_head(
    folder: Path, file: sqlite3.Connection
) -> None:
    """Without its newest links a shorter chain holds; a stray blob remains, and a head that was kept."""
    with opened(folder) as ledger:
        head = ledger.check().head
    for table, seq in (("outcomes", 4), ("trials", 4), ("invocations", 4)):
        file.execute(f"DELETE FROM {table} WHERE seq = {seq}")
    file.execute("DELETE FROM links WHERE seq > 9")
    restore_guards(file)
    with opened(folder) as ledger:
        found = ledger.check()
        assert found.faults == ()
        assert found.notes == (
            "1 blob(s) of trials belong to no row: a writer was killed, or rows were taken out",
        )
        assert ledger.has_head(found.head)
        assert not ledger.has_head(head)


def test_a_damaged_or_missing_blob_is_found(folder: Path) -> None:
    """Trials that cannot be read cannot be counted."""
    with opened(folder) as ledger:
        rows = [row for run in ledger.invocations() for row in run.trials]
        blobs = folder / "blobs"
        (blobs / rows[0].blob[:2] / f"{rows[0].blob}.zst").unlink()
        path = blobs / rows[1].blob[:2] / f"{rows[1].blob}.zst"
        path.write_bytes(path.read_bytes()[:-3])
        faults = ledger.check().faults
    assert len(faults) == 2
    assert "no such blob" in faults[1]
    assert "damaged" in faults[0]


def test_an_erased_run_counts_as_before(folder: Path) -> None:
    """Its data are gone, its rows, keys and ratios are not; who, when and why stay, and the chain holds."""
    with opened(folder) as ledger:
        data, shared = ledger.put_blob(b"bars"), ledger.put_blob(b"shared")
        run = ledger.begin("quant sweep", {"data": [{"blob": data}, {"blob": shared}]})
        ledger.begin("quant sweep", {"data": [{"blob": shared}]})
        keys = np.arange(4, dtype=np.uint64)
        ledger.record_trials(run, data_id="d", strategy_key="s", keys=keys, sharpes=np.zeros(4))
        before = ledger.count_trials(["d"])
        done = ledger.erase(run, who="me", why="the licence ended")
        assert (done.blobs, done.kept, done.erased_ns) == ((data,), (shared,), START_NS)
        assert ledger.count_trials(["d"]) == before
        assert ledger.get_blob(shared) == b"shared"
        with pytest.raises(LedgerError, match=f"erased with run {run}, by me") as caught:
            ledger.get_blob(data)
        assert "the licence ended" in str(caught.value)
        assert ledger.erase(run, who="other", why="again").why == "the licence ended"
        assert ledger.check().faults == ()
        assert ledger.erasure(run) is not None


def test_erased_data_that_come_back_can_be_read(folder: Path) -> None:
    """A later run on the same data stores them anew; erasing the first one again leaves them alone."""
    with opened(folder) as ledger:
        data = ledger.put_blob(b"bars")
        run = ledger.begin("quant sweep", {"data": [{"blob": data}]})
        ledger.erase(run, who="me", why="room")
        assert ledger.put_blob(b"bars") == data
        ledger.begin("quant sweep", {"data": [{"blob": data}]})
        ledger.erase(run, who="me", why="room")
        assert ledger.get_blob(data) == b"bars"


def test_a_ledger_without_links_is_chained_when_it_is_carried_over(tmp_path: Path) -> None:
    """Rows of the first schema get their links once, at the migration."""
    from grn.ledger import migrations

    connection = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    for statement in migrations.MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO invocations VALUES (1, 'r', 0, 'c', '{}', 'h', '{}')")
    connection.execute("INSERT INTO outcomes VALUES (1, 'r', 0, 0, NULL, NULL, '{}', '{}')")
    connection.close()
    with opened(tmp_path) as ledger:
        found = ledger.check()
        assert (found.faults, found.rows) == ((), 2)
        assert ledger.unsketched() == ["r"]
