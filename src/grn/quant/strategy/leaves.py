"""Leaves: what engines compute once per distinct parameter value, beside columns.

Host functions, indicators, higher timeframes and Polars expressions.  Step functions are in `step`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from grn.quant.strategy.expr import Const, Expr, Key, Param

if TYPE_CHECKING:
    import polars as pl


class HostFunction(Expr):
    """`log` or `exp`: not fixed by IEEE 754, so computed once by the host and shared by all engines."""

    series = True

    def __init__(self, name: Literal["log", "exp"], operand: Expr) -> None:
        self.name, self.operand = name, operand

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    @cached_property
    def key(self) -> Key:
        return (self.name, self.operand.key)

    def __str__(self) -> str:
        return f"{self.name}({self.operand})"

    def scalar(self, x: float) -> float:
        """Value for one number: missing outside the domain, infinite on overflow."""
        if self.name == "log":
            return math.log(x) if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
        try:
            return math.exp(x)
        except OverflowError:
            return math.inf


class Indicator(Expr):
    """One output of a registered indicator (see `grn quant indicators`)."""

    series = True

    def __init__(
        self, name: str, output: str, inputs: tuple[Expr, ...], params: tuple[Const | Param, ...]
    ) -> None:
        self.name, self.output, self.inputs, self.params = name, output, inputs, params

    @property
    def children(self) -> tuple[Expr, ...]:
        return (*self.inputs, *self.params)

    @cached_property
    def key(self) -> Key:
        return ("indicator", *self.family, self.output)

    @cached_property
    def family(self) -> Key:
        """The key without the output: what is computed together."""
        return (self.name, tuple(x.key for x in self.inputs), tuple(p.key for p in self.params))

    def __str__(self) -> str:
        inside = ", ".join(str(x) for x in (*self.inputs, *self.params))
        return f"{self.name}({inside})" if self.output == "value" else f"{self.name}({inside}).{self.output}"


class Timeframe(Expr):
    """An expression on a higher timeframe's *closed* bars, seen from the base bars."""

    series = True

    def __init__(self, every: str, operand: Expr) -> None:
        self.every, self.operand, self.kind = every, operand, operand.kind

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    @cached_property
    def key(self) -> Key:
        return ("timeframe", self.every, self.operand.key)

    def __str__(self) -> str:
        return f'tf("{self.every}", {self.operand})'


class PolarsColumn(Expr):
    """A Polars expression, evaluated once on the symbol's frame and shared by all engines.

    Polars can look ahead (`shift(-1)`, `mean()` over everything); `grn quant leaks` finds it out.
    """

    series = True

    def __init__(self, expression: pl.Expr) -> None:
        self.expression = expression

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the Polars expression reads; `ts` is always at hand."""
        return tuple(sorted(set(self.expression.meta.root_names()) - {"ts"}))

    @cached_property
    def key(self) -> Key:
        return ("polars", str(self.expression.meta.serialize(format="json")))

    def __str__(self) -> str:
        return f"polars({self.expression})"
