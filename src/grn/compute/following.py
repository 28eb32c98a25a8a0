"""A task's log as it is written, to the byte, however often the connection breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.runs import Run
from grn.kit.errors import UnreachableError, UsageError
from grn.kit.files import lock, make_dir

_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_CHUNK = 1 << 16


def follow(
    connection: Connection, cluster: Cluster, run: Run, task: int, out: BinaryIO, mirror: Path, *,
    notify: Callable[[str], None] = lambda _: None, sleep: Callable[[float], None] = time.sleep,
    patience: int | None = None,
) -> int:  # fmt: skip
    """Write a log to a stream until its task has ended; returns its length in bytes.

    What has been seen lies in a file here and is not asked for again: after a broken connection, or in
    another process the next day, it goes on with the next byte.

    Parameters
    ----------
    connection, cluster, run, task
        Whose log.
    out
        Gets every byte, those that are here already first.
    mirror
        The file here.
    notify
        Is told when the connection broke.
    sleep
        Waits before it is tried again.
    patience
        How often in a row it is tried again; ``None`` for ever.

    Raises
    ------
    UnreachableError
        Patience was at its end.
    UsageError
        Another process follows the same log: two would write each byte twice.
    """
    make_dir(mirror.parent)
    with lock(mirror.with_suffix(".lock"), timeout_s=0.0), mirror.open("ab+") as kept:
        kept.seek(0)
        while chunk := kept.read(_CHUNK):
            out.write(chunk)
        out.flush()
        failures = 0
        while True:
            before = kept.tell()
            try:
                connection.open()
                if _listen(connection, cluster, run, task, out, kept):
                    return kept.tell()
                raise UnreachableError(f"the connection to {connection.name} broke", hint="run it again")
            except UnreachableError as error:
                failures = 0 if kept.tell() > before else failures + 1
                if patience is not None and failures > patience:
                    raise
                notify(f"{error}; trying again from byte {kept.tell():,}")
                sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])


def _listen(
    connection: Connection, cluster: Cluster, run: Run, task: int, out: BinaryIO, kept: BinaryIO
) -> bool:
    """Copy what comes; whether the log came to its end."""
    with connection.listen(
        "follow", f"{cluster.folder}/runs/{run.name}", str(task), str(kept.tell())
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            while chunk := process.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
                kept.write(chunk)
                kept.flush()
                out.write(chunk)
                out.flush()
            process.stdin.close()
            return process.wait() == 0
        finally:
            process.kill()


def mirror_path(folder: Path, run: Run, task: int) -> Path:
    """Where a log is kept here.

    Raises
    ------
    UsageError
        The run has no such task.
    """
    if task not in {one.number for one in run.tasks}:
        raise UsageError("the run has no such task", seen=task, hint=f"it has {len(run.tasks)}")
    return folder / run.cluster / f"{run.name}.{task}.log"
