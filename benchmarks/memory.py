"""Peak memory of a benchmark's child process."""

from __future__ import annotations

from pathlib import Path


def peak_memory_mib() -> float:
    """Peak of the resident memory of this process, on Linux.

    Not ``ru_maxrss``: Linux starts that of a child with what its parent had.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 2**10 for line in status.splitlines() if line.startswith("VmHWM"))
