"""A run that failed, was lost or cancelled, queued again: what it left so far may be gone on with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.job import Job, Shape
from grn.compute.preflight import look
from grn.compute.ranking import forecast
from grn.compute.runs import Run
from grn.compute.scheduler import find_scheduler
from grn.compute.script import write_script
from grn.compute.slurm import queue_name
from grn.compute.submission import Submitted, explain, require_taken
from grn.kit.errors import ClusterError, UsageError


def retry(
    connection: Connection, cluster: Cluster, run: Run, changes: Mapping[str, object] | None = None
) -> Submitted:
    """Queue those tasks of a run again that did not end well.

    Files, log and ``$GRN_OUT`` stay as they are: a command that saved a checkpoint there goes on from it.

    Parameters
    ----------
    connection, cluster, run
        Which run.
    changes
        Other values of :class:`grn.compute.job.Shape`, such as a longer ``walltime_min``.

    Raises
    ------
    UsageError
        The run is done, or still in the queue.
    ClusterError, OutputError
        The scheduler does not take it: everything is as it was.
    """
    again = [task.number for task in run.tasks if task.state != "done"]
    if not run.is_over or not again:
        raise UsageError(
            f"{run.name} has not ended" if again else f"{run.name} is done",
            seen=run.state,
            hint="grn compute cancel ends it first" if again else "grn compute fetch brings it home",
        )
    scheduler = find_scheduler(cluster.scheduler)
    there = f"{cluster.folder}/runs/{run.name}"
    said = connection.script("sums", f"{there}/manifest.json")
    try:
        told = json.loads(said.out)
        job = _changed(_job(told["job"]), cluster, changes or {})
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"the manifest of {run.name} cannot be read", seen=str(error), hint="submit the job again"
        ) from error
    root = look(connection, cluster).root
    forecasts = forecast(connection, cluster, scheduler, job, root, run.name)
    require_taken(connection, forecasts)
    script = write_script(
        job, forecasts[0].shape, cluster, scheduler, run=run.name, root=root, environment=told["environment"]
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "job.sh").write_text(script)
        connection.push(Path(folder), ["job.sh"], there)
    numbers = ",".join(map(str, again))
    said = connection.script("retry", root, run.name, queue_name(run.name), str(job.tasks), numbers)
    if said.code:
        raise explain(connection, said)
    word, _, job_id = said.out.strip().partition(" ")
    return Submitted(run.name, job_id, word == "known", forecasts=forecasts)


def _changed(job: Job, cluster: Cluster, changes: Mapping[str, Any]) -> Job:
    shapes = tuple(
        replace(shape, **{"partition": shape.partition or cluster.partition, **changes})
        for shape in job.every_shape()
    )
    return replace(job, shape=shapes[0], shapes=shapes)


def _job(told: Mapping[str, Any]) -> Job:
    """A job as its manifest has it."""
    lists = {"files": tuple(told["files"]), "shapes": tuple(Shape(**shape) for shape in told["shapes"])}
    return Job(**{**told, **lists, "shape": Shape(**told["shape"])})
