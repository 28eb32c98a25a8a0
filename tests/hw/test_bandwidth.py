from __future__ import annotations

from grn.hw.bandwidth import measure_bandwidth
from grn.hw.pin import Placement


def test_memory_is_read_at_some_rate() -> None:
    """A real measurement, small: positive, and below what any memory can do (an HBM stack: 1.2 TB/s)."""
    measured = measure_bandwidth(Placement(None, 2, "two threads"), bytes_per_thread=8 << 20, rounds=2)
    assert 0.05 < measured < 5_000
