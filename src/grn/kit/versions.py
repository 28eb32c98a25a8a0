"""Which versions, on which platform and processor: what a run needs to be named exactly."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

DISTRIBUTION = "alpha-metaphorica"
_RECORDED = ("numpy", "numba", "llvmlite", "polars")


def grn_version() -> str:
    """Version of this distribution; ``unknown`` in a source tree that was never installed."""
    return package_version(DISTRIBUTION) or "unknown"


@cache
def package_version(distribution: str) -> str | None:
    """Version of an installed distribution, read from its metadata and not by importing it.

    Read once in a process: what is imported does not change when something else is installed beside it.
    """
    # Here, because it costs a tenth of a command's start, and most commands never ask.
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """List what may change a result besides its inputs; ``None`` is not installed or unknown.

    llvmlite is listed because it carries the compiler behind Numba.
    """
    return {
        "grn": grn_version(),
        "python": platform.python_version(),
        **{name: package_version(name) for name in _RECORDED},
        "platform": f"{platform.system()}-{platform.machine()}",
        "cpu": cpu_model(),
    }


def cpu_model(root: Path = Path("/")) -> str | None:
    """Read the processor's name (Linux: from ``/proc/cpuinfo`` below ``root``); ``None`` if unknown."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return " ".join(value.split()) or None
    return None
