"""Exact order statistics of more numbers than fit into memory.

Radix selection: float64 bits, mapped to integers of the same order, are counted digit by digit, 16 bits at a
time.  Each of four passes over the numbers keeps 65,536 counts per rank that is looked for; the fourth leaves
one value.  No approximation, and memory that depends neither on how many numbers there are nor on what they
are (sketches such as t-digest or DDSketch are smaller and take one pass, but answer with an error).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Batches = Callable[[], Iterable[Array]]
"""Hands out all numbers, batch by batch, as often as it is called."""

_DIGIT = 16
_SIGN = np.uint64(1 << 63)


def quantiles(batches: Batches, shares: Sequence[float]) -> tuple[int, Array]:
    """How many numbers there are, NaN left out, and their quantiles: float64 [len(shares)].

    The quantile at `q` is the smallest number that at least the share `q` of all does not exceed: one of the
    numbers, never a mean of two ("inverted_cdf"; Hyndman and Fan 1996, definition 1).  NaN without numbers.
    """
    total = sum(int(np.count_nonzero(~np.isnan(batch))) for batch in batches())
    if total == 0:
        return 0, np.full(len(shares), math.nan)
    ranks = [min(max(math.ceil(total * q - 1), 0), total - 1) for q in shares]
    return total, select(batches, ranks)


def select(batches: Batches, ranks: Sequence[int]) -> Array:
    """The numbers at these ranks, 0 the smallest, NaN left out: float64 [len(ranks)]."""
    prefixes = [0] * len(ranks)  # the leading digits of each answer, as far as they are known
    within = list(ranks)  # the rank among those numbers that share them
    for step in range(64 // _DIGIT):
        counts = _count_digits(batches, sorted(set(prefixes)), shift=64 - _DIGIT * (step + 1))
        for i, prefix in enumerate(prefixes):
            upto = np.cumsum(counts[prefix])
            digit = int(np.searchsorted(upto, within[i], side="right"))
            within[i] -= int(upto[digit - 1]) if digit else 0
            prefixes[i] = prefix << _DIGIT | digit
    return _floats(np.array(prefixes, dtype=np.uint64))


def _count_digits(batches: Batches, prefixes: Sequence[int], shift: int) -> dict[int, npt.NDArray[np.int64]]:
    """How often each digit follows each prefix."""
    counts = {prefix: np.zeros(1 << _DIGIT, dtype=np.int64) for prefix in prefixes}
    for batch in batches():
        keys = _keys(batch[~np.isnan(batch)]) >> np.uint64(shift)
        leading = keys >> np.uint64(_DIGIT)
        for prefix in prefixes:
            digits = keys[leading == np.uint64(prefix)] & np.uint64((1 << _DIGIT) - 1)
            counts[prefix] += np.bincount(digits.astype(np.int64), minlength=1 << _DIGIT)
    return counts


def _keys(numbers: Array) -> npt.NDArray[np.uint64]:
    """Bits whose order as unsigned integers is that of the numbers; -0.0 is 0.0."""
    bits = (numbers + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _floats(keys: npt.NDArray[np.uint64]) -> Array:
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float64)
