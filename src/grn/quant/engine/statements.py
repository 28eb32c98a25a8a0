"""Statements: expressions as the source of straight-line code, equal ones printed once."""

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
                return repr(node.value) if node.kind == "bool" else _literal(float(node.value))
            case Param():
                return self.printer.param(node)
            case Lag():
                n = f"int({self.printer.param(node.n)})" if isinstance(node.n, Param) else str(node.n)
                return self.value(node.operand, shift if n == "0" else f"{shift} - {n}")
        known = self.names.get((node.key, shift))
        if known is None:
            code = self._code(node, shift)
            known = self.names[node.key, shift] = self.printer.fresh()
            self.lines.append(f"{' ' * self.indent}{known} = {code}")
        return known

    def _code(self, node: Expr, shift: str) -> str:
        if node.series:
            load = f"a{self.printer.leaf(node)}[i{shift}]"
            return load if node.kind == "float" else f"{load} == 1.0"
        if isinstance(node, Binary):
            a, b = self.value(node.left, shift), self.value(node.right, shift)
            match node.op:
                case "minimum":
                    return f"{a} if ({a} < {b} or {a} != {a}) else {b}"
                case "maximum":
                    return f"{a} if ({a} > {b} or {a} != {a}) else {b}"
                case "ne":
                    return f"({a} < {b}) | ({a} > {b})"
                case "xor":
                    return f"{a} != {b}"
            return f"{a} {SYMBOLS[node.op]} {b}"
        if isinstance(node, When):
            test, yes, no = (self.value(c, shift) for c in node.children)
            return f"{yes} if {test} else {no}"
        assert isinstance(node, Unary)
        x = self.value(node.operand, shift)
        return {
            "neg": f"-{x}",
            "abs": f"abs({x})",
            "sqrt": f"sqrt({x})",
            "not": f"not {x}",
            "truth": f"({x} < 0.0) | ({x} > 0.0)",
            "missing": f"{x} != {x}",
        }[node.op]


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
