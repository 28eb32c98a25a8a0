"""What this machine has. A fact that cannot be known is ``None``, with the reason beside it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grn.hw.memory import GIB, read_memory
from grn.hw.processor import count_hybrid, count_physical, read_simd
from grn.kit.versions import cpu_model

Runner = Callable[[Sequence[str]], str]
_NVIDIA = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
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
    unknown: Mapping[str, str] = field(default_factory=dict)


def probe(root: Path = Path("/"), run: Runner | None = None) -> Machine:
    """Look at the machine; never fails.

    Parameters
    ----------
    root
        Where ``/proc`` and ``/sys`` are: another folder shows another machine (for tests).
    run
        Runs a command and returns its stdout, raising OSError or subprocess.SubprocessError; default: really.
    """
    unknown: dict[str, str] = {}
    memory = read_memory(root)
    hybrid = count_hybrid(root)
    gpus, why_no_gpus = _nvidia(run or _run)
    facts: dict[str, tuple[object, str]] = {
        "cpu_model": (model := cpu_model(root), "no model name in /proc/cpuinfo"),
        "cores_logical": (logical := os.cpu_count(), "the system does not tell"),
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
        cores_usable=_usable(logical),
        cores_physical=physical,
        p_cores=hybrid[0] if hybrid else None,
        e_cores=hybrid[1] if hybrid else None,
        mem_gib_total=_gib(memory.total),
        mem_gib_limit=_gib(memory.limit),
        mem_gib_available=_gib(memory.available),
        simd=simd,
        gpus=gpus,
        unknown=unknown,
    )


def _usable(logical: int | None) -> int | None:
    # macOS has no affinity mask: a process may run everywhere.
    mask = getattr(os, "sched_getaffinity", None)
    return logical if mask is None else len(mask(0))


def _gib(n_bytes: int | None) -> float | None:
    return None if n_bytes is None else n_bytes / GIB


def _nvidia(run: Runner) -> tuple[tuple[str, ...], str | None]:
    """GPU names, and why they are not known."""
    try:
        listed = run(_NVIDIA)
    except FileNotFoundError:
        return (), "nvidia-smi is not on the PATH: no NVIDIA driver, or not for this user"
    except subprocess.TimeoutExpired:
        return (), f"nvidia-smi did not answer within {_NVIDIA_TIMEOUT_S:g} s"
    except (OSError, subprocess.SubprocessError) as error:
        return (), f"nvidia-smi failed: {error}"
    names = tuple(line.strip() for line in listed.splitlines() if line.strip())
    # A driver without a card says so in a sentence where the names would be.
    return tuple(name for name in names if not name.startswith("No devices")), None


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=_NVIDIA_TIMEOUT_S, check=True
    )
    return done.stdout
