"""Running a streamed sweep: chunk after chunk, each on the disk and in the ledger before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grn.kit.errors import GrnError, LedgerError, OutputError, UsageError
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import Advance
from grn.quant.engine.grid import Lattice
from grn.quant.request import opened, recall
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import Size
from grn.quant.strategy.weights import AnyStrategy
from grn.quant.stream.chunks import Chunks
from grn.quant.stream.folder import Folder, locked
from grn.quant.stream.piece import compute_piece
from grn.quant.stream.plan import Planned, plan_stream
from grn.quant.stream.result import StreamResult
from grn.quant.stream.writer import Source, Writer

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
    planned = plan_stream(
        strategy, data, rules=rules, costs=costs, fill=fill, size=size, cash=cash, metrics=metrics,
        engine=engine, threads=threads, memory_gib=memory_gib, periods_per_year=periods_per_year, chunk=chunk,
        ledger=ledger, command=command,
    )  # fmt: skip
    path = Path(folder)
    with locked(path), opened(ledger) as book:
        place = Folder.claim(path, planned.manifest())
        return _write(planned, place, book, _computed(planned, threads, progress), progress, expect)


def begin_stream(planned: Planned, folder: Path, ledger: Ledger | None = None) -> str:
    """Begin a streamed sweep without computing anything: its folder, and its run in the ledger.

    What is locked is refused here, before anybody has computed anything.  Returns the run's id; a no-op where
    it was begun before.

    Raises
    ------
    HoldoutError, LedgerError, OutputError
        The data reach into a locked period; the folder holds something else.
    """
    with locked(folder), opened(ledger) as book:
        place = Folder.claim(folder, planned.manifest())
        return Writer(planned, place, book, _computed(planned)).run_id()


def merge_stream(
    folder: Path,
    source: Source,
    *,
    where: str,
    engine: str = "auto",
    progress: Advance | None = None,
    ledger: Ledger | None = None,
) -> StreamResult:
    """Bring a sweep that was begun to its end with chunks that were computed elsewhere.

    Files, trials and counts are those of a sweep that was computed here; what is there already is left as it
    is, so merging again changes nothing.

    Parameters
    ----------
    folder, ledger
        Where it was begun (:func:`begin_stream`).
    source
        Gives a chunk.
    where, engine
        Which computed them: kept in the ledger with the run's results.
    progress
        As for :func:`stream_sweep`.

    Raises
    ------
    DataError, LedgerError, OutputError, UsageError
        The folder holds no sweep that was begun, or not with this ledger; a chunk is not what it should be.
    """
    with locked(folder), opened(ledger) as book:
        place = Folder.open(folder)
        if place.run is None:
            raise UsageError("the sweep in this folder was not begun", seen=str(folder))
        try:
            inputs = book.show(place.run).inputs
        except UsageError as error:
            raise LedgerError(
                "the folder's run is not in this ledger",
                seen=f"{place.run}, {book.folder}",
                hint="use the ledger that it was begun with (GRN_HOME)",
            ) from error
        request = recall(inputs, record.recall_bars(book, inputs), engine=engine, command="stream_sweep")
        lattice = Lattice.of(request.strategy)
        planned = Planned(request, Chunks(lattice, int(request.inputs["grid"]["chunk"])))
        place = Folder.claim(folder, place.manifest)
        return _write(planned, place, book, source, progress, None, {"where": where})


def _write(
    planned: Planned,
    place: Folder,
    book: Ledger,
    source: Source,
    progress: Advance | None,
    expect: Callable[[int], None] | None,
    more: Mapping[str, object] | None = None,
) -> StreamResult:
    try:
        Writer(planned, place, book, source, more).write(progress, expect)
    except GrnError as error:
        kept = f"{len(place.parts):,} of {len(planned.chunks):,} chunks are kept: run the same again to go on"
        # Another path is no way out: what was finished lies here.
        first = "make room" if isinstance(error, OutputError) else error.hint
        error.hint = "; ".join(filter(None, [first, kept]))
        raise
    return StreamResult(place)


def _computed(planned: Planned, threads: int | None = None, progress: Advance | None = None) -> Source:
    """Chunks that are computed when they are asked for."""
    return lambda k, grid: compute_piece(planned.request, k, grid, threads=threads, progress=progress)
