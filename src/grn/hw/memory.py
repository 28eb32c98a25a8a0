"""Memory that this process may really use: the machine's, or less where a control group limits it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
# Version 1 writes "no limit" as the largest multiple of the page size below 2**63.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class Memory:
    """Bytes of memory; ``None`` is unknown.

    Attributes
    ----------
    total
        The machine's memory.
    limit
        The tightest control-group limit on this process, or ``None`` without one.
    available
        What can still be taken without swapping: the kernel's own estimate, or what the limit leaves.
    """

    total: int | None
    limit: int | None
    available: int | None


def read_memory(root: Path) -> Memory:
    """Read ``/proc`` and ``/sys/fs/cgroup`` below ``root``."""
    machine = _meminfo(root)
    total, free = machine.get("MemTotal"), machine.get("MemAvailable")
    limits = list(_limits(root))
    limit = min((limit for limit, _ in limits), default=None)
    rooms = [max(limit - used, 0) for limit, used in limits]
    if free is not None:
        rooms.append(free)
    if limit is not None and total is not None and limit >= total:
        limit = None  # a limit above the machine's memory limits nothing
    return Memory(total, limit, min(rooms, default=None))


def _meminfo(root: Path) -> dict[str, int]:
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdecimal():
            found[name] = int(words[0]) * 1024  # the kernel writes kB and means KiB
    return found


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of every limited group that this process is in, up to the root group."""
    base = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "", "")
        if controllers == "":
            names, tree = ("memory.max", "memory.current"), base
        elif "memory" in controllers.split(","):
            names, tree = ("memory.limit_in_bytes", "memory.usage_in_bytes"), base / "memory"
        else:
            continue
        group = tree / path.lstrip("/")
        if not group.is_dir():
            group = tree  # inside a container the path is the host's, and the mount is the group itself
        while True:
            limit, used = _number(group / names[0]), _number(group / names[1])
            if limit is not None and used is not None and limit < _NO_LIMIT:
                yield limit, used - _reclaimable(group)
            if group == tree:
                break
            group = group.parent


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _reclaimable(group: Path) -> int:
    """Page cache that the kernel drops first; it is counted as used, but does not stand in the way."""
    try:
        text = (group / "memory.stat").read_text()
    except OSError:
        return 0
    counts = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    # Version 1 counts the group alone under the plain name and the whole subtree under total_*.
    value = counts.get("total_inactive_file", counts.get("inactive_file", "0"))
    return int(value) if value.isdecimal() else 0
