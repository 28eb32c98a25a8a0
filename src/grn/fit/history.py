"""What predictions came to: measured speeds, kept in the ledger, and what they say of the next one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grn.ledger import Invocation, Ledger

COMMAND = "fit measure"
_LOOK_BACK = 1000
"""Newest runs of the ledger among which measurements are looked for."""
_NEWEST = 9
"""Of those, how many count: a machine changes."""


@dataclass(frozen=True)
class Measured:
    """A model that was run here.

    Attributes
    ----------
    processor, threads
        Where: the processor's name, and the threads that computed.
    model, quantisation
        What.
    read_bytes
        Bytes of weights that one token needs.
    predicted, tokens_per_s
        Tokens per second before and after; ``predicted`` is ``None`` for a first one.
    """

    processor: str
    threads: int
    model: str
    quantisation: str
    read_bytes: float
    predicted: float | None
    tokens_per_s: float

    @property
    def rate_gb_s(self) -> float:
        """Weights gone through, 10⁹ bytes per second."""
        return self.read_bytes * self.tokens_per_s / 1e9


@dataclass(frozen=True)
class Calibration:
    """What measurements say: a rate of weights gone through, how far they lie from it, their number."""

    rate_gb_s: float
    spread: float
    count: int


def enter(ledger: Ledger, measured: Measured) -> str:
    """Enter a measurement as a run of its own; returns the run's id."""
    facts = asdict(measured)
    speed = {name: facts.pop(name) for name in ("predicted", "tokens_per_s")}
    run = ledger.begin(COMMAND, facts)
    ledger.finish(run, exit_code=0, outputs=speed)
    return run


def recall(ledger: Ledger, processor: str, threads: int) -> tuple[Measured, ...]:
    """Measurements on a processor with so many threads, the newest first."""
    found = []
    for run in ledger.invocations(_LOOK_BACK):
        measured = _read(run) if run.command == COMMAND else None
        if measured is not None and (measured.processor, measured.threads) == (processor, threads):
            found.append(measured)
    return tuple(found[:_NEWEST])


def calibrate(measurements: Sequence[Measured]) -> Calibration | None:
    """The rate of the measurements' median; ``None`` without any.

    On a processor the rate is less than memory's bandwidth: its cores unpack what they read, and few of them
    are slower at that than memory is.
    """
    if not measurements:
        return None
    rates = [measured.rate_gb_s for measured in measurements]
    rate = statistics.median(rates)
    return Calibration(rate, max(abs(each / rate - 1) for each in rates), len(rates))


def _read(run: Invocation) -> Measured | None:
    """A measurement, or ``None`` for a run that did not end or was written by another release."""
    if run.outcome is None:
        return None
    facts = {**run.inputs, **run.outcome.outputs}
    try:
        return Measured(**facts)  # type: ignore[arg-type]
    except TypeError:
        return None
