"""Which process has to settle a reservation, and whether it still lives."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """Name this process such that no later one has the same name: boot, process id, time of start."""
    return _name(os.getpid())


def is_alive(owner: str) -> bool:
    """Whether the process of that name still runs."""
    boot, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if boot != _boot() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, as somebody else
    return _name(int(pid)) == owner


def _name(pid: int) -> str:
    return f"{_boot()}:{pid}:{_started(pid)}"


@cache
def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _started(pid: int) -> str:
    """Clock ticks after boot (field 22 of proc_pid_stat(5)); empty where there is no /proc."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name in brackets may contain anything
    # A process that has ended and is not yet collected by its parent settles nothing any more.
    return "" if fields[0] == "Z" else fields[19]
