from __future__ import annotations

from grn.kit.clock import FixedClock, SystemClock, utc_text


def test_a_fixed_clock_moves_only_when_told() -> None:
    """Both readings advance together; time that passes outside changes nothing."""
    clock = FixedClock(1_000)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1_000, 0)
    clock.advance(1.5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1_500_001_000, 1_500_000_000)


def test_the_system_clock_never_goes_back() -> None:
    """Durations are never negative."""
    clock = SystemClock()
    readings = [clock.monotonic_ns() for _ in range(100)]
    assert readings == sorted(readings)
    assert clock.now_ns() > 1_700_000_000_000_000_000  # after 2023: nanoseconds, not micro- or milliseconds


def test_utc_text_cuts_fractions() -> None:
    """A second that has not ended is still that second; before 1970 too."""
    assert utc_text(1_795_401_000_999_999_999) == "2026-11-23T02:30:00Z"
    assert utc_text(-1) == "1969-12-31T23:59:59Z"
