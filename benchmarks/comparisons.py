"""The registry of comparisons with vectorbt 1.2.0: `tests/parity` proves them, `benchmarks.sweep` times one.

The strategy is the moving-average crossover of vectorbt's README: every pair of windows 2 to 100.  A
comparison fixes the rules around it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from grn.quant import AllCash, Bars, Costs, Fraction, Quantity, Rules, Strategy, Value, close, param, sma
from grn.quant.compute import compute
from grn.quant.engine.choose import Choice
from grn.quant.engine.plan import Grid
from grn.quant.metrics.registry import parse_metrics
from grn.quant.strategy.rules import Direction
from grn.quant.strategy.sizes import Size

Table = dict[str, npt.NDArray[np.float64]]
"""Metric name -> float64 [symbols, pairs]."""

METRICS = ("total_return", "sharpe", "max_drawdown", "trades")
PAIRS = tuple(itertools.combinations(range(2, 101), 2))
"""All 4,851 pairs, the fast window varying slowest."""
PERIODS_PER_YEAR = 365.0
"""vectorbt's year has 365 days; bars are daily (its ``freq="1D"``)."""
CASH = 10_000.0
TOLERANCE = 1e-9
"""Largest absolute and largest relative difference."""


@dataclass(frozen=True)
class Comparison:
    """One set of rules that both programs can express."""

    name: str
    direction: Direction = "long"
    size: Size = field(default_factory=AllCash)
    costs: Costs = field(default_factory=lambda: Costs(fee=0.001))
    fill: str = "close"

    @property
    def rules(self) -> Rules:
        """The rules as grn takes them."""
        return Rules(fill=self.fill, costs=self.costs, size=self.size, cash=CASH)


COMPARISONS = (
    Comparison("readme"),
    Comparison("short", direction="short"),
    Comparison("both", direction="both"),
    Comparison("quantity", size=Quantity(80)),
    Comparison("quantity-short", direction="short", size=Quantity(10)),
    Comparison("quantity-both", direction="both", size=Quantity(15)),
    Comparison("value", size=Value(5_000)),
    Comparison("fraction", size=Fraction(0.5)),
    Comparison("fraction-short", direction="short", size=Fraction(0.5)),
    Comparison("all-costs", direction="both", costs=Costs(fee=0.001, fixed_fee=0.05, slippage=0.0002)),
    Comparison("next-open", fill="next_open"),
)
BY_NAME = {c.name: c for c in COMPARISONS}


def crossover(direction: Direction = "long", *, step: int = 1) -> Strategy:
    """The strategy of the README: in when the fast average rises above the slow one, out when below.

    `step` takes every so many windows only.
    """
    fast, slow = param("fast", range(2, 101, step)), param("slow", range(2, 101, step))
    a, b = sma(close, fast), sma(close, slow)
    return Strategy(
        entry=a.crosses_above(b),
        exit=a.crosses_below(b),
        direction=direction,
        where=fast < slow,
        name="crossover",
    )


def run_ours(
    comparison: Comparison, market: tuple[Bars, ...], pairs: tuple[tuple[int, int], ...] = PAIRS
) -> Table:
    """The four metrics from the cpu engine."""
    strategy = crossover(comparison.direction)
    grid = Grid(strategy.params, np.array(pairs, dtype=np.float64))
    result = compute(
        strategy,
        market,
        grid,
        comparison.rules,
        parse_metrics(METRICS),
        Choice("cpu", "compared"),
        ppy=PERIODS_PER_YEAR,
    )
    shape = (len(market), len(pairs))
    return {name: result.frame[name].to_numpy().astype(np.float64).reshape(shape) for name in METRICS}


def largest_differences(ours: Table, theirs: Table) -> dict[str, tuple[float, float]]:
    """Per metric the largest absolute and relative difference; NaN equals NaN and nothing else."""
    found = {}
    for name in METRICS:
        a, b = ours[name], theirs[name]
        assert a.shape == b.shape, f"{name}: {a.shape} beside {b.shape}"
        gap = np.where(np.isnan(a) & np.isnan(b), 0.0, np.abs(a - b))
        gap = np.where(np.isnan(gap), np.inf, gap)
        size = np.maximum(np.abs(a), np.abs(b))
        relative = np.where(gap == 0.0, 0.0, gap / np.where(size > 0.0, size, 1.0))
        found[name] = (float(gap.max()), float(relative.max()))
    return found


def agree(differences: dict[str, tuple[float, float]]) -> bool:
    """Whether every difference is within the tolerance."""
    return all(max(pair) <= TOLERANCE for pair in differences.values())
