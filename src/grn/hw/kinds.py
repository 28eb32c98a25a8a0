"""Fast and slow cores of a processor: told apart by whatever the kernel says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grn.hw.processor import read_cpu_list

CPUS = "sys/devices/system/cpu"
_ALIKE = 0.8
"""Cores above this share of the best figure are of one kind: favoured cores clock a little higher."""

_FIGURES = {
    "capacity": "cpu_capacity",
    # Not `highest_perf`: on AMD it ranks cores that are all alike (166 to 236 on one Ryzen 9 7950X).
    "nominal performance": "acpi_cppc/nominal_perf",
    "frequency": "cpufreq/cpuinfo_max_freq",
}
"""What one core can do, as files below its folder, the most telling first."""


@dataclass(frozen=True)
class Kinds:
    """Logical processors by kind.

    Attributes
    ----------
    fast, slow
        In rising order; all are fast where they are alike or not told apart.
    told_by
        What told them apart: ``"P-cores"``, or a figure such as ``"capacity"``; ``None`` where nothing did.
    """

    fast: tuple[int, ...]
    slow: tuple[int, ...]
    told_by: str | None


def read_kinds(root: Path, usable: Sequence[int]) -> Kinds:
    """Tell fast processors from slow ones.

    The kernel registers one performance monitor per kind of core of a hybrid Intel processor; elsewhere, and
    before Linux 5.13, the figures of single cores have to do.

    Parameters
    ----------
    root
        Where ``/sys`` is.
    usable
        The logical processors to sort.
    """
    performance = set(read_cpu_list(root / "sys/devices/cpu_core/cpus")) & set(usable)
    efficient = set(read_cpu_list(root / "sys/devices/cpu_atom/cpus")) & set(usable)
    if performance and efficient:
        return Kinds(tuple(sorted(performance)), tuple(sorted(efficient)), "P-cores")
    for name, file in _FIGURES.items():
        figures = {cpu: _number(root / CPUS / f"cpu{cpu}" / file) for cpu in usable}
        known = {cpu: figure for cpu, figure in figures.items() if figure}
        if known and len(known) == len(figures):
            least = _ALIKE * max(known.values())
            slow = tuple(cpu for cpu in sorted(known) if known[cpu] < least)
            if slow:
                return Kinds(tuple(cpu for cpu in sorted(known) if known[cpu] >= least), slow, name)
    return Kinds(tuple(sorted(usable)), (), None)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
