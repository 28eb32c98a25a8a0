"""Runs on a cluster: how each stands, and how to end one.

Files tell the truth: a task that has ended has written its exit code. What the queue says explains a task
that has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.scheduler import find_scheduler
from grn.kit.errors import ClusterError, MissingError, UsageError

State = Literal["done", "failed", "cancelled", "running", "waiting", "lost", "unknown"]
_ORDER: tuple[State, ...] = ("failed", "lost", "unknown", "cancelled", "running", "waiting", "done")


@dataclass(frozen=True)
class Task:
    """A task of a run.

    Attributes
    ----------
    number
        From 0 on.
    state
        ``done``: exit code 0.  ``failed``: another one.  ``lost``: it has left the queue without an exit
        code: out of time or memory, or the node died.  ``unknown``: no exit code, and the scheduler does not
        answer.
    exit_code
        Of the command, once it has ended.
    restarts
        How often it was queued again.
    reason
        The queue's word and reason.
    log_size
        Bytes of its log.
    """

    number: int
    state: State
    exit_code: int | None
    restarts: int
    reason: str | None
    log_size: int


@dataclass(frozen=True)
class Run:
    """A run with its tasks."""

    name: str
    cluster: str
    job_id: str | None
    tasks: tuple[Task, ...]

    @property
    def state(self) -> State:
        """Of its tasks the worst, and while none has gone wrong the least far."""
        states = {task.state for task in self.tasks}
        return next(state for state in _ORDER if state in states)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return all(task.state in ("done", "failed", "cancelled", "lost") for task in self.tasks)


def look_up(connection: Connection, cluster: Cluster, names: Sequence[str] = ()) -> tuple[Run, ...]:
    """How runs stand, by name; all of them without any.

    Raises
    ------
    ClusterError, UnreachableError
        The folder of runs cannot be read, or the connection broke.
    """
    said = connection.script("state", cluster.folder, *names)
    if said.code:
        raise ClusterError(f"{connection.name} cannot tell of its runs", seen=said.err.strip() or said.code)
    queue: dict[tuple[str, str], tuple[str, str]] = {}
    silent = False
    rows: dict[str, list[list[str]]] = defaultdict(list)
    for line in said.out.splitlines():
        if line == "silent":
            silent = True
        elif line.startswith("task\t"):
            fields = line.split("\t")[1:]
            rows[fields[0]].append(fields)
        elif line.startswith("queue|") and line.count("|") == 5:
            _, job, number, state, reason, _ = line.split("|")
            queue[job, "0" if number == "N/A" else number] = state, reason
    is_over = find_scheduler(cluster.scheduler).is_over
    return tuple(
        Run(
            name,
            connection.name,
            None if tasks[0][1] == "-" else tasks[0][1],
            tuple(
                sorted(
                    (_task(fields, queue, silent, is_over) for fields in tasks), key=lambda task: task.number
                )
            ),
        )
        for name, tasks in sorted(rows.items())
    )


def find_run(connection: Connection, cluster: Cluster, name: str) -> Run:
    """Find a run by its name, or by how it begins or ends when only one does.

    Raises
    ------
    MissingError
        There is none.
    UsageError
        There are several.
    """
    runs = look_up(connection, cluster, [name]) or look_up(connection, cluster)
    found = [run for run in runs if run.name == name] or [
        run for run in runs if run.name.startswith(name) or run.name.endswith(name)
    ]
    if not found:
        raise MissingError(
            f"there is no such run on {connection.name}", seen=name, hint="grn compute jobs lists them"
        )
    if len(found) > 1:
        raise UsageError(
            "several runs fit",
            seen=name,
            hint=f"write more of one: {', '.join(run.name for run in found[:5])}",
        )
    return found[0]


def cancel(connection: Connection, cluster: Cluster, run: Run) -> bool:
    """End a run; tells whether there was anything to end. That it was cancelled is written down first.

    Raises
    ------
    ClusterError
        The scheduler does not take it.
    """
    if run.is_over:
        return False
    said = connection.script("cancel", f"{cluster.folder}/runs/{run.name}")
    if said.code:
        raise ClusterError(
            f"the scheduler of {connection.name} does not cancel {run.name}",
            seen=said.err.strip() or said.code,
            hint="run it again: a cancelled run does not begin anew, whatever the queue does",
        )
    return True


def _task(
    fields: Sequence[str],
    queue: dict[tuple[str, str], tuple[str, str]],
    silent: bool,
    is_over: Callable[[str], bool],
) -> Task:
    _, job, number, code, restarts, cancelled, size = fields
    word, reason = queue.get((job, number), (None, None))
    exit_code = int(code) if code.lstrip("-").isdigit() else None
    state: State
    if exit_code is not None:
        state = "done" if exit_code == 0 else "failed"
    elif word is not None and not is_over(word):
        state = "waiting" if word in ("PENDING", "REQUEUED", "REQUEUE_HOLD") else "running"
    elif silent:
        state = "unknown"
    else:
        state = "cancelled" if cancelled == "cancelled" else "lost"
    told = None if word is None else word if reason in (None, "None", "") else f"{word}, {reason}"
    if silent:
        told = "the scheduler does not answer"
    return Task(int(number), state, exit_code, int(restarts) if restarts.isdigit() else 0, told, int(size))
