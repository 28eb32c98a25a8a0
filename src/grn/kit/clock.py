"""Time as something that is passed in: results never read the wall clock by themselves."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now_ns(self) -> int:
        """Give nanoseconds since 1970-01-01 UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Give nanoseconds since an arbitrary moment; never goes back. For durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Give nanoseconds since 1970-01-01 UTC, as the machine believes."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Read the machine's monotonic counter."""
        return time.perf_counter_ns()


class FixedClock:
    """A clock that stands still until it is moved: for tests and for output that must repeat exactly."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0

    def now_ns(self) -> int:
        """Give the moment it was set to, plus all advances."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Give the sum of all advances."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        step_ns = round(seconds * 1e9)
        self._now_ns += step_ns
        self._monotonic_ns += step_ns


def utc_text(ts_ns: int) -> str:
    """Write ISO 8601 in UTC to the second: ``2026-11-23T02:30:00Z`` (fractions are cut, not rounded)."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
