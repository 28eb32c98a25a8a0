"""What a cluster has, asked before anything is sent: what cannot work is refused here, not there at night."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.kit.errors import ClusterError, OutputError

_GIB = 1 << 30
_SPARE_INODES = 1_000
"""Besides the files themselves: results, logs, checkpoints."""
_ENVIRONMENT_INODES = 50_000
"""Of an environment with torch and transformers: 34,000 files when it was counted, 2026-11-23."""


@dataclass(frozen=True)
class Look:
    """What a cluster told.

    Attributes
    ----------
    root
        Folder of all runs, whole.
    free, inodes
        Bytes and files that its disk still takes; ``None`` where the file system does not count.
    python
        Version of the Python for environments, or ``None``.
    """

    root: str
    free: int | None
    inodes: int | None
    python: str | None


def look(connection: Connection, cluster: Cluster) -> Look:
    """Ask a cluster what it has.

    Raises
    ------
    ClusterError
        It is no Slurm cluster, lacks a program or a module, or its folder cannot be written.
    OutputError
        A quota is used up.
    """
    said = connection.script("look", cluster.folder, cluster.python, " ".join(cluster.modules))
    facts: dict[str, list[str]] = defaultdict(list)
    for line in said.out.splitlines():
        name, _, value = line.partition("\t")
        facts[name].append(value)
    where = connection.name
    if facts["unwritable"]:
        raise ClusterError(
            f"the folder of runs on {where} cannot be written",
            seen=facts["unwritable"][0],
            hint="name another as `folder` in clusters.toml",
        )
    if "sbatch" in facts["lacks"] and facts["scheduler"]:
        raise ClusterError(
            f"{where} is no Slurm cluster: it has {facts['scheduler'][0].upper()}",
            hint="only slurm is implemented",
        )
    if facts["lacks"]:
        raise ClusterError(
            f"{where} lacks {', '.join(facts['lacks'])}",
            hint="is this a login node? name one as `host` in clusters.toml",
        )
    if facts["nomodule"]:
        raise ClusterError(
            f"{where} has no module {facts['nomodule'][0]}",
            hint="`module avail` there lists them; correct `modules` in clusters.toml",
        )
    if facts["quota"]:
        raise OutputError(
            f"a quota on {where} is used up",
            seen=" ".join(facts["quota"][0].split()),
            hint="make room there, or name a folder on another disk in clusters.toml",
        )
    return Look(
        facts["root"][-1],
        _count(facts["free"]),
        _count(facts["inodes"]),
        next(iter(facts["python"]), "") or None,
    )


def require_room(found: Look, where: str, *, n_bytes: int, files: int, environment: bool) -> None:
    """Refuse what a cluster's disk does not take.

    Raises
    ------
    OutputError
        Too few bytes or files are free.
    """
    if found.free is not None and n_bytes > found.free:
        raise OutputError(
            f"the disk of {where} is too full: {size_text(n_bytes)} are needed, "
            f"{size_text(found.free)} are free",
            seen=found.root,
            hint="make room there, or name a folder on another disk in clusters.toml",
        )
    wanted = files + _SPARE_INODES + (_ENVIRONMENT_INODES if environment else 0)
    if found.inodes and wanted > found.inodes:
        raise OutputError(
            f"the disk of {where} takes {found.inodes:,} more files, and {wanted:,} may be needed",
            seen=found.root,
            hint="remove old runs and environments there",
        )


def size_text(n_bytes: int) -> str:
    """Write a size for a person."""
    return f"{n_bytes / _GIB:.2f} GiB" if n_bytes >= _GIB / 10 else f"{n_bytes / (1 << 20):.2f} MiB"


def _count(values: list[str]) -> int | None:
    # "-" is what df writes for file systems that do not count (btrfs has no inodes: 0).
    return int(values[0]) if values and values[0].isdigit() else None
