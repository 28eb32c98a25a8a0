"""What this machine has. A fact that cannot be known is ``None``, with the reason beside it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grn.hw.caches import Cache, read_caches
from grn.hw.cards import QUERY, Gpu, parse_cards
from grn.hw.disks import Disk, read_disks
from grn.hw.kinds import CPUS, read_kinds
from grn.hw.memory import GIB, read_memory
from grn.hw.pin import place_sweep
from grn.hw.processor import count_hybrid, count_physical, count_sockets, read_cpu_list, read_simd
from grn.hw.thermals import Thermal, read_thermals
from grn.kit.versions import cpu_model

Runner = Callable[[Sequence[str]], str]
_HERE = Path("/")
RECORDED = "nvidia-smi.csv"
"""A recorded machine may hold, under this name, what its driver answered to `cards.QUERY`."""
_NVIDIA_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Machine:
    """Facts about the machine; ``None`` is unknown.

    Attributes
    ----------
    cpu_model
        The processor's name.
    cores_logical
        Logical processors that are switched on.
    cores_usable
        Those of them that this process may run on (affinity mask).
    cores_physical
        Cores, a core with two hyper-threads once.
    p_cores, e_cores
        Performance and efficient cores of a hybrid processor; ``None`` on any other.
    mem_gib_total
        The machine's memory, GiB.
    mem_gib_limit
        The limit that a control group (a container, a batch job) sets, GiB; ``None`` without one.
    mem_gib_available
        What can still be taken without swapping, within the limit, GiB.
    simd
        Vector instruction sets.
    gpus
        Names of NVIDIA GPUs; empty when there is none *or* it is not known, see ``unknown``.
    sockets
        Processors that can be taken out of the board.
    threads_per_core
        Most hyper-threads of any core.
    fast, slow
        Logical processors by kind of core; ``slow`` is empty where they are alike.
    told_by
        What told them apart, see :class:`grn.hw.kinds.Kinds`.
    sweep
        Those that a sweep's threads are pinned to.
    caches, cards, disks, thermals
        What else there is; empty where it is not told.
    unknown
        For each fact that could not be read: its name and why.
    """

    cpu_model: str | None
    cores_logical: int | None
    cores_usable: int | None
    cores_physical: int | None
    p_cores: int | None
    e_cores: int | None
    mem_gib_total: float | None
    mem_gib_limit: float | None
    mem_gib_available: float | None
    simd: tuple[str, ...] | None
    gpus: tuple[str, ...]
    sockets: int | None = None
    threads_per_core: int | None = None
    fast: tuple[int, ...] = ()
    slow: tuple[int, ...] = ()
    told_by: str | None = None
    sweep: tuple[int, ...] = ()
    caches: tuple[Cache, ...] = ()
    cards: tuple[Gpu, ...] = ()
    disks: tuple[Disk, ...] = ()
    thermals: tuple[Thermal, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


def probe(root: Path = _HERE, run: Runner | None = None) -> Machine:
    """Look at the machine; never fails.

    Parameters
    ----------
    root
        Where ``/proc`` and ``/sys`` are: another folder shows another machine.
    run
        Runs a command and returns its stdout, raising OSError or subprocess.SubprocessError; default: really.
    """
    unknown: dict[str, str] = {}
    memory = read_memory(root)
    hybrid = count_hybrid(root)
    cards, why_no_gpus = _nvidia(run or (_run if root == _HERE else _recorded(root)))
    online = _online(root)
    kinds = read_kinds(root, online)
    place = place_sweep(root, None if root == _HERE else online)
    facts: dict[str, tuple[object, str]] = {
        "cpu_model": (model := cpu_model(root), "no model name in /proc/cpuinfo"),
        "cores_logical": (logical := len(online) or None, "no list of processors in /sys"),
        "cores_physical": (physical := count_physical(root), "no core topology in /sys"),
        "mem_gib_total": (memory.total, "no MemTotal in /proc/meminfo"),
        "mem_gib_available": (memory.available, "no MemAvailable in /proc/meminfo"),
        "simd": (simd := read_simd(root), "no flags in /proc/cpuinfo"),
    }
    unknown.update({name: why for name, (value, why) in facts.items() if value is None})
    if why_no_gpus:
        unknown["gpus"] = why_no_gpus
    return Machine(
        cpu_model=model,
        cores_logical=logical,
        cores_usable=_usable(logical) if root == _HERE else logical,
        cores_physical=physical,
        p_cores=hybrid[0] if hybrid else None,
        e_cores=hybrid[1] if hybrid else None,
        mem_gib_total=_gib(memory.total),
        mem_gib_limit=_gib(memory.limit),
        mem_gib_available=_gib(memory.available),
        simd=simd,
        gpus=tuple(card.name for card in cards),
        sockets=count_sockets(root),
        threads_per_core=max((_sharers(root, cpu) for cpu in online), default=None),
        fast=kinds.fast,
        slow=kinds.slow,
        told_by=kinds.told_by,
        sweep=place.processors or (),
        caches=read_caches(root, online),
        cards=cards,
        disks=read_disks(root),
        thermals=read_thermals(root),
        unknown=unknown,
    )


def _usable(logical: int | None) -> int | None:
    # macOS has no affinity mask: a process may run everywhere.
    mask = getattr(os, "sched_getaffinity", None)
    return logical if mask is None else len(mask(0))


def _gib(n_bytes: int | None) -> float | None:
    return None if n_bytes is None else n_bytes / GIB


def _online(root: Path) -> tuple[int, ...]:
    listed = read_cpu_list(root / CPUS / "online")
    return listed or (tuple(range(os.cpu_count() or 0)) if root == _HERE else ())


def _sharers(root: Path, cpu: int) -> int:
    topology = root / CPUS / f"cpu{cpu}" / "topology"
    return len(
        read_cpu_list(topology / "core_cpus_list")
        or read_cpu_list(topology / "thread_siblings_list")
        or (cpu,)
    )


def _nvidia(run: Runner) -> tuple[tuple[Gpu, ...], str | None]:
    """Cards, and why they are not known."""
    try:
        listed = run(QUERY)
    except FileNotFoundError as error:
        if error.filename is not None and Path(error.filename).name == RECORDED:
            return (), f"no {RECORDED} beside this machine's /sys"
        return (), "nvidia-smi is not on the PATH: no NVIDIA driver, or not for this user"
    except subprocess.TimeoutExpired:
        return (), f"nvidia-smi did not answer within {_NVIDIA_TIMEOUT_S:g} s"
    except (OSError, subprocess.SubprocessError) as error:
        return (), f"nvidia-smi failed: {error}"
    return parse_cards(listed), None


def _recorded(root: Path) -> Runner:
    return lambda _command: (root / RECORDED).read_text()


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=_NVIDIA_TIMEOUT_S, check=True
    )
    return done.stdout
