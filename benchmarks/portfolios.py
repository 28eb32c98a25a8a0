"""The registry of comparisons with vectorbt 1.2.0 for target weights: `tests/parity` proves them.

The strategy is a rotation: at each rebalance the `n` walks with the largest rate of change get weights that
fall with their rank.  A comparison fixes the rules around it, and turns it short or into long against short.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks.comparisons import CASH, PERIODS_PER_YEAR, Table
from grn.quant import Bars, Costs, Rules, param, roc, when
from grn.quant.engine.plan import Grid
from grn.quant.engine.portfolio import cpu
from grn.quant.engine.portfolio.panel import Panel
from grn.quant.engine.portfolio.path import trace_portfolio
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.metrics.from_accumulators import metric_columns
from grn.quant.metrics.registry import parse_metrics
from grn.quant.strategy.cross import rank
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close

METRICS = ("total_return", "sharpe", "max_drawdown", "orders")
COMBINATIONS = tuple(itertools.product(range(2, 52), range(1, 5), (1, 2, 5, 10, 21)))
"""1,000 combinations of (length, n, every)."""


@dataclass(frozen=True)
class PortfolioComparison:
    """One set of rules that both programs can express.

    Parameters
    ----------
    side
        "long": the best are bought; "short": they are sold; "both": bought, and the worst sold.
    calls
        vectorbt's call sequence: "auto" (sales first), "default" (by column), "reversed".
    groups
        Symbols per group; each group is an account of its own with cash of its own.
    """

    name: str
    side: Literal["long", "short", "both"] = "long"
    costs: Costs = field(default_factory=lambda: Costs(fee=0.001))
    fill: str = "close"
    calls: Literal["auto", "default", "reversed"] = "auto"
    groups: tuple[int, ...] = (6,)

    @property
    def rules(self) -> Rules:
        """The rules as grn takes them."""
        return Rules(fill=self.fill, costs=self.costs, cash=CASH)


COMPARISONS = (
    PortfolioComparison("rotation"),
    PortfolioComparison("rotation-short", side="short"),
    PortfolioComparison("rotation-both", side="both"),
    PortfolioComparison("by-name", calls="default"),
    PortfolioComparison("given-order", calls="reversed"),
    PortfolioComparison("next-open", fill="next_open"),
    PortfolioComparison("all-costs", costs=Costs(fee=0.001, fixed_fee=0.05, slippage=0.0002)),
    PortfolioComparison("two-groups", groups=(3, 3)),
)
BY_NAME = {c.name: c for c in COMPARISONS}


def rotation(comparison: PortfolioComparison, symbols: tuple[str, ...]) -> Weights:
    """Weights (n, n - 1, ... 1) / (1 + ... + n) on the `n` largest rates of change."""
    length, n, every = (
        param("length", range(2, 52)),
        param("n", [1, 2, 3, 4]),
        param("every", [1, 2, 5, 10, 21]),
    )
    whole = n * (n + 1.0) / 2.0
    best = rank(roc(close, length))
    weight = when(best <= n, (n + 1.0 - best) / whole, 0.0)
    if comparison.side == "short":
        weight = weight * -0.5
    elif comparison.side == "both":
        worst = rank(-roc(close, length))
        weight = weight * 0.5 - when(worst <= n, (n + 1.0 - worst) / whole, 0.0) * 0.5
    orders = {"auto": "sells_first", "default": "by_name", "reversed": symbols[::-1]}
    return Weights(weight, every=every, order=orders[comparison.calls])  # type: ignore[arg-type]


def split_market(comparison: PortfolioComparison, market: tuple[Bars, ...]) -> list[tuple[Bars, ...]]:
    """The symbols of each account."""
    ends = list(itertools.accumulate(comparison.groups))
    assert ends[-1] == len(market)
    return [market[end - size : end] for end, size in zip(ends, comparison.groups, strict=True)]


def run_ours(
    comparison: PortfolioComparison,
    market: tuple[Bars, ...],
    combinations: tuple[tuple[int, int, int], ...] = COMBINATIONS,
) -> Table:
    """The four metrics from the cpu engine."""
    accounts = split_market(comparison, market)
    table = {name: np.empty((len(accounts), len(combinations))) for name in METRICS}
    metrics = parse_metrics(METRICS[:3])
    needed = ("moments", "drawdown")
    for k, bars in enumerate(accounts):
        panel = Panel(bars)
        weights = rotation(comparison, panel.symbols)
        order = [("length", "n", "every").index(p.name) for p in weights.params]
        grid = Grid(weights.params, np.array(combinations, dtype=np.float64)[:, order].copy())
        sums = cpu.run(weights, grid, panel, comparison.rules, needed, threads=2)
        values = dict(zip(accumulator_names(needed), sums.T, strict=True))
        columns = metric_columns(
            values, n_bars=len(panel.ts_ns), initial=CASH, ppy=PERIODS_PER_YEAR, metrics=metrics
        )
        for name, column in columns.items():
            table[name][k] = column
        for i in range(len(grid)):
            path = trace_portfolio(weights, panel, comparison.rules, grid.binding(i))
            table["orders"][k, i] = len(np.unique(path.legs[:, 1]))
    return table
