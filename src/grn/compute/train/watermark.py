"""What a run took: the most memory, and the pace, beside what was foreseen."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Took:
    """Memory and pace of a run.

    Attributes
    ----------
    device
        The card's name, or the processor's.
    method
        ``qlora``, ``lora``, ``full``, or ``full, mixed``.
    predicted_bytes
        What was foreseen; ``None`` where nothing was.
    actual_bytes
        On a card what torch's allocator held; on a processor what the process had in memory beside what it
        had before the model was loaded. ``None`` where neither is told.
    tokens_per_s
        Of the steps of this process; ``None`` without any.
    """

    device: str
    method: str
    predicted_bytes: int | None
    actual_bytes: int | None
    tokens_per_s: float | None


class Watermark:
    """The most memory that this process had from here on.

    Parameters
    ----------
    device
        ``cpu``, or a card's name for torch.
    proc
        Where the kernel tells of processes (another folder for tests).
    """

    def __init__(self, device: str, *, proc: Path = Path("/proc")) -> None:
        self._device, self._proc = device, proc
        if device != "cpu":
            _cuda().reset_peak_memory_stats(device)
            return
        # Begin anew (proc_pid_clear_refs(5)); not allowed, the peak is that of the process's life.
        with contextlib.suppress(OSError):
            (proc / "self/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def bytes(self) -> int | None:
        """The most so far; ``None`` where it is not told."""
        if self._device != "cpu":
            return int(_cuda().max_memory_reserved(self._device))
        peak = self._read("VmHWM")
        return None if peak is None or self._before is None else max(0, peak - self._before)

    def _read(self, field: str) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (self._proc / "self/status").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    return int(line.split()[1]) * 1024
        return None


def _cuda() -> Any:
    import torch

    return torch.cuda
