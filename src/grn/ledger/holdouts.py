"""Periods that were locked before anybody looked, and the one time that each may be opened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from grn.kit.clock import utc_text
from grn.kit.errors import HoldoutError
from grn.ledger import chain, markets


@dataclass(frozen=True)
class Opening:
    """A run that was allowed to look at a locked period."""

    run: str
    opened_ns: int


@dataclass(frozen=True)
class Holdout:
    """A market of which nothing may be looked at from a moment on.

    Attributes
    ----------
    number
        Its row.
    symbol, identity
        Name of the market, and the history by which it is known again under another one.
    from_ns
        First moment of the locked period; it has no end.
    locked_ns, watermark
        When it was locked, and the newest ``trials`` row of that moment.
    openings
        Runs that looked at it since, the earliest first.
    """

    number: int
    symbol: str
    identity: str
    from_ns: int
    locked_ns: int
    watermark: int
    openings: tuple[Opening, ...]

    def __str__(self) -> str:
        """Whether it was looked at, and when."""
        start = utc_text(self.from_ns)[:10]
        if not self.openings:
            return f"{self.symbol} is locked from {start} on, and no run has looked at it"
        seen = ", ".join(f"by run {one.run} on {utc_text(one.opened_ns)[:10]}" for one in self.openings)
        return f"{self.symbol} was locked from {start} on, and opened {seen}"


@dataclass(frozen=True)
class Look:
    """A history that a run is going to read.

    Attributes
    ----------
    end_ns
        Up to which moment, exclusively, it reaches.
    named
        Whether its symbol says which market it is; data that name none are known by their history alone.
    """

    identity: str
    symbol: str
    end_ns: int
    named: bool = True


def every(connection: sqlite3.Connection) -> list[Holdout]:
    """All locked periods, the earliest lock first."""
    rows = connection.execute(
        "SELECT seq, symbol, identity, from_ns, locked_ns, watermark FROM holdouts ORDER BY seq"
    ).fetchall()
    return [
        Holdout(number, symbol, identity, from_ns, locked_ns, mark, _openings(connection, number))
        for number, symbol, identity, from_ns, locked_ns, mark in rows
    ]


def lock(
    connection: sqlite3.Connection, look: Look, *, from_ns: int, locked_ns: int, watermark: int
) -> Holdout:
    """Lock a market from a moment on, inside the caller's transaction; the same again is the same lock."""
    for known in every(connection):
        if known.from_ns == from_ns and known.identity == look.identity:
            return known
    row = {
        "locked_ns": locked_ns,
        "symbol": look.symbol,
        "identity": look.identity,
        "from_ns": from_ns,
        "watermark": watermark,
    }
    number = chain.insert(connection, "holdouts", row)
    return Holdout(number, look.symbol, look.identity, from_ns, locked_ns, watermark, ())


def touched(connection: sqlite3.Connection, looks: Sequence[Look]) -> list[Holdout]:
    """Locked periods that histories reach into: by their name, or as cuts or versions of the same market."""
    locks = every(connection)
    found = []
    for look in looks:
        late = [one for one in locks if look.end_ns > one.from_ns]
        same = markets.alike(connection, look.identity) if late else set()
        found += [one for one in late if one.identity in same or (look.named and one.symbol == look.symbol)]
    numbers = {one.number for one in found}
    return [one for one in locks if one.number in numbers]


def reaching(connection: sqlite3.Connection, one: Holdout) -> list[str]:
    """Data sets of the same market whose last label lies in a locked period."""
    query = (
        "SELECT DISTINCT m.data_id FROM members m JOIN sketches s ON s.identity = m.identity "
        "WHERE s.last_ns >= ? AND s.identity IN (SELECT value FROM json_each(?))"
    )
    same = json.dumps(sorted(markets.alike(connection, one.identity)))
    return sorted(str(row[0]) for row in connection.execute(query, (one.from_ns, same)))


def check(
    connection: sqlite3.Connection, locks: Sequence[Holdout], *, allowed: bool, inputs: str = ""
) -> None:
    """Refuse to look at locked periods, unless it is allowed and the first time.

    Parameters
    ----------
    locks
        What :func:`touched` found.
    allowed
        Whether the run asked for the one opening.
    inputs
        SHA-256 of the run's inputs: a run that opened a period and was killed may be run again as it was.

    Raises
    ------
    HoldoutError
        The period is locked, or was opened before.
    """
    for one in locks:
        start = utc_text(one.from_ns)[:10]
        if not allowed:
            raise HoldoutError(
                f"this run touches a hold-out: {one.symbol} is locked from {start} on",
                seen=f"locked {utc_text(one.locked_ns)}",
                hint=f"--until {start} leaves it out; --open-holdout opens it, once",
            )
        for opening in one.openings:
            if not _unfinished(connection, opening.run, inputs):
                raise HoldoutError(
                    f"the hold-out of {one.symbol} from {start} on was opened before, and opens once",
                    seen=f"run {opening.run}, {utc_text(opening.opened_ns)}",
                    hint=f"grn quant report {opening.run} shows what was seen; --until {start} leaves it out",
                )


def enter(connection: sqlite3.Connection, locks: Sequence[Holdout], run: str, opened_ns: int) -> None:
    """Enter openings, inside the caller's transaction."""
    for one in locks:
        chain.insert(connection, "openings", {"holdout": one.number, "opened_ns": opened_ns, "run": run})


def _openings(connection: sqlite3.Connection, number: int) -> tuple[Opening, ...]:
    query = "SELECT run, opened_ns FROM openings WHERE holdout = ? ORDER BY seq"
    return tuple(Opening(*row) for row in connection.execute(query, (number,)))


def _unfinished(connection: sqlite3.Connection, run: str, inputs: str) -> bool:
    """Whether a run had exactly these inputs and no result."""
    query = (
        "SELECT 1 FROM invocations i LEFT JOIN outcomes o ON o.run = i.run "
        "WHERE i.run = ? AND i.inputs_sha256 = ? AND coalesce(o.exit_code, 1) != 0"
    )
    return connection.execute(query, (run, inputs)).fetchone() is not None
