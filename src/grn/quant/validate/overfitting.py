"""Does choosing the best help? Combinatorially symmetric cross-validation: the probability of overfitting.

The bars are cut into S blocks. Every way to take half of them is a split: the best trial on those bars is
looked up among all trials on the other bars. If being the best says nothing about the other half, the chosen
trial lands below the median half of the time, and the search has found its own noise.

Sums of returns and of their squares add up over blocks, so a split costs S / 2 additions per trial, whatever
the number of bars; a split and its mirror image share all of them.

Source: Bailey, D. H., Borwein, J. M., López de Prado, M. and Zhu, Q. J. (2017). The Probability of Backtest
Overfitting. Journal of Computational Finance 20(4), 39-69 (section numbers below).
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.kernels import COMPARE_HALVES, Integers, compare_halves, compiled
from grn.quant.validate.returns import CONSTANT, Array, Trials, keep_defined, usable_cores

BLOCKS: Final = 16
MOST_BLOCKS: Final = 20
"""184,756 splits; each two blocks more make four times as many."""
BINS: Final = 1_024
_TASKS: Final = 8


@dataclass(frozen=True, eq=False)
class Dominance:
    """Whether the chosen trials' Sharpe ratios on the other half beat those of all trials (section 2.3).

    Attributes
    ----------
    first
        At every level, no fewer of the chosen lie above it: whoever prefers more prefers choosing.
    second
        The same of the integrals from below: whoever dislikes risk as well does.
    levels
        float64 [BINS + 1], Sharpe ratios per bar.
    chosen, all_trials
        float64 [BINS + 1], shares below each level.
    """

    first: bool
    second: bool
    levels: Array
    chosen: Array
    all_trials: Array


@dataclass(frozen=True, eq=False)
class Overfitting:
    """What became of the best of one half of the bars in the other half, in every split.

    Attributes
    ----------
    pbo
        Probability of backtest overfitting: the share of splits in which the best of one half is below the
        median of the other (section 2.2); splits in which it is the median itself count half. NaN when there
        is nothing to choose: fewer than two trials with a Sharpe ratio, or fewer than two bars a block.
    loss
        Share of splits in which it lost money in the other half; a half without a trade counts half.
    slope, intercept, r2
        Least squares of the other half's Sharpe ratio on its own (performance degradation, section 2.3). NaN
        where the best always has the same Sharpe ratio.
    logits
        float64 [splits], ln(w / (1 - w)) of the relative rank w in the other half; ties take the mean rank.
    inside, outside
        float64 [splits], the best trial's Sharpe ratios per bar in its own half and in the other.
    best
        int64 [splits], its column in the matrix given; the first of several equal ones.
    dominance
        None when not asked for.
    trials, blocks, bars_left_out
        How many trials took part, S, and how many of the first bars did not fit into S equal blocks.
    """

    pbo: float
    loss: float
    slope: float
    intercept: float
    r2: float
    logits: Array
    inside: Array
    outside: Array
    best: Integers
    dominance: Dominance | None
    trials: int
    blocks: int
    bars_left_out: int


def measure_overfitting(
    returns: npt.ArrayLike, *, blocks: int = BLOCKS, dominance: bool = False, threads: int | None = None
) -> Overfitting:
    """Cross-validate a search combinatorially symmetrically, over all splits of its bars.

    Trials with a NaN, an infinity or constant returns take no part. Splits come in the order of
    ``itertools.combinations(range(blocks), blocks // 2)``, the bytes do not depend on ``threads``.

    Parameters
    ----------
    returns
        Returns of every trial, float [bars, trials]. The first bars that do not fit into equal blocks are
        left out.
    blocks
        S, even, from 2 to `MOST_BLOCKS`.
    dominance
        Also compare the distributions, which takes the same time again.
    threads
        Default: as many as there are processors for this process.

    Raises
    ------
    UsageError
        ``blocks`` is odd or out of range.
    """
    halves = half_splits(blocks)
    trials = keep_defined(returns)
    size = trials.n_bars // blocks
    left_out = trials.n_bars - size * blocks
    if trials.kept < 2 or size < 2:
        return _undefined(trials, blocks, left_out)
    cut = trials.returns[left_out:].reshape(blocks, size, trials.kept)
    sums = np.ascontiguousarray(cut.sum(axis=1))
    squares = np.ascontiguousarray(np.einsum("ijk,ijk->ik", cut, cut))
    length, count = size * blocks // 2, 2 * len(halves)
    chosen, places, others = np.empty((count, 2)), np.empty((count, 3), dtype=np.int64), np.empty((count, 2))
    kernel = compiled(compare_halves, COMPARE_HALVES)

    def compare(low: float, width: float) -> Integers:
        """Run all splits; return the histogram of the other halves' ratios (of one bin without a width)."""

        def work(first: int, last: int) -> Integers:
            histogram = np.zeros(BINS if width > 0.0 else 1, dtype=np.int64)
            space = np.empty((2, trials.kept)), np.empty((2, trials.kept))
            out = chosen, places, others, histogram
            kernel(sums, squares, halves, length, CONSTANT, *space, *out, low, width, first, last)
            return histogram

        ends = np.linspace(0, len(halves), min(len(halves), _TASKS) + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads or usable_cores()) as pool:
            parts = list(pool.map(work, ends[:-1], ends[1:]))
        whole: Integers = np.sum(parts, axis=0)
        return whole

    compare(0.0, 0.0)
    order = _in_order(len(halves))
    inside, outside = chosen[order].T.copy()
    best, below, level = places[order].T
    rank = (below + (level + 1) / 2.0) / (trials.kept + 1)
    compared = _compare_distributions(outside, others, compare) if dominance else None
    return Overfitting(
        pbo=_share_below(rank, 0.5),
        loss=_share_below(outside, 0.0),
        **_degradation(inside, outside),
        logits=np.log(rank / (1.0 - rank)),
        inside=inside,
        outside=outside,
        best=trials.columns[best],
        dominance=compared,
        trials=trials.kept,
        blocks=blocks,
        bars_left_out=left_out,
    )


def half_splits(blocks: int) -> Integers:
    """Blocks of each split, those of one half first: int64 [C(S, S / 2) / 2, S], mirror images left out.

    The mirror image of split k of ``itertools.combinations(range(blocks), blocks // 2)`` is split -1 - k.

    Raises
    ------
    UsageError
        ``blocks`` is odd or out of range.
    """
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise UsageError(
            f"the number of blocks must be even, from 2 to {MOST_BLOCKS}", seen=blocks, hint="16 is usual"
        )
    everything = range(blocks)
    found = []
    for half in itertools.combinations(everything, blocks // 2):
        if half[0]:
            break
        found.append([*half, *(b for b in everything if b not in half)])
    return np.array(found, dtype=np.int64)


def _in_order(pairs: int) -> Integers:
    """Row of the kernel's output for each split in the order of combinations."""
    first = 2 * np.arange(pairs, dtype=np.int64)
    return np.concatenate((first, first[::-1] + 1))


def _share_below(values: Array, bound: float) -> float:
    """Share of values below a bound; those at it count half."""
    return float(np.count_nonzero(values < bound) + 0.5 * np.count_nonzero(values == bound)) / values.size


def _degradation(inside: Array, outside: Array) -> dict[str, float]:
    finite = np.isfinite(inside) & np.isfinite(outside)
    x, y = inside[finite], outside[finite]
    if x.size < 3:
        return {"slope": math.nan, "intercept": math.nan, "r2": math.nan}
    dx, dy = x - x.mean(), y - y.mean()
    xx, yy, xy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if xx <= CONSTANT * float(x @ x):
        return {"slope": math.nan, "intercept": math.nan, "r2": math.nan}
    slope = xy / xx
    r2 = xy * xy / (xx * yy) if yy > CONSTANT * float(y @ y) else math.nan
    return {"slope": slope, "intercept": float(y.mean() - slope * x.mean()), "r2": r2}


def _compare_distributions(outside: Array, others: Array, compare: object) -> Dominance | None:
    """Shares below each level, of the chosen and of all trials, and who dominates."""
    assert callable(compare)
    finite = others[np.isfinite(others)]
    if not finite.size or not finite.max() > finite.min():
        return None
    low, high = float(finite.min()), float(finite.max())
    # A little wider: the highest ratio belongs to the last bin.
    width = (high - low) / BINS * (1.0 + 1e-9)
    histogram = compare(low, width)
    levels: Array = low + width * np.arange(BINS + 1, dtype=np.float64)
    every = np.concatenate(([0.0], np.cumsum(histogram) / histogram.sum()))
    place = np.clip((outside - low) / width, 0.0, BINS - 1.0).astype(np.int64)
    mine = np.concatenate(([0.0], np.cumsum(np.bincount(place, minlength=BINS)) / outside.size))
    gap = every - mine
    return Dominance(
        first=bool((gap >= 0.0).all() and (gap > 0.0).any()),
        # Shares are exact multiples of 1 / splits / trials; their sums are rounded.
        second=bool((np.cumsum(gap) >= -1e-9).all() and (gap > 0.0).any()),
        levels=levels,
        chosen=mine,
        all_trials=every,
    )


def _undefined(trials: Trials, blocks: int, left_out: int) -> Overfitting:
    nothing = np.empty(0)
    return Overfitting(
        *(math.nan,) * 5,
        *(nothing, nothing, nothing),
        np.empty(0, dtype=np.int64),
        None,
        trials.kept,
        blocks,
        left_out,
    )


def overfitting_plainly(returns: npt.ArrayLike, blocks: int = BLOCKS) -> tuple[Array, Array, Integers]:
    """What :func:`measure_overfitting` computes, from the bars themselves, split by split, in NumPy.

    The specification, for small cases: each split takes its bars, and nothing is shared. Returns ``logits``,
    ``outside`` and ``best`` of every split; halves without a trade are not provided for.
    """
    trials = keep_defined(returns)
    size = trials.n_bars // blocks
    cut = trials.returns[trials.n_bars - size * blocks :].reshape(blocks, size, trials.kept)
    logits, outside, best = [], [], []
    for half in itertools.combinations(range(blocks), blocks // 2):
        rest = [b for b in range(blocks) if b not in half]
        mine, other = (cut[list(chosen)].reshape(-1, trials.kept) for chosen in (half, rest))
        inside, after = (bars.mean(axis=0) / bars.std(axis=0, ddof=1) for bars in (mine, other))
        winner = int(np.argmax(inside))
        level = np.count_nonzero(after == after[winner])
        rank = (np.count_nonzero(after < after[winner]) + (level + 1) / 2) / (trials.kept + 1)
        logits.append(math.log(rank / (1 - rank)))
        outside.append(after[winner])
        best.append(trials.columns[winner])
    return np.array(logits), np.array(outside), np.array(best, dtype=np.int64)
