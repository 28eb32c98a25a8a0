"""The file of money, as numbered steps: what was reserved, what was billed, what may be spent.

The rules are the ledger's (``grn.ledger.migrations``): a released step is never edited, records are
append-only and triggers refuse every change of them. One table is no record but a sum over records,
``totals``, kept so that a reservation costs the same in a full month as in an empty one;
:meth:`grn.llm.spend.Book.check` adds the records up again and compares.
"""

from __future__ import annotations

import sqlite3

from grn.kit.migrations import append_only, apply_steps

# "grnS": tells this file from any other SQLite file (https://www.sqlite.org/fileformat.html, offset 68).
APPLICATION_ID = 0x67726E53


_WHAT = "the book of calls"

_FIRST = (
    # What a call may cost at most, written before it is made.
    """
    CREATE TABLE reservations (
        seq INTEGER PRIMARY KEY,
        call TEXT NOT NULL UNIQUE,
        made_ns INTEGER NOT NULL,
        month TEXT NOT NULL,          -- UTC, 2026-11: that of the reservation, whenever it is settled
        provider TEXT NOT NULL,
        asked TEXT NOT NULL,          -- the model's name as it was asked for
        sent TEXT NOT NULL,           -- as it was sent
        project TEXT NOT NULL,
        kind TEXT NOT NULL,           -- complete, embed, rerank, batch
        amount_pusd INTEGER NOT NULL CHECK (amount_pusd >= 0),
        price TEXT NOT NULL,          -- the price list's row of that moment, JSON
        owner TEXT NOT NULL           -- the process that has to settle it
    )
    """,
    "CREATE INDEX reservations_by_month ON reservations (provider, month, seq)",
    # How it ended. One row a call.
    """
    CREATE TABLE settlements (
        seq INTEGER PRIMARY KEY,
        call TEXT NOT NULL UNIQUE REFERENCES reservations (call),
        settled_ns INTEGER NOT NULL,
        how TEXT NOT NULL,            -- reported, estimated, refused, assumed
        cost_pusd INTEGER NOT NULL CHECK (cost_pusd >= 0),
        served TEXT,                  -- the model that answered
        request_id TEXT,
        tokens TEXT NOT NULL,         -- usage by class, JSON
        tier_over INTEGER NOT NULL,   -- prompt length that the tier begins above, 0 for the base
        attempts INTEGER NOT NULL,
        first_ms INTEGER,             -- to the first token
        total_ms INTEGER,
        tape TEXT,                    -- where the answer was recorded
        note TEXT                     -- an alarm, or what went wrong
    )
    """,
    # What a call really cost, learned later: from the provider's own account of it.
    """
    CREATE TABLE corrections (
        seq INTEGER PRIMARY KEY,
        call TEXT NOT NULL REFERENCES settlements (call),
        made_ns INTEGER NOT NULL,
        cost_pusd INTEGER NOT NULL CHECK (cost_pusd >= 0),
        source TEXT NOT NULL
    )
    """,
    "CREATE INDEX corrections_by_call ON corrections (call, seq)",
    # What may be spent. The newest row of a provider holds.
    """
    CREATE TABLE caps (
        seq INTEGER PRIMARY KEY,
        made_ns INTEGER NOT NULL,
        provider TEXT NOT NULL,
        cap_pusd INTEGER,             -- a month; NULL is no cap
        funding TEXT NOT NULL         -- prepaid, invoice, free
    )
    """,
    """
    CREATE TABLE totals (
        provider TEXT NOT NULL,
        month TEXT NOT NULL,
        open_pusd INTEGER NOT NULL,
        spent_pusd INTEGER NOT NULL,
        PRIMARY KEY (provider, month)
    ) WITHOUT ROWID
    """,
    *append_only("reservations", "call = NEW.call OR seq = NEW.seq", _WHAT),
    *append_only("settlements", "call = NEW.call OR seq = NEW.seq", _WHAT),
    *append_only("corrections", "seq = NEW.seq", _WHAT),
    *append_only("caps", "seq = NEW.seq", _WHAT),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the latest version, one transaction a step.

    Raises
    ------
    LedgerError
        The file is of another program, or of a newer version of this one. It is left as it was.
    """
    apply_steps(connection, MIGRATIONS, application_id=APPLICATION_ID, what=_WHAT)
