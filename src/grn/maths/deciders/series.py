"""Orders of approximation, sums by induction, antiderivatives up to a constant."""

from __future__ import annotations

from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.identity import decide_identity
from grn.maths.syntax import Bind, Call, Tree, walk
from grn.maths.verdict import BeyondError, Verdict

Expr = Any

HIGHEST_ORDER = 8


def has_order(*sides: Tree) -> bool:
    """Whether a side has a term O(...)."""
    return any(isinstance(part, Call) and part.head == "O" for side in sides for part in walk(side))


def decide_order(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """Decide an equation with ``O(h^p)``: the difference must have no term below the order.

    Raises
    ------
    BeyondError
        The order is no power of one name.
    """
    one, orders = _split(left)
    two, more = _split(right)
    orders += more
    powers = [algebra.convert(order) for order in orders]
    names = set().union(*(power.free_symbols for power in powers))
    if len(names) != 1:
        raise BeyondError("an order in several names")
    (name,) = names
    lowest = min(int(_power_of(power, name)) for power in powers)
    gap = sp.Add(*(algebra.convert(t) for t in one)) - sp.Add(*(algebra.convert(t) for t in two))
    # A quotient of differences is multiplied by its power of h first: no series of a removable singularity.
    shift = _pole(gap, name)
    if lowest + shift > HIGHEST_ORDER:
        raise BeyondError("such a high order")
    gap = sp.expand(gap * name**shift)
    for power in range(lowest + shift):
        slope = sp.diff(gap, name, power).subs(name, 0).doit() / sp.factorial(power)
        verdict = decide_identity(slope, sp.Integer(0), algebra)
        if verdict.kind == "refuted":
            return Verdict(
                "refuted", "Taylor's formula", f"the term in {name}^{power - shift} does not vanish"
            )
        if verdict.kind != "proved":
            return Verdict(
                verdict.kind, "Taylor's formula", f"the term in {name}^{power - shift}: {verdict.detail}"
            )
    return Verdict("proved", "Taylor's formula", f"{name} goes to 0")


def _split(tree: Tree) -> tuple[list[Tree], list[Tree]]:
    """Terms of a side, and what its orders are of."""
    terms = list(tree.args) if isinstance(tree, Call) and tree.head == "add" else [tree]
    plain, orders = [], []
    for term in terms:
        inner = term.args[0] if isinstance(term, Call) and term.head == "neg" else term
        if isinstance(inner, Call) and inner.head == "O":
            orders.append(inner.args[0])
        elif has_order(term):
            raise BeyondError("an order inside of a product")
        else:
            plain.append(term)
    return plain, orders


def _power_of(power: Expr, name: Any) -> int:
    _, exponent = power.as_coeff_exponent(name)
    if not exponent.is_Integer or exponent < 0:
        raise BeyondError("an order that is no power")
    return int(exponent)


def _pole(gap: Expr, name: Any) -> int:
    bottom = sp.fraction(sp.together(gap))[1]
    _, exponent = bottom.as_coeff_exponent(name)
    return int(exponent) if exponent.is_Integer else 0


def has_antiderivative(*sides: Tree) -> bool:
    """Whether a side has an integral without bounds."""
    return any(
        isinstance(part, Bind) and part.kind == "integral" and part.low is None
        for side in sides
        for part in walk(side)
    )


def decide_antiderivative(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """Decide an equation with indefinite integrals by its derivative, and look for the constant.

    Raises
    ------
    BeyondError
        Integrals over several names.
    """
    names = {
        part.name
        for side in (left, right)
        for part in walk(side)
        if isinstance(part, Bind) and part.kind == "integral" and part.low is None
    }
    if len(names) != 1:
        raise BeyondError("antiderivatives over several names")
    (name,) = (algebra.convert(found) for found in names)
    one, two = algebra.convert(left), algebra.convert(right)
    verdict = decide_identity(sp.diff(one, name), sp.diff(two, name), algebra)
    if verdict.kind != "proved":
        return verdict
    if has_antiderivative(left) and has_antiderivative(right):
        return Verdict("proved", "the derivatives of both sides agree")
    closed = two if has_antiderivative(left) else one
    constants = [
        term
        for term in sp.Add.make_args(sp.expand(closed))
        if name not in term.free_symbols and term.free_symbols
    ]
    if not constants:
        return Verdict(
            "undecided", "the derivatives of both sides agree", "differs by a constant of integration"
        )
    return Verdict("proved", "the derivatives of both sides agree")


def by_induction(left: Expr, right: Expr, algebra: Algebra) -> Verdict | None:
    """Prove an equation with sums up to a natural number from its first case and its step."""
    gap = left - right
    sums = sorted(gap.atoms(sp.Sum, sp.Product), key=sp.default_sort_key)
    uppers = {total.limits[0][2] for total in sums}
    if len(uppers) != 1:
        return None
    (upper,) = uppers
    if not (upper.is_Symbol and upper.is_integer and upper.is_positive):
        return None
    step = gap.subs(upper, upper + 1)
    for total in sums:
        (index, low, _) = total.limits[0]
        if len(total.limits) != 1 or not (low.is_Integer and low <= 2):
            return None
        new = total.subs(upper, upper + 1)
        term = total.function.subs(index, upper + 1)
        joined = total + term if isinstance(total, sp.Sum) else total * term
        step = step.xreplace({new: joined})
    first = gap.subs(upper, 1).doit()
    if sp.simplify(first) != 0:
        return None
    rest = sp.expand(step - gap)
    if rest.has(sp.Sum, sp.Product):
        return None
    verdict = decide_identity(rest, sp.Integer(0), algebra)
    return Verdict("proved", f"induction over {upper}") if verdict.kind == "proved" else None
