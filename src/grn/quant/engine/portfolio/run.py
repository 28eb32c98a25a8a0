"""Running target weights: the price of it, and the engine that was chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from grn.quant.engine.plan import Grid
from grn.quant.engine.portfolio import cpu, reference
from grn.quant.engine.portfolio.panel import Panel
from grn.quant.engine.portfolio.walk import Market
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.tree import find_params
from grn.quant.strategy.weights import Weights


def run(
    weights: Weights,
    bars: Sequence[Bars],
    grid: Grid,
    rules: Rules,
    groups: Sequence[str],
    engine: str,
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """Accumulators of every combination: float64 [C, accumulators]."""
    panel = Panel(tuple(bars))
    if engine == "reference":
        found = reference.run(weights, grid, panel, rules, groups)
        if progress is not None:
            progress(len(grid))
        return found
    return cpu.run(weights, grid, panel, rules, groups, threads=threads, progress=progress)


def table_bytes(weights: Weights, bars: Sequence[Bars], threads: int) -> int:
    """Memory of a run's tables, from its sizes alone.

    Every leaf at every value, for all symbols (twice: on own bars, and inside words across symbols on the
    calendar), the columns of the market, and what each thread works on.
    """
    leaves = cpu.leaves_of(weights.weight)
    rows = sum(math.prod(len(p.values) for p in find_params(leaf)) for leaf in leaves)
    # The calendar is at least as long as the longest symbol, and at most all of them one after another.
    n_bars = min(sum(map(len, bars)), 2 * max(map(len, bars)))
    return 8 * n_bars * len(bars) * (2 * rows + len(Market._fields) + 4 * threads)
