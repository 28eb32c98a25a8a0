"""The book of calls: money is reserved before a call and settled after it, and no cap is passed in between.

One SQLite file beside the ledger, with the ledger's rules: append-only, durable at every commit, shared by
any number of processes. A process that dies between the two leaves an open reservation, which goes on
counting against the cap in full; :meth:`Book.reconcile` then books it as spent (``assumed``), until the
provider's own account of it is entered with :meth:`Book.correct`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grn.kit.canonical import canonical_json
from grn.kit.clock import Clock, SystemClock
from grn.kit.errors import BudgetError, LedgerError, UsageError
from grn.kit.files import lock
from grn.kit.sqlite import connect, explained, lock_of, writing
from grn.llm.money import usd_text
from grn.llm.spend import owner
from grn.llm.spend.budget import default_cap
from grn.llm.spend.records import Bill, CallRow, Cap, Funding, Intent, Standing
from grn.llm.spend.schema import migrate
from grn.llm.usage import Usage

_FILE = "calls.sqlite3"
_WHAT = "the book of calls"


class Book:
    """An open book; a context manager. Threads may share it; a forked process opens its own."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, clock: Clock, name: Callable[[], str]):
        self.folder = folder
        self._connection = connection
        self._clock = clock
        self._name = name
        self._owner = owner.this_process()
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        folder: Path,
        clock: Clock | None = None,
        *,
        name: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> Self:
        """Open the book in a folder, creating or migrating it when needed.

        Parameters
        ----------
        folder
            Usually ``llm`` in :func:`grn.kit.paths.grn_home`. A local disk.
        clock
            Stamps the records and decides on the month.
        name
            Makes the names of calls; given only where output must repeat byte for byte.

        Raises
        ------
        LedgerError
            The file is damaged, of another program or of a newer version, or stays locked.
        OutputError
            The folder cannot be created or written.
        """
        connection = connect(folder / _FILE, migrate, what=_WHAT, across_threads=True)
        return cls(folder, connection, SystemClock() if clock is None else clock, name)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a book in a folder; nothing is created."""
        return (folder / _FILE).is_file()

    def close(self) -> None:
        """Close the file; nothing is pending, ever."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reserve(self, intent: Intent, *, over_budget: bool = False) -> str:
        """Set money aside for a call, and give the call a name.

        Parameters
        ----------
        intent
            What is about to be sent, and the most it can cost.
        over_budget
            Let this one call pass the cap; it counts all the same.

        Raises
        ------
        BudgetError
            Spent, reserved and this together would pass the provider's cap of the month. Nothing is reserved.
        """
        now_ns = self._clock.now_ns()
        month = month_of(now_ns)
        price = canonical_json(intent.price.plain()).decode("ascii")
        with self._writing():
            standing = self._standing(intent.provider, month)
            cap_pusd = standing.cap.cap_pusd
            taken = standing.spent_pusd + standing.open_pusd
            if cap_pusd is not None and not over_budget and taken + intent.amount_pusd > cap_pusd:
                raise BudgetError(
                    f"{intent.provider}: {usd_text(standing.spent_pusd)} spent and "
                    f"{usd_text(standing.open_pusd)} reserved of {usd_text(cap_pusd)} in {month}; "
                    f"this call may cost up to {usd_text(intent.amount_pusd)}",
                    hint="a smaller --max-tokens, a cheaper model, --over-budget for this once, or "
                    f"grn llm budget set {intent.provider} AMOUNT",
                )
            call = self._name()
            self._connection.execute(
                "INSERT INTO reservations (call, made_ns, month, provider, asked, sent, project, kind, "
                "amount_pusd, price, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (call, now_ns, month, intent.provider, intent.asked, intent.sent, intent.project, intent.kind,
                 intent.amount_pusd, price, self._owner),
            )  # fmt: skip
            self._move(intent.provider, month, open_pusd=intent.amount_pusd, spent_pusd=0)
        return call

    def settle(self, call: str, bill: Bill) -> None:
        """Replace a reservation by what the call cost, once.

        Raises
        ------
        LedgerError
            There is no such call, or it is settled already.
        """
        with self._writing():
            self._settle(call, bill)

    def reconcile(self) -> list[str]:
        """Book as spent what dead processes had reserved and never settled; returns the calls' names.

        Nobody knows whether those requests reached the provider. Counting them in full can only be too
        careful. Where there is nothing to book, no writer is made to wait.
        """
        with self._reading():
            if not self._orphans():
                return []
        with self._writing():
            orphans = self._orphans()  # another process may have been faster
            for call, amount in orphans:
                self._settle(call, Bill("assumed", amount, note="the caller ended before the call did"))
        return [call for call, _ in orphans]

    def correct(self, call: str, cost_pusd: int, source: str) -> None:
        """Enter what a settled call really cost, by the provider's own account.

        Raises
        ------
        UsageError
            There is no such call, or it has not been settled.
        """
        with self._writing():
            row = self._connection.execute(
                f"SELECT r.provider, r.month, {_COST} FROM reservations r JOIN settlements s USING (call) "
                "WHERE call = ?",
                (call,),
            ).fetchone()
            if row is None:
                raise UsageError("no settled call of that name", seen=call, hint="see grn llm spend --calls")
            provider, month, before = row
            self._connection.execute(
                "INSERT INTO corrections (call, made_ns, cost_pusd, source) VALUES (?, ?, ?, ?)",
                (call, self._clock.now_ns(), cost_pusd, source),
            )
            self._move(provider, month, open_pusd=0, spent_pusd=cost_pusd - before)

    def set_cap(self, provider: str, cap_pusd: int | None, funding: Funding) -> None:
        """Set what may be spent on a provider from now on, in every month."""
        with self._writing():
            self._connection.execute(
                "INSERT INTO caps (made_ns, provider, cap_pusd, funding) VALUES (?, ?, ?, ?)",
                (self._clock.now_ns(), provider, cap_pusd, funding),
            )

    def cap(self, provider: str) -> Cap:
        """Tell what may be spent on a provider."""
        with self._reading():
            return self._cap(provider)

    def standing(self, provider: str, month: str | None = None) -> Standing:
        """Tell how a provider's month stands, by default the current one (UTC)."""
        with self._reading():
            return self._standing(provider, month or month_of(self._clock.now_ns()))

    def calls(self, *, since_ns: int = 0, limit: int | None = None) -> list[CallRow]:
        """List calls, the newest first."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT r.call, r.made_ns, r.month, r.provider, r.asked, r.sent, s.served, r.project, "
                "r.kind, CASE WHEN EXISTS (SELECT 1 FROM corrections c WHERE c.call = s.call) "
                "THEN 'corrected' "
                f"ELSE coalesce(s.how, 'open') END, r.amount_pusd, {_COST}, s.tokens, "
                "coalesce(s.tier_over, 0), "
                "coalesce(s.attempts, 0), s.request_id, s.first_ms, s.total_ms, s.tape, s.note, r.price "
                "FROM reservations r LEFT JOIN settlements s USING (call) WHERE r.made_ns >= ? "
                "ORDER BY r.seq DESC LIMIT ?",
                (since_ns, -1 if limit is None else limit),
            ).fetchall()
        return [_call(*row) for row in rows]

    def check(self) -> None:
        """Add all records up again and compare with the running totals.

        Raises
        ------
        LedgerError
            They differ: the file was changed by hand, or there is a bug.
        """
        with self._reading():
            added = self._connection.execute(
                f"SELECT r.provider, r.month, sum(CASE WHEN s.call IS NULL THEN r.amount_pusd ELSE 0 END), "
                f"sum(coalesce({_COST}, 0)) FROM reservations r LEFT JOIN settlements s USING (call) "
                "GROUP BY r.provider, r.month ORDER BY r.provider, r.month"
            ).fetchall()
            kept = self._connection.execute(
                "SELECT provider, month, open_pusd, spent_pusd FROM totals ORDER BY provider, month"
            ).fetchall()
        if added != kept:
            raise LedgerError(
                "the totals of the book of calls are not the sums of its records",
                seen=next(pair for pair in zip(added, kept, strict=False) if pair[0] != pair[1]),
                hint=f"restore {self.folder} from a backup",
            )

    def _settle(self, call: str, bill: Bill) -> None:
        row = self._connection.execute(
            "SELECT provider, month, amount_pusd FROM reservations WHERE call = ?", (call,)
        ).fetchone()
        if row is None:
            raise LedgerError("no reservation of that name", seen=call, hint="reserve before a call is made")
        if self._connection.execute("SELECT 1 FROM settlements WHERE call = ?", (call,)).fetchone():
            raise LedgerError("the call is settled already", seen=call, hint="a call is billed once")
        provider, month, amount = row
        tokens = canonical_json(bill.usage.plain()).decode("ascii")
        self._connection.execute(
            "INSERT INTO settlements (call, settled_ns, how, cost_pusd, served, request_id, tokens, "
            "tier_over, attempts, first_ms, total_ms, tape, note) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (call, self._clock.now_ns(), bill.how, bill.cost_pusd, bill.served, bill.request_id, tokens,
             bill.tier_over, bill.attempts, bill.first_ms, bill.total_ms, bill.tape, bill.note),
        )  # fmt: skip
        self._move(provider, month, open_pusd=-amount, spent_pusd=bill.cost_pusd)

    def _orphans(self) -> list[tuple[str, int]]:
        """Calls that were reserved by processes that are dead, and how much."""
        rows = self._connection.execute(
            "SELECT call, amount_pusd, owner FROM reservations "
            "WHERE NOT EXISTS (SELECT 1 FROM settlements s WHERE s.call = reservations.call) ORDER BY seq"
        ).fetchall()
        return [(call, amount) for call, amount, who in rows if not owner.is_alive(who)]

    def _move(self, provider: str, month: str, *, open_pusd: int, spent_pusd: int) -> None:
        self._connection.execute(
            "INSERT INTO totals (provider, month, open_pusd, spent_pusd) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET open_pusd = open_pusd + excluded.open_pusd, "
            "spent_pusd = spent_pusd + excluded.spent_pusd",
            (provider, month, open_pusd, spent_pusd),
        )

    def _cap(self, provider: str) -> Cap:
        row = self._connection.execute(
            "SELECT cap_pusd, funding FROM caps WHERE provider = ? ORDER BY seq DESC LIMIT 1", (provider,)
        ).fetchone()
        return default_cap(provider) if row is None else Cap(provider, row[0], row[1])

    def _standing(self, provider: str, month: str) -> Standing:
        row = self._connection.execute(
            "SELECT spent_pusd, open_pusd FROM totals WHERE provider = ? AND month = ?", (provider, month)
        ).fetchone()
        spent_pusd, open_pusd = row or (0, 0)
        return Standing(provider, month, spent_pusd, open_pusd, self._cap(provider))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, explained(self.folder, _WHAT):
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction that takes the write lock at once: what it has read still holds when it writes.

        Writers queue at a file lock before: SQLite's own waiting is a lottery, and of 64 processes some lost
        it for more than a minute. The kernel frees the lock of a process that dies.
        """
        queued = lock(lock_of(self.folder / _FILE))
        with self._lock, queued, explained(self.folder, _WHAT), writing(self._connection):
            yield


def _call(*row: Any) -> CallRow:
    before, tokens, after, price = row[:12], row[12], row[13:-1], row[-1]
    return CallRow(*(*before, Usage.from_plain(json.loads(tokens or "{}")), *after, json.loads(price)))


# A correction outweighs the settlement; the newest one holds.
_COST = (
    "coalesce((SELECT c.cost_pusd FROM corrections c WHERE c.call = s.call ORDER BY c.seq DESC LIMIT 1), "
    "s.cost_pusd)"
)


def month_of(ts_ns: int) -> str:
    """Name the month (UTC) of a moment: ``2026-11``."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m")
