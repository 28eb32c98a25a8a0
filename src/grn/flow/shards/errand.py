"""A sweep sent to a cluster, and brought home into the folder and the ledger in which it was begun."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from grn.compute.bundle import Bundle, gather
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.job import Job, Shape
from grn.compute.preflight import look
from grn.compute.ranking import Forecast
from grn.compute.results import fetch
from grn.compute.room import note_fetched, remember, room
from grn.compute.runs import Run, look_up
from grn.compute.submission import Submitted, consider, manifest, require_taken, submit
from grn.flow.shards.note import Note, read_note, runs_to, write_note
from grn.flow.shards.parcel import LOCK, differing, pack, pins
from grn.flow.shards.task import span
from grn.kit.errors import ClusterError, UsageError
from grn.kit.files import lock, make_dir
from grn.kit.versions import versions
from grn.ledger import Ledger
from grn.quant.compute import Advance
from grn.quant.engine.grid import Grid
from grn.quant.stream.piece import Piece, load_piece
from grn.quant.stream.plan import Planned
from grn.quant.stream.result import StreamResult, open_sweep
from grn.quant.stream.run import begin_stream, merge_stream

COMMAND: Final = "PYTHONPATH=package python -m grn.flow.shards.task . $GRN_OUT $GRN_TASK $GRN_TASKS $GRN_CPUS"
_SIGNAL_S = 60
"""A chunk takes seconds: there is nothing to save but what is saved already."""
_SPARE_GIB = 1.0
"""Python, NumPy and Numba themselves take 0.4 GiB while they compile (measured 2026-11-23)."""


def send(
    connection: Connection,
    cluster: Cluster,
    planned: Planned,
    folder: Path,
    *,
    tasks: int,
    cpus: int = 1,
    walltime_min: int = 60,
    ledger: Ledger | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Submitted:
    """Begin a sweep in a folder here, and queue it there; a no-op when it is there, in whatever tasks.

    Parameters
    ----------
    connection, cluster
        Where it is computed.
    planned
        The sweep.
    folder
        Where its parts will be.
    tasks
        Of the array; no more than there are chunks are made.
    cpus, walltime_min
        Of each task.
    ledger
        In which it is begun; default the node's own.
    notify
        Is told what is done.

    Raises
    ------
    ClusterError, OutputError, UnreachableError
        The cluster does not take it, or lacks something: nothing was begun.
    HoldoutError
        The data reach into a period that is locked: nothing was sent.
    """
    sent = _find_sent(connection, cluster, planned, folder)
    if sent is not None:
        return sent
    with _packed(cluster, planned, tasks=tasks, cpus=cpus, walltime_min=walltime_min) as bundle:
        make_dir(room())
        with lock(room() / f"{bundle.run}.lock", timeout_s=600.0):
            return _submit(connection, cluster, planned, bundle, folder, ledger, notify)


def _find_sent(connection: Connection, cluster: Cluster, planned: Planned, folder: Path) -> Submitted | None:
    """The run that is computing this sweep for this folder, however it was cut into tasks."""
    # A folder that was removed is begun anew.
    names = runs_to(connection.name, folder) if (folder / "manifest.json").exists() else []
    if not names or open_sweep(folder).result_key != planned.manifest()["key"]:
        return None
    for run in look_up(connection, cluster, names):
        if run.job_id is not None:
            return Submitted(run.name, run.job_id, True, run.state)
    return None


def ask(
    connection: Connection, cluster: Cluster, planned: Planned, *, tasks: int, cpus: int, walltime_min: int
) -> tuple[Bundle, Forecast]:
    """What would be sent, and what the queue says of it; nothing is sent or begun.

    Parameters and errors: :func:`send`.
    """
    with _packed(cluster, planned, tasks=tasks, cpus=cpus, walltime_min=walltime_min) as bundle:
        (found,) = consider(connection, cluster, bundle)
        _check_versions(connection, cluster)
        return bundle, found


@contextlib.contextmanager
def _packed(
    cluster: Cluster, planned: Planned, *, tasks: int, cpus: int, walltime_min: int
) -> Iterator[Bundle]:
    """A sweep as a job with its files."""
    with tempfile.TemporaryDirectory(prefix="grn-parcel-") as parcel:
        pack(planned, Path(parcel))
        shape = Shape(cpus=cpus, memory_gib=planned.price_gib() + _SPARE_GIB, walltime_min=walltime_min)
        own = None if cluster.environment else LOCK
        job = Job(COMMAND, "sweep", ("*",), own, tasks=min(tasks, len(planned.chunks)), signal_s=_SIGNAL_S,
                  shape=shape)  # fmt: skip
        yield gather(job, Path(parcel))


def _submit(
    connection: Connection, cluster: Cluster, planned: Planned, bundle: Bundle, folder: Path,
    ledger: Ledger | None, notify: Callable[[str], None],
) -> Submitted:  # fmt: skip
    if not any(run.job_id for run in look_up(connection, cluster, [bundle.run])):
        require_taken(connection, consider(connection, cluster, bundle))
        _check_versions(connection, cluster)
    begin_stream(planned, folder, ledger)
    remember(connection.name, bundle.run, manifest(bundle))
    write_note(connection.name, bundle.run, Note(folder, planned.request.choice.engine))
    return submit(connection, cluster, bundle, notify)


def bring(
    connection: Connection,
    cluster: Cluster,
    run: Run,
    *,
    ledger: Ledger | None = None,
    progress: Advance | None = None,
) -> StreamResult:
    """Fetch the chunks of a sweep, verified, and merge them into its folder and the ledger.

    What is merged is not fetched again, so bringing a sweep home twice changes nothing.

    Raises
    ------
    UsageError
        The run is no sweep sent from here, or is not done.
    ClusterError, DataError, LedgerError, OutputError, UnreachableError
        See :func:`grn.compute.results.fetch` and :func:`grn.quant.stream.run.merge_stream`.
    """
    note = read_note(run.cluster, run.name)
    if note is None:
        raise UsageError("this run is no sweep that was sent from here", seen=run.name)
    pieces = room() / run.cluster / f"{run.name}.pieces"
    tasks, result = len(run.tasks), open_sweep(note.folder)
    chunks, accounts = result.chunks[1], len(result.accounts)

    @cache
    def fetched() -> Path:
        if run.state != "done":
            again = "grn compute retry" if run.is_over else "grn compute jobs"
            raise UsageError(
                f"{run.name} is not done",
                seen=run.state,
                hint=f"{again} {run.name}; or compute it here: the same command without --on",
            )
        # Verified when it appeared: one that is there is whole.
        if not pieces.exists():
            fetch(connection, cluster, run, pieces)
        return pieces

    def take(k: int, grid: Grid) -> Piece:
        task = next(t for t in range(tasks) if k in span(t, tasks, chunks))
        place = fetched() if tasks == 1 else fetched() / str(task)
        return load_piece(place, k, accounts=accounts, combinations=len(grid))

    merged = merge_stream(
        note.folder,
        take,
        where=f"{run.cluster}/{run.name}",
        engine=note.engine,
        progress=progress,
        ledger=ledger,
    )
    note_fetched(run.cluster, run.name, note.folder)
    if pieces.exists():
        shutil.rmtree(pieces)
    return merged


def _check_versions(connection: Connection, cluster: Cluster) -> None:
    """Refuse a cluster whose Python or packages would make other bytes, before anything is begun."""
    here = versions()
    names = [name for name in here if name in dict(pins())]
    there: dict[str, str | None]
    if cluster.environment is None:
        python = look(connection, cluster).python
        there = {**{name: here[name] for name in names}, "python": python}
    else:
        said = connection.script("packages", cluster.environment, " ".join(cluster.modules), *names)
        if said.code:
            raise ClusterError(
                f"there is no environment in {cluster.environment} on {connection.name}",
                seen=(said.err.strip().splitlines() or [""])[-1],
                hint="correct `environment` in clusters.toml, or leave it out: then one is made",
            )
        there = {name: version for name, _, version in (x.partition("\t") for x in said.out.splitlines())}
    unlike = differing({name: here[name] for name in [*names, "python"]}, there)
    if unlike:
        raise ClusterError(
            f"{connection.name} has other versions than this machine, whose bytes may differ",
            seen="; ".join(unlike),
            hint="name an environment with these, or a Python for making one, in clusters.toml",
        )
