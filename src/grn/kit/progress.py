"""A line on a terminal's stderr that says how far, how fast and how much longer; silent anywhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

from grn.kit.clock import Clock, SystemClock

_FIRST_AFTER_NS = 500_000_000  # work shorter than this shows nothing
_EVERY_NS = 100_000_000
_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Progress of ``total`` steps, as a context manager.

    Parameters
    ----------
    label
        What is being done.
    total
        Number of steps, or ``None`` when it is not known (then there is a rate but no time left).
    unit
        What a step is called: ``"combinations"``.
    stream
        Where to draw; default stderr. Nothing is ever written unless it is a terminal.
    clock
        For the rate.

    Not safe for several threads at once: let the thread that collects the results advance it.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        unit: str = "",
        stream: TextIO | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.done = 0
        self._label = label
        self._total = total
        self._unit = f" {unit}" if unit else ""
        self._stream = sys.stderr if stream is None else stream
        self._clock: Clock = SystemClock() if clock is None else clock
        self._enabled = self._stream.isatty()
        self._began_ns = self._clock.monotonic_ns()
        self._next_ns = self._began_ns + _FIRST_AFTER_NS
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn:
            self._write(_CLEAR_LINE)
            self._drawn = False

    def expect(self, total: int) -> None:
        """Say how many steps there will be, once it is known."""
        self._total = total

    def advance(self, steps: int = 1) -> None:
        """Count steps that are done, and redraw at most ten times a second."""
        self.done += steps
        if not self._enabled:
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + _EVERY_NS
        self._write(_CLEAR_LINE + self._line(now_ns))
        self._drawn = True

    def _line(self, now_ns: int) -> str:
        elapsed_s = max((now_ns - self._began_ns) / 1e9, 1e-9)
        rate = self.done / elapsed_s
        pace = f"{rate:,.0f}{self._unit}/s" if rate >= 10 else f"{rate:.2g}{self._unit}/s"
        if not self._total:
            return f"{self._label}  {self.done:,}  {pace}"
        share = self.done / self._total
        left = f"  {duration_text((self._total - self.done) / rate)} left" if rate > 0 else ""
        return f"{self._label}  {share:4.0%}  {self.done:,}/{self._total:,}  {pace}{left}"

    def _write(self, text: str) -> None:
        # Progress must not end the work it reports on: a terminal that has gone away is no error.
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._enabled = False


def duration_text(seconds: float) -> str:
    """Write a duration for a person: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest_s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest_s:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
