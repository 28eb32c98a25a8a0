"""The panel: bars of several symbols on one calendar, and expressions that look across them.

The calendar is the union of the symbols' timestamps.  An expression of a symbol is evaluated on its own
bars; on the calendar it is carried on from bar to bar, and missing before the symbol's first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.engine.portfolio.schedule import due_bars
from grn.quant.engine.portfolio.walk import Market
from grn.quant.engine.series import Binding, Evaluator
from grn.quant.schema import Bars
from grn.quant.schema.bars import NS_PER_YEAR
from grn.quant.strategy.cross import Cross, Of
from grn.quant.strategy.expr import Expr, Key
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.tree import find_params
from grn.quant.strategy.weights import Weights

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """Bars of several symbols, in the order of their names.

    The order in which they were given changes nothing.
    """

    bars: tuple[Bars, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "bars", tuple(sorted(self.bars, key=lambda b: b.symbol)))

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Names, sorted."""
        return tuple(b.symbol for b in self.bars)

    @cached_property
    def ts_ns(self) -> npt.NDArray[np.int64]:
        """The calendar: int64 [T]."""
        return np.unique(np.concatenate([b.ts_ns for b in self.bars]))

    @cached_property
    def at(self) -> tuple[npt.NDArray[np.int64], ...]:
        """Per symbol, the bar of the calendar on which each of its own lies."""
        return tuple(np.searchsorted(self.ts_ns, b.ts_ns) for b in self.bars)

    @cached_property
    def last(self) -> tuple[npt.NDArray[np.int64], ...]:
        """Per symbol, its last own bar at or before each bar of the calendar, or -1."""
        return tuple(np.searchsorted(b.ts_ns, self.ts_ns, side="right") - 1 for b in self.bars)

    @cached_property
    def here(self) -> npt.NDArray[np.bool_]:
        """Whether a symbol has a bar: bool [T, S]."""
        found = np.zeros((len(self.ts_ns), len(self.bars)), dtype=np.bool_)
        for s, at in enumerate(self.at):
            found[at, s] = True
        return found

    def carry(self, s: int, values: Array) -> Array:
        """Values on a symbol's own bars [T of the symbol], on the calendar [T]."""
        last = self.last[s]
        return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)

    def spread(self, columns: Sequence[Array]) -> Array:
        """One series per symbol on its own bars, on the calendar: float64 [T, S]."""
        return np.ascontiguousarray(np.stack([self.carry(s, c) for s, c in enumerate(columns)], axis=1))

    def market(self, rules: Rules) -> Market:
        """What the account meets, under these rules; the schedule is left open."""
        empty = np.zeros((0, len(self.bars)))
        events = rules.events

        def column(name: str) -> Array:
            return self.spread([b.column(name) for b in self.bars])

        def event(name: str | None, nothing: float) -> Array:
            return empty if name is None else np.nan_to_num(column(name), nan=nothing)

        steps = np.diff(self.ts_ns, prepend=self.ts_ns[:1])
        moved = events.splits is not None or events.funding is not None
        close = column("close")
        return Market(
            here=self.here,
            fill=close if rules.fill_column == "close" else column(rules.fill_column),
            close=close,
            volume=column("volume") if rules.needs_volume else empty,
            opening=column("open") if moved else empty,
            dividends=event(events.dividends, 0.0),
            splits=event(events.splits, 1.0),
            funding=event(events.funding, 0.0),
            years=steps / NS_PER_YEAR,
            due=np.zeros(len(self.ts_ns), dtype=np.bool_),
        )

    def due(self, weights: Weights, rules: Rules, binding: Binding) -> npt.NDArray[np.bool_]:
        """Bars on which the account is rebalanced: bool [T]."""
        every = weights.every
        if not isinstance(every, str):
            every = int(setting_value(every, binding))
        return due_bars(self.ts_ns, every, first=1 if rules.at_next_bar else 0)


def setting_value(setting: Any, binding: Binding) -> float:
    """Value of a constant or a parameter."""
    return float(binding[setting.name]) if hasattr(setting, "values") else float(setting.value)


class PanelEvaluator:
    """Array evaluation of expressions on a panel.

    Every leaf is computed once per distinct value of its parameters and kept.
    """

    def __init__(self, panel: Panel, *, jit: bool = True) -> None:
        self.panel, self.jit = panel, jit
        self.readers = [_Reader(self, s, bars, jit=jit) for s, bars in enumerate(panel.bars)]
        self._crossed: dict[Key, list[Array]] = {}

    def weights(self, weight: Expr, binding: Binding) -> Array:
        """Weights on the calendar: float64 [T, S]."""
        return self.panel.spread([reader.numbers(weight, binding) for reader in self.readers])

    def prepare(self, leaf: Expr, binding: Binding) -> None:
        """Compute a leaf for all symbols, so that it is only read from then on."""
        for reader in self.readers:
            reader.numbers(leaf, binding)

    def cross(self, node: Cross, binding: Binding) -> list[Array]:
        """A word across symbols, per symbol on its own bars."""
        key = bound(node, binding)
        if key not in self._crossed:
            values = self.panel.spread([r.numbers(node.operand, binding) for r in self.readers])
            found = _rank(values) if node.op == "rank" else _sum(values, mean=node.op == "mean")
            self._crossed[key] = [np.ascontiguousarray(found[at, s]) for s, at in enumerate(self.panel.at)]
        return self._crossed[key]


def bound(node: Expr, binding: Binding) -> Key:
    """A node's key with the values of its parameters."""
    return (node.key, tuple((p.name, binding[p.name]) for p in find_params(node)))


class _Reader(Evaluator):
    """Expressions of one symbol on its own bars, with the words that look across symbols."""

    def __init__(self, owner: PanelEvaluator, s: int, bars: Bars, *, jit: bool) -> None:
        super().__init__(bars, jit=jit)
        self.owner, self.s = owner, s
        self._kept: dict[Key, Array] = {}

    def _leaf(self, node: Expr, binding: Binding) -> Array:
        key = bound(node, binding)
        if key not in self._kept:
            self._kept[key] = self._compute(node, binding)
        return self._kept[key]

    def _compute(self, node: Expr, binding: Binding) -> Array:
        panel = self.owner.panel
        match node:
            case Cross():
                return self.owner.cross(node, binding)[self.s]
            case Of():
                other = panel.symbols.index(node.symbol)
                values = self.owner.readers[other].numbers(node.operand, binding)
                return np.ascontiguousarray(panel.carry(other, values)[panel.at[self.s]])
        return super()._leaf(node, binding)


def _rank(values: Array) -> Array:
    """Places from the largest down, equal ones by column; missing where the value is."""
    order = np.argsort(-values, axis=1, kind="stable")
    places = np.empty_like(values)
    steps = np.broadcast_to(np.arange(1.0, values.shape[1] + 1.0), values.shape)
    np.put_along_axis(places, order, steps, axis=1)
    return np.where(np.isnan(values), np.nan, places)


def _sum(values: Array, *, mean: bool) -> Array:
    """Sum or mean of what is there, added from the first column to the last; missing where nothing is."""
    total, count = np.zeros(len(values)), np.zeros(len(values))
    with np.errstate(all="ignore"):
        for column in values.T:
            there = ~np.isnan(column)
            total = total + np.where(there, column, 0.0)
            count = count + there
        found = np.where(count > 0.0, total / count if mean else total, np.nan)
    return np.broadcast_to(found[:, None], values.shape)
