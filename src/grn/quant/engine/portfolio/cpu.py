"""The cpu engine for portfolios: weights as arrays, the walk compiled, combinations spread over threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.engine.plan import Grid
from grn.quant.engine.portfolio.book import SLOTS, Book
from grn.quant.engine.portfolio.desk import build_desk, count_stops, scopes_of
from grn.quant.engine.portfolio.panel import Panel, PanelEvaluator
from grn.quant.engine.portfolio.sums import NAMES
from grn.quant.engine.portfolio.targets import Desk
from grn.quant.engine.series import Binding
from grn.quant.engine.terms import write_terms
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.strategy.expr import Expr
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.tree import find_params, nodes
from grn.quant.strategy.weights import Weights

Array = npt.NDArray[np.float64]


def run(
    weights: Weights,
    grid: Grid,
    panel: Panel,
    rules: Rules,
    groups: Sequence[str],
    *,
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> Array:
    """Accumulators of every combination: float64 [C, accumulators].

    Weights are evaluated once per distinct value of their parameters; the bytes do not depend on `threads`.
    `progress` is called in this thread with the number of combinations just finished.
    """
    from grn.quant.engine.portfolio.compiled import prepare, sum_path, walk

    evaluator = PanelEvaluator(panel)
    for leaf in leaves_of(weights.weight):
        for binding in distinct(grid, leaf):
            evaluator.prepare(leaf, binding)
    market = panel.market(rules)
    terms = np.array(write_terms(rules))
    where = [NAMES.index(name) for name in accumulator_names(groups)]
    out = np.empty((len(grid), len(where)))
    n_bars = len(panel.ts_ns)

    def arguments(table: Array, binding: Binding, series: Array) -> tuple[Any, ...]:
        desk = compiled_desk(build_desk(weights, rules, panel.symbols, binding))
        due = panel.due(weights, rules, binding)
        return (
            table, market._replace(due=due), desk, terms, empty_book(weights, panel.symbols, 0), rules.cash,
            series[0], series[1], series[2], np.empty((0, len(panel.bars))),
        )  # fmt: skip

    def task(rows: npt.NDArray[np.int64]) -> None:
        table = evaluator.weights(weights.weight, grid.binding(int(rows[0])))
        series = np.empty((3, n_bars))
        sums = np.empty(len(NAMES))
        for row in rows.tolist():
            given = arguments(table, grid.binding(row), series)
            walk(*given)
            sum_path(series[1], series[2], given[4].a, rules.cash, sums)
            out[row] = sums[where]

    first = arguments(np.empty((n_bars, len(panel.bars))), grid.binding(0), np.empty((3, n_bars)))
    prepare(walk, first)
    prepare(sum_path, (first[6], first[7], first[4].a, rules.cash, np.empty(len(NAMES))))
    tasks = list(rows_by_weights(weights, grid))
    with ThreadPoolExecutor(threads) as pool:
        for rows, _ in zip(tasks, pool.map(task, tasks) if threads > 1 else map(task, tasks), strict=True):
            if progress is not None:
                progress(len(rows))
    return out


def leaves_of(weight: Expr) -> list[Expr]:
    """Series that the weight is made of, those inside others first."""
    return [n for n in nodes(weight) if n.series]


def distinct(grid: Grid, *roots: Expr) -> list[Mapping[str, float]]:
    """Bindings with the distinct values of the parameters that the roots read."""
    _, first = np.unique(_used(grid, *roots), axis=0, return_index=True)
    return [grid.binding(int(row)) for row in np.sort(first)]


def rows_by_weights(weights: Weights, grid: Grid) -> list[npt.NDArray[np.int64]]:
    """Combinations that share their weights, in tasks of some dozens at most."""
    _, inverse = np.unique(_used(grid, weights.weight), axis=0, return_inverse=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    cuts = np.flatnonzero(np.diff(inverse.reshape(-1)[order])) + 1
    return [part for group in np.split(order, cuts) for part in np.split(group, range(64, len(group), 64))]


def _used(grid: Grid, *roots: Expr) -> Array:
    position = {p.name: i for i, p in enumerate(grid.params)}
    used = grid.values[:, [position[p.name] for p in find_params(*roots)]]
    return used if used.shape[1] else np.zeros((len(grid), 1))


def compiled_desk(desk: Desk) -> Desk:
    """The desk as arrays, as Numba types them."""
    return Desk(
        np.array(desk.x),  # type: ignore[arg-type]  # arrays are sequences here
        np.array(desk.group, dtype=np.int64),  # type: ignore[arg-type]
        np.array(desk.limits, dtype=np.float64),  # type: ignore[arg-type]
        np.array(desk.place, dtype=np.int64),  # type: ignore[arg-type]
    )


def empty_book(weights: Weights, symbols: Sequence[str], rows: int) -> Any:
    """A book of arrays, with this many rows for entries."""
    n, stops = len(symbols), count_stops(weights)
    scope: Any = np.array(scopes_of(weights, symbols), dtype=np.int64)
    turn: Any = np.zeros(n, dtype=np.int64)
    numbers: list[Any] = [np.zeros(size) for size in (SLOTS, n, n, n, n, n, n, n, stops, stops, stops)]
    a, units, price, flow, goal, change, leaving, lock, pooled, opened, best = numbers
    return Book(
        a, units, price, flow, goal, change, leaving, lock, scope, pooled, opened, best, turn,
        np.zeros((rows, 10)),
    )  # fmt: skip
