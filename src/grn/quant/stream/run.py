"""Running a streamed sweep: chunk after chunk, each on the disk and in the ledger before the next begins."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.errors import GrnError, LedgerError, OutputError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.versions import versions
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import Advance, check_price, compute, memory_budget_gib
from grn.quant.engine.cpu import check_threads
from grn.quant.engine.grid import Lattice, no_combination
from grn.quant.request import Request, check_arguments, opened, prepare
from grn.quant.result import SweepResult, account_names
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules, merge_rules
from grn.quant.strategy.sizes import Size
from grn.quant.strategy.weights import AnyStrategy
from grn.quant.stream.chunks import Chunks, chunk_size
from grn.quant.stream.folder import Folder, Part, hash_parts, locked
from grn.quant.stream.result import StreamResult

if TYPE_CHECKING:
    from grn.quant.schema import BarSource


def stream_sweep(
    strategy: AnyStrategy,
    data: BarSource,
    folder: str | Path,
    *,
    rules: Rules | None = None,
    costs: Costs | None = None,
    fill: str | None = None,
    size: Size | None = None,
    cash: float | None = None,
    metrics: str | Sequence[str] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    memory_gib: float | None = None,
    periods_per_year: float | None = None,
    chunk: int | None = None,
    ledger: Ledger | None = None,
    progress: Advance | None = None,
    expect: Callable[[int], None] | None = None,
    command: str = "stream_sweep",
) -> StreamResult:
    """Sweep every parameter combination into a folder, in memory that does not grow with their number.

    The same numbers as :func:`grn.sweep`, in Parquet files of one chunk each.  A run that was stopped, in
    whatever way, goes on when the same is called again: finished chunks are kept, and the files end up with
    the same bytes.  Every combination is a trial, counted in the ledger once, as soon as its chunk is done.

    Parameters
    ----------
    strategy, data, rules, costs, fill, size, cash, metrics, engine, threads, periods_per_year, ledger
        As for :func:`grn.sweep`.
    folder
        Where the parts go: a new or empty folder, or that of the same run.
    memory_gib
        Memory budget, which one chunk must fit into; default from the configuration.
    chunk
        Combinations per chunk, before `where`; default: parts of 131,072 rows.  Another size is another run.
    progress
        Called with the number of combinations just finished.
    expect
        Called once, with the number of combinations still to come.
    command
        Name of the run in the ledger.

    Raises
    ------
    BudgetError
        One chunk is priced above the memory budget; nothing was run.
    OutputError
        The folder holds another run or something else, another process writes to it, or the disk is full:
        what was finished is kept.
    DataError, StrategyError, UsageError
        The inputs do not make sense.
    """
    rules = merge_rules(rules, costs=costs, fill=fill, size=size, cash=cash)
    check_arguments(strategy, ledger, periods_per_year)
    check_threads(threads)
    budget_gib, source = memory_budget_gib(memory_gib)
    lattice = Lattice.of(strategy)
    request = prepare(
        strategy, data, rules, grid={}, metrics=metrics, engine=engine, ppy=periods_per_year, command=command
    )
    names = account_names(strategy, request.bars)
    chunks = Chunks(lattice, chunk_size(chunk, len(names)))
    request.inputs["grid"] = {"points": lattice.points, "chunk": chunks.size}
    at_once = min(chunks.size, lattice.points)
    check_price(strategy, rules, at_once, request.bars, request.metrics, budget_gib, source)
    manifest = {
        "key": record.result_key(request.inputs),
        "inputs": request.inputs,
        "versions": versions(),
        "accounts": list(names),
        "parts": len(chunks),
    }
    path = Path(folder)
    with locked(path), opened(ledger) as book:
        place = Folder.claim(path, manifest)
        try:
            _Writer(request, chunks, place, book, threads).write(progress, expect)
        except GrnError as error:
            kept = f"{len(place.parts):,} of {len(chunks):,} chunks are kept: run the same again to go on"
            # Another path is no way out: what was finished lies here.
            first = "make room" if isinstance(error, OutputError) else error.hint
            error.hint = "; ".join(filter(None, [first, kept]))
            raise
    return StreamResult(place)


class _Writer:
    """Brings a folder and a ledger to the end of a run, from wherever they are."""

    def __init__(
        self, request: Request, chunks: Chunks, folder: Folder, book: Ledger, threads: int | None
    ) -> None:
        self._request = request
        self._chunks = chunks
        self._folder = folder
        self._book = book
        self._threads = threads
        self._ids = record.data_ids(request.strategy, request.bars)
        self._digests = record.data_digests(request.strategy, request.bars, request.columns)
        self._strategy_key = record.strategy_key(request.strategy)

    def write(self, progress: Advance | None, expect: Callable[[int], None] | None) -> None:
        """Compute every chunk that is not there, and close the run."""
        run = self._run_id()
        entry = self._book.show(run)
        damaged = [p.part for p in self._folder.damaged()]
        begun = range(len(self._folder.parts), len(self._chunks))
        todo = [*damaged, *begun]
        points = [stop - start for start, stop in map(self._chunks.span, todo)]
        if expect is not None:
            expect(sum(points) * len(self._ids))
        # A killed run may have entered the next chunk, or some accounts of it, without having counted it.
        entered = len(entry.trials) - len(self._ids) * sum(p.rows > 0 for p in self._folder.parts)
        for k, n_points in zip(todo, points, strict=True):
            n = self._chunk(k, run, entered, progress)
            if k in begun and n:
                entered = 0
            if progress is not None:
                progress((n_points - n) * len(self._ids))
        if not any(p.rows for p in self._folder.parts):
            raise no_combination(self._chunks.lattice)
        if entry.outcome is None:
            self._finish(run)

    def _chunk(self, k: int, run: str, entered: int, progress: Advance | None) -> int:
        """Compute chunk `k`; returns its number of combinations."""
        grid = self._chunks.grid(k)
        if not len(grid):
            self._folder.add(Part(k, 0, "", ""))
            return 0
        one = self._request
        result = compute(
            one.strategy, one.bars, grid, one.rules, one.metrics, one.choice,
            ppy=one.ppy, threads=self._threads, progress=progress,
        )  # fmt: skip
        buffer = io.BytesIO()
        result.frame.write_parquet(buffer, compression="zstd", statistics=True)
        data = buffer.getvalue()
        part = Part(k, len(result), sha256_hex(data), result.frame_sha256)
        if k < len(self._folder.parts):
            if part != self._folder.parts[k]:
                raise LedgerError(
                    f"part {k} was damaged, and what is computed now differs from what was written then",
                    seen=f"{part.sha256[:12]}, not {self._folder.parts[k].sha256[:12]}",
                    hint="remove the folder and run the sweep again",
                )
            self._folder.write_part(k, data)
            return len(grid)
        self._folder.write_part(k, data)
        self._enter(run, result, entered)
        self._folder.add(part)
        return len(grid)

    def _enter(self, run: str, result: SweepResult, entered: int) -> None:
        """Enter the trials of a chunk, those accounts left out that a killed run entered before."""
        accounts = list(zip(self._ids, self._digests, result.trial_sharpes, strict=True))
        parts = [
            (data_id, record.trial_keys(result.strategy, result.grid, result.rules, digest), sharpes)
            for data_id, digest, sharpes in accounts[entered:]
        ]
        if parts:
            self._book.record_all_trials(run, self._strategy_key, parts)

    def _run_id(self) -> str:
        """The run in the ledger: the one that was begun, or a new one."""
        known = self._folder.run
        if known is None:
            if self._folder.parts:
                raise LedgerError(
                    "the folder has lost the name of its run",
                    seen=str(self._folder.path / "run.json"),
                    hint="remove the folder and run the sweep again",
                )
            known = self._request.begin(self._book)
            self._folder.name_run(known)
        try:
            self._book.show(known)
        except UsageError as error:
            raise LedgerError(
                "the folder's run is not in this ledger",
                seen=f"{known}, {self._book.folder}",
                hint="use the ledger that it was begun with (GRN_HOME), or another folder",
            ) from error
        return known

    def _finish(self, run: str) -> None:
        parts = self._folder.parts
        self._book.finish(
            run,
            exit_code=0,
            result_key=str(self._folder.manifest["key"]),
            watermark=max(row.watermark for row in self._book.show(run).trials),
            timings_s={},
            outputs={
                "frame_sha256": hash_parts(p.frame_sha256 for p in parts),
                "rows": sum(p.rows for p in parts),
                "engine": self._request.choice.engine,
                "folder": str(self._folder.path.resolve()),
            },
        )
