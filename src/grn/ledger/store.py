"""The ledger: what was run, with what, how it ended, and every trial that was ever made.

Append-only, shared by any number of processes, and whole after a crash: each method that writes returns once
its record is on the disk (WAL with ``synchronous=FULL``; a blob is on the disk before the row that names it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from grn.kit.canonical import canonical_json
from grn.kit.errors import LedgerError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.sqlite import explained
from grn.kit.versions import versions
from grn.ledger import chain, erasures, holdouts, markets, read
from grn.ledger.check import Check, check
from grn.ledger.erasures import Erasure
from grn.ledger.file import WHAT, LedgerFile
from grn.ledger.holdouts import Holdout, Look
from grn.ledger.markets import DataSet
from grn.ledger.records import Invocation, Market, TrialCount

if TYPE_CHECKING:  # NumPy is imported only where trials are coded: `grn ledger` does not need it
    import numpy as np
    import numpy.typing as npt

    from grn.ledger.merge import Merged

_RUN_ID_ATTEMPTS = 50


Trials = tuple[str, "npt.NDArray[np.uint64]", "npt.NDArray[np.float64]"]
"""Identity of a data set, trial keys and Sharpe ratios."""


class Ledger(LedgerFile):
    """One open ledger; a context manager. Use one per thread and open it anew after a fork."""

    def begin(
        self,
        command: str,
        inputs: Mapping[str, object],
        *,
        data: Sequence[DataSet] = (),
        opens: Sequence[Holdout] = (),
    ) -> str:
        """Record that something starts, and give it a name.

        Parameters
        ----------
        command
            What is run: ``"quant sweep"``.
        inputs
            All that decides the result, in values that canonical JSON knows (not ``sys.argv``).
        data
            Data sets to enter with it (see :meth:`enter_data`): one wait for the disk less.
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
            markets.enter(self._connection, data)
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
        with explained(self.folder, WHAT):
            return self._row("SELECT 1 FROM invocations WHERE run = ?", run)

    def watermark(self) -> int:
        """Tell the number of the newest ``trials`` row; 0 in an empty ledger."""
        with explained(self.folder, WHAT):
            return read.watermark(self._connection)

    def enter_data(self, data: Sequence[DataSet]) -> None:
        """Write down what data sets look like, before there are trials on them; known ones stay."""
        if data:
            with self._writing():
                markets.enter(self._connection, data)

    def knows_data(self, data_id: str) -> bool:
        """Whether a data set was entered, so that trials on its market are counted together."""
        with explained(self.folder, WHAT):
            return self._row("SELECT 1 FROM members WHERE data_id = ?", data_id)

    def unsketched(self) -> list[str]:
        """Runs of older releases whose data have not been entered yet, the earliest first."""
        with explained(self.folder, WHAT):
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
            the same for ever; it can only rise, when data that had no sketch yet (of an older release, or the
            first bars that a rung of a halving search saw) are entered later.

        Raises
        ------
        LedgerError
            A blob is missing or damaged: a wrong count would flatter the strategy.
        """
        from grn.ledger.counting import count

        with explained(self.folder, WHAT):
            return count(self._connection, self._blobs, data_ids, watermark)

    def runs_on(self, data_ids: Iterable[str], *, watermark: int, but: str) -> list[tuple[str, int]]:
        """Other runs with trials on some data or on its markets; see :func:`grn.ledger.counting.runs_on`."""
        from grn.ledger.counting import runs_on

        with explained(self.folder, WHAT):
            return runs_on(self._connection, data_ids, watermark, but=but)

    def markets(self) -> list[Market]:
        """List the markets that trials were made on, the earliest first, each with all trials on it."""
        from grn.ledger.counting import markets_tried

        with explained(self.folder, WHAT):
            return markets_tried(self._connection, self._blobs)

    def data_ids(self) -> list[str]:
        """List the data sets that trials were made on, the earliest first."""
        with explained(self.folder, WHAT):
            return read.data_ids(self._connection)

    def holdouts(self) -> list[Holdout]:
        """List the locked periods, with the runs that opened them."""
        with explained(self.folder, WHAT):
            return holdouts.every(self._connection)

    def lock_holdout(self, look: Look, from_ns: int) -> Holdout:
        """Lock the market of a history, which was entered, from a moment on; it cannot be taken back."""
        with self._writing():
            mark = read.watermark(self._connection)
            now_ns = self._clock.now_ns()
            return holdouts.lock(self._connection, look, from_ns=from_ns, locked_ns=now_ns, watermark=mark)

    def count_touching(self, one: Holdout) -> TrialCount:
        """Count the trials that had seen a locked period when it was locked."""
        from grn.ledger.counting import count

        with explained(self.folder, WHAT):
            late = holdouts.reaching(self._connection, one)
            return count(
                self._connection, self._blobs, late, None, alone=True, until=(one.locked_ns, one.watermark)
            )

    def check_holdouts(self, looks: Sequence[Look], *, allowed: bool) -> list[Holdout]:
        """The locked periods that histories reach into, where that is allowed.

        Raises
        ------
        HoldoutError
            It is not allowed.
        """
        with explained(self.folder, WHAT):
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
        with explained(self.folder, WHAT):
            return erasures.of_run(self._connection, run)

    def has_head(self, sha256: str) -> bool:
        """Whether this ledger goes on from a head that :meth:`check` once gave."""
        with explained(self.folder, WHAT):
            return chain.holds(self._connection, sha256)

    def merge(self, other: Ledger) -> Merged:
        """Add what another ledger has and this one lacks; doing it twice adds nothing.

        Trials keep their times; rows are numbered as they come, so the count at the watermark of a run that
        came from elsewhere includes what was here before.  The other ledger is not changed.

        Raises
        ------
        LedgerError
            The other ledger is not whole, or a run is in both and says different things: nothing is merged.
        """
        from dataclasses import replace

        from grn.ledger import merge

        if other.folder.resolve() == self.folder.resolve():
            raise UsageError("a ledger is not merged with itself", seen=str(self.folder))
        if faults := other.check().faults:
            raise LedgerError(
                "the other ledger is not whole: nothing was merged",
                seen=faults[0],
                hint=f"grn --home ... ledger check lists {len(faults)} fault(s)",
            )
        copied = merge.copy_blobs(self._connection, self._blobs, other._connection, other._blobs)
        with self._writing():
            merged = merge.merge_rows(self._connection, other._connection)
            merge.remove_erased(self._connection, self._blobs)
        return replace(merged, blobs=copied)

    def check(self) -> Check:
        """Look over the ledger: every row against the chain of hashes, every blob of trials against its row.

        Returns
        -------
        Check
            Faults in words; empty when all is as it was written.
        """
        with explained(self.folder, WHAT):
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
        with explained(self.folder, WHAT):
            found = self._connection.execute("SELECT blob FROM returns WHERE name = ?", (name,)).fetchone()
        return self._blobs.get(found[0]) if found and self._blobs.has(found[0]) else None

    def invocations(self, limit: int | None = None) -> list[Invocation]:
        """List runs, the newest first; ``limit`` of them at most."""
        with explained(self.folder, WHAT):
            return read.invocations(self._connection, limit)

    def invocations_of(self, command: str, name: str, value: str) -> list[Invocation]:
        """List runs of a command whose input ``name`` is a text, the earliest first."""
        with explained(self.folder, WHAT):
            return read.invocations_of(self._connection, command, name, value)

    def show(self, run: str) -> Invocation:
        """Look up one run by its id or by the beginning of it.

        Raises
        ------
        UsageError
            No run, or more than one, begins like that.
        """
        with explained(self.folder, WHAT):
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
