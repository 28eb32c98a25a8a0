"""Bandwidth of memory, measured: how fast the placed threads read what no cache holds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from grn.hw.pin import Placement, pinned, place_sweep

_BYTES_PER_THREAD = 256 << 20
_ROUNDS = 5


def measure_bandwidth(
    placement: Placement | None = None, *, bytes_per_thread: int = _BYTES_PER_THREAD, rounds: int = _ROUNDS
) -> float:
    """Best rate of several rounds at which memory is read, 10⁹ bytes per second.

    Every thread adds up an array of its own, the sum being the cheapest thing to do with a number.  Decoding
    a language model reads its weights in the same way, once per token.

    Parameters
    ----------
    placement
        Where the threads run; default the placement of a sweep.
    bytes_per_thread
        Length of each array: several times the largest cache.
    rounds
        The best of so many counts; others are what neighbours took away.
    """
    import numpy as np

    placement = place_sweep() if placement is None else placement
    # Written, not just reserved: pages that were never touched are all one page of zeros.
    arrays = [np.ones(bytes_per_thread // 8) for _ in range(placement.threads)]
    best_s = float("inf")
    with (
        pinned(placement) as pins,
        ThreadPoolExecutor(placement.threads, initializer=pins.pin_thread) as pool,
    ):
        for _ in range(rounds):
            began = time.perf_counter()
            list(pool.map(np.sum, arrays))
            best_s = min(best_s, time.perf_counter() - began)
    return sum(array.nbytes for array in arrays) / best_s / 1e9
