"""The floor of a sweep: what its arithmetic alone costs on this machine, and the model behind it.

Model, per bar and combination of the README's sweep with four metrics:

* bytes: 16, one new value of each of the two averages. The price is shared by all combinations, and the table
  of averages (99 windows x 3,000 bars x 8 bytes = 2.4 MB a symbol) stays in the processor's caches: memory is
  not the limit.
* operations: 2 comparisons for the crossing; then, while a position is held, 1 multiplication and 1 addition
  for the equity, 1 division and 1 subtraction for the return, 1 multiplication and 2 additions for its sums,
  2 multiplications and 2 comparisons for the drawdown. The division is the slow one.

`measure_floor` runs just these operations for lanes of neighbouring combinations, always in the market, with
no order, no branch and no ledger. A sweep that computes these metrics bar by bar is not faster while it holds
a position; out of the market only the crossing is left to do.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

BYTES_PER_BAR_COMBINATION = 16
OPERATIONS_IN_THE_MARKET = 13

Array = npt.NDArray[np.float64]


def floor_kernel() -> Any:
    """Compile the loop: returns ``f(fast [T], slow [T, L], close [T], state [8, L])``."""
    import numba

    @numba.njit(error_model="numpy")
    def walk(fast: Array, slow: Array, close: Array, state: Array) -> None:
        above, previous, s1, s2 = state[0], state[1], state[2], state[3]
        peak, dd_peak, dd_trough, units = state[4], state[5], state[6], state[7]
        for t in range(close.shape[0]):
            level, price, row = fast[t], close[t], slow[t]
            for k in range(row.shape[0]):
                above[k] += 1.0 if level > row[k] else 0.0
                equity = 100.0 + units[k] * price
                r = equity / previous[k] - 1.0
                previous[k] = equity
                s1[k] += r
                s2[k] += r * r
                top = equity if equity > peak[k] else peak[k]
                worse = equity * dd_peak[k] < dd_trough[k] * top
                peak[k] = top
                dd_peak[k] = top if worse else dd_peak[k]
                dd_trough[k] = equity if worse else dd_trough[k]

    return walk


def measure_floor(n_bars: int = 3_000, lanes: int = 64, repeats: int = 40) -> float:
    """Nanoseconds per bar and combination on one thread: the median of `repeats` runs."""
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, n_bars)))
    slow = close[:, None] * (1.0 + rng.normal(0.0, 0.01, (n_bars, lanes)))
    fast = close * 1.001
    walk = floor_kernel()
    seconds = []
    for _ in range(repeats + 1):
        state = np.ones((8, lanes))
        state[1] = state[4:7] = 200.0
        began = time.perf_counter()
        walk(fast, slow, close, state)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:])) * 1e9 / (n_bars * lanes)
