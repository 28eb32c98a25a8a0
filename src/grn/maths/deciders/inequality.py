"""Inequalities: refuted by balls at exact points, proved by Z3 over the reals or along derivatives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.domain import Range
from grn.maths.deciders.identity import probe, work_out
from grn.maths.deciders.points import draw_points
from grn.maths.deciders.reals import prove_positive
from grn.maths.deciders.work import OverworkedError, limited
from grn.maths.verdict import BeyondError, Verdict, undecided

Expr = Any

PROBES = 240
DEEPEST = 4
_BROKEN: dict[str, Callable[[Any], bool]] = {
    "Gt": lambda ball: bool(ball <= 0),
    "Ge": lambda ball: bool(ball < 0),
    "Ne": lambda ball: bool(ball == 0),
}
"""That a claim about the difference of both sides fails in a whole ball."""


def decide_inequality(sign: str, left: Expr, right: Expr, algebra: Algebra) -> Verdict:
    """Decide ``left sign right`` for all values that the document allows.

    Parameters
    ----------
    sign
        One of Lt, Le, Gt, Ge, Ne.
    """
    if sign in ("Lt", "Le"):
        left, right, sign = right, left, {"Lt": "Gt", "Le": "Ge"}[sign]
    gap = work_out(left - right, algebra)
    if gap.has(sp.core.function.AppliedUndef):
        return undecided("functions that are not defined")
    strict = sign == "Gt"
    names = sorted(gap.free_symbols, key=str)
    refutation, agreed = probe(
        [*_corners(names, algebra), *draw_points(algebra, names, PROBES if names else 1, wide=True)],
        left, right, gap, broken=_BROKEN[sign], told=lambda _: True,
    )  # fmt: skip
    if refutation is not None:
        return refutation
    if sign == "Ne":
        if gap.is_nonzero:
            return Verdict("proved", "signs of its parts")
        return Verdict("supported", f"{agreed} probes") if agreed else undecided("no decider knows it")
    rule = prove(gap, strict, algebra)
    if rule:
        return Verdict("proved", rule)
    if agreed >= PROBES // 4:
        return Verdict("supported", f"{agreed} probes", "no decider proves it")
    return undecided("no decider knows what is in it")


def _corners(names: list[Any], algebra: Algebra) -> list[dict[Any, Fraction]]:
    """Whole numbers and numbers close to the ends of each range, all names alike."""
    found = []
    for number in (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2), Fraction(1, 1000), 3, 5, 10):
        value = Fraction(number)
        if names and all(algebra.ranges.get(str(name), Range()).holds(value) for name in names):
            found.append(dict.fromkeys(names, value))
    tied = [r for r in algebra.symbols.assumed if r.sign in ("Lt", "Le", "Gt", "Ge", "Ne")]
    # Where assumptions tie names to each other, alike values may break them.
    return found if len(names) == 1 or all(_single(r, algebra) for r in tied) else []


def _single(relation: Any, algebra: Algebra) -> bool:
    try:
        condition = algebra.condition(relation)
    except BeyondError:
        return False
    return condition in (sp.true, sp.false) or len(condition.free_symbols) <= 1


def prove(gap: Expr, strict: bool, algebra: Algebra) -> str:
    """The rule by which ``gap >= 0`` (or ``> 0``) holds; empty where none is found."""
    if gap.is_positive or (not strict and gap.is_nonnegative):
        return "signs of its parts"
    if prove_positive(gap, strict, algebra):
        return "decided over the reals (Z3)"
    names = sorted(gap.free_symbols, key=str)
    if len(names) != 1 or algebra.ranges.get(str(names[0]), Range()).whole:
        return ""
    name = names[0]
    spot = algebra.ranges.get(str(name), Range())
    low = None if spot.low is None else sp.Rational(spot.low.numerator, spot.low.denominator)
    high = None if spot.high is None else sp.Rational(spot.high.numerator, spot.high.denominator)
    # Free of what the name is assumed to be: each piece says where it lies.
    free = sp.Dummy("v", real=True)
    begins = low is not None and gap.subs(name, low).is_finite
    if begins and _along(gap.subs(name, low + free), strict, algebra, None, 0):
        return f"monotone from {name} = {low}"
    for cut in _critical(gap, name, low, high):
        right = _along(gap.subs(name, cut + free), strict, algebra, None if high is None else high - cut, 0)
        left = _along(gap.subs(name, cut - free), strict, algebra, None if low is None else cut - low, 0)
        if right and left:
            return f"monotone on both sides of {name} = {cut}"
    return ""


def _critical(gap: Expr, name: Any, low: Expr | None, high: Expr | None) -> list[Expr]:
    """Where a derivative vanishes inside the range: rational candidates first."""
    slope = sp.diff(gap, name)
    candidates = [sp.Rational(n) for n in (0, 1, -1, 2)]
    with contextlib.suppress(NotImplementedError, ValueError, TypeError, RecursionError, OverworkedError):
        roots = limited(sp.solve, slope, name) if slope.count_ops() < 40 else []
        candidates = [*roots[:4], *candidates]
    found = []
    for value in candidates:
        inside = value.is_real and (low is None or value > low) and (high is None or value < high)
        if inside == True and value not in found and sp.simplify(slope.subs(name, value)) == 0:  # noqa: E712 SymPy's own truth
            found.append(value)
    return found


def _along(gap: Expr, strict: bool, algebra: Algebra, end: Expr | None, depth: int) -> bool:
    """Whether a function of one name is at least 0 from 0 to ``end``, by its derivatives."""
    (name,) = gap.free_symbols or {sp.Dummy()}
    start = sp.simplify(gap.subs(name, 0))
    if not (start.is_positive or (start.is_nonnegative and not strict)):
        return False
    forward = sp.Dummy("w", nonnegative=True)
    slope = sp.simplify(sp.diff(gap, name))
    moved = slope.subs(name, forward)
    if moved.is_nonnegative or prove_positive(moved, False, algebra, {forward: end}):
        return True
    return depth < DEEPEST and bool(slope.free_symbols) and _along(slope, False, algebra, end, depth + 1)
