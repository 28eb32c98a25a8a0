"""The leak detector: whether a strategy knows tomorrow.

A condition that only looks back gives the same answer on bar t whether or not the bars after t exist.  The
detector evaluates the conditions on the whole data and on data cut off at many bars, and reports where they
differ.  Half of the cuts, at least, come right after bars on which the condition turns or is true: a rare
signal that knows the next bar gives itself away there.  The series that a condition reads are compared
as well; one that changes is a leak even if no condition changed with it on these data.

Expressions of this package look back by construction.  What can leak is Polars expressions, step functions
with global state, and `tf` over them.  A column that was computed outside and comes with the data cannot be
judged: it is listed as unchecked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError, UsageError
from grn.quant.engine.choose import refusals
from grn.quant.engine.plan import build_grid
from grn.quant.engine.portfolio.panel import Panel, PanelEvaluator
from grn.quant.engine.series import Evaluator
from grn.quant.schema import Bars
from grn.quant.strategy.expr import DAY, Expr, Unary
from grn.quant.strategy.strategy import Strategy, is_never
from grn.quant.strategy.tree import find_params, nodes
from grn.quant.strategy.weights import AnyStrategy, Weights

SIDES = ("long entry", "long exit", "short entry", "short exit")
TOLERANCE = 1e-9
"""Relative change of a series that is no leak: Polars sums in blocks, which lie otherwise in other data."""
BAR_COLUMNS = frozenset(("open", "high", "low", "close", "volume", DAY))


@dataclass(frozen=True)
class Leak:
    """One condition, or a series that it reads, that changed in the past when later bars were cut off.

    Attributes
    ----------
    side
        The condition, one of `SIDES`; or the order, stop, scale or weight that reads the future.
    culprit
        The innermost expression that changed.
    bar, ts_ns, cut
        The first bar that changed, and the number of bars left by the cut.
    seen_whole, seen_cut
        Both answers of the condition; where it answered the same, both values of the series (NaN: missing).
    """

    symbol: str
    side: str
    culprit: str
    bar: int
    ts_ns: int
    cut: int
    seen_whole: bool | float
    seen_cut: bool | float
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
    strategy: AnyStrategy, bars: Sequence[Bars], *, cuts: int = 24, combinations: int = 8, seed: int = 0
) -> LeakReport:
    """Compare every condition on the whole data with the same condition on data cut off at `cuts` bars.

    Parameters
    ----------
    strategy
        What to check.
    bars
        Data to check it on, two bars or more of each symbol.
    cuts
        Truncations per symbol and condition: up to half of them spread over the symbol (before its last bar
        always), the others after bars on which the condition turns or is true.
    combinations
        Parameter settings, spread over the grid (the first and the last included).
    seed
        Of the positions between the fixed ones.

    Returns
    -------
    LeakReport
        At most one leak per symbol, side and setting, at the earliest bar found.

    Raises
    ------
    UsageError
        `cuts` or `combinations` below 1: nothing would be compared.
    DataError
        A symbol has a single bar: nothing can be cut off.
    """
    for name, value in (("cuts", cuts), ("combinations", combinations)):
        if value < 1:
            raise UsageError(f"{name} must be at least 1", seen=repr(value))
    grid = build_grid(strategy, memory_gib=8.0)
    rows = np.unique(np.linspace(0, len(grid) - 1, min(combinations, len(grid))).round().astype(int))
    rng = np.random.default_rng(seed)
    if isinstance(strategy, Weights):
        return _find_in_weights(strategy, bars, [grid.binding(row) for row in rows.tolist()], cuts, rng)
    leaks: list[Leak] = []
    done = 0
    for one in bars:
        if len(one) < 2:
            raise DataError(
                "looking for leaks needs two bars or more", seen=f"{len(one)} of symbol {one.symbol}"
            )
        data = _Data(one, refusals(strategy)["cpu"] is None, cuts, rng)
        for row in rows.tolist():
            for side, condition in _checked(strategy):
                if not is_never(condition):
                    leak, compared = data.compare(condition, side, grid.binding(row))
                    leaks += [leak] if leak else []
                    done = max(done, compared)
    known = sorted(set(strategy.columns) - BAR_COLUMNS)
    return LeakReport(tuple(leaks), done, len(rows), tuple(known))


def _checked(strategy: Strategy) -> list[tuple[str, Expr]]:
    """The conditions, and what entries read: orders, stops and sizes by name, each as "is not zero"."""
    found = list(zip(SIDES, strategy.signals, strict=True))
    orders = [] if strategy.entry_order is None else [strategy.entry_order]
    found += [(str(o), Unary("truth", o.value)) for o in (*orders, *strategy.stops)]
    return found + ([] if strategy.scale is None else [("scale", Unary("truth", strategy.scale))])


def _find_in_weights(
    weights: Weights,
    bars: Sequence[Bars],
    bindings: Sequence[dict[str, float]],
    cuts: int,
    rng: np.random.Generator,
) -> LeakReport:
    """The same for target weights: all symbols are cut off at one time, once all of them have begun."""
    whole = PanelEvaluator(Panel(tuple(bars)), jit=refusals(weights)["cpu"] is None)
    panel = whole.panel
    begun = max(int(at[0]) for at in panel.at) + 1
    order = 1 + rng.permutation(max(0, len(panel.ts_ns) - 1))
    leaks: list[Leak] = []
    done = 0
    for binding in bindings:
        table = whole.weights(weights.weight, binding)
        turns = np.any(table != np.concatenate([np.zeros_like(table[:1]), table[:-1]]), axis=1)
        points = [cut for cut in _cut_points(turns, cuts, order) if cut >= begun]
        done = max(done, len(points))
        found: dict[str, Leak] = {}
        for cut in points:
            kept = (b.head(int(at.searchsorted(cut))) for b, at in zip(panel.bars, panel.at, strict=True))
            piece = PanelEvaluator(Panel(tuple(kept)), jit=whole.jit)
            again = piece.weights(weights.weight, binding)
            for s, symbol in enumerate(panel.symbols):
                bar = _first_change(table[:, s], again[:, s])
                if bar is not None and symbol not in found:
                    culprit = _culprit(weights.weight, binding, whole.readers[s], cut, piece.readers[s])
                    seen = float(table[bar, s]), float(again[bar, s])
                    stamp = int(panel.ts_ns[bar])
                    found[symbol] = Leak(symbol, "weight", culprit, bar, stamp, cut, *seen, dict(binding))
        leaks += found.values()
    known = sorted(set(weights.columns) - BAR_COLUMNS)
    return LeakReport(tuple(leaks), done, len(bindings), tuple(known))


class _Data:
    """One symbol, whole and cut off."""

    def __init__(self, bars: Bars, jit: bool, cuts: int, rng: np.random.Generator) -> None:
        self.bars, self.cuts = bars, cuts
        self.order = 1 + rng.permutation(len(bars) - 1)
        self.whole = Evaluator(bars, jit=jit)
        self.piece = lru_cache(maxsize=64)(lambda cut: Evaluator(bars.head(cut), jit=jit))

    def compare(self, condition: Expr, side: str, binding: dict[str, float]) -> tuple[Leak | None, int]:
        """The leak of a condition, and the number of cuts it was looked for at."""
        whole, bars = self.whole, self.bars
        answers = whole.condition(condition, binding)
        leaves = [(leaf, whole.numbers(leaf, binding)) for leaf in _leaves(condition)]
        cuts = _cut_points(answers, self.cuts, self.order)
        weaker: Leak | None = None

        def leak(bar: int, cut: int, culprit: str, seen: tuple[bool | float, bool | float]) -> Leak:
            used = {p.name: binding[p.name] for p in find_params(condition)}
            return Leak(bars.symbol, side, culprit, bar, int(bars.ts_ns[bar]), cut, *seen, used)

        for cut in cuts:
            piece = self.piece(cut)
            found = piece.condition(condition, binding)
            differs = np.flatnonzero(found != answers[:cut])
            if len(differs):
                bar = int(differs[0])
                culprit = _culprit(condition, binding, whole, cut, piece)
                return leak(bar, cut, culprit, (bool(answers[bar]), bool(found[bar]))), len(cuts)
            for leaf, values in leaves if weaker is None else ():
                again = piece.numbers(leaf, binding)
                changed = _first_change(values, again)
                if changed is not None:
                    culprit = _culprit(leaf, binding, whole, cut, piece)
                    weaker = leak(changed, cut, culprit, (float(values[changed]), float(again[changed])))
                    break
        return weaker, len(cuts)


def _cut_points(answers: npt.NDArray[np.bool_], cuts: int, order: npt.NDArray[np.int64]) -> list[int]:
    """Numbers of bars to keep: right after bars on which the answer turns or is true, and anywhere."""
    n = len(answers)
    turns = np.flatnonzero(answers != np.concatenate([[False], answers[:-1]]))
    after = _spread(turns, cuts // 2, n)
    after += [c for c in _spread(np.flatnonzero(answers), cuts // 2, n) if c not in after]
    anywhere = (n - 1, n - 2, n // 2, n // 4, *order.tolist())
    chosen = dict.fromkeys([*anywhere[: cuts - cuts // 2], *after[: cuts // 2], *anywhere])
    return sorted([c for c in chosen if 1 <= c < n][:cuts])


def _spread(found: npt.NDArray[np.int64], count: int, n: int) -> list[int]:
    """Cuts right after `count` of these bars, from the first to the last that leaves something to cut."""
    found = found[found < n - 1]
    if len(found) > count:
        found = found[np.linspace(0, len(found) - 1, count).round().astype(int)]
    return [int(bar) + 1 for bar in found]


def _leaves(node: Expr) -> list[Expr]:
    """The series that a condition reads directly."""
    return [node] if node.series else [leaf for child in node.children for leaf in _leaves(child)]


def _first_change(whole: npt.NDArray[np.float64], cut: npt.NDArray[np.float64]) -> int | None:
    """The first bar on which values differ by more than rounding, or are missing in one only."""
    size = np.max(np.abs(whole), where=np.isfinite(whole), initial=0.0)
    with np.errstate(invalid="ignore"):
        same = (np.abs(whole[: len(cut)] - cut) <= TOLERANCE * size) | (whole[: len(cut)] == cut)
    differs = np.flatnonzero(~same & ~(np.isnan(whole[: len(cut)]) & np.isnan(cut)))
    return int(differs[0]) if len(differs) else None


def _culprit(node: Expr, binding: dict[str, float], whole: Evaluator, cut: int, piece: Evaluator) -> str:
    """The innermost series node whose values change with the cut."""
    for inner in nodes(node):  # children come first
        if inner.series:
            a, b = whole.numbers(inner, binding), piece.numbers(inner, binding)
            if _first_change(a, b) is not None:
                return str(inner)
    return str(node)
