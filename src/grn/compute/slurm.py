"""Slurm: what it is told at the top of a script, and what its words mean."""

from __future__ import annotations

from collections.abc import Iterator

from grn.compute.job import Job, Shape

_LIVE = frozenset(
    (
        "PENDING",
        "RUNNING",
        "CONFIGURING",
        "COMPLETING",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESIZING",
        "SIGNALING",
        "SPECIAL_EXIT",
        "STAGE_OUT",
        "STOPPED",
        "SUSPENDED",
    )
)


class Slurm:
    """Slurm from 17.11 on (2017)."""

    name = "slurm"

    def directives(
        self, job: Job, shape: Shape, run: str, folder: str, account: str | None
    ) -> tuple[str, ...]:
        """Lines ``#SBATCH …``: all that is asked for stands in the script, nothing on a command line."""
        return tuple(f"#SBATCH --{line}" for line in _asked(job, shape, run, folder, account))

    def is_over(self, state: str) -> bool:
        """Whether a job in this state has ended."""
        return state not in _LIVE


def queue_name(run: str) -> str:
    """The job's name in the queue: the key by which a job without its note is found again."""
    return f"grn-{run}"


def _asked(job: Job, shape: Shape, run: str, folder: str, account: str | None) -> Iterator[str]:
    yield f"job-name={queue_name(run)}"
    yield "nodes=1"
    yield "ntasks=1"
    yield f"cpus-per-task={shape.cpus}"
    yield f"time={shape.walltime_min}"
    if job.signal_s is not None:
        yield f"signal=B:USR1@{job.signal_s}"
    yield "requeue"
    yield "open-mode=append"
    yield f"chdir={folder}"
    yield "output=slurm.out"
    if shape.partition is not None:
        yield f"partition={shape.partition}"
    if account is not None:
        yield f"account={account}"
    if shape.memory_gib is not None:
        yield f"mem={round(shape.memory_gib * 1024)}M"
    if shape.gpus:
        yield f"gres=gpu:{shape.gpu_type}:{shape.gpus}" if shape.gpu_type else f"gres=gpu:{shape.gpus}"
    if job.tasks > 1:
        yield f"array=0-{job.tasks - 1}"
