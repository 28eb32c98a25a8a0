"""Uniting two ledgers: what the other one has and this one lacks is added, and nothing is added twice.

Rows are known by what they say and not by their numbers, which are given anew; counts are those of the
united set, whichever ledger was merged into which. A run that both have and that says different things is a
conflict: nothing is merged then.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grn.kit.errors import LedgerError
from grn.ledger import chain, erasures
from grn.ledger.blobs import BlobStore

Row = dict[str, Any]


@dataclass(frozen=True)
class Merged:
    """How many rows and blobs were added; all zero when there was nothing new."""

    runs: int
    trials: int
    openings: int
    blobs: int


def copy_blobs(
    connection: sqlite3.Connection, blobs: BlobStore, other: sqlite3.Connection, others: BlobStore
) -> int:
    """Copy what this ledger lacks, but for what it erased and no other run needs; returns how many."""
    erased = {row[0] for row in connection.execute("SELECT b.value FROM erasures e, json_each(e.blobs) b")}
    runs = {row[0] for row in connection.execute("SELECT run FROM erasures")}
    copied = 0
    for name in others.names():
        if blobs.has(name) or (name in erased and not _needed(other, name, runs)):
            continue
        blobs.put(others.get(name))
        copied += 1
    return copied


def merge_rows(connection: sqlite3.Connection, other: sqlite3.Connection) -> Merged:
    """Add the rows that this ledger lacks, inside the caller's transaction.

    Raises
    ------
    LedgerError
        A run, or a history, is in both and says different things.
    """
    added: Counter[str] = Counter()
    for table, key, apart in _KEYS:
        mine = {tuple(row[k] for k in key): row for row in _rows(connection, table)}
        for row in _rows(other, table):
            known = mine.get(tuple(row[k] for k in key))
            if known is None:
                _insert(connection, table, row)
                added[table] += 1
            else:
                _refuse_conflict(table, known, row, apart)
        if table == "sketches":
            # What follows names runs and histories: both are there now.
            places = _merge_trials(connection, other, added)
            _merge_outcomes(connection, other, places)
            _merge_holdouts(connection, other, places, added)
    connection.executemany(
        "INSERT OR IGNORE INTO unsketched VALUES (?)", other.execute("SELECT run FROM unsketched").fetchall()
    )
    return Merged(added["invocations"], added["trials"], added["openings"], 0)


_KEYS = (
    ("invocations", ("run",), ()),
    ("sketches", ("identity",), ("symbol",)),
    ("members", ("data_id", "identity"), ()),
    ("erasures", ("run",), ("erased_ns", "who", "why", "blobs")),
    ("returns", ("name",), ("run",)),
)
"""Tables, what makes two rows the same, and in what the same rows may differ."""


def _merge_trials(
    connection: sqlite3.Connection, other: sqlite3.Connection, added: Counter[str]
) -> dict[int, int]:
    """Add trials; returns where each row of the other ledger is here: number -> number."""
    mine: defaultdict[tuple[Any, ...], deque[int]] = defaultdict(deque)
    for row in _rows(connection, "trials"):
        mine[_content(row)].append(row["seq"])
    places = {}
    for row in _rows(other, "trials"):
        known = mine[_content(row)]
        if known:
            places[row["seq"]] = known.popleft()
        else:
            places[row["seq"]] = _insert(connection, "trials", row)
            added["trials"] += 1
    return places


def _merge_outcomes(
    connection: sqlite3.Connection, other: sqlite3.Connection, places: Mapping[int, int]
) -> None:
    mine = {row["run"]: row for row in _rows(connection, "outcomes")}
    for row in _rows(other, "outcomes"):
        if row["run"] in mine:
            _refuse_conflict("outcomes", mine[row["run"]], row, ("watermark",))
        else:
            _insert(connection, "outcomes", {**row, "watermark": _moved(row["watermark"], places)})


def _merge_holdouts(
    connection: sqlite3.Connection, other: sqlite3.Connection, places: Mapping[int, int], added: Counter[str]
) -> None:
    key = ("identity", "from_ns", "locked_ns")
    mine = {tuple(row[k] for k in key): row["seq"] for row in _rows(connection, "holdouts")}
    opened = {(row["holdout"], row["run"]) for row in _rows(connection, "openings")}
    numbers = {}
    for row in _rows(other, "holdouts"):
        known = mine.get(tuple(row[k] for k in key))
        moved = {**row, "watermark": _moved(row["watermark"], places) or 0}
        numbers[row["seq"]] = _insert(connection, "holdouts", moved) if known is None else known
    for row in _rows(other, "openings"):
        number = numbers[row["holdout"]]
        if (number, row["run"]) not in opened:
            _insert(connection, "openings", {**row, "holdout": number})
            added["openings"] += 1


def remove_erased(connection: sqlite3.Connection, blobs: BlobStore) -> None:
    """Remove blobs of runs that the other ledger erased, and that nobody here uses."""
    for run in [row[0] for row in connection.execute("SELECT run FROM erasures ORDER BY seq")]:
        done = erasures.of_run(connection, run)
        for name in () if done is None else done.blobs:
            if not erasures.used_elsewhere(connection, name, run):
                blobs.remove(name)


def _needed(other: sqlite3.Connection, name: str, erased_runs: set[str]) -> bool:
    """Whether a run that was not erased on either side names a blob."""
    query = "SELECT run FROM invocations WHERE instr(inputs, ?1) UNION SELECT run FROM trials WHERE blob = ?1"
    gone = erased_runs | {row[0] for row in other.execute("SELECT run FROM erasures")}
    return any(row[0] not in gone for row in other.execute(query, (name,)))


def _moved(watermark: int | None, places: Mapping[int, int]) -> int | None:
    """A watermark of the other ledger in the numbers of this one: all rows that it counted are below it."""
    if watermark is None:
        return None
    return max((mine for theirs, mine in places.items() if theirs <= watermark), default=0)


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[Row]:
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY seq")
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor.fetchall())


def _insert(connection: sqlite3.Connection, table: str, row: Row) -> int:
    return chain.insert(connection, table, {name: value for name, value in row.items() if name != "seq"})


def _content(row: Row) -> tuple[Any, ...]:
    return tuple(value for name, value in row.items() if name != "seq")


def _refuse_conflict(table: str, mine: Row, theirs: Row, apart: tuple[str, ...]) -> None:
    for name, value in mine.items():
        if name not in ("seq", *apart) and value != theirs[name]:
            who = theirs.get("run") or theirs.get("identity") or theirs.get("name")
            raise LedgerError(
                f"the two ledgers say different things in {table}: nothing was merged",
                seen=f"{who}: {name}",
                hint="one of them was changed by hand: `grn ledger check` in both says which",
            )
