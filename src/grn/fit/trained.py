"""What training took here, beside what was foreseen, and what that says of the next run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from grn.ledger import Invocation, Ledger

COMMAND: Final = "compute train"
LEAST_BYTES: Final = 256 << 20
"""Runs that took less say nothing: libraries that are loaded on the way take as much."""
_LOOK_BACK = 1000
_NEWEST = 9


@dataclass(frozen=True)
class Ratio:
    """How runs at a place compare with what was foreseen.

    Attributes
    ----------
    factor
        Taken by foreseen, the median.
    spread
        How far the runs lie from it, at most, as a share.
    count
        Of runs.
    """

    factor: float
    spread: float
    count: int


def recall_ratio(ledger: Ledger, device: str, method: str) -> Ratio | None:
    """What the newest runs of a method on a device say; ``None`` without any.

    Parameters
    ----------
    device
        Name of the card or the processor.
    method
        ``qlora``, ``lora``, ``full``, or ``full, mixed``: what one gets wrong, another need not.
    """
    ratios: list[float] = []
    for run in ledger.invocations(_LOOK_BACK):
        if run.command == COMMAND:
            ratios += _ratio(run, device, method)
    return weigh_ratios(ratios[:_NEWEST])


def weigh_ratios(ratios: Sequence[float]) -> Ratio | None:
    """The median of some ratios, how far they lie from it, and their number; ``None`` of none."""
    if not ratios:
        return None
    factor = statistics.median(ratios)
    return Ratio(factor, max(abs(each / factor - 1) for each in ratios), len(ratios))


def _ratio(run: Invocation, device: str, method: str) -> Iterator[float]:
    outputs = {} if run.outcome is None else run.outcome.outputs
    predicted, actual = outputs.get("predicted_bytes"), outputs.get("actual_bytes")
    if (outputs.get("device"), outputs.get("method")) != (device, method):
        return
    if isinstance(predicted, int) and isinstance(actual, int) and min(predicted, actual) >= LEAST_BYTES:
        yield actual / predicted
