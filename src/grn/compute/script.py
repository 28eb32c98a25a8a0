"""The script of a job: directives for the scheduler, variables, and the body that all jobs share."""

from __future__ import annotations

import shlex

from grn.compute.clusters import Cluster
from grn.compute.job import Job, Shape
from grn.compute.remote import read_script
from grn.compute.scheduler import Scheduler


def write_script(
    job: Job,
    shape: Shape,
    cluster: Cluster,
    scheduler: Scheduler,
    *,
    run: str,
    root: str,
    environment: str | None,
) -> str:
    """Write a job's script.

    Parameters
    ----------
    job, shape, cluster, scheduler
        What is run, where, and in whose language.
    run
        The run's name.
    root
        Folder of all runs on the cluster, whole.
    environment
        Name of the environment, or ``None``.
    """
    folder = f"{root}/runs/{run}"
    made = cluster.environment if environment is None else f"{root}/envs/{environment}"
    variables = {
        "GRN_DIR": folder,
        "GRN_COMMAND": job.command,
        "GRN_PATH": "" if made is None else f"{made}/bin",
        "GRN_MODULES": " ".join(cluster.modules),
        "GRN_RESUMES": str(job.resumes),
        "GRN_TASKS": str(job.tasks),
        "GRN_CPUS": str(shape.cpus),
        **job.variables,
    }
    return "\n".join(
        [
            "#!/bin/bash",
            *scheduler.directives(job, shape, run, folder, cluster.account),
            "",
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
            "",
            read_script("job"),
        ]
    )
