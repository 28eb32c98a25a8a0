"""The ledger: what was run, with what, how it ended, and every trial that was ever made.

Append-only, shared by any number of processes, and whole after a crash: each method that writes returns once
its record is on the disk (WAL with ``synchronous=FULL``; a blob is on the disk before the row that names it).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from grn.kit.canonical import canonical_json
from grn.kit.clock import Clock, SystemClock, utc_text
from grn.kit.errors import LedgerError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.sqlite import connect, explained, writing
from grn.kit.versions import versions
from grn.ledger import chain, erasures, holdouts, markets, read
from grn.ledger.blobs import BlobStore
from grn.ledger.check import Check, check
from grn.ledger.erasures import Erasure
from grn.ledger.holdouts import Holdout, Look
from grn.ledger.markets import DataSet
from grn.ledger.migrations import migrate
from grn.ledger.records import Invocation, Market, TrialCount

if TYPE_CHECKING:  # NumPy is imported only where trials are coded: `grn ledger` does not need it
    import numpy as np
    import numpy.typing as npt

_WHAT = "the ledger"
_FILE = "ledger.sqlite3"
_RUN_ID_ATTEMPTS = 50


def _random_suffix() -> str:
    return secrets.token_hex(3)


Trials = tuple[str, "npt.NDArray[np.uint64]", "npt.NDArray[np.float64]"]
"""Identity of a data set, trial keys and Sharpe ratios."""


class Ledger:
    """One open ledger; a context manager. Use one per thread and open it anew after a fork."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, clock: Clock, suffix: Callable[[], str]
    ) -> None:
        self.folder = folder
        self._connection = connection
        self._clock = clock
        self._suffix = suffix
        self._blobs = BlobStore(folder / "blobs")

    @classmethod
    def open(
        cls, folder: Path, clock: Clock | None = None, *, suffix: Callable[[], str] = _random_suffix
    ) -> Self:
        """Open the ledger in a folder, creating or migrating it when needed.

        Parameters
        ----------
        folder
            Usually :func:`grn.kit.paths.ledger_dir`. A local disk: SQLite's WAL does not work over a network.
        clock
            Stamps the records; default the machine's clock.
        suffix
            Makes the random part of run ids; given only where output must repeat byte for byte.

        Raises
        ------
        LedgerError
            The file is damaged, of another program or of a newer version, or stays locked.
        OutputError
            The folder cannot be created or written.
        """
        connection = connect(folder / _FILE, migrate, what=_WHAT)
        return cls(folder, connection, SystemClock() if clock is None else clock, suffix)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a ledger in a folder; nothing is created."""
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

    def begin(self, command: str, inputs: Mapping[str, object], *, opens: Sequence[Holdout] = ()) -> str:
        """Record that something starts, and give it a name.

        Parameters
        ----------
        command
            What is run: ``"quant sweep"``.
        inputs
            All that decides the result, in values that canonical JSON knows (not ``sys.argv``).
        opens
            Locked periods that the run opens, as :meth:`check_holdouts` found them.

        Returns
        -------
        str
            The run id, such as ``20261123T023000-7f3a9c``: UTC to the second and six random hex digits.

        Raises
        ------
        HoldoutError
            Another run has opened one of the periods.
        """
        stored = canonical_json(dict(inputs))
        now_ns = self._clock.now_ns()
        second = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%S")
        made_with = json.dumps(versions(), sort_keys=True)
        with self._writing():
            run = self._free_run_id(second)
            row = {
                "run": run,
                "began_ns": now_ns,
                "command": command,
                "inputs": stored.decode("ascii"),
                "inputs_sha256": sha256_hex(stored),
                "versions": made_with,
            }
            # Asked again, now that no other process can write: two runs may not both be the first.
            fresh = [
                one for one in holdouts.every(self._connection) if one.number in {o.number for o in opens}
            ]
            holdouts.check(self._connection, fresh, allowed=True, inputs=str(row["inputs_sha256"]))
            chain.insert(self._connection, "invocations", row)
            holdouts.enter(self._connection, fresh, run, now_ns)
        return run

    def finish(
        self,
        run: str,
        *,
        exit_code: int,
        result_key: str | None = None,
        watermark: int | None = None,
        timings_s: Mapping[str, float] | None = None,
        outputs: Mapping[str, object] | None = None,
    ) -> None:
        """Record how a run ended, once.

        Parameters
        ----------
        run
            What :meth:`begin` returned.
        exit_code
            Exit status of the command.
        result_key
            Hash of all that decides the result's bytes; equal keys mean equal bytes.
        watermark
            Up to which ``trials`` row the run's verdict counted.
        timings_s
            Seconds by phase.
        outputs
            What was made: paths, blob names, headline numbers.

        Raises
        ------
        LedgerError
            The run is unknown or has an outcome already.
        """
        timings = canonical_json(dict(timings_s or {})).decode("ascii")
        made = canonical_json(dict(outputs or {})).decode("ascii")
        with self._writing():
            self._require_run(run)
            if self._row("SELECT 1 FROM outcomes WHERE run = ?", run):
                raise LedgerError(
                    "the run has an outcome already", seen=run, hint="begin a new run: the past is not edited"
                )
            row = {
                "run": run,
                "finished_ns": self._clock.now_ns(),
                "exit_code": int(exit_code),
                "result_key": result_key,
                "watermark": watermark,
                "timings_s": timings,
                "outputs": made,
            }
            chain.insert(self._connection, "outcomes", row)

    def record_trials(
        self,
        run: str,
        *,
        data_id: str,
        strategy_key: str,
        keys: npt.NDArray[np.uint64],
        sharpes: npt.NDArray[np.float64],
    ) -> int:
        """Record the trials of one sweep on one data set (see `record_all_trials`)."""
        return self.record_all_trials(run, strategy_key, [(data_id, keys, sharpes)])

    def record_all_trials(self, run: str, strategy_key: str, parts: Sequence[Trials]) -> int:
        """Record the trials of one sweep on some data sets, all of them or none.

        They are taken even from a run that has finished: a trial that was made has to be counted.

        Parameters
        ----------
        run
            What :meth:`begin` returned.
        strategy_key
            Hash of the canonical strategy.
        parts
            For each data set: its identity, by which trials are counted; ``(n,)`` trial keys, all different;
            ``(n,)`` per-period Sharpe ratios, NaN where not defined.

        Returns
        -------
        int
            The watermark at which all of them are counted for the first time.

        Raises
        ------
        LedgerError
            The run is unknown, a key is repeated, or the arrays do not fit.
        """
        from grn.ledger.trials import encode_trials

        blobs = self.put_blobs([encode_trials(keys, sharpes) for _, keys, sharpes in parts])
        newest = self.watermark() if not parts else 0
        with self._writing():
            self._require_run(run)
            for (data_id, keys, _), blob in zip(parts, blobs, strict=True):
                row = {
                    "run": run,
                    "recorded_ns": self._clock.now_ns(),
                    "data_id": data_id,
                    "strategy_key": strategy_key,
                    "n": len(keys),
                    "blob": blob,
                }
                # Writers come one after another, so rows are numbered in the order in which they are
                # committed: nobody can slip in below a watermark later.
                newest = chain.insert(self._connection, "trials", row)
        return newest

    def knows(self, run: str) -> bool:
        """Whether a run of exactly this id was begun here."""
        with explained(self.folder, _WHAT):
            return self._row("SELECT 1 FROM invocations WHERE run = ?", run)

    def watermark(self) -> int:
        """Tell the number of the newest ``trials`` row; 0 in an empty ledger."""
        with explained(self.folder, _WHAT):
            return read.watermark(self._connection)

    def enter_data(self, data: Sequence[DataSet]) -> None:
        """Write down what data sets look like, before there are trials on them; known ones stay."""
        if data:
            with self._writing():
                markets.enter(self._connection, data)

    def knows_data(self, data_id: str) -> bool:
        """Whether a data set was entered, so that trials on its market are counted together."""
        with explained(self.folder, _WHAT):
            return self._row("SELECT 1 FROM members WHERE data_id = ?", data_id)

    def unsketched(self) -> list[str]:
        """Runs of older releases whose data have not been entered yet, the earliest first."""
        with explained(self.folder, _WHAT):
            rows = self._connection.execute("SELECT run FROM unsketched ORDER BY run").fetchall()
        return [str(row[0]) for row in rows]

    def sketched(self, run: str) -> None:
        """Take a run off the list of :meth:`unsketched`."""
        with self._writing():
            self._connection.execute("DELETE FROM unsketched WHERE run = ?", (run,))

    def count_trials(self, data_ids: Iterable[str], *, watermark: int | None = None) -> TrialCount:
        """Count the different trials ever made on some data, or on other data of the same markets.

        Parameters
        ----------
        data_ids
            Identities of the data sets; one named twice counts once.  Trials on data sets that overlap with
            them (see :mod:`grn.ledger.sketch`) are counted too; their Sharpe ratios are brought to the
            length of the longest data set asked for, by the square root of the number of bars.
        watermark
            Newest ``trials`` row to look at, default the newest there is. At the same watermark the answer is
            the same for ever.

        Raises
        ------
        LedgerError
            A blob is missing or damaged: a wrong count would flatter the strategy.
        """
        from grn.ledger.counting import count

        with explained(self.folder, _WHAT):
            return count(self._connection, self._blobs, data_ids, watermark)

    def markets(self) -> list[Market]:
        """List the markets that trials were made on, the earliest first, each with all trials on it."""
        from grn.ledger.counting import markets_tried

        with explained(self.folder, _WHAT):
            return markets_tried(self._connection, self._blobs)

    def data_ids(self) -> list[str]:
        """List the data sets that trials were made on, the earliest first."""
        with explained(self.folder, _WHAT):
            return read.data_ids(self._connection)

    def holdouts(self) -> list[Holdout]:
        """List the locked periods, with the runs that opened them."""
        with explained(self.folder, _WHAT):
            return holdouts.every(self._connection)

    def lock_holdout(self, look: Look, from_ns: int) -> Holdout:
        """Lock the market of a history, which was entered, from a moment on; it cannot be taken back."""
        with self._writing():
            mark = read.watermark(self._connection)
            now_ns = self._clock.now_ns()
            return holdouts.lock(self._connection, look, from_ns=from_ns, locked_ns=now_ns, watermark=mark)

    def count_touching(self, one: Holdout, *, watermark: int | None = None) -> TrialCount:
        """Count the trials that saw a locked period: before it was locked, or up to a watermark."""
        from grn.ledger.counting import count

        upto = one.watermark if watermark is None else watermark
        with explained(self.folder, _WHAT):
            late = holdouts.reaching(self._connection, one)
            return count(self._connection, self._blobs, late, upto, alone=True)

    def check_holdouts(self, looks: Sequence[Look], *, allowed: bool) -> list[Holdout]:
        """The locked periods that histories reach into, where that is allowed.

        Raises
        ------
        HoldoutError
            It is not allowed.
        """
        with explained(self.folder, _WHAT):
            found = holdouts.touched(self._connection, looks)
            if not allowed:
                holdouts.check(self._connection, found, allowed=False)
            return found

    def erase(self, run: str, *, who: str, why: str) -> Erasure:
        """Take the bulk of a run out of the ledger: data, settings and kept returns that no other run uses.

        The run, its trials and its outcome stay, and that it was erased is recorded. An erasure that was
        interrupted is brought to its end by the same call.

        Raises
        ------
        UsageError
            No run, or more than one, begins like that.
        """
        entry = self.show(run)
        with self._writing():
            done = erasures.of_run(self._connection, entry.run) or erasures.write(
                self._connection, self._blobs, entry, erased_ns=self._clock.now_ns(), who=who, why=why
            )
            # Under the lock: no run can be entered meanwhile that relies on what goes.
            for name in done.blobs:
                if not erasures.used_elsewhere(self._connection, name, entry.run):
                    self._blobs.remove(name)
        return done

    def erasure(self, run: str) -> Erasure | None:
        """What was erased of a run, by its whole id."""
        with explained(self.folder, _WHAT):
            return erasures.of_run(self._connection, run)

    def has_head(self, sha256: str) -> bool:
        """Whether this ledger goes on from a head that :meth:`check` once gave."""
        with explained(self.folder, _WHAT):
            return chain.holds(self._connection, sha256)

    def check(self) -> Check:
        """Look over the ledger: every row against the chain of hashes, every blob of trials against its row.

        Returns
        -------
        Check
            Faults in words; empty when all is as it was written.
        """
        with explained(self.folder, _WHAT):
            return check(self._connection, self._blobs)

    def keep_returns(self, run: str, name: str, data: bytes) -> str:
        """Keep returns of a run's trials under a name; returns their blob."""
        blob = self._blobs.put(data)
        with self._writing():
            self._require_run(run)
            if not self._row("SELECT 1 FROM returns WHERE name = ?", name):
                chain.insert(self._connection, "returns", {"name": name, "run": run, "blob": blob})
        return blob

    def kept_returns(self, name: str) -> bytes | None:
        """Returns that are kept under a name; None when there are none, or when they were erased."""
        with explained(self.folder, _WHAT):
            found = self._connection.execute("SELECT blob FROM returns WHERE name = ?", (name,)).fetchone()
        return self._blobs.get(found[0]) if found and self._blobs.has(found[0]) else None

    def put_blob(self, data: bytes) -> str:
        """Store bytes by content; returns their SHA-256. Name them in a run's outputs to find them again."""
        return self._blobs.put(data)

    def put_blobs(self, data: Sequence[bytes]) -> list[str]:
        """Store several at once, side by side: each waits for the disk several times."""
        with ThreadPoolExecutor(max(1, min(8, len(data)))) as pool:
            return list(pool.map(self._blobs.put, data))

    def get_blob(self, digest: str) -> bytes:
        """Read bytes by their SHA-256, verified; LedgerError when they are missing, erased or damaged."""
        try:
            return self._blobs.get(digest)
        except LedgerError:
            with explained(self.folder, _WHAT):
                erased = None if self._blobs.has(digest) else erasures.of_blob(self._connection, digest)
            if erased is None:
                raise
            raise LedgerError(
                f"what is asked for was erased with run {erased.run}, by {erased.who}",
                seen=f"{utc_text(erased.erased_ns)}: {erased.why}",
                hint="run it again with the data at hand; its trials count as before",
            ) from None

    def invocations(self, limit: int | None = None) -> list[Invocation]:
        """List runs, the newest first; ``limit`` of them at most."""
        with explained(self.folder, _WHAT):
            return read.invocations(self._connection, limit)

    def show(self, run: str) -> Invocation:
        """Look up one run by its id or by the beginning of it.

        Raises
        ------
        UsageError
            No run, or more than one, begins like that.
        """
        with explained(self.folder, _WHAT):
            found = read.invocations_like(self._connection, run)
        exact = [invocation for invocation in found if invocation.run == run]
        if not run or not found:
            raise UsageError("no run of that name", seen=run, hint="grn ledger lists the runs")
        if len(found) > 1 and not exact:
            names = ", ".join(invocation.run for invocation in found[:5])
            raise UsageError(f"{len(found)} runs begin like that", seen=run, hint=f"name one of: {names}")
        return (exact or found)[0]

    def _free_run_id(self, second: str) -> str:
        for _ in range(_RUN_ID_ATTEMPTS):
            run = f"{second}-{self._suffix()}"
            if not self._row("SELECT 1 FROM invocations WHERE run = ?", run):
                return run
        raise LedgerError("no free run id", seen=second, hint="wait a second and try again")

    def _require_run(self, run: str) -> None:
        if not self._row("SELECT 1 FROM invocations WHERE run = ?", run):
            raise LedgerError(
                "the ledger has no such run", seen=run, hint="take the id that begin() returned"
            )

    def _row(self, query: str, value: str) -> bool:
        return self._connection.execute(query, (value,)).fetchone() is not None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction."""
        with explained(self.folder, _WHAT), writing(self._connection):
            yield
