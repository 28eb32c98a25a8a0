"""A job as a person writes it down: a command, the files it needs, what it asks of a cluster."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from grn.compute.table import fill, read_toml
from grn.kit.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Shape:
    """What a job asks of a cluster.

    Attributes
    ----------
    partition, gpu_type
        Names of the cluster's own; ``None`` leaves them to it.
    gpus, cpus
        Of one node.
    memory_gib
        Of one node; ``None`` leaves it to the cluster.
    walltime_min
        How long one attempt may take, minutes.
    run_min
        How long the whole work takes with it, minutes, as far as it is known: by this shapes are compared.
    """

    partition: str | None = None
    gpus: int = 0
    gpu_type: str | None = None
    cpus: int = 1
    memory_gib: float | None = None
    walltime_min: int = 60
    run_min: float | None = None

    def __post_init__(self) -> None:
        for name, count, least in (
            ("gpus", self.gpus, 0),
            ("cpus", self.cpus, 1),
            ("walltime_min", self.walltime_min, 1),
        ):
            if count < least:
                raise UsageError(f"{name} must be at least {least}", seen=count)
        for name, value in (("memory_gib", self.memory_gib), ("run_min", self.run_min)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} must be positive", seen=value)
        if self.gpu_type is not None and not self.gpus:
            raise UsageError("a gpu_type without gpus", seen=self.gpu_type, hint="gpus = 1")

    def describe(self) -> str:
        """One line for a person."""
        parts = [self.partition or "default partition"]
        if self.gpus:
            parts.append(f"{self.gpus} × {self.gpu_type or 'gpu'}")
        parts.append(f"{self.cpus} cpu")
        if self.memory_gib is not None:
            parts.append(f"{self.memory_gib:g} GiB")
        return f"{', '.join(parts)}, {self.walltime_min} min at a time"


@dataclass(frozen=True)
class Job:
    """A command, the files it needs, and what it asks of a cluster.

    Attributes
    ----------
    command
        A line of bash, run in the folder of the files. What it writes into ``$GRN_OUT`` is its result.
    name
        For the queue and the run's name.
    files
        What is sent along: patterns relative to the folder of the job's file; folders with all they hold.
    lock
        A lock file with every package's version, for `pip`; the environment is made once on the cluster.
    wheels
        A folder of wheels among `files`, for clusters whose login node has no package index.
    tasks
        How many tasks of an array; each finds its number in ``$GRN_TASK``.
    resumes
        How often it may be queued again after it has saved a checkpoint (exit code 75).
    signal_s
        So many seconds before the end of its time every process of it gets USR1: one that saves a checkpoint
        and exits with 75 is queued again. Without, it is not told.
    free_gib
        What has to be free on the cluster beside the files, GiB.
    variables
        Of the command's environment. Secrets do not belong here: they would lie in a file of the cluster.
    shape
        What it asks of the cluster.
    shapes
        Others that would do; the one whose work ends first is taken.
    """

    command: str
    name: str = "job"
    files: tuple[str, ...] = ()
    lock: str | None = None
    wheels: str | None = None
    tasks: int = 1
    resumes: int = 20
    signal_s: int | None = None
    free_gib: float = 1.0
    variables: Mapping[str, str] = field(default_factory=dict)
    shape: Shape = Shape()
    shapes: tuple[Shape, ...] = ()

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise UsageError("the command is empty", hint='command = "python train.py --out $GRN_OUT"')
        if not _NAME.fullmatch(self.name):
            raise UsageError("a job's name has letters, digits, and _.- inside, 40 at most", seen=self.name)
        for name, count, least in (
            ("tasks", self.tasks, 1),
            ("resumes", self.resumes, 0),
            ("signal_s", self.signal_s, 1),
        ):
            if count is not None and count < least:
                raise UsageError(f"{name} must be at least {least}", seen=count)
        if not (math.isfinite(self.free_gib) and self.free_gib >= 0):
            raise UsageError("free_gib must not be negative", seen=self.free_gib)
        for variable in self.variables:
            if not _VARIABLE.fullmatch(variable) or variable.startswith("GRN_"):
                raise UsageError("this is no name for a variable", seen=variable, hint="GRN_ is taken")

    def every_shape(self) -> tuple[Shape, ...]:
        """The shapes to choose from: the first is the job's own."""
        return self.shapes or (self.shape,)


def read_job(path: Path) -> Job:
    """Read a job's file: the table ``[job]``, and ``[resources]`` or several ``[[resources]]``.

    Raises
    ------
    MissingError, UsageError
        There is no such file, or it says something that makes no sense.
    """
    table = read_toml(path, "job file")
    for key in table:
        if key not in ("job", "resources"):
            raise UsageError(f"unknown table in {path}", seen=key, hint="known are [job] and [resources]")
    job = fill(Job, table.get("job", {}), f"[job] of {path}", without=("shape", "shapes"))
    asked = table.get("resources", {})
    if isinstance(asked, list):
        shapes = tuple(fill(Shape, one, f"[[resources]] of {path}") for one in asked)
        return replace(job, shape=shapes[0], shapes=shapes) if shapes else job
    return replace(job, shape=fill(Shape, asked, f"[resources] of {path}"))
