"""Walking expressions: every node, every parameter, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import Expr, Key, Param


def nodes(*roots: Expr) -> Iterator[Expr]:
    """Every node below the roots, each distinct key once, children before parents, in a fixed order."""
    seen: set[Key] = set()

    def visit(node: Expr) -> Iterator[Expr]:
        if node.key in seen:
            return
        for child in node.children:
            yield from visit(child)
        if node.key not in seen:
            seen.add(node.key)
            yield node

    for root in roots:
        yield from visit(root)


def find_params(*roots: Expr) -> tuple[Param, ...]:
    """The parameters below the roots, in order of first appearance; one name must mean one set of values."""
    found: dict[str, Param] = {}

    def visit(node: Expr) -> None:
        # Not `nodes`: two parameters of one name share a key, and their values must be compared here.
        if isinstance(node, Param):
            known = found.setdefault(node.name, node)
            if known.values != node.values:
                raise StrategyError(
                    f"parameter {node.name!r} is declared twice with different values",
                    seen=f"{known.values[:3]}... and {node.values[:3]}...",
                    hint="declare it once and use the same object everywhere",
                )
        for child in node.children:
            visit(child)

    for root in roots:
        visit(root)
    return tuple(found.values())
