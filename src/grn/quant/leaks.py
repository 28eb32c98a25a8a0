"""The leak detector: whether a strategy knows tomorrow.

A condition that only looks back gives the same answer on bar t whether or not the bars after t exist.  The
detector evaluates the conditions on the whole data and on data cut off at many bars, and reports where they
differ.

Expressions of this package look back by construction.  What can leak is Polars expressions, step functions
with global state, and `tf` over them.  A column that was computed outside and comes with the data cannot be
judged: it is listed as unchecked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grn.quant.engine.choose import refusals
from grn.quant.engine.plan import Grid, build_grid
from grn.quant.engine.series import Evaluator
from grn.quant.schema import Bars
from grn.quant.strategy.expr import DAY, Expr
from grn.quant.strategy.strategy import Strategy, is_never
from grn.quant.strategy.tree import find_params, nodes

SIDES = ("long entry", "long exit", "short entry", "short exit")
BAR_COLUMNS = frozenset(("open", "high", "low", "close", "volume", DAY))


@dataclass(frozen=True)
class Leak:
    """One condition that changed a past answer when later bars were cut off."""

    symbol: str
    side: str
    culprit: str
    bar: int
    ts_ns: int
    cut: int
    seen_whole: bool
    seen_cut: bool
    params: dict[str, float]


@dataclass(frozen=True)
class LeakReport:
    """What the detector did and found."""

    leaks: tuple[Leak, ...]
    cuts: int
    combinations: int
    unchecked: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True when no answer changed."""
        return not self.leaks


def find_leaks(
    strategy: Strategy, bars: Sequence[Bars], *, cuts: int = 24, combinations: int = 8, seed: int = 0
) -> LeakReport:
    """Compare every condition on the whole data with the same condition on data cut off at `cuts` bars.

    Parameters
    ----------
    strategy
        What to check.
    bars
        Data to check it on; cuts are spread over each symbol, the last bars included.
    cuts
        Truncations per symbol.
    combinations
        Parameter settings, spread over the grid (the first and the last included).
    seed
        Of the positions between the fixed ones.

    Returns
    -------
    LeakReport
        At most one leak per symbol, side and setting, at the earliest bar found.
    """
    grid = build_grid(strategy, memory_gib=8.0)
    rows = np.unique(np.linspace(0, len(grid) - 1, min(combinations, len(grid))).round().astype(int))
    rng = np.random.default_rng(seed)
    jit = refusals(strategy)["cpu"] is None
    leaks: list[Leak] = []
    done = 0
    for one in bars:
        points = _cut_points(len(one), cuts, rng)
        done = max(done, len(points))
        whole = Evaluator(one, jit=jit)
        pieces = [(cut, Evaluator(one.head(cut), jit=jit)) for cut in points]
        for row in rows.tolist():
            for side, condition in zip(SIDES, strategy.signals, strict=True):
                if not is_never(condition):
                    leaks += _compare(condition, side, grid, row, whole, pieces)
    known = sorted(set(strategy.columns) - BAR_COLUMNS)
    return LeakReport(tuple(leaks), done, len(rows), tuple(known))


def _cut_points(n: int, cuts: int, rng: np.random.Generator) -> list[int]:
    wanted = dict.fromkeys((n - 1, n - 2, n // 2, n // 4, *(1 + rng.permutation(n - 1)).tolist()))
    return sorted([c for c in wanted if 1 <= c < n][:cuts])


def _compare(
    condition: Expr, side: str, grid: Grid, row: int, whole: Evaluator, pieces: list[tuple[int, Evaluator]]
) -> list[Leak]:
    binding = grid.binding(row)
    answers = whole.condition(condition, binding)
    for cut, piece in pieces:
        found = piece.condition(condition, binding)
        differs = np.flatnonzero(found != answers[:cut])
        if len(differs):
            bar = int(differs[0])
            culprit = _culprit(condition, binding, whole, cut, piece)
            used = {p.name: binding[p.name] for p in find_params(condition)}
            return [
                Leak(
                    whole.bars.symbol, side, culprit, bar, int(whole.bars.ts_ns[bar]), cut,
                    bool(answers[bar]), bool(found[bar]), used,
                )
            ]  # fmt: skip
    return []


def _culprit(condition: Expr, binding: dict[str, float], whole: Evaluator, cut: int, piece: Evaluator) -> str:
    """The innermost series node whose values change with the cut."""
    for node in nodes(condition):  # children come first
        if node.series:
            a, b = whole.numbers(node, binding)[:cut], piece.numbers(node, binding)
            if not np.array_equal(a, b, equal_nan=True):
                return str(node)
    return str(condition)
