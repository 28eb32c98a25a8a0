"""Queries: rows of the ledger's file as records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from grn.ledger.records import Invocation, Outcome, TrialsRow

_INVOCATION = """
    SELECT i.run, i.began_ns, i.command, i.inputs, i.inputs_sha256, i.versions,
           o.finished_ns, o.exit_code, o.result_key, o.watermark, o.timings_s, o.outputs
    FROM invocations i LEFT JOIN outcomes o ON o.run = i.run
"""
_TRIALS = "SELECT seq, run, recorded_ns, data_id, strategy_key, n, blob FROM trials"


def watermark(connection: sqlite3.Connection) -> int:
    """Find the number of the newest ``trials`` row, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM trials").fetchone()[0])


def trials_on(connection: sqlite3.Connection, data_ids: Sequence[str], upto: int) -> list[TrialsRow]:
    """List rows of those data sets up to and including a watermark, the earliest first."""
    query = f"{_TRIALS} WHERE data_id IN (SELECT value FROM json_each(?)) AND seq <= ? ORDER BY seq"
    return [TrialsRow(*row) for row in connection.execute(query, (json.dumps(list(data_ids)), upto))]


def data_ids(connection: sqlite3.Connection) -> list[str]:
    """List data sets that trials were made on, in the order of their first trials."""
    rows = connection.execute("SELECT data_id FROM trials GROUP BY data_id ORDER BY min(seq)")
    return [str(row[0]) for row in rows]


def span(connection: sqlite3.Connection, data_ids: Sequence[str]) -> tuple[tuple[str, ...], int, int]:
    """Runs with trials on those data sets, the earliest first, and when the first and newest were made."""
    rows = connection.execute(
        "SELECT run, min(recorded_ns), max(recorded_ns) FROM trials "
        "WHERE data_id IN (SELECT value FROM json_each(?)) GROUP BY run ORDER BY min(seq)",
        (json.dumps(list(data_ids)),),
    ).fetchall()
    return tuple(str(r[0]) for r in rows), min(r[1] for r in rows), max(r[2] for r in rows)


def invocations(connection: sqlite3.Connection, limit: int | None) -> list[Invocation]:
    """List runs, the newest first; all of them without a limit."""
    query = f"{_INVOCATION} ORDER BY i.seq DESC LIMIT ?"
    rows = connection.execute(query, (-1 if limit is None else limit,)).fetchall()
    return [_invocation(connection, row) for row in rows]


def invocations_of(connection: sqlite3.Connection, command: str, name: str, value: str) -> list[Invocation]:
    """Find runs of a command one of whose inputs has a value, the earliest first."""
    query = f"{_INVOCATION} WHERE i.command = ? AND json_extract(i.inputs, '$.' || ?) = ? ORDER BY i.seq"
    rows = connection.execute(query, (command, name, value)).fetchall()
    return [_invocation(connection, row) for row in rows]


def invocations_like(connection: sqlite3.Connection, prefix: str) -> list[Invocation]:
    """Find runs whose id begins like that, the newest first."""
    # A range and not LIKE: it uses the index, and no character of the prefix has a meaning of its own.
    query = f"{_INVOCATION} WHERE i.run >= ? AND i.run < ? ORDER BY i.seq DESC"
    rows = connection.execute(query, (prefix, prefix + "\U0010ffff")).fetchall()
    return [_invocation(connection, row) for row in rows]


def _invocation(connection: sqlite3.Connection, row: tuple[object, ...]) -> Invocation:
    run, began_ns, command, inputs, inputs_sha256, made_with, *end = row
    trials = connection.execute(f"{_TRIALS} WHERE run = ? ORDER BY seq", (run,))
    finished_ns, exit_code, result_key, mark, timings_s, outputs = end
    outcome = None
    if finished_ns is not None:
        outcome = Outcome(
            finished_ns=_int(finished_ns),
            exit_code=_int(exit_code),
            result_key=None if result_key is None else str(result_key),
            watermark=None if mark is None else _int(mark),
            timings_s=json.loads(str(timings_s)),
            outputs=json.loads(str(outputs)),
        )
    return Invocation(
        run=str(run),
        began_ns=_int(began_ns),
        command=str(command),
        inputs=json.loads(str(inputs)),
        inputs_sha256=str(inputs_sha256),
        versions=json.loads(str(made_with)),
        trials=tuple(TrialsRow(*trial) for trial in trials),
        outcome=outcome,
    )


def _int(value: object) -> int:
    assert isinstance(value, int)  # the column is INTEGER NOT NULL
    return value
