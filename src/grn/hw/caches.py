"""Caches of the processor: how large each is and how many threads share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grn.hw.kinds import CPUS
from grn.hw.processor import read_cpu_list


@dataclass(frozen=True, order=True)
class Cache:
    """Caches that are alike.

    Attributes
    ----------
    level
        1 is the nearest to the core.
    kind
        ``data``, ``instruction`` or ``unified``.
    size_kib
        Of each.
    shared_by
        Logical processors that share one.
    count
        How many there are.
    """

    level: int
    kind: str
    size_kib: int
    shared_by: int
    count: int


def read_caches(root: Path, processors: Iterable[int]) -> tuple[Cache, ...]:
    """Caches of some logical processors, by level; empty where the kernel does not list them."""
    sharers: dict[tuple[int, str, int, frozenset[int]], None] = {}
    for cpu in processors:
        for folder in sorted((root / CPUS / f"cpu{cpu}" / "cache").glob("index*")):
            try:
                level = int((folder / "level").read_text())
                kind = (folder / "type").read_text().strip().lower()
                size_kib = _kib((folder / "size").read_text().strip())
            except (OSError, ValueError):
                continue
            shared = frozenset(read_cpu_list(folder / "shared_cpu_list")) or frozenset((cpu,))
            sharers[(level, kind, size_kib, shared)] = None
    counts: dict[tuple[int, str, int, int], int] = {}
    for level, kind, size_kib, shared in sharers:
        alike = (level, kind, size_kib, len(shared))
        counts[alike] = counts.get(alike, 0) + 1
    return tuple(sorted(Cache(*alike, count) for alike, count in counts.items()))


def _kib(text: str) -> int:
    units = {"K": 1, "M": 1 << 10, "G": 1 << 20}
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text) // 1024
