"""Cores of the machine, as the Linux kernel lists them."""

from __future__ import annotations

from pathlib import Path

# What the compiled engines can profit from; the kernel's names (arm64: its "Features").
_SIMD = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "asimd", "sve", "sve2")
_CPUS = "sys/devices/system/cpu"


def read_simd(root: Path) -> tuple[str, ...] | None:
    """List vector instruction sets of the first processor, in a fixed order; ``None`` if unknown."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            present = frozenset(value.split())
            return tuple(name for name in _SIMD if name in present)
    return None


def count_physical(root: Path) -> int | None:
    """Count cores, a core with two hyper-threads once; ``None`` if the kernel does not tell."""
    cores = _cores(root)
    return len(frozenset(cores.values())) if cores else None


def count_sockets(root: Path) -> int | None:
    """Count processors that can be taken out of the board; ``None`` if the kernel does not tell."""
    cores = _cores(root)
    return len({package for package, _ in cores.values()}) if cores else None


def count_hybrid(root: Path) -> tuple[int, int] | None:
    """Count P-cores and E-cores (not threads) of a hybrid Intel processor; ``None`` for any other.

    The kernel registers one performance monitor per kind of core, ``cpu_core`` and ``cpu_atom``, and each
    lists its logical processors.
    """
    cores = _cores(root)
    performance = read_cpu_list(root / "sys/devices/cpu_core/cpus")
    efficient = read_cpu_list(root / "sys/devices/cpu_atom/cpus")
    if not cores or not performance or not efficient:
        return None
    return (
        len({cores[cpu] for cpu in performance if cpu in cores}),
        len({cores[cpu] for cpu in efficient if cpu in cores}),
    )


def _cores(root: Path) -> dict[int, tuple[int, int]]:
    """Map each logical processor to (package, core)."""
    online = read_cpu_list(root / _CPUS / "online")
    cores = {}
    for cpu in online:
        topology = root / _CPUS / f"cpu{cpu}" / "topology"
        try:
            package = int((topology / "physical_package_id").read_text())
            core = int((topology / "core_id").read_text())
        except (OSError, ValueError):
            return {}
        cores[cpu] = (package, core)
    return cores


def read_cpu_list(path: Path) -> tuple[int, ...]:
    """Read the kernel's list format: ``0-3,8`` is 0, 1, 2, 3 and 8; empty where there is no such file."""
    try:
        text = path.read_text().strip()
        found: list[int] = []
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            found.extend(range(int(first), int(last or first) + 1))
    except (OSError, ValueError):
        return ()
    return tuple(found)
