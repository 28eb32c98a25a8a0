"""Expressions as arrays: what the fused kernels read is computed here, once per distinct parameter value.

Arrays run over ``pad + T`` bars: `pad` missing bars stand before the data, so that a lag is a plain offset
and needs no test in the inner loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.kit.errors import DataError, StrategyError
from grn.quant.schema import Bars
from grn.quant.schema.timeframe import group_bars
from grn.quant.strategy.cross import Hold
from grn.quant.strategy.expr import DAY, Binary, Column, Const, Expr, Key, Lag, Param, Unary, When
from grn.quant.strategy.leaves import HostFunction, Indicator, PolarsColumn, Timeframe
from grn.quant.strategy.step import StepCall

Array = npt.NDArray[Any]
Binding = Mapping[str, float]
"""Parameter values by name."""

DAY_NS = 86_400 * 10**9


def lag_depth(node: Expr) -> int:
    """Bars before the current one that the pointwise part above the leaves can reach."""
    below = 0 if node.series else max((lag_depth(c) for c in node.children), default=0)
    return below + node.most if isinstance(node, Lag) else below


LONGEST_LAG = 10_000_000
"""Bars: 80 MB for each series.  A longer lag needs data as long, else all of it is padding."""


def check_lag(depth: int, n_bars: int) -> None:
    """Refuse a lag that would fill the memory with missing bars, before anything is allocated.

    Raises
    ------
    StrategyError
        It reaches further back than both the data and `LONGEST_LAG`.
    """
    if depth > max(n_bars, LONGEST_LAG):
        raise StrategyError(
            "a lag reaches further back than any data", seen=f"{depth:,} bars, of {n_bars:,} in the data"
        )


def column_of(bars: Bars, name: str) -> npt.NDArray[np.float64]:
    """A column of the data; `@day` (days since 1970 in UTC) is derived from the timestamps."""
    if name == DAY:
        return (bars.ts_ns // DAY_NS).astype(np.float64)
    return bars.column(name)


class Evaluator:
    """Array evaluation of expressions on one symbol's bars.

    Parameters
    ----------
    bars
        Checked bars of one symbol.
    jit
        Compiled indicators and steps (True), or the same functions in plain Python (False).
    """

    def __init__(self, bars: Bars, *, jit: bool = True) -> None:
        self.bars = bars
        self.jit = jit
        self._families: dict[Key, tuple[Array, ...]] = {}
        self._shared: dict[Key, Callable[..., tuple[Array, ...]] | None] = {}
        self._frames: dict[str, tuple[Evaluator, npt.NDArray[np.int64]]] = {}

    def condition(self, node: Expr, binding: Binding) -> npt.NDArray[np.bool_]:
        """Truth values of a condition at each bar: bool [T]."""
        return self._every_bar(node, binding, np.bool_)

    def numbers(self, node: Expr, binding: Binding) -> npt.NDArray[np.float64]:
        """Values of an expression at each bar: float64 [T]; a condition becomes 1 and 0."""
        return self._leaf(node, binding) if node.series else self._every_bar(node, binding, np.float64)

    def _every_bar(self, node: Expr, binding: Binding, kind: type[np.generic]) -> Array:
        depth = self._depth(node)
        check_lag(depth, len(self.bars))
        with np.errstate(all="ignore"):
            values = self._pointwise(node, binding, depth)
        if np.ndim(values):
            return np.ascontiguousarray(values[depth:], dtype=kind)
        # Not broadcast: a read-only array is another type to Numba, for which all would be compiled anew.
        return np.full(len(self.bars), values, dtype=kind)

    def _depth(self, node: Expr) -> int:
        return lag_depth(node)

    def _pointwise(self, node: Expr, binding: Binding, pad: int) -> Any:
        """Values over pad + T bars, or a scalar where nothing depends on the bar."""
        if node.series:
            leaf = self._leaf(node, binding)
            return (
                np.concatenate([np.full(pad, np.nan), leaf])
                if node.kind == "float"
                else np.concatenate([np.zeros(pad, np.bool_), leaf == 1.0])
            )
        match node:
            case Const():
                return np.bool_(node.value) if node.kind == "bool" else np.float64(node.value)
            case Param():
                return np.float64(binding[node.name])
            case Binary():
                return apply_binary(
                    node.op,
                    self._pointwise(node.left, binding, pad),
                    self._pointwise(node.right, binding, pad),
                )
            case Unary():
                return apply_unary(node.op, self._pointwise(node.operand, binding, pad))
            case When():
                test, yes, no = (self._pointwise(c, binding, pad) for c in node.children)
                return np.where(test, yes, no)
            case Lag():
                n = int(binding[node.n.name]) if isinstance(node.n, Param) else node.n
                values = self._pointwise(node.operand, binding, pad)
                if n == 0 or not np.ndim(values):
                    return values
                # The first n entries lie before the padding: nothing that reaches bar 0 or later reads them.
                before = np.zeros(n, np.bool_) if node.kind == "bool" else np.full(n, np.nan)
                return np.concatenate([before, values])[: len(values)]
        raise AssertionError(f"unknown node {type(node).__name__}")

    def _leaf(self, node: Expr, binding: Binding) -> npt.NDArray[np.float64]:
        """Values of a series node at each bar: float64 [T]."""
        match node:
            case Column():
                return column_of(self.bars, node.name)
            case Indicator():
                return self._indicator(node, binding)
            case HostFunction():
                x = self.numbers(node.operand, binding)
                return np.array([node.scalar(v) for v in x.tolist()], dtype=np.float64)
            case Timeframe():
                if node.every not in self._frames:
                    try:
                        grouped, closed = group_bars(self.bars, node.every)
                    except OverflowError as error:
                        raise StrategyError("a timeframe is too long", seen=node.every) from error
                    self._frames[node.every] = Evaluator(grouped, jit=self.jit), closed
                inner, closed = self._frames[node.every]
                values = inner.numbers(node.operand, binding)
                return np.where(closed >= 0, values[closed], np.nan)
            case PolarsColumn():
                return polars_column(self.bars, node)
            case Hold():
                return latch(self.condition(node.entry, binding), self.condition(node.leave, binding))
            case StepCall():
                from grn.quant.engine.steps import run_step

                inputs = [self.numbers(x, binding) for x in node.inputs]
                return run_step(
                    node.step, inputs, _scalars(node.params, binding), len(self.bars), jit=self.jit
                )
        raise AssertionError(f"unknown series node {type(node).__name__}")

    def forget(self, node: Expr, binding: Binding) -> None:
        """Let go of an indicator's values, unless it has given others beside them."""
        if isinstance(node, Indicator) and len(self._families.get(_family(node, binding), ())) == 1:
            self._families.pop(_family(node, binding), None)

    def _indicator(self, node: Indicator, binding: Binding) -> npt.NDArray[np.float64]:
        from grn.quant.indicators.registry import evaluate, get, share

        family = _family(node, binding)
        outputs = self._families.get(family)
        if outputs is None:
            read = tuple((n, binding[n]) for n in node.param_names[1])
            source: Key = (node.name, tuple(x.key for x in node.inputs), read)
            if self.jit and source not in self._shared:
                self._shared[source] = share(node.name, [self.numbers(x, binding) for x in node.inputs])
            shared = self._shared.get(source)
            if shared is not None:
                outputs = shared(**_named(node, binding))
            else:
                inputs = [self.numbers(x, binding) for x in node.inputs]
                outputs = evaluate(node.name, inputs, _named(node, binding), jit=self.jit)
            outputs = tuple(np.asarray(o, dtype=np.float64) for o in outputs)
            self._families[family] = outputs
        return outputs[get(node.name).outputs.index(node.output)]


def latch(entry: npt.NDArray[np.bool_], leave: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """1 from an entry until an exit, which wins where both hold: float64 [T]."""
    # The last bar on which either held decides: maximum.accumulate carries its number on.
    decided = np.maximum.accumulate(np.where(entry | leave, np.arange(len(entry)), -1))
    return np.where(decided >= 0, entry[decided] & ~leave[decided], False).astype(np.float64)


def _family(node: Indicator, binding: Binding) -> Key:
    return (node.family, tuple((n, binding[n]) for n in node.param_names[0]))


def _named(node: Indicator, binding: Binding) -> dict[str, float]:
    from grn.quant.indicators.registry import get

    specs = get(node.name).params
    values = _scalars(node.params, binding)
    return {p.name: int(v) if p.kind == "int" else v for p, v in zip(specs, values, strict=True)}


def _scalars(params: tuple[Const | Param, ...], binding: Binding) -> list[float]:
    return [float(binding[p.name]) if isinstance(p, Param) else float(p.value) for p in params]


def apply_binary(op: str, a: Any, b: Any) -> Any:
    """Elementwise operator of a `Binary` node; the caller silences floating-point warnings."""
    match op:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "div":
            return a / b
        case "minimum":
            return np.where((a < b) | (a != a), a, b)
        case "maximum":
            return np.where((a > b) | (a != a), a, b)
        case "lt":
            return a < b
        case "le":
            return a <= b
        case "gt":
            return a > b
        case "ge":
            return a >= b
        case "eq":
            return a == b
        case "ne":
            return (a < b) | (a > b)
        case "and":
            return a & b
        case "or":
            return a | b
        case "xor":
            return a ^ b
    raise AssertionError(op)


def apply_unary(op: str, a: Any) -> Any:
    """Elementwise operator of a `Unary` node."""
    match op:
        case "neg":
            return -a
        case "abs":
            return np.abs(a)
        case "sqrt":
            return np.sqrt(a)
        case "not":
            return ~a
        case "truth":
            return (a < 0.0) | (a > 0.0)
        case "missing":
            return a != a
    raise AssertionError(op)


def polars_column(bars: Bars, node: PolarsColumn) -> npt.NDArray[np.float64]:
    """Evaluate a Polars expression on the symbol's columns: float64 [T]."""
    import polars as pl

    stamps = pl.Series("ts", bars.ts_ns).cast(pl.Datetime("ns", "UTC"))
    frame = pl.DataFrame([stamps, *(pl.Series(name, column_of(bars, name)) for name in node.columns)])
    try:
        values = frame.select(node.expression.cast(pl.Float64).alias("value"))["value"]
    # A plugin may raise anything, and a panic of Polars is no Exception.
    except (Exception, SystemExit, pl.exceptions.PanicException) as error:
        raise StrategyError(
            "a Polars expression failed", seen=f"{node}: {type(error).__name__}: {error}"
        ) from error
    if len(values) != len(bars):
        raise StrategyError(
            "a Polars expression must give one value per bar",
            seen=f"{len(values)} values for {len(bars)} bars: {node}",
        )
    result = values.to_numpy(allow_copy=True).astype(np.float64)
    if np.isinf(result).any():
        at = int(np.flatnonzero(np.isinf(result))[0])
        raise DataError("a Polars expression gave an infinite value", seen=f"bar {at}: {node}")
    return np.where(values.is_null().to_numpy(), np.nan, result)
