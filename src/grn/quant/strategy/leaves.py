"""Leaves: what engines compute once per distinct parameter value, beside columns.

Host functions, indicators, higher timeframes and Polars expressions.  Step functions are in `step`.
"""

from __future__ import annotations

import json
import math
import re
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from grn.kit.errors import StrategyError
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

    @cached_property
    def param_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the sweep's parameters that it depends on, and of those among them that its inputs do."""
        from grn.quant.strategy.tree import find_params

        below = {p.name for x in self.inputs for p in find_params(x)}
        return tuple(sorted(p.name for p in find_params(self))), tuple(sorted(below))

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

    Raises
    ------
    StrategyError
        A Python function is inside: its pickle holds a name, not what it computes, so that two functions
        could share one result key.
    """

    series = True

    def __init__(self, expression: pl.Expr) -> None:
        self.expression = expression
        if _calls_python(self.key):
            raise StrategyError(
                "a Polars expression must not call a Python function",
                seen=str(expression),
                hint="use a step function, or compute the column beforehand and read it with col(...)",
            )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that the Polars expression reads; `ts` is always at hand."""
        return tuple(sorted(set(self.expression.meta.root_names()) - {"ts"}))

    @cached_property
    def key(self) -> Key:
        try:
            return ("polars", str(self.expression.meta.serialize(format="json")))
        # Polars has no single error here: what cannot be pickled raises whatever its pickling raises.
        except Exception as error:
            raise StrategyError(
                "a Polars expression cannot be written down",
                seen=f"{self.expression}: {error}",
                hint="use a step function, or compute the column beforehand and read it with col(...)",
            ) from error

    def __str__(self) -> str:
        return f"polars({self.expression})"


_PICKLE = re.compile(bytes([128]) + b"[\\x04-\\x06]" + bytes([149]))
"""How a pickle of protocol 4 or later begins: the protocol, then a frame."""


def _calls_python(key: Key) -> bool:
    """Whether a Polars expression's JSON holds a Python function.

    Polars writes one as the bytes of a pickle: under `AnonymousFunction`, or as the callback of a fold, a
    rolling map or a renaming.  A literal's data are bytes as well and no function.
    """

    def visit(node: object) -> bool:
        match node:
            case dict():
                return any(
                    name != "Literal" and (name.startswith("Anonymous") or visit(value))
                    for name, value in node.items()
                )
            case list() if node and all(type(x) is int and 0 <= x < 256 for x in node):
                return _PICKLE.search(bytes(node)) is not None
            case list():
                return any(map(visit, node))
        return False

    return visit(json.loads(str(key[1])))
