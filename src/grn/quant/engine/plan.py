"""The plan of a run: what is computed once, what each combination reads, and what it takes in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grn.kit.errors import BudgetError, StrategyError, UsageError
from grn.quant.engine.forms import Form, fill_form
from grn.quant.engine.series import Evaluator, apply_binary, apply_unary, check_lag, lag_depth
from grn.quant.schema import Bars
from grn.quant.strategy.expr import Binary, Const, Expr, Key, Param, Unary, When
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.tree import find_params
from grn.quant.strategy.weights import AnyStrategy

GIB = 2.0**30


@dataclass(frozen=True)
class Grid:
    """Parameter combinations of a sweep.

    Attributes
    ----------
    params
        parameters, in column order.
    values
        float64 [C, P], one row per combination; the first parameter varies slowest.
    """

    params: tuple[Param, ...]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def binding(self, row: int) -> dict[str, float]:
        """Values of one combination by parameter name."""
        return {p.name: float(v) for p, v in zip(self.params, self.values[row], strict=True)}

    def columns(self) -> dict[str, npt.NDArray[np.generic]]:
        """Values by parameter name, integers as int64."""
        return {
            p.name: self.values[:, i].astype(np.int64) if p.integer else self.values[:, i].copy()
            for i, p in enumerate(self.params)
        }


def build_grid(strategy: AnyStrategy, memory_gib: float) -> Grid:
    """Every combination of the parameters' values that `where` admits.

    Raises
    ------
    BudgetError
        The combinations alone would not fit into the memory budget (priced before they are built).
    StrategyError
        No combination is left.
    """
    params = strategy.params
    count = math.prod(len(p.values) for p in params)
    need_gib = count * 8 * (2 * len(params) + 1) / GIB
    if need_gib > memory_gib:
        raise BudgetError(
            f"the grid needs {need_gib:,.1f} GiB of a budget of {memory_gib:g} GiB",
            seen=f"{count:,} combinations of {', '.join(f'{p.name} ({len(p.values):,})' for p in params)}",
            hint="take fewer values or larger steps: param(name, range(2, 101, 2))",
        )
    axes = np.meshgrid(*(np.array(p.values, dtype=np.float64) for p in params), indexing="ij")
    values = np.stack([a.ravel() for a in axes], axis=1) if params else np.zeros((1, 0))
    if strategy.where is not None:
        keep = _holds(strategy.where, {p.name: values[:, i] for i, p in enumerate(params)})
        values = values[np.broadcast_to(keep, len(values))]
    if not len(values):
        raise StrategyError(
            "no parameter combination is left",
            seen=f"{count:,} before `where`: {strategy.where}",
            hint="relax `where`",
        )
    return Grid(params, np.ascontiguousarray(values))


def pin_grid(strategy: AnyStrategy, values: Mapping[str, float]) -> Grid:
    """The one combination with these of the parameters' values; those left out must have a single one."""
    row = []
    known = {p.name: p for p in strategy.params}
    for name in values:
        if name not in known:
            raise UsageError(
                f"the strategy has no parameter {name!r}", seen=", ".join(known) or "it has none"
            )
    for p in strategy.params:
        if p.name in values:
            if values[p.name] not in p.values:
                raise UsageError(
                    f"{values[p.name]:g} is not among the values of parameter {p.name!r}",
                    hint="`with_values` gives a strategy other values",
                )
            row.append(float(values[p.name]))
        elif len(p.values) == 1:
            row.append(float(p.values[0]))
        else:
            raise UsageError(
                f"parameter {p.name!r} has {len(p.values)} values; a backtest needs one",
                seen=f"{p.values[0]:g} ... {p.values[-1]:g}",
                hint=f"give one: -p {p.name}={p.values[0]:g}, or sweep them all with `grn quant sweep`",
            )
    return Grid(strategy.params, np.array([row], dtype=np.float64).reshape(1, len(row)))


def _holds(where: Expr, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    def value(node: Expr) -> npt.NDArray[np.generic]:
        match node:
            case Param():
                return columns[node.name]
            case Const():
                return np.asarray(node.value)
            case Binary():
                return np.asarray(apply_binary(node.op, value(node.left), value(node.right)))
            case Unary():
                return np.asarray(apply_unary(node.op, value(node.operand)))
            case When():
                return np.where(value(node.test), value(node.yes), value(node.no))
        raise AssertionError(type(node).__name__)

    with np.errstate(all="ignore"):
        return np.asarray(value(where), dtype=np.bool_)


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

    plan = Plan(strategy.signals, (), 0, fill_form(strategy, rules))
    for expression in plan.fused:
        visit(expression)
    return replace(plan, leaves=tuple(leaves.values()), pad=max(map(lag_depth, plan.fused)))


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
        distinct, inverse = np.unique(used, axis=0, return_inverse=True)
        numbers = [number(leaf, dict(zip(names, map(float, d), strict=True))) for d in distinct]
        rows[:, i] = np.array(numbers, dtype=np.int32)[inverse.reshape(-1)]
    return Layout(rows, tuple(series))


def _bound(key: Key, binding: Mapping[str, float]) -> Key:
    """A canonical key with parameters replaced by their values."""
    if len(key) == 2 and key[0] == "param":
        return ("const", binding[str(key[1])])
    return tuple(_bound(k, binding) if isinstance(k, tuple) else k for k in key)


def build_table(plan: Plan, layout: Layout, bars: Bars) -> npt.NDArray[np.float64]:
    """Compute every series once: float64 [rows, pad + T], missing before the first bar."""
    check_lag(plan.pad, len(bars))
    evaluator = Evaluator(bars)
    table = np.full((max(1, len(layout.series)), plan.pad + len(bars)), np.nan)
    for row, (leaf, binding) in enumerate(layout.series):
        table[row, plan.pad :] = evaluator.numbers(leaf, binding)
    return table


def chunks(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges that cover ``range(total)``."""
    for start in range(0, total, size):
        yield start, min(total, start + size)


__all__: Sequence[str] = [
    "Grid", "Layout", "Plan", "build_grid", "build_layout", "build_plan", "build_table", "chunks", "pin_grid",
]  # fmt: skip
