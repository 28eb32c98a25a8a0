"""The plan of a run: what is computed once, what each combination reads, and what it takes in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grn.quant.engine.forms import Form, fill_form
from grn.quant.engine.grid import Grid, build_grid, pin_grid
from grn.quant.engine.series import Evaluator, check_lag, lag_depth
from grn.quant.schema import Bars
from grn.quant.strategy.expr import Binary, Const, Expr, Key, Lag, Unary, When
from grn.quant.strategy.leaves import Indicator
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.tree import find_params

SMALL = 2**20
"""Numbers of a table below which threads cost more than they save."""
ROWS = 16
"""Series per task."""
SPARE = 8
"""Numbers behind the last row of a table: the places of a vector (see `vectors`)."""


@dataclass(frozen=True)
class Plan:
    """What the fused part of a strategy reads.

    Attributes
    ----------
    signals
        The four conditions (long entry, long exit, short entry, short exit).
    leaves
        Series nodes that the fused part reads, in order of first appearance.
    pad
        Missing bars in front of every series.
    form
        What is asked for beside the conditions.
    """

    signals: tuple[Expr, Expr, Expr, Expr]
    leaves: tuple[Expr, ...]
    pad: int
    form: Form

    @property
    def fused(self) -> tuple[Expr, ...]:
        """Expressions that a kernel evaluates: the conditions, and what an entry reads."""
        return (*self.signals, *(self.form.ticket[k] for k in self.form.asked))


def build_plan(strategy: Strategy, rules: Rules) -> Plan:
    """Split what is read per bar into leaves (computed once per distinct value) and the fused rest."""
    leaves: dict[object, Expr] = {}

    def visit(node: Expr) -> None:
        if node.series:
            leaves.setdefault(node.key, node)
            return
        for child in node.children:
            visit(child)

    form = fill_form(strategy, rules)
    long_entry, long_exit, short_entry, short_exit = map(open_bands, strategy.signals)
    plan = Plan(
        (long_entry, long_exit, short_entry, short_exit), (), 0,
        replace(form, ticket=tuple(map(open_bands, form.ticket))),
    )  # fmt: skip
    for expression in plan.fused:
        visit(expression)
    return replace(plan, leaves=tuple(leaves.values()), pad=max(map(lag_depth, plan.fused)))


def open_bands(node: Expr) -> Expr:
    """Write the fused part's Bollinger bands as what they are: a mean and so many deviations.

    Mean and deviation are series of the window alone.  As one leaf a sweep over window and width would
    compute, and hold, a series for each pair; the number of deviations is better applied inside the loop.
    """
    if isinstance(node, Indicator):
        if node.name != "bollinger":
            return node
        window, width = node.params
        middle = Indicator("sma", "value", node.inputs, (window,))
        if node.output == "middle":
            return middle
        deviation = Indicator("rolling_std", "value", node.inputs, (window, Const(0)))
        return Binary("add" if node.output == "upper" else "sub", middle, Binary("mul", width, deviation))
    if node.series:
        return node
    match node:
        case Binary():
            return Binary(node.op, open_bands(node.left), open_bands(node.right))
        case Unary():
            return Unary(node.op, open_bands(node.operand))
        case Lag():
            return Lag(open_bands(node.operand), node.n)
        case When():
            return When(*map(open_bands, node.children))
    return node


@dataclass(frozen=True)
class Layout:
    """Which series each combination reads.

    Attributes
    ----------
    rows
        int32 [C, leaves], row of the table per combination and leaf.
    series
        Leaf and parameter values of each row of the table.  Leaves that differ only in the name of a
        parameter share rows: ``sma(close, fast)`` and ``sma(close, slow)`` at 20 are one series.
    """

    rows: npt.NDArray[np.int32]
    series: tuple[tuple[Expr, dict[str, float]], ...]


def build_layout(plan: Plan, grid: Grid) -> Layout:
    """Number the distinct series that the combinations read."""
    position = {p.name: i for i, p in enumerate(grid.params)}
    rows = np.zeros((len(grid), max(1, len(plan.leaves))), dtype=np.int32)
    series: list[tuple[Expr, dict[str, float]]] = []
    known: dict[Key, int] = {}

    def number(leaf: Expr, binding: dict[str, float]) -> int:
        key = _bound(leaf.key, binding)
        if key not in known:
            known[key] = len(series)
            series.append((leaf, binding))
        return known[key]

    for i, leaf in enumerate(plan.leaves):
        names = [p.name for p in find_params(leaf)]
        used = grid.values[:, [position[n] for n in names]]
        # Rows of one number are sorted ten times faster as numbers.
        flat = used[:, 0] if len(names) == 1 else used
        distinct, inverse = np.unique(flat, axis=0, return_inverse=True)
        distinct = distinct.reshape(len(distinct), len(names))
        numbers = [number(leaf, dict(zip(names, map(float, d), strict=True))) for d in distinct]
        rows[:, i] = np.array(numbers, dtype=np.int32)[inverse.reshape(-1)]
    return Layout(rows, tuple(series))


def _bound(key: Key, binding: Mapping[str, float]) -> Key:
    """A canonical key with parameters replaced by their values."""
    if len(key) == 2 and key[0] == "param":
        return ("const", binding[str(key[1])])
    return tuple(_bound(k, binding) if isinstance(k, tuple) else k for k in key)


def build_table(
    plan: Plan, layout: Layout, bars: Bars, pool: Executor | None = None
) -> npt.NDArray[np.float64]:
    """Compute every series once: float64 [rows, pad + T], missing before the first bar.

    Behind the last row lie `SPARE` numbers more: a kernel may read past the end, not use what it finds.
    """
    check_lag(plan.pad, len(bars))
    evaluator = Evaluator(bars)
    shape = max(1, len(layout.series)), plan.pad + len(bars)
    table = np.full(shape[0] * shape[1] + SPARE, np.nan)[:-SPARE].reshape(shape)

    def fill(span: tuple[int, int]) -> None:
        for row in range(*span):
            leaf, binding = layout.series[row]
            table[row, plan.pad :] = evaluator.numbers(leaf, binding)
            evaluator.forget(leaf, binding)

    small = table.size < SMALL
    spans = chunks(len(layout.series), 1 if len(layout.series) <= 4 * ROWS else ROWS)
    for _ in map(fill, spans) if pool is None or small else pool.map(fill, spans):
        pass
    return table


def chunks(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges that cover ``range(total)``."""
    for start in range(0, total, size):
        yield start, min(total, start + size)


__all__: Sequence[str] = [
    "Grid", "Layout", "Plan", "build_grid", "build_layout", "build_plan", "build_table", "chunks", "pin_grid",
]  # fmt: skip
