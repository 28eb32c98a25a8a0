"""Which shape of a job ends first: when the queue would start it, and how long it then takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.job import Job, Shape
from grn.compute.scheduler import Scheduler
from grn.compute.script import write_script


@dataclass(frozen=True)
class Forecast:
    """A shape with what is expected of it.

    Attributes
    ----------
    shape
        What would be asked for.
    wait_s
        Until it starts, by the queue's own estimate; ``None`` where the queue has none.
    attempts
        How often it has to be started: the work divided by the walltime, less what a checkpoint takes.
    end_s
        Seconds from now until the work is done, every attempt waiting as long as the first; ``None`` when
        not known.
    refused
        Why the scheduler would not take it, or ``None``.
    """

    shape: Shape
    wait_s: float | None
    attempts: int
    end_s: float | None
    refused: str | None


def forecast(
    connection: Connection, cluster: Cluster, scheduler: Scheduler, job: Job, root: str, run: str
) -> tuple[Forecast, ...]:
    """Ask the queue about each shape of a job (``sbatch --test-only``); the earliest end comes first."""
    return rank([_ask(connection, cluster, scheduler, job, shape, root, run) for shape in job.every_shape()])


def rank(forecasts: Sequence[Forecast]) -> tuple[Forecast, ...]:
    """The earliest end first; without one, the earliest start; what is refused comes last."""
    far = math.inf
    return tuple(
        sorted(
            forecasts,
            key=lambda one: (
                one.refused is not None,
                far if one.end_s is None else one.end_s,
                far if one.wait_s is None else one.wait_s,
            ),
        )
    )


def expect(job: Job, shape: Shape, wait_s: float | None) -> tuple[int, float | None]:
    """How many attempts a shape takes, and after how many seconds its work is done.

    Every attempt but the last gives up ``signal_s`` and the minute by which Slurm may signal too early
    (sbatch(1), ``--signal``). Work that is not told before the end of its time has one attempt alone.
    """
    if shape.run_min is None or not can_end(job, shape):
        return 1, None
    useful_s = max(60.0, shape.walltime_min * 60.0 - (job.signal_s or 0) - 60.0)
    run_s = shape.run_min * 60.0
    attempts = 1 if run_s <= shape.walltime_min * 60.0 else math.ceil(run_s / useful_s)
    return attempts, None if wait_s is None else run_s + attempts * wait_s


def can_end(job: Job, shape: Shape) -> bool:
    """Whether the work ends in one attempt, or is told before the end of each and can go on in the next."""
    return shape.run_min is None or shape.run_min <= shape.walltime_min or job.signal_s is not None


def _ask(
    connection: Connection,
    cluster: Cluster,
    scheduler: Scheduler,
    job: Job,
    shape: Shape,
    root: str,
    run: str,
) -> Forecast:
    if not can_end(job, shape):
        return Forecast(shape, None, 1, None, refused="one attempt is too short, and there is no signal_s")
    script = write_script(job, shape, cluster, scheduler, run=run, root=root, environment=None)
    # The folder is not there yet; its own line would be refused.
    asked = "\n".join(line for line in script.splitlines() if not line.startswith("#SBATCH --chdir"))
    said = connection.script("estimate", asked)
    if said.code:
        reason = said.err.strip().splitlines()[-1:] or ["no reason given"]
        return Forecast(shape, None, *expect(job, shape, None), refused=reason[0])
    numbers = [int(line) for line in said.out.split()]
    wait_s = float(max(0, numbers[1] - numbers[0])) if len(numbers) > 1 else None
    return Forecast(shape, wait_s, *expect(job, shape, wait_s), refused=None)
