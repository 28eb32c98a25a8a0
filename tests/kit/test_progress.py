from __future__ import annotations

import io

import pytest

from grn.kit.clock import FixedClock
from grn.kit.progress import Progress, duration_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class GoneTerminal(Terminal):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_nothing_is_written_to_what_is_no_terminal() -> None:
    """Logs and pipes stay clean."""
    clock, stream = FixedClock(), io.StringIO()
    with Progress("sweep", 10, stream=stream, clock=clock) as progress:
        for _ in range(10):
            clock.advance(1)
            progress.advance()
    assert stream.getvalue() == ""
    assert progress.done == 10


def test_short_work_shows_nothing() -> None:
    """A line that flashes by tells nothing."""
    clock, stream = FixedClock(), Terminal()
    with Progress("sweep", 10, stream=stream, clock=clock) as progress:
        clock.advance(0.4)
        progress.advance(10)
    assert stream.getvalue() == ""


def test_the_line_tells_share_rate_and_time_left() -> None:
    """2,000 of 8,000 in 2 s: 1,000 a second and 6 s left; at the end the line is cleared."""
    clock, stream = FixedClock(), Terminal()
    with Progress("sweep", 8_000, unit="combinations", stream=stream, clock=clock) as progress:
        clock.advance(2)
        progress.advance(2_000)
        assert stream.getvalue().endswith("sweep   25%  2,000/8,000  1,000 combinations/s  6.0 s left")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_how_many_there_are_may_become_known_later() -> None:
    """A rate alone at first, share and time left once the total is said."""
    clock, stream = FixedClock(), Terminal()
    with Progress("sweep", stream=stream, clock=clock) as progress:
        clock.advance(2)
        progress.advance(2_000)
        assert stream.getvalue().endswith("sweep  2,000  1,000/s")
        progress.expect(8_000)
        clock.advance(2)
        progress.advance(2_000)
        assert stream.getvalue().endswith("sweep   50%  4,000/8,000  1,000/s  4.0 s left")


def test_the_line_is_redrawn_ten_times_a_second_at_most() -> None:
    """Drawing must not cost more than the work."""
    clock, stream = FixedClock(), Terminal()
    with Progress("sweep", stream=stream, clock=clock) as progress:
        for _ in range(2_000):
            clock.advance(0.001)
            progress.advance()
    assert stream.getvalue().count("sweep") in range(10, 17)


def test_a_terminal_that_has_gone_does_not_end_the_work() -> None:
    """The result matters, the line does not."""
    clock = FixedClock()
    with Progress("sweep", 2, stream=GoneTerminal(), clock=clock) as progress:
        clock.advance(2)
        progress.advance()
        clock.advance(2)
        progress.advance()
    assert progress.done == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    """Two units at most, and never 60 seconds."""
    assert duration_text(seconds) == text
