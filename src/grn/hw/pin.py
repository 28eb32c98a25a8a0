"""Where a sweep's threads run: on the fast cores, one thread per core, each on a processor of its own.

A hybrid processor's efficient cores hold up the end of a sweep, and two threads on one core share its vector
units, which a sweep keeps busy.  Linux only: elsewhere nothing is pinned, and the reason says so.  No number
depends on it.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from grn.hw.kinds import CPUS, read_kinds
from grn.hw.processor import read_cpu_list

_NO_MASKS = "this system has no affinity masks"


@dataclass(frozen=True)
class Placement:
    """Where threads run, and why.

    Attributes
    ----------
    processors
        Logical processors, one per thread; ``None`` leaves it to the system.
    threads
        How many threads to start.
    reason
        One sentence for a person.
    """

    processors: tuple[int, ...] | None
    threads: int
    reason: str


def place_sweep(
    root: Path = Path("/"), allowed: Collection[int] | None = None, *, siblings: bool = False
) -> Placement:
    """Decide where the threads of a sweep run.

    Parameters
    ----------
    root
        Where ``/proc`` and ``/sys`` are: another folder shows another machine (for tests).
    allowed
        Processors that this process may use; default its affinity mask.
    siblings
        Use both threads of each core.
    """
    usable = _allowed(allowed)
    if usable is None:
        return Placement(None, os.cpu_count() or 1, _NO_MASKS)
    reasons = []
    chosen, why = _fast(root, usable)
    reasons.append(why)
    if not siblings:
        alone = _one_per_core(root, chosen)
        if len(alone) < len(chosen):
            reasons.append(f"one thread on each of {len(alone)} cores")
        chosen = alone
    quota = read_cpu_quota(root)
    if quota is not None and math.ceil(quota) < len(chosen):
        chosen = chosen[: max(1, math.ceil(quota))]
        reasons.append(f"a control group allows {quota:g} processors")
    return Placement(tuple(chosen), len(chosen), "; ".join(filter(None, reasons)) or "all cores are alike")


def place_background(root: Path = Path("/"), allowed: Collection[int] | None = None) -> Placement:
    """Decide where work runs that nobody waits for: on the slow cores, or anywhere without any.

    Parameters
    ----------
    root, allowed
        As in :func:`place_sweep`.
    """
    usable = _allowed(allowed)
    if usable is None:
        return Placement(None, os.cpu_count() or 1, _NO_MASKS)
    kinds = read_kinds(root, usable)
    if not kinds.slow:
        return Placement(tuple(usable), len(usable), "no slow cores: all cores are alike")
    return Placement(kinds.slow, len(kinds.slow), f"slow cores, away from {len(kinds.fast)} fast processors")


def sweep_processors() -> list[int]:
    """The processors of :func:`place_sweep` on this machine; empty where nothing can be pinned."""
    return list(place_sweep().processors or ())


class Pins:
    """Hands each thread that asks a processor of its own, in turn."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self._turns = itertools.count()

    def pin_thread(self) -> None:
        """Pin the thread that calls: the initializer of a thread pool.

        A processor that has gone meanwhile (hot-plug, a changed cpuset) leaves the thread where it is.
        """
        processors = self.placement.processors
        if processors:
            # `next` on a count is one step under the interpreter's lock: no two threads get one turn.
            _set_affinity((processors[next(self._turns) % len(processors)],))


@contextlib.contextmanager
def pinned(placement: Placement | None = None) -> Iterator[Pins]:
    """Keep this thread, and those it starts meanwhile, on the processors of a placement.

    Afterwards the thread may run where it could before.  Threads started meanwhile keep what they were given:
    end them inside the block.
    """
    placement = place_sweep() if placement is None else placement
    if placement.processors is None or not hasattr(os, "sched_setaffinity"):
        yield Pins(Placement(None, placement.threads, placement.reason))
        return
    before = os.sched_getaffinity(0)
    _set_affinity(placement.processors)
    try:
        yield Pins(placement)
    finally:
        _set_affinity(before)


def read_cpu_quota(root: Path = Path("/")) -> float | None:
    """Processors' worth of time that control groups allow this process; ``None`` without a limit."""
    base = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    found: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "", "")
        if controllers == "":
            tree, read = base, _quota_v2
        elif "cpu" in controllers.split(","):
            tree, read = base / "cpu", _quota_v1
        else:
            continue
        group = tree / path.lstrip("/")
        if not group.is_dir():
            group = tree  # inside a container the path is the host's, and the mount is the group itself
        while True:
            quota = read(group)
            if quota is not None:
                found.append(quota)
            if group == tree:
                break
            group = group.parent
    return min(found, default=None)


def _allowed(allowed: Collection[int] | None) -> list[int] | None:
    """Processors to choose from, in rising order; ``None`` where the system has no masks."""
    if allowed is None:
        mask: Callable[[int], Collection[int]] | None = getattr(os, "sched_getaffinity", None)
        if mask is None:
            return None
        allowed = mask(0)
    return sorted(allowed)


def _quota_v2(group: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    return None


def _quota_v1(group: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota = int((group / "cpu.cfs_quota_us").read_text())
        return None if quota <= 0 else quota / int((group / "cpu.cfs_period_us").read_text())
    return None


def _fast(root: Path, usable: list[int]) -> tuple[list[int], str]:
    """Processors of the fast cores, and why; all where they are alike or not told apart."""
    kinds = read_kinds(root, usable)
    match kinds.told_by:
        case None:
            return usable, ""
        case "P-cores":
            return list(kinds.fast), f"P-cores, without {len(kinds.slow)} processors of E-cores"
        case figure:
            return list(kinds.fast), f"cores of the highest {figure}, without {len(kinds.slow)} slower ones"


def _one_per_core(root: Path, processors: list[int]) -> list[int]:
    """The first processor of each core; all where the kernel does not tell."""
    taken: set[int] = set()
    alone = []
    for cpu in processors:
        topology = root / CPUS / f"cpu{cpu}" / "topology"
        # Kernels before 5.x know the second name only.
        shared = read_cpu_list(topology / "core_cpus_list") or read_cpu_list(
            topology / "thread_siblings_list"
        )
        if cpu not in taken:
            alone.append(cpu)
        taken |= {cpu, *shared}
    return alone


def _set_affinity(processors: Collection[int]) -> None:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, processors)
