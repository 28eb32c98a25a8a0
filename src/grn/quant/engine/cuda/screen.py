"""Screening: all combinations in float32, the ones that may be among the best again in float64.

For cards whose float64 is slow.  The float32 kernel is the same source with another `real`; its scores are
a guess and never an answer.  What is answered comes from float64, and holds the bits of the cpu engine.

The kernel says which rows are in doubt: in them float32 may have decided a bar otherwise (`doubts`).  How
far guesses are off is learned from the sweep itself, for rows in doubt and for all others apart: of each
kind, rows near the top and rows drawn from all of it are computed in float64; the largest error seen, times
`SAFETY`, is the margin of that kind.  Each row whose guess plus its margin reaches the K-th best float64
score is computed in float64 too, which may raise both, until no row is left that reaches it.  So a decision
that float32 takes otherwise hides no row: when such rows are few all of them are computed, when they are
many their errors are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.engine import cpu
from grn.quant.engine.cuda import launch
from grn.quant.engine.cuda.cards import CuPy
from grn.quant.engine.grid import Grid
from grn.quant.engine.plan import Layout, Plan
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SAFETY: Final = 4.0
PROBED: Final = 4
"""Rows of each kind near the top that its margin is learned from, in units of `top`."""
DRAWN: Final = 256
"""Rows of each kind that are drawn from all of it."""


@dataclass(frozen=True)
class Screened:
    """The best rows of a sweep.

    Attributes
    ----------
    rows
        int64 [K], best first; of equal scores the lower row comes first.
    scores
        float64 [K], from float64.
    checked
        int64, rows that were computed in float64, ascending.
    sums
        float64 [checked, accumulators].
    doubtful
        How many rows were in doubt.
    margins
        By how much a guess could fail before a row was missed, without a doubt and with one.
    rounds
        How often rows were added.
    """

    rows: Rows
    scores: Array
    checked: Rows
    sums: Array
    doubtful: int
    margins: tuple[float, float]
    rounds: int


def find_top(
    guesses: Array, doubtful: Flags, exact: Callable[[Rows], Array], top: int, *, seed: int = 0
) -> tuple[Rows, Array, tuple[float, float], int]:
    """Rows whose float64 score has to be known, those scores, both margins, and the rounds it took.

    Parameters
    ----------
    guesses
        float64 [C], scores from float32; missing where there is none: such a row is always checked.
    doubtful
        bool [C], rows in which a decision is in doubt.
    exact
        Scores of some rows in float64; missing is worse than any number.
    top
        How many of the best rows must be among those returned.
    """
    rng = np.random.default_rng(seed)
    known = np.full(len(guesses), np.nan)
    checked = np.zeros(len(guesses), dtype=np.bool_)
    wanted = np.isnan(guesses)
    kinds = [np.flatnonzero(~doubtful), np.flatnonzero(doubtful)]
    for kind in kinds:
        near = kind[np.argsort(-guesses[kind], kind="stable")[: PROBED * top]]
        drawn = rng.choice(kind, size=min(DRAWN, len(kind)), replace=False)
        wanted[near] = wanted[drawn] = True
    margins, rounds = np.zeros(2), 0
    while wanted.any():
        rows = np.flatnonzero(wanted)
        known[rows] = exact(rows)
        checked[rows] = True
        for k, kind in enumerate(kinds):
            seen = kind[checked[kind]]
            margins[k] = SAFETY * _largest_error(guesses[seen], known[seen])
        scores = np.sort(np.nan_to_num(known[checked], nan=-np.inf))
        bar = scores[-top] if len(scores) >= top else -np.inf
        with np.errstate(invalid="ignore"):
            wanted = ~checked & ~(guesses + margins[doubtful.astype(np.int64)] < bar)
        rounds += 1
    rows = np.flatnonzero(checked)
    return rows, known[rows], (float(margins[0]), float(margins[1])), rounds


def _largest_error(guesses: Array, truth: Array) -> float:
    """Largest distance; a number on one side only says that anything may happen."""
    both = np.isfinite(guesses) & np.isfinite(truth)
    if (np.isfinite(guesses) & ~both).any():
        return np.inf
    return float(np.abs(guesses[both] - truth[both]).max(initial=0.0))


def screen(
    plan: Plan,
    layout: Layout,
    grid: Grid,
    bars: Bars,
    rules: Rules,
    groups: Sequence[str],
    score: Callable[[dict[str, Array]], Array],
    *,
    top: int,
    threads: int = 1,
    seed: int = 0,
    cupy: CuPy | None = None,
) -> Screened:
    """The `top` best combinations of one symbol: guessed on the cards in float32, decided in float64.

    Parameters
    ----------
    score
        From accumulators by name to a score per combination, [n] each; the larger the better.
    threads
        Threads of the cpu engine, which computes what is decided: a card whose float64 is slow takes longer.
    seed
        Of the rows that are drawn.

    Raises
    ------
    UsageError
        `top` is not from 1 to the number of combinations.
    """
    if not 1 <= top <= len(grid):
        raise UsageError("top must be from 1 to the number of combinations", seen=f"{top} of {len(grid):,}")
    names = accumulator_names(groups)
    guessed = launch.run(plan, layout, grid, bars, rules, groups, real="float", cupy=cupy)
    known: dict[int, Array] = {}

    def scores(sums: Array) -> Array:
        with np.errstate(all="ignore"):
            return score({name: sums[:, k] for k, name in enumerate(names)})

    def exact(rows: Rows) -> Array:
        part, taken = Layout(layout.rows[rows], layout.series), Grid(grid.params, grid.values[rows])
        sums = cpu.run(plan, part, taken, bars, rules, groups, threads=threads)
        known.update(zip(rows.tolist(), sums, strict=True))
        return scores(sums)

    doubtful = guessed[:, -1] != 0.0
    checked, found, margins, rounds = find_top(scores(guessed), doubtful, exact, top, seed=seed)
    best = np.lexsort((checked, -np.nan_to_num(found, nan=-np.inf)))[:top]
    sums = np.array([known[row] for row in checked.tolist()])
    return Screened(checked[best], found[best], checked, sums, int(doubtful.sum()), margins, rounds)
