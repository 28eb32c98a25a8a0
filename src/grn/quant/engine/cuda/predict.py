"""How long a sweep takes on a card, and how many combinations go there at once.

Predicted from a card's clock and the machine code of a kernel, counted; not measured: no card was at hand.
`docs/concepts/cuda.md` has the count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grn.quant.engine.cuda.cards import Card
from grn.quant.engine.cuda.prelude import THREADS, Real

INSTRUCTIONS: Final = 192.0
"""Instructions per bar and combination of a moving-average cross with all one-pass metrics, for a warp in
which some threads hold a position and some do not."""
OPERATIONS: Final = 43.0
"""Floating-point operations among them; a division is 9 of them."""
ISSUE_SHARE: Final = 0.3
"""Share of the highest instruction rate that is planned with: threads part ways, loads take time."""
UNIT_SHARE: Final = 0.6
"""Share of the highest rate of the floating-point units, where they are what is short."""
START_S: Final = 1.5
"""CuPy imported, a context made, a kernel compiled that was never seen."""
COPIED_PER_S: Final = 10e9
"""Bytes per second between host and card."""
CPU_RATE: Final = 700e6
"""Bar-combinations per second and thread of the cpu engine (`docs/concepts/engines.md`)."""

LANES: Final = 2
"""Streams per card: while one computes, the other copies."""
KEPT_FREE: Final = 0.10
"""Share of the free memory of a card that is left to others."""
LONGEST_LAUNCH_S: Final = 0.5
"""A card that also draws the screen is reset by its driver when one launch takes some seconds."""
MOST_ROWS: Final = 2**19


@dataclass(frozen=True)
class Size:
    """Combinations per launch, and why so many."""

    rows: int
    reason: str


def predict_rate(card: Card, real: Real = "double") -> float:
    """Bar-combinations per second: what the schedulers, or the floating-point units, allow."""
    begun = ISSUE_SHARE * card.instructions / INSTRUCTIONS
    return min(begun, UNIT_SHARE * card.operations(real) / OPERATIONS)


def predict_cuda_s(
    cards: Sequence[Card], bar_combinations: float, n_bytes: float, real: Real = "double"
) -> float:
    """Seconds on these cards together, from the import of CuPy to the last result."""
    rate = sum(predict_rate(card, real) for card in cards)
    return START_S + bar_combinations / rate + n_bytes / COPIED_PER_S


def predict_cpu_s(bar_combinations: float, threads: int) -> float:
    """Seconds on the cpu engine."""
    return bar_combinations / (CPU_RATE * threads)


def size_batch(
    card: Card, n_cards: int, combinations: int, bars: int, shared_bytes: int, row_bytes: int, real: Real
) -> Size:
    """Combinations per launch: at most what memory and time allow, and no more than share the work evenly.

    A size of zero says that not even one block of threads has room.
    """
    timed = int(LONGEST_LAUNCH_S * predict_rate(card, real) / max(1, bars))
    filling = card.processors * 4 * THREADS
    limits = {
        "the longest launch": max(timed, filling),
        "equal shares of cards and streams": -(-combinations // (LANES * n_cards)),
        "the largest batch": MOST_ROWS,
    }
    reason = min(limits, key=lambda name: limits[name])
    rows = -(-limits[reason] // THREADS) * THREADS
    room = (int(card.free * (1.0 - KEPT_FREE)) - shared_bytes) // (LANES * row_bytes)
    if room < rows:
        return Size(max(0, room // THREADS * THREADS), "free memory of the card")
    return Size(rows, reason)
