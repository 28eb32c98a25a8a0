"""Sending a job: looked at, made ready, copied, checked, queued; or found to have been sent before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from grn.compute.bundle import Bundle
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection, Said
from grn.compute.job import Job
from grn.compute.preflight import Look, look, require_room, size_text
from grn.compute.ranking import Forecast, forecast
from grn.compute.runs import State, look_up
from grn.compute.scheduler import Scheduler, find_scheduler
from grn.compute.script import write_script
from grn.compute.slurm import queue_name
from grn.kit.canonical import canonical_json
from grn.kit.errors import ClusterError, OutputError

_GIB = 1 << 30
_DAMAGED, _REFUSED, _DISK = 65, 70, 74


@dataclass(frozen=True)
class Submitted:
    """A run that is in the queue.

    Attributes
    ----------
    run
        Its name.
    job_id
        The scheduler's number.
    known
        Whether it had been sent before: then nothing was done.
    state
        How it stands.
    forecasts
        What was expected of the shapes, the one taken first.
    """

    run: str
    job_id: str
    known: bool
    state: State = "waiting"
    forecasts: tuple[Forecast, ...] = ()


def submit(
    connection: Connection, cluster: Cluster, bundle: Bundle, notify: Callable[[str], None] = lambda _: None
) -> Submitted:
    """Send a job to a cluster and queue it; a no-op when it is there.

    Parameters
    ----------
    connection, cluster, bundle
        Where, and what.
    notify
        Is told, in a line each, what is done.

    Raises
    ------
    ClusterError, OutputError, UnreachableError
        See :mod:`grn.compute.preflight`; nothing is queued then.  What was copied is not sent again.
    """
    scheduler = find_scheduler(cluster.scheduler)
    known = _find_known(connection, cluster, bundle)
    if known is not None:
        return known
    job = _with_partition(bundle, cluster)
    found, forecasts = _consider(connection, cluster, bundle, job)
    require_taken(connection, forecasts)
    try:
        return _send(connection, cluster, bundle, job, scheduler, found, forecasts, notify)
    except ClusterError:
        # Somebody else sent the same from another machine, and took the files away while they were copied.
        known = _find_known(connection, cluster, bundle)
        if known is None:
            raise
        return known


def _find_known(connection: Connection, cluster: Cluster, bundle: Bundle) -> Submitted | None:
    """The run, if it has been queued."""
    for run in look_up(connection, cluster, [bundle.run]):
        if run.job_id is not None:
            return Submitted(run.name, run.job_id, True, run.state)
    return None


def _send(
    connection: Connection, cluster: Cluster, bundle: Bundle, job: Job, scheduler: Scheduler, found: Look,
    forecasts: tuple[Forecast, ...], notify: Callable[[str], None],
) -> Submitted:  # fmt: skip
    shape = forecasts[0].shape
    notify(f"sending {len(bundle.files)} files, {size_text(bundle.size)}, to {connection.name}")
    incoming = f"{found.root}/incoming/{bundle.run}"
    said = connection.script("receive", f"{incoming}/work")
    if said.code:
        raise OutputError(f"cannot write on {connection.name}", seen=_last(said.err), hint="make room there")
    connection.push(bundle.folder, [sent.name for sent in bundle.files], f"{incoming}/work")
    with tempfile.TemporaryDirectory() as folder:
        script = write_script(
            job, shape, cluster, scheduler, run=bundle.run, root=found.root, environment=bundle.environment
        )
        papers = {"job.sh": script.encode(), "files.sha256": bundle.sums(), "manifest.json": manifest(bundle)}
        for name, content in papers.items():
            (Path(folder) / name).write_bytes(content)
        connection.push(Path(folder), papers, incoming)
    if bundle.environment is not None:
        _make_environment(connection, cluster, bundle, found, incoming, notify)
    said = connection.script("submit", found.root, bundle.run, queue_name(bundle.run), str(job.tasks))
    if said.code:
        raise explain(connection, said)
    word, _, job_id = said.out.strip().partition(" ")
    return Submitted(bundle.run, job_id, word == "known", forecasts=forecasts)


def consider(connection: Connection, cluster: Cluster, bundle: Bundle) -> tuple[Forecast, ...]:
    """What a cluster and its queue say of a job; nothing is sent. Errors are those of :func:`submit`."""
    return _consider(connection, cluster, bundle, _with_partition(bundle, cluster))[1]


def require_taken(connection: Connection, forecasts: Sequence[Forecast]) -> None:
    """Refuse a job that the scheduler would take in none of its shapes.

    Raises
    ------
    ClusterError
        With the scheduler's own words.
    """
    if forecasts[0].refused is not None:
        raise _refusal(connection, forecasts[0].refused)


def _consider(
    connection: Connection, cluster: Cluster, bundle: Bundle, job: Job
) -> tuple[Look, tuple[Forecast, ...]]:
    found = look(connection, cluster)
    require_room(
        found, connection.name,
        n_bytes=bundle.size + int(job.free_gib * _GIB),
        files=len(bundle.files), environment=bundle.environment is not None,
    )  # fmt: skip
    scheduler = find_scheduler(cluster.scheduler)
    return found, forecast(connection, cluster, scheduler, job, found.root, bundle.run)


def manifest(bundle: Bundle) -> bytes:
    """What a run was made from, as canonical JSON: it lies beside the run."""
    return canonical_json(
        {"run": bundle.run, "job": asdict(bundle.job), "environment": bundle.environment,
         "files": [asdict(sent) for sent in bundle.files]}
    )  # fmt: skip


def _with_partition(bundle: Bundle, cluster: Cluster) -> Job:
    shapes = tuple(
        replace(shape, partition=shape.partition or cluster.partition) for shape in bundle.job.every_shape()
    )
    return replace(bundle.job, shape=shapes[0], shapes=shapes)


def _make_environment(
    connection: Connection, cluster: Cluster, bundle: Bundle, found: Look, incoming: str,
    notify: Callable[[str], None],
) -> None:  # fmt: skip
    if found.python is None:
        raise ClusterError(
            f"{connection.name} has no {cluster.python}",
            hint="name one as `python`, or a module that brings it, in clusters.toml",
        )
    job = bundle.job
    notify(f"environment {bundle.environment} with Python {found.python}")
    said = connection.script(
        "environment", f"{found.root}/envs/{bundle.environment}", f"{incoming}/work/{job.lock}",
        cluster.python, " ".join(cluster.modules), f"{incoming}/work/{job.wheels}" if job.wheels else "",
    )  # fmt: skip
    if said.code:
        raise ClusterError(
            f"the environment cannot be made on {connection.name}",
            seen=_last(said.err),
            hint=f"correct {job.lock}; a login node without a package index needs `wheels`",
        )


def _refusal(connection: Connection, reason: str) -> ClusterError:
    return ClusterError(
        f"the scheduler of {connection.name} does not take the job",
        seen=reason,
        hint="correct [resources]; `sinfo` there lists partitions, their limits and cards",
    )


def explain(connection: Connection, said: Said) -> Exception:
    """What the exit code of a script that queues means."""
    where, last = connection.name, _last(said.err)
    if said.code == _DAMAGED:
        return ClusterError(f"files arrived damaged on {where}", seen=last, hint="run it again")
    if said.code == _REFUSED:
        return _refusal(connection, last)
    if said.code == _DISK:
        return OutputError(f"the disk of {where} takes nothing more", seen=last, hint="make room there")
    return ClusterError(f"{where} could not queue the job", seen=last, hint="run it again")


def _last(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was said"
