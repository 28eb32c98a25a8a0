"""Calls of the past in a file of their own: no budget can ever count them, and none is there twice.

``past.sqlite3`` beside the book of calls, with its rules: append-only, durable at every commit. A call that
was read while its answer still came is written again when it is read with more; its newest row holds.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grn.kit.canonical import canonical_json
from grn.kit.errors import UsageError
from grn.kit.files import lock
from grn.kit.migrations import append_only, apply_steps
from grn.kit.sqlite import connect, explained, lock_of, writing
from grn.llm import lifecycle
from grn.llm.catalogue import Catalogue
from grn.llm.history.past import PastCall
from grn.llm.spend import CallRow, month_of
from grn.llm.usage import Usage

_FILE = "past.sqlite3"
_WHAT = "the file of past calls"
APPLICATION_ID = 0x67726E50  # "grnP"

_FIRST = (
    """
    CREATE TABLE past (
        seq INTEGER PRIMARY KEY,
        ident TEXT NOT NULL,
        tokens TEXT NOT NULL,         -- usage by class, JSON
        made_ms INTEGER NOT NULL,
        source TEXT NOT NULL,         -- claude-code, codex, gemini-cli, anthropic-export
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        session TEXT NOT NULL,
        project TEXT NOT NULL,
        kind TEXT NOT NULL,           -- complete, batch; sum and batch-sum for rows that add up
        cost_pusd INTEGER,            -- at the provider's prices of that day; NULL without a known price
        tier_over INTEGER NOT NULL,
        price TEXT NOT NULL,          -- JSON, null without
        UNIQUE (ident, tokens)
    )
    """,
    "CREATE INDEX past_by_time ON past (made_ms, seq)",
    *append_only("past", "seq = NEW.seq OR (ident = NEW.ident AND tokens = NEW.tokens)", _WHAT),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the latest version."""
    apply_steps(connection, (_FIRST,), application_id=APPLICATION_ID, what=_WHAT)


class History:
    """The open file; a context manager."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the file in a folder, creating it when needed; see :meth:`grn.llm.spend.Book.open`."""
        return cls(folder, connect(folder / _FILE, migrate, what=_WHAT))

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is one in a folder; nothing is created."""
        return (folder / _FILE).is_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, calls: Iterable[PastCall], catalogue: Callable[[date], Catalogue]) -> Counter[str]:
        """Write down what is not there yet, all of it or nothing.

        Parameters
        ----------
        calls
            In any order.
        catalogue
            Prices of a day.

        Returns
        -------
        How many were ``new``, ``known``, and ``grown`` (read before, with less of the answer).
        """
        done: Counter[str] = Counter()
        priced: dict[date, Catalogue] = {}
        queued = lock(lock_of(self.folder / _FILE))
        with queued, explained(self.folder, _WHAT), writing(self._connection):
            for call in sorted(calls, key=lambda one: (one.at_ms, one.ident)):
                row = self._connection.execute(
                    "SELECT tokens FROM past WHERE ident = ? ORDER BY seq DESC LIMIT 1", (call.ident,)
                ).fetchone()
                known = None if row is None else Usage.from_plain(json.loads(row[0]))
                if known is not None and _size(call.usage) <= _size(known):
                    done["known"] += 1
                    continue
                done["new" if known is None else "grown"] += 1
                day = datetime.fromtimestamp(call.at_ms // 1000, UTC).date()
                if day not in priced:
                    priced[day] = catalogue(day)
                self._insert(call, priced[day])
        return done

    def calls(self, *, since_ms: int = 0) -> list[PastCall]:
        """List calls, the oldest first."""
        rows = self._newest("ident, source, made_ms, model, session, project, tokens, kind", since_ms)
        return [
            PastCall(
                ident, source, made_ms, model, session, project, Usage.from_plain(json.loads(tokens)), kind
            )
            for ident, source, made_ms, model, session, project, tokens, kind in rows
        ]

    def rows(self, *, since_ms: int = 0) -> list[CallRow]:
        """List calls in the form of the book's, the oldest first: ``how`` is ``imported``."""
        rows = self._newest(
            "ident, made_ms, provider, model, project, source, cost_pusd, tokens, tier_over, price, kind",
            since_ms,
        )
        return [
            CallRow(
                call=ident, made_ns=made_ms * 1_000_000, month=month_of(made_ms * 1_000_000),
                provider=provider, asked=model, sent=model, served=model, project=project, kind=kind,
                how="imported", reserved_pusd=0, cost_pusd=cost, usage=Usage.from_plain(json.loads(tokens)),
                tier_over=tier, attempts=1, request_id=None, first_ms=None, total_ms=None, tape=None,
                note=source, price=json.loads(price) or {},
            )
            for ident, made_ms, provider, model, project, source, cost, tokens, tier, price, kind in rows
        ]  # fmt: skip

    def _newest(self, columns: str, since_ms: int) -> list[Any]:
        with explained(self.folder, _WHAT):
            return self._connection.execute(
                f"SELECT {columns} FROM past p WHERE made_ms >= ? AND NOT EXISTS "
                "(SELECT 1 FROM past n WHERE n.ident = p.ident AND n.seq > p.seq) ORDER BY made_ms, seq",
                (since_ms,),
            ).fetchall()

    def _insert(self, call: PastCall, catalogue: Catalogue) -> None:
        provider = lifecycle.provider_of(call.model) or ("openai" if call.source == "codex" else "unknown")
        cost, tier, price = None, 0, None
        try:
            model = catalogue.find(call.model)
            price = model.batch_price if call.kind.startswith("batch") else model.price
        except UsageError:
            pass  # no price is known: the tokens are counted, the dollars are not
        if price is not None:
            # A row that adds up many calls does not tell how long each prompt was: it is priced at the base.
            tier, rates = (0, price.base) if call.kind.endswith("sum") else price.rates(call.usage.prompt)
            cost = rates.cost_pusd(call.usage)
        plain = canonical_json(None if price is None else price.plain()).decode("ascii")
        tokens = canonical_json(call.usage.plain()).decode("ascii")
        self._connection.execute(
            "INSERT INTO past (ident, tokens, made_ms, source, provider, model, session, project, kind, "
            "cost_pusd, tier_over, price) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (call.ident, tokens, call.at_ms, call.source, provider, call.model, call.session, call.project,
             call.kind, cost, tier, plain),
        )  # fmt: skip


def _size(usage: Usage) -> tuple[int, int]:
    return usage.prompt + usage.output, usage.output
