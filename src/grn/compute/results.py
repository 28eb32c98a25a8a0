"""Results brought home: copied, held against the hashes that the task wrote, then put in their place."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.room import note_fetched
from grn.compute.runs import Run
from grn.kit.errors import ClusterError, OutputError, UsageError
from grn.kit.files import make_dir

_CHUNK = 1 << 20
_LIST = "results.sha256"


def fetch(connection: Connection, cluster: Cluster, run: Run, target: Path, *, partial: bool = False) -> int:
    """Copy what a run left in ``$GRN_OUT`` to a folder here; returns the number of files.

    One task's results are the folder; those of several lie in folders of their numbers.  The folder appears
    when every file has the hash that its task wrote at its end; a copy that broke off goes on where it was.

    Parameters
    ----------
    connection, cluster, run
        Whose results.
    target
        The folder; it must not be there.
    partial
        Take what there is of a run that has not ended, or not well: unverified where there is no list.

    Raises
    ------
    UsageError
        The run is not done, or the folder is there.
    ClusterError
        A file does not have its hash, is missing, or is too many.
    """
    if target.exists():
        raise UsageError("the folder is there already", seen=str(target), hint="name another with --to")
    if run.state != "done" and not partial:
        raise UsageError(
            f"{run.name} is not done",
            seen=run.state,
            hint="--partial takes what there is; grn compute attach shows why",
        )
    coming = target.parent / f".{target.name}.coming"
    make_dir(coming)
    count = 0
    for task in run.tasks:
        here = coming / str(task.number)
        make_dir(here)
        there = f"{cluster.folder}/runs/{run.name}/tasks/{task.number}"
        connection.pull(f"{there}/out", here / "out")
        if task.exit_code is not None:
            count += _verify(connection, there, here)
        else:
            count += sum(path.is_file() for path in (here / "out").rglob("*"))
    whole = coming / "whole"
    if len(run.tasks) == 1:
        (coming / "0" / "out").rename(whole)
    else:
        whole.mkdir(exist_ok=True)
        for task in run.tasks:
            (coming / str(task.number) / "out").rename(whole / str(task.number))
    try:
        whole.rename(target)
    except OSError as error:
        raise OutputError(
            f"cannot write {target}", seen=error.strerror, hint="name another with --to"
        ) from error
    shutil.rmtree(coming)
    if run.state == "done":
        note_fetched(connection.name, run.name, target)
    return count


def _verify(connection: Connection, there: str, here: Path) -> int:
    said = connection.script("sums", f"{there}/{_LIST}")
    if said.code:
        raise ClusterError(
            "a task left no list of its results",
            seen=there,
            hint="its log says why; --partial does not help here",
        )
    sums = read_sums(said.out)
    found = {path.relative_to(here / "out").as_posix(): path for path in (here / "out").rglob("*")
             if path.is_file() and not path.is_symlink()}  # fmt: skip
    for name in sorted(sums.keys() | found.keys()):
        if name not in found:
            raise ClusterError(
                "a result is missing", seen=name, hint="it was removed after its task had ended"
            )
        if name not in sums:
            raise ClusterError("a file came after its task had ended", seen=name, hint="remove it there")
        if _sha256(found[name]) != sums[name]:
            raise ClusterError(
                "a result does not have the hash that its task wrote",
                seen=name,
                hint="it was changed afterwards, or its disk is bad",
            )
    return len(sums)


def read_sums(text: str) -> dict[str, str]:
    """Read what ``sha256sum -bz`` printed: file names below the folder, and their hashes."""
    return {line[66:].removeprefix("./"): line[:64] for line in text.split("\0") if len(line) > 66}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
