"""Whether two expressions are equal wherever both are defined: probes refute, rewrites prove."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.enclosure import UndefinedError, enclose
from grn.maths.deciders.points import Point, draw_points
from grn.maths.deciders.work import OverworkedError, limited
from grn.maths.verdict import BeyondError, Verdict, undecided

Expr = Any

PROBES = 6
_FAILURES = (
    *(ValueError, TypeError, NotImplementedError, AttributeError, RecursionError),
    *(sp.PolynomialError, OverworkedError),
)
"""What SymPy raises where it does not know, and what stops it."""

LARGEST = 900
"""Operations in an expression beyond which no rewrite is tried."""


def decide_identity(left: Expr, right: Expr, algebra: Algebra) -> Verdict:
    """Decide ``left = right`` for all values that the document allows."""
    gap = left - right
    if gap == 0:
        return Verdict("proved", "the same expression")
    worked = work_out(gap, algebra)
    if worked == 0:
        return Verdict("proved", "the same expression")
    unknown = worked.atoms(sp.core.function.AppliedUndef)
    agreed = 0
    if not unknown and not worked.has(sp.Limit):
        names = sorted(worked.free_symbols, key=str)
        refutation, agreed = probe(
            draw_points(algebra, names, PROBES if names else 1), left, right, worked,
            broken=lambda ball: not ball.contains(0), told=lambda ball: ball.rad() < 1e-20,
        )  # fmt: skip
        if refutation is not None:
            return refutation
    if worked.count_ops() > LARGEST:
        return Verdict("supported", f"{agreed} probes") if agreed else undecided("too large to rewrite")
    for name, rewrite in _REWRITES:
        try:
            found = limited(rewrite, worked)
        except _FAILURES:
            continue
        if found == 0:
            return Verdict("proved", name)
    if unknown:
        return undecided("functions that are not defined, and no rewrite makes both sides equal")
    if agreed:
        return Verdict(
            "supported", f"{agreed} probes", "equal to 40 digits at exact points; no rewrite proves it"
        )
    return undecided("no decider knows what is in it")


def probe(
    points: Iterable[Point],
    left: Expr,
    right: Expr,
    gap: Expr,
    *,
    broken: Callable[[Any], bool],
    told: Callable[[Any], bool],
) -> tuple[Verdict | None, int]:
    """Enclose the difference of two sides at points: a refutation, or how many points tell something.

    `broken` says of a ball that the claim fails in all of it, `told` that it is small enough to tell.
    None and 0 where a number is beyond what can be enclosed.
    """
    agreed = 0
    for point in points:
        try:
            ball = enclose(gap, point)
        except UndefinedError:
            continue
        except BeyondError:
            return None, 0
        if broken(ball):
            return Verdict("refuted", "ball arithmetic", tell_witness(left, right, ball, point)), agreed
        agreed += bool(told(ball))
    return None, agreed


def tell_witness(left: Expr, right: Expr, ball: Any, point: Point) -> str:
    """A point and what both sides are there."""
    where = ", ".join(f"{name} = {value}" for name, value in sorted(point.items(), key=lambda kv: str(kv[0])))
    gap = f"left - right = {ball.str(12)}"
    return f"at {where}: {gap}" if where else gap


# --- working out


def work_out(expression: Expr, algebra: Algebra) -> Expr:
    """Replace limits, sums and integrals by what they are, where SymPy knows it."""
    for node in sorted(expression.atoms(sp.Limit), key=sp.default_sort_key):
        expression = expression.xreplace({node: _limit(node)})
    for node in sorted(expression.atoms(sp.Sum, sp.Product), key=sp.default_sort_key):
        done = _total(node, algebra)
        expression = expression.xreplace({node: done})
    for node in sorted(expression.atoms(sp.Integral), key=sp.default_sort_key):
        if len(node.limits[0]) == 3:
            expression = expression.xreplace({node: _total(node, algebra)})
    return expression


def _limit(node: Any) -> Expr:
    inner, name, point, side = node.args
    try:
        if str(side) == "+-":
            one, two = (limited(sp.limit, inner, name, point, way) for way in "+-")
            return one if one == two else node
        return limited(sp.limit, inner, name, point, str(side))
    except (NotImplementedError, ValueError, sp.PoleError, OverworkedError):
        return node


def _total(node: Any, algebra: Algebra) -> Expr:
    geometric = _geometric(node, algebra) if isinstance(node, sp.Sum) else None
    if geometric is not None:
        return geometric
    try:
        done = limited(node.doit)
    except _FAILURES:
        return node
    if done.has(sp.zoo, sp.nan):
        return node
    for piece in sorted(done.atoms(sp.Piecewise), key=sp.default_sort_key):
        kept = _applicable(piece, algebra)
        if kept is None:
            return node
        done = done.xreplace({piece: kept})
    return done


def _geometric(node: Any, algebra: Algebra) -> Expr | None:
    """A geometric series whose ratio lies between 0 and 1 for certain; None for any other sum."""
    (index, low, high), *more = node.limits
    if more or high is not sp.oo or not low.is_Integer:
        return None
    ratio = sp.powsimp(sp.simplify(node.function.subs(index, index + 1) / node.function))
    if index in ratio.free_symbols or not (ratio.is_Symbol or ratio.is_Rational):
        return None
    if ratio.is_Symbol:
        spot = algebra.ranges.get(str(ratio))
        if spot is None or not spot.within_unit():
            return None
    elif not -1 < ratio < 1:
        return None
    return node.function.subs(index, low) / (1 - ratio)


def _applicable(piece: Any, algebra: Algebra) -> Expr | None:
    """The one case of several that what is assumed picks."""
    for value, when in piece.args:
        answer = _holds(when, algebra)
        if answer:
            return value
        if answer is None:
            return None
    return None


def _holds(when: Any, algebra: Algebra) -> bool | None:
    """Whether a condition follows from the ranges of its names; None where it may be either."""
    if when in (sp.true, sp.false, True, False):
        return bool(when)
    if isinstance(when, sp.And | sp.Or):
        answers = [_holds(part, algebra) for part in when.args]
        decisive = isinstance(when, sp.Or)
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    if isinstance(when, sp.core.relational.Relational):
        names = sorted(when.free_symbols, key=str)
        if len(names) == 1 and when.rhs.is_number and isinstance(when.lhs, sp.Symbol | sp.Abs):
            spot = algebra.ranges.get(str(names[0]))
            if spot is None or spot.low is None or spot.high is None:
                return None
            low, high = sp.Rational(spot.low), sp.Rational(spot.high)
            if low < 0:
                return None
            inside = sp.Interval(low, high, spot.low_open, spot.high_open)
            wanted = when.subs(sp.Abs(names[0]), names[0]).as_set()
            if inside.is_subset(wanted):
                return True
            if inside.intersect(wanted) is sp.S.EmptySet:
                return False
    return None


# --- rewrites, from cheap to dear; each is an equality under what SymPy was told of the names


def _expanded(e: Expr) -> Expr:
    return sp.expand(e)


def _rational(e: Expr) -> Expr:
    """The numerator over one denominator, with functions as atoms."""
    top, _ = sp.fraction(sp.together(sp.expand(e, deep=False)))
    return sp.expand(top)


def _logarithms(e: Expr) -> Expr:
    return _rational(sp.expand_log(sp.expand_power_base(e)))


def _exponentials(e: Expr) -> Expr:
    """Trigonometric and hyperbolic functions as exponentials, exponents split to their terms."""
    top, _ = sp.fraction(sp.together(e.rewrite(sp.exp)))
    return sp.expand(sp.powsimp(sp.expand(sp.expand(top, power_exp=True))))


def _without_roots(e: Expr) -> Expr:
    """Write ``T - t`` as a square where its root occurs: ``T = t + w^2``, and the root is w."""
    for root in sorted(e.atoms(sp.Pow), key=sp.default_sort_key):
        if not (root.base.is_Add and root.exp.is_Rational and root.exp.q == 2):
            continue
        for name in sorted(root.base.free_symbols, key=str):
            slope = sp.diff(root.base, name)
            if slope in (1, -1):
                square = sp.Dummy("w", positive=True)
                value = sp.expand(slope * (square**2 - root.base.subs(name, 0)))
                return e.subs(name, value)
    return e


def _one_exponential(e: Expr) -> Expr:
    """Terms by one exponential each, and all of them over the first: Black-Scholes and its kin."""
    if not e.has(sp.exp) or not e.has(sp.log):
        return e
    e = _without_roots(e)
    # By what stands beside the exponential and by its exponent: there are few of either.
    groups: dict[Expr, dict[Expr, Expr]] = {}
    # Exponentials stay closed while all else is expanded.
    closed = {
        part: sp.Dummy(f"e{n}")
        for n, part in enumerate(sorted(e.atoms(sp.exp, sp.erf), key=sp.default_sort_key))
    }
    opened = {dummy: part for part, dummy in closed.items()}
    for term in sp.Add.make_args(sp.expand(e.subs(closed))):
        exponent: Expr = sp.Integer(0)
        factor: Expr = sp.Integer(1)
        special: Expr = sp.Integer(1)
        for part in sp.Mul.make_args(term):
            base, power = part.as_base_exp()
            base = opened.get(base, base)
            if isinstance(base, sp.exp):
                exponent += power * base.exp
            elif base.has(sp.erf):
                special *= base**power
            else:
                factor *= part
        inner = groups.setdefault(special, {})
        inner[exponent] = inner.get(exponent, sp.Integer(0)) + factor
    total: Expr = sp.Integer(0)
    for special, terms in groups.items():
        families: dict[Expr, Expr] = {}
        for exponent in sorted(terms, key=sp.default_sort_key):
            for first in families:
                apart = sp.exp(sp.expand(sp.cancel(sp.expand_log(exponent - first)))).expand()
                if not any(part.has(sp.log) for part in apart.atoms(sp.exp)):
                    families[first] += terms[exponent] * apart
                    break
            else:
                families[exponent] = terms[exponent]
        for first, over in families.items():
            total += special * sp.exp(first) * _rational(sp.expand_log(over))
    return total


def _powers(e: Expr) -> Expr:
    top, _ = sp.fraction(sp.together(sp.expand_power_base(sp.expand_power_exp(sp.powdenest(e)))))
    return sp.expand(sp.powsimp(sp.expand(top)))


def _special(e: Expr) -> Expr:
    return sp.expand(sp.expand_func(sp.combsimp(sp.gammasimp(e))))


def _simplified(e: Expr) -> Expr:
    return sp.simplify(e) if e.count_ops() < 150 else e


_REWRITES: tuple[tuple[str, Callable[[Expr], Expr]], ...] = (
    ("one exponential", _one_exponential),
    ("expansion", _expanded),
    ("rational identity", _rational),
    ("laws of powers", _powers),
    ("laws of logarithms", _logarithms),
    ("exponentials", _exponentials),
    ("special functions", _special),
    ("simplification", _simplified),
)


def rewrites() -> Iterator[str]:
    """Names of the rewrites, in their order."""
    yield from (name for name, _ in _REWRITES)
