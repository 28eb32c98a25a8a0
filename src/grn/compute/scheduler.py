"""What a scheduler has to be able to do. Slurm can; the others are named, so that nobody has to guess."""

from __future__ import annotations

from typing import Final, Protocol

from grn.compute.job import Job, Shape
from grn.kit.errors import UnsupportedError

NOT_IMPLEMENTED: Final = {
    "pbs": "qsub, qstat and qdel would stand where sbatch, squeue and scancel stand in the scripts",
    "lsf": "bsub, bjobs and bkill would stand where sbatch, squeue and scancel stand in the scripts",
}
"""Schedulers that are not implemented, and what it would take."""


class Scheduler(Protocol):
    """What differs between schedulers here; the scripts of ``remote`` differ beside it."""

    name: str

    def directives(
        self, job: Job, shape: Shape, run: str, folder: str, account: str | None
    ) -> tuple[str, ...]:
        """Lines at the top of a job's script that ask for its shape."""
        ...

    def is_over(self, state: str) -> bool:
        """Whether a job in this state of the queue has ended."""
        ...


def find_scheduler(name: str) -> Scheduler:
    """Find a scheduler by its name.

    Raises
    ------
    UnsupportedError
        It is not implemented.
    """
    from grn.compute.slurm import Slurm

    if name == Slurm.name:
        return Slurm()
    what = NOT_IMPLEMENTED.get(name)
    raise UnsupportedError(
        f"the scheduler {name} is not implemented" if what else "there is no such scheduler",
        seen=None if what else name,
        hint=what or f"known are slurm, and without an implementation {', '.join(NOT_IMPLEMENTED)}",
    )
