"""Exact points of a domain, drawn from a seed, at which every assumption holds."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.domain import Range
from grn.maths.deciders.enclosure import UndefinedError, enclose
from grn.maths.plain import print_tree
from grn.maths.syntax import Relation
from grn.maths.verdict import BeyondError

Point = dict[sp.Symbol, Fraction]

_TRIES = 30


def draw_points(algebra: Algebra, names: list[Any], count: int, *, wide: bool = False) -> Iterator[Point]:
    """Points for these symbols; the same ones for the same names and assumptions.

    Parameters
    ----------
    count
        How many; fewer come where assumptions are hard to meet.
    wide
        Reach far out and close to the ends of intervals, as inequalities need.
    """
    told = " ".join(sorted(map(str, names))) + "|" + "|".join(_print(r) for r in algebra.symbols.assumed)
    rng = random.Random(int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big"))
    conditions = _conditions(algebra, names)
    ordered = sorted(names, key=str)
    for _ in range(count):
        for _ in range(_TRIES):
            point = {name: algebra.ranges.get(str(name), Range()).draw(rng, wide) for name in ordered}
            if all(_meets(condition, point) for condition in conditions):
                yield point
                break


def _print(relation: Relation) -> str:
    return f"{print_tree(relation.left)} {relation.sign} {print_tree(relation.right)}"


def _conditions(algebra: Algebra, names: list[Any]) -> list[Any]:
    """Assumptions that tie several names, or are no bounds of one; definitions are filled in already."""
    found = []
    for relation in algebra.symbols.assumed:
        if relation.sign not in ("Lt", "Le", "Gt", "Ge", "Ne"):
            continue
        try:
            condition = algebra.condition(relation)
        except BeyondError:
            continue
        if condition not in (sp.true, sp.false) and condition.free_symbols <= set(names):
            found.append(condition)
    return found


def _meets(condition: Any, point: Point) -> bool:
    try:
        gap = enclose(condition.lhs - condition.rhs, point)
    except (UndefinedError, BeyondError):
        return False
    return bool(
        {">": gap > 0, ">=": gap >= 0, "<": gap < 0, "<=": gap <= 0, "!=": gap != 0}.get(
            condition.rel_op, False
        )
    )
