"""Work that may explode, in a child process that can be ended: exact numbers have no largest one."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import TypeVar

from grn.maths.verdict import BeyondError

TIME_S = 20.0
"""Wall clock: a safety net. What is worked out at all takes a second."""

MEMORY_MIB = 2048

R = TypeVar("R")


def bounded(work: Callable[[], R], time_s: float = TIME_S) -> R:
    """What a function returns, computed in a child with limits of time and memory.

    Raises
    ------
    BeyondError
        A limit was met, or the child failed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 a file of the kernel
                held = int(file.read().split()[0]) * resource.getpagesize()
            limit = held + MEMORY_MIB * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            with os.fdopen(writing, "wb") as stream:
                stream.write(pickle.dumps(work()))
        finally:
            os._exit(0)
    os.close(writing)
    told = _read(reading, time.monotonic() + time_s)
    os.close(reading)
    if told is None:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not told:
        raise BeyondError("too large to work out")
    found: R = pickle.loads(told)
    return found


def _read(reading: int, deadline: float) -> bytes | None:
    """All that the child writes; None when it takes too long."""
    told = b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(reading, 1 << 16)
        if not chunk:
            return told
        told += chunk
