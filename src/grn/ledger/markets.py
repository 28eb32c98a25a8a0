"""Which data sets are the same market: those whose trials are counted together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from grn.ledger import chain

if TYPE_CHECKING:
    from grn.ledger.sketch import Sketch

_SLACK_NS: Final = 62 * 86_400 * 10**9
"""How far stamps may be moved before histories that touch nowhere are compared at all."""


@dataclass(frozen=True)
class History:
    """A price history as the ledger knows it: identity, symbol, number of bars, first and last stamp."""

    identity: str
    symbol: str
    bars: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class DataSet:
    """What trials are counted on, and the histories it is made of: one, or all of an account's."""

    data_id: str
    members: tuple[tuple[History, Sketch], ...]


def known(connection: sqlite3.Connection, identities: Iterable[str]) -> set[str]:
    """Those of the histories that have a sketch."""
    found = set()
    for identity in identities:
        if connection.execute("SELECT 1 FROM sketches WHERE identity = ?", (identity,)).fetchone():
            found.add(identity)
    return found


def enter(connection: sqlite3.Connection, data: Sequence[DataSet]) -> None:
    """Write what is not known yet; inside the caller's transaction."""
    for one in data:
        have = known(connection, (history.identity for history, _ in one.members))
        for history, sketch in one.members:
            if history.identity not in have:
                chain.insert(connection, "sketches", {**vars(history), "marks": sketch.to_bytes()})
                have.add(history.identity)  # two symbols of an account may have one history
            row = (one.data_id, history.identity)
            if not connection.execute(
                "SELECT 1 FROM members WHERE data_id = ? AND identity = ?", row
            ).fetchone():
                chain.insert(connection, "members", {"data_id": row[0], "identity": row[1]})


def members_of(connection: sqlite3.Connection, data_id: str) -> list[History]:
    """The histories of a data set; none when it was never entered."""
    query = (
        "SELECT s.identity, s.symbol, s.bars, s.first_ns, s.last_ns FROM members m "
        "JOIN sketches s ON s.identity = m.identity WHERE m.data_id = ? ORDER BY m.seq"
    )
    return [History(*row) for row in connection.execute(query, (data_id,))]


def bars_of(connection: sqlite3.Connection, data_ids: Iterable[str]) -> dict[str, int]:
    """Bars of each data set that is known: of its longest history."""
    found = {one: max((h.bars for h in members_of(connection, one)), default=0) for one in data_ids}
    return {data_id: bars for data_id, bars in found.items() if bars}


def alike(connection: sqlite3.Connection, identity: str) -> set[str]:
    """Histories of the same market as one, itself included; no more than itself where it has no sketch."""
    from grn.ledger.sketch import Sketch

    row = connection.execute(
        "SELECT marks, first_ns, last_ns FROM sketches WHERE identity = ?", (identity,)
    ).fetchone()
    if row is None:
        return {identity}
    mine = Sketch.from_bytes(row[0])
    near = connection.execute(
        "SELECT identity, marks FROM sketches WHERE first_ns <= ? AND last_ns >= ?",
        (row[2] + _SLACK_NS, row[1] - _SLACK_NS),
    )
    return {identity, *(other for other, marks in near if mine.same_market(Sketch.from_bytes(marks)))}


def all_alike(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Of every history those of the same market, itself included: all pairs at once."""
    from grn.ledger import sketch

    rows = connection.execute("SELECT identity, marks FROM sketches ORDER BY seq").fetchall()
    found = {str(identity): {str(identity)} for identity, _ in rows}
    for i, j in sketch.alike([sketch.Sketch.from_bytes(marks) for _, marks in rows]):
        found[rows[i][0]].add(rows[j][0])
        found[rows[j][0]].add(rows[i][0])
    return found


def related(
    connection: sqlite3.Connection,
    data_ids: Iterable[str],
    same: Mapping[str, set[str]] | None = None,
) -> list[str]:
    """Data sets on which a trial is a trial on one of these, themselves included, in order of text.

    An account of several symbols and another one are the same when half of the symbols of the smaller one
    are. The relation is not handed on: 2000 to 2010 and 2010 to 2020 are two histories, though both are
    cuts of one.
    """
    wanted = sorted(set(data_ids))
    found = set(wanted)
    sizes = dict(connection.execute("SELECT data_id, count(*) FROM members GROUP BY data_id").fetchall())
    for data_id in wanted:
        hits: dict[str, int] = {}
        for history in members_of(connection, data_id):
            here = alike(connection, history.identity) if same is None else same[history.identity]
            touched = {
                str(row[0])
                for identity in sorted(here)
                for row in connection.execute("SELECT data_id FROM members WHERE identity = ?", (identity,))
            }
            for other in touched:
                hits[other] = hits.get(other, 0) + 1
        found |= {other for other, n in hits.items() if 2 * n >= min(sizes[other], sizes[data_id])}
    return sorted(found)


def groups(connection: sqlite3.Connection, data_ids: Sequence[str]) -> list[list[str]]:
    """Data sets by market, for showing: what overlaps with what overlaps is in one group."""
    left, found, same = list(data_ids), [], all_alike(connection)
    while left:
        group, waiting = set(), [left[0]]
        while waiting:
            data_id = waiting.pop()
            group.add(data_id)
            near = related(connection, [data_id], same)
            waiting += [one for one in near if one in left and one not in group]
        found.append([one for one in left if one in group])
        left = [one for one in left if one not in group]
    return found


def describe(connection: sqlite3.Connection, data_ids: Iterable[str]) -> tuple[tuple[str, ...], int, int]:
    """Symbols of some data sets, in order of text, and their first and last label; 0 where not known."""
    histories = [history for one in data_ids for history in members_of(connection, one)]
    symbols = tuple(sorted({history.symbol for history in histories}))
    first = min((history.first_ns for history in histories), default=0)
    return symbols, first, max((history.last_ns for history in histories), default=0)
