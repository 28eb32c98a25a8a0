"""Statements: expressions as the source of straight-line code, equal ones printed once.

Two dialects of the same operations: `Block` prints what happens on one bar, `VectorBlock` what happens on
eight bars that follow one another (see `vectors`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from grn.quant.engine.plan import Plan
from grn.quant.strategy.expr import SYMBOLS, Binary, Const, Expr, Key, Lag, Param, Unary, When


class Block:
    """Statements of one straight-line piece of code; equal sub-expressions are printed once."""

    def __init__(self, printer: Printer, indent: int) -> None:
        self.printer, self.indent = printer, indent
        self.lines: list[str] = []
        self.names: dict[tuple[Key, str], str] = {}

    def value(self, node: Expr, shift: str = "") -> str:
        """Name of a variable that holds the node's value `shift` bars ago (`shift` is printed code)."""
        match node:
            case Const():
                return self.constant(node)
            case Param():
                return self.parameter(node)
            case Lag():
                n = f"int({self.printer.param(node.n)})" if isinstance(node.n, Param) else str(node.n)
                return self.value(node.operand, shift if n == "0" else f"{shift} - {n}")
        known = self.names.get((node.key, shift))
        if known is None:
            code = self._code(node, shift)
            known = self.names[node.key, shift] = self.printer.fresh()
            self.lines.append(f"{' ' * self.indent}{known} = {code}")
        return known

    def constant(self, node: Const) -> str:
        """A constant."""
        return repr(node.value) if node.kind == "bool" else _literal(float(node.value))

    def parameter(self, node: Param) -> str:
        """A parameter's value."""
        return self.printer.param(node)

    def load(self, node: Expr, shift: str) -> str:
        """What a series holds on the bar `shift` bars ago."""
        return f"a{self.printer.leaf(node)}[i{shift}]"

    def pick(self, test: str, yes: str, no: str) -> str:
        """One of two values."""
        return f"{yes} if {test} else {no}"

    either, opposite, zero, one = "or", "not ", "0.0", "1.0"

    def _code(self, node: Expr, shift: str) -> str:
        if node.series:
            load = self.load(node, shift)
            return load if node.kind == "float" else f"{load} == {self.one}"
        if isinstance(node, Binary):
            a, b = self.value(node.left, shift), self.value(node.right, shift)
            match node.op:
                case "minimum":
                    return self.pick(f"(({a} < {b}) {self.either} ({a} != {a}))", a, b)
                case "maximum":
                    return self.pick(f"(({a} > {b}) {self.either} ({a} != {a}))", a, b)
                case "ne":
                    return f"({a} < {b}) | ({a} > {b})"
                case "xor":
                    return f"{a} != {b}"
            return f"{a} {SYMBOLS[node.op]} {b}"
        if isinstance(node, When):
            test, yes, no = (self.value(c, shift) for c in node.children)
            return self.pick(test, yes, no)
        assert isinstance(node, Unary)
        x = self.value(node.operand, shift)
        return {
            "neg": f"-{x}",
            "abs": f"abs({x})",
            "sqrt": f"sqrt({x})",
            "not": f"{self.opposite}{x}",
            "truth": f"({x} < {self.zero}) | ({x} > {self.zero})",
            "missing": f"{x} != {x}",
        }[node.op]


class VectorBlock(Block):
    """The same for the bars `i` to ``i + 7`` at once."""

    either, opposite, zero, one = "|", "~", "splat(0.0)", "splat(1.0)"

    def constant(self, node: Const) -> str:
        """A constant in every lane."""
        return f"{'whole' if node.kind == 'bool' else 'splat'}({super().constant(node)})"

    def parameter(self, node: Param) -> str:
        """A parameter's value in every lane."""
        return f"splat({super().parameter(node)})"

    def load(self, node: Expr, shift: str) -> str:
        """What a series holds `shift` bars ago."""
        return f"load(a{self.printer.leaf(node)}, i{shift})"

    def pick(self, test: str, yes: str, no: str) -> str:
        """Lane by lane one of two values."""
        return f"choose({test}, {yes}, {no})"


def _literal(value: float) -> str:
    """Shortest text that reads back as the same float64."""
    return (
        repr(value) if math.isfinite(value) else ("nan" if value != value else "inf" if value > 0 else "-inf")
    )


class Printer:
    """Numbers leaves, parameters and variables of one kernel."""

    def __init__(self, plan: Plan, params: Sequence[Param]) -> None:
        self._leaf = {leaf.key: i for i, leaf in enumerate(plan.leaves)}
        self._param = {p.name: i for i, p in enumerate(params)}
        self._count = 0

    def leaf(self, node: Expr) -> int:
        """Number of a series among the leaves."""
        return self._leaf[node.key]

    def param(self, node: Param) -> str:
        """Variable of a parameter."""
        return f"p{self._param[node.name]}"

    def fresh(self) -> str:
        """Name for one more variable."""
        self._count += 1
        return f"v{self._count}"
