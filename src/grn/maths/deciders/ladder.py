"""The ladder: a step goes to the deciders that may know it, from cheap to dear."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.expectation import probability_rules
from grn.maths.deciders.identity import decide_identity
from grn.maths.deciders.inequality import decide_inequality
from grn.maths.deciders.ito import decide_differentials, is_stochastic
from grn.maths.deciders.matrices import decide_definite, decide_matrices, entries, is_matrix
from grn.maths.deciders.reals import decide_implication
from grn.maths.deciders.series import (
    by_induction,
    decide_antiderivative,
    decide_order,
    has_antiderivative,
    has_order,
)
from grn.maths.deciders.work import OverworkedError, forget
from grn.maths.symbols import Symbols
from grn.maths.syntax import Apply, Chain, Connected, Derivative, Expression, Relation, Statement, Tree, walk
from grn.maths.verdict import BeyondError, Verdict, undecided

_WORST = ("refuted", "timeout", "unparsed", "undecided", "supported", "proved")


def decide(statement: Statement, symbols: Symbols) -> Verdict:
    """Decide a statement under what a document assumes.

    Equations hold where both sides are defined; names without an assumption range over the reals.
    """
    forget()
    try:
        return _decide(statement, symbols)
    except OverworkedError:
        return undecided("more work than a step may take")
    except BeyondError as error:
        return undecided(str(error))
    except RecursionError:
        return undecided("nested too deeply to work out")


def _again(statement: Statement, symbols: Symbols) -> Verdict:
    """A part of a statement: what cannot be decided leaves the other parts alone."""
    try:
        return _decide(statement, symbols)
    except BeyondError as error:
        return undecided(str(error))


def _decide(statement: Statement, symbols: Symbols) -> Verdict:
    match statement:
        case Relation():
            return _relation(statement, symbols)
        case Chain(first, rest):
            verdicts = []
            left = first
            for sign, right in rest:
                verdicts.append(_again(Relation(sign, left, right), symbols))
                left = right
            return _worst(verdicts)
        case Connected("And", parts):
            return _worst([_again(part, symbols) for part in parts])
        case Connected(kind, parts):
            verdicts = []
            for premise, conclusion in pairwise(parts):
                algebra = _algebra(symbols)
                verdicts.append(decide_implication(premise, conclusion, algebra))
                if kind == "Iff":
                    verdicts.append(decide_implication(conclusion, premise, algebra))
            return _worst(verdicts)
        case Expression():
            return undecided("nothing is claimed: a relation is needed")


def _worst(verdicts: list[Verdict]) -> Verdict:
    return min(verdicts, key=lambda verdict: _WORST.index(verdict.kind))


def _algebra(symbols: Symbols) -> Algebra:
    algebra = Algebra(symbols)
    algebra.rules = probability_rules(algebra)
    return algebra


def _relation(relation: Relation, symbols: Symbols) -> Verdict:
    sign, left, right = relation.sign, relation.left, relation.right
    if sign in ("Define", "In", "Sim"):
        return Verdict("assumed", "a definition" if sign == "Define" else "an assumption")
    algebra = _algebra(symbols)
    if sign == "Approx":
        return _approximate(left, right, algebra)
    if sign in ("Succ", "SuccEq"):
        return decide_definite(sign, left, right, algebra)
    if sign != "Eq":
        return decide_inequality(sign, algebra.convert(left), algebra.convert(right), algebra)
    if left == right:
        return Verdict("proved", "the same on both sides")
    if is_stochastic(left, right):
        return decide_differentials(left, right, algebra)
    if has_order(left, right):
        return decide_order(left, right, algebra)
    if is_matrix(left, symbols) or is_matrix(right, symbols):
        return _matrices(left, right, algebra)
    if has_antiderivative(left, right):
        return decide_antiderivative(left, right, algebra)
    return _scalars(left, right, algebra)


def _matrices(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    try:
        return decide_matrices(left, right, algebra)
    except BeyondError:
        one, two = entries(left, algebra), entries(right, algebra)
    if not isinstance(one, sp.MatrixBase):
        return decide_identity(one, two, algebra)
    if not isinstance(two, sp.MatrixBase) or one.shape != two.shape:
        return Verdict("refuted", "shapes", f"{one.shape} is not {getattr(two, 'shape', 'a matrix')}")
    verdicts = []
    for i in range(one.rows):
        for j in range(one.cols):
            found = decide_identity(one[i, j], two[i, j], algebra)
            if found.kind == "refuted":
                return Verdict("refuted", found.rule, f"entry {i + 1}, {j + 1}: {found.detail}")
            verdicts.append(found)
    return _worst(verdicts)


def _scalars(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    one, two = algebra.convert(left), algebra.convert(right)
    verdict = by_induction(one, two, algebra) or decide_identity(one, two, algebra)
    if verdict.kind == "refuted" and _is_condition(left, right, algebra):
        return undecided("an equation for a function that is not defined: a condition, not an identity")
    needs = _needs(algebra) if verdict.kind in ("proved", "supported") else ()
    return Verdict(verdict.kind, verdict.rule, verdict.detail, needs)


def _is_condition(left: Tree, right: Tree, algebra: Algebra) -> bool:
    """Whether functions stand in an equation of which the document says nothing."""
    return any(
        (isinstance(part, Apply) and part.function not in (*algebra.bodies, "Phi")) or _is_open(part, algebra)
        for side in (left, right)
        for part in walk(side)
    )


def _is_open(part: Tree, algebra: Algebra) -> bool:
    r"""A derivative of a bare name that is not defined: ``\partial V / \partial S``."""
    return isinstance(part, Derivative) and algebra.convert(part).has(sp.core.function.AppliedUndef)


def _needs(algebra: Algebra) -> tuple[str, ...]:
    """Conditions under which the denominators met are not zero, where that is not known."""
    found: dict[str, None] = {}
    for bottom in algebra.denominators:
        if bottom.is_number or bottom.is_nonzero or bottom.is_positive:
            continue
        found[f"{bottom} != 0"] = None
    return tuple(found)


def _approximate(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """``pi ~= 3.14159``: equal to the digits written."""
    gap: Any = algebra.convert(left) - algebra.convert(right)
    written = algebra.convert(right)
    if gap.free_symbols or not written.is_Rational:
        raise BeyondError("an approximation that is no number")
    digits = 0
    while (written * 10**digits).q != 1 and digits < 30:
        digits += 1
    from grn.maths.deciders.enclosure import enclose

    ball = enclose(gap * 10**digits, {})
    if abs(ball) <= 1:
        return Verdict("proved", "ball arithmetic", f"to {digits} decimals")
    return Verdict("refuted", "ball arithmetic", f"left - right = {enclose(gap, {}).str(8)}")
