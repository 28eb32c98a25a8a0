"""The loops of this room: plain Python over arrays, compiled once per process and kept on disk.

No fast-math, and every sum in one written order: same inputs, same bytes, on any number of threads. A kernel
works on a range of its items, so that threads share nothing that they write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from grn.quant.jit import load_or_compile, place_cache

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

TILE: Final = 32
"""Trials that a bootstrap adds up together: enough to pay for a vector loop, few enough for a cache."""

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": False}
_lock = threading.Lock()
_compiled: dict[Callable[..., Any], Callable[..., Any]] = {}


def compiled(kernel: Callable[..., None], signature: str) -> Callable[..., None]:
    """Return a kernel of this module compiled.

    ``signature`` has a word per argument: ``n`` and ``x`` are an int64 and a float64, ``i`` and ``f`` arrays
    of them with the number of dimensions behind (``f2``), all C-contiguous.
    """
    with _lock:
        if kernel not in _compiled:
            place_cache()
            import numba
            from numba import types

            scalars = {"n": types.int64, "x": types.float64}
            element = {"i": types.int64, "f": types.float64}
            arguments = tuple(
                scalars[word] if word in scalars else types.Array(element[word[0]], int(word[1]), "C")
                for word in signature.split()
            )
            function = numba.njit(**_OPTIONS)(kernel)
            load_or_compile(function, arguments)
            function.disable_compile()
            _compiled[kernel] = function
        return _compiled[kernel]


COMPARE_HALVES: Final = "f2 f2 i2 n x f2 f2 f2 i2 f2 i1 x x n n"


def compare_halves(
    sums: Array,
    squares: Array,
    halves: Integers,
    length: int,
    constant: float,
    ratios: Array,
    scratch: Array,
    chosen: Array,
    places: Integers,
    others: Array,
    histogram: Integers,
    low: float,
    width: float,
    first: int,
    last: int,
) -> None:
    """For both halves of splits ``first`` to ``last``: the best trial of one, and its place in the other.

    ``sums`` and ``squares`` [blocks, trials] of each block, ``halves`` [splits, blocks] with the blocks of
    one half before those of the other, ``length`` bars a half. ``chosen`` [2 splits, 2] takes the Sharpe
    ratios of the best in its own half and the other, ``places`` [2 splits, 3] the best, how many are below
    it in the other half, and how many are level; ``others`` [2 splits, 2] the lowest and highest ratio of
    the other half. ``ratios`` and ``scratch`` [2, trials] are working space. ``histogram`` counts all
    ratios of the other halves from ``low`` in steps of ``width``, if that is above 0.
    """
    n_blocks, n_trials = sums.shape
    half = n_blocks // 2
    for split in range(first, last):
        for side in range(2):
            for j in range(n_trials):
                scratch[0, j] = 0.0
                scratch[1, j] = 0.0
            for b in range(half):
                block = halves[split, side * half + b]
                for j in range(n_trials):
                    scratch[0, j] += sums[block, j]
                    scratch[1, j] += squares[block, j]
            for j in range(n_trials):
                s1 = scratch[0, j]
                s2 = scratch[1, j]
                spread = s2 - s1 * s1 / length
                if spread > constant * s2:
                    ratios[side, j] = s1 / length / np.sqrt(spread / (length - 1.0))
                elif s1 == 0.0:
                    ratios[side, j] = 0.0
                elif s1 > 0.0:
                    ratios[side, j] = np.inf
                else:
                    ratios[side, j] = -np.inf
        for side in range(2):
            other = 1 - side
            best = 0
            for j in range(1, n_trials):
                if ratios[side, j] > ratios[side, best]:
                    best = j
            mark = ratios[other, best]
            below = 0
            level = 0
            lowest = np.inf
            highest = -np.inf
            for j in range(n_trials):
                value = ratios[other, j]
                below += 1 if value < mark else 0
                level += 1 if value == mark else 0
                lowest = min(lowest, value)
                highest = max(highest, value)
            row = 2 * split + side
            chosen[row, 0] = ratios[side, best]
            chosen[row, 1] = mark
            places[row, 0] = best
            places[row, 1] = below
            places[row, 2] = level
            others[row, 0] = lowest
            others[row, 1] = highest
            if width > 0.0:
                top = histogram.shape[0] - 1
                for j in range(n_trials):
                    # The infinities of halves without variance go to the ends.
                    place = (ratios[other, j] - low) / width
                    histogram[int(min(max(place, 0.0), float(top)))] += 1


CUT_RESAMPLES: Final = "i1 f1 x i1 i1 i1"


def cut_resample(
    draws: Integers, chances: Array, p: float, starts: Integers, ends: Integers, count: Integers
) -> None:
    """Write one stationary resample as runs of bars ``starts[i]`` to ``ends[i]``, ``count[0]`` of them.

    Bar 0 of the resample is ``draws[0]``; each further one follows the bar before, around the end, or
    begins a run at ``draws[t]`` where ``chances[t] <= p``. ``count[0]`` is where to write first, and is
    moved on.
    """
    n = draws.shape[0]
    at = count[0]
    start = draws[0]
    bar = start
    for t in range(1, n):
        following = bar + 1
        if chances[t] > p and following < n:
            bar = following
            continue
        starts[at] = start
        ends[at] = following
        at += 1
        start = draws[t] if chances[t] <= p else 0
        bar = start
    starts[at] = start
    ends[at] = bar + 1
    count[0] = at + 1


PEAKS: Final = "f3 i1 i1 i1 x f3 f2 f2 n n"


def find_peaks(
    prefix: Array,
    offsets: Integers,
    starts: Integers,
    ends: Integers,
    n_bars: float,
    centres: Array,
    scales: Array,
    peaks: Array,
    first: int,
    last: int,
) -> None:
    """Raise ``peaks`` [resamples, 3] to the largest centred and scaled mean of tiles ``first`` to ``last``.

    ``prefix`` [tiles, bars + 1, TILE] are sums of returns from the first bar on, ``centres`` [tiles, 3, TILE]
    what is taken from a resample's mean, ``scales`` [tiles, TILE] what it is multiplied by then.
    """
    sums = np.zeros(TILE)
    n_resamples = peaks.shape[0]
    for tile in range(first, last):
        table = prefix[tile]
        for resample in range(n_resamples):
            for j in range(TILE):
                sums[j] = 0.0
            for run in range(offsets[resample], offsets[resample + 1]):
                begin = starts[run]
                end = ends[run]
                for j in range(TILE):
                    sums[j] += table[end, j] - table[begin, j]
            for way in range(3):
                highest = peaks[resample, way]
                for j in range(TILE):
                    highest = max(highest, (sums[j] / n_bars - centres[tile, way, j]) * scales[tile, j])
                peaks[resample, way] = highest
