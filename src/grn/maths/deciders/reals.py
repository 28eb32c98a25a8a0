"""Questions about real numbers for Z3: polynomials and rational functions, and functions by known bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
import z3

from grn.maths.deciders.algebra import Algebra
from grn.maths.syntax import Connected, Relation, Statement
from grn.maths.verdict import BeyondError, Verdict, undecided

Expr = Any

WORK = 2_000_000
"""Z3's own units: the same answer on every machine, whatever the clock says."""

LARGEST = 400


class Reals:
    """SymPy's expressions as Z3's terms; functions become unknowns with bounds that always hold."""

    def __init__(self) -> None:
        self.names: dict[Any, Any] = {}
        self.facts: list[Any] = []

    def term(self, e: Expr) -> Any:
        """The term of an expression.

        Raises
        ------
        BeyondError
            It cannot be said to Z3.
        """
        if e.is_Rational:
            return z3.Q(int(e.p), int(e.q))
        if e.is_Symbol:
            return self._name(e)
        if e.is_Add:
            return z3.Sum(*(self.term(part) for part in e.args))
        if e.is_Mul:
            return z3.Product(*(self.term(part) for part in e.args))
        if e.is_Pow and e.base is not sp.E:
            return self._power(e)
        if e in (sp.pi, sp.E):
            return self._constant(e)
        return self._function(e)

    def _name(self, e: Expr) -> Any:
        if e not in self.names:
            self.names[e] = z3.Real(f"n{len(self.names)}")
            term = self.names[e]
            if e.is_positive:
                self.facts.append(term > 0)
            elif e.is_nonnegative:
                self.facts.append(term >= 0)
            if e.is_negative:
                self.facts.append(term < 0)
            elif e.is_nonpositive:
                self.facts.append(term <= 0)
            if e.is_integer and e.is_positive:
                self.facts.append(term >= 1)
        return self.names[e]

    def _constant(self, e: Expr) -> Any:
        new = e not in self.names
        term = self._name(e)
        if new:
            low, high = {sp.pi: ("3.14159265", "3.14159266"), sp.E: ("2.71828182", "2.71828183")}[e]
            self.facts += [term > z3.RealVal(low), term < z3.RealVal(high)]
        return term

    def _power(self, e: Expr) -> Any:
        base = self.term(e.base)
        if e.exp.is_Integer and abs(e.exp) <= 12:
            power = z3.Product(*([base] * abs(int(e.exp))))
            if e.exp > 0:
                return power
            self.facts.append(base != 0)
            return 1 / power
        if e.exp.is_Rational and e.exp.q == 2 and abs(e.exp.p) <= 5:
            new = ("sqrt", e.base) not in self.names
            root = self.names.setdefault(("sqrt", e.base), z3.Real(f"n{len(self.names)}"))
            if new:
                self.facts += [root * root == base, root >= 0]
            power = z3.Product(*([root] * abs(int(e.exp.p))))
            if e.exp < 0:
                self.facts.append(root != 0)
                return 1 / power
            return power
        raise BeyondError("a power that is not rational")

    def _function(self, e: Expr) -> Any:
        if isinstance(e, sp.Abs):
            inner = self.term(e.args[0])
            return z3.If(inner >= 0, inner, -inner)
        if isinstance(e, sp.Max | sp.Min):
            total, *rest = (self.term(part) for part in e.args)
            for part in rest:
                total = z3.If((total >= part) == isinstance(e, sp.Max), total, part)
            return total
        known = (sp.exp, sp.log, sp.sin, sp.cos, sp.tanh, sp.cosh, sp.sinh, sp.atan, sp.erf)
        if not (isinstance(e, known) or (e.is_Pow and e.base is sp.E)):
            raise BeyondError(f"nothing is known of {e.func.__name__}")
        new = e not in self.names
        value = self.names.setdefault(e, z3.Real(f"n{len(self.names)}"))
        if new:
            self._bounds(e, value)
        return value

    def _bounds(self, e: Expr, value: Any) -> None:
        """Bounds that hold for every argument."""
        argument = self.term(e.exp if e.is_Pow else e.args[0])
        if e.is_Pow or isinstance(e, sp.exp):
            self.facts += [value > 0, value >= 1 + argument, z3.Implies(argument <= 0, value <= 1)]
        elif isinstance(e, sp.log):
            self.facts += [argument > 0, value <= argument - 1, value * argument >= argument - 1]
        elif isinstance(e, sp.sin | sp.cos):
            other = (sp.cos if isinstance(e, sp.sin) else sp.sin)(e.args[0])
            self.facts += [value <= 1, value >= -1]
            if other in self.names:
                self.facts.append(value * value + self.names[other] * self.names[other] == 1)
        elif isinstance(e, sp.tanh | sp.erf):
            self.facts += [
                value < 1,
                value > -1,
                (value > 0) == (argument > 0),
                (value < 0) == (argument < 0),
            ]
        elif isinstance(e, sp.cosh):
            self.facts += [value >= 1]
        elif isinstance(e, sp.sinh):
            self.facts += [z3.Implies(argument >= 0, value >= argument)]
        elif isinstance(e, sp.atan):
            self.facts += [z3.Implies(argument >= 0, z3.And(value >= 0, value <= argument))]

    def condition(self, e: Any) -> Any:
        """A relation as Z3's."""
        if e in (sp.true, sp.false, True, False):
            return z3.BoolVal(bool(e))
        left, right = self.term(e.lhs), self.term(e.rhs)
        return {
            "==": left == right, "!=": left != right, "<": left < right,
            "<=": left <= right, ">": left > right, ">=": left >= right,
        }[e.rel_op]  # fmt: skip


def _solver() -> Any:
    solver = z3.Solver()
    solver.set("rlimit", WORK)
    return solver


def _assume(solver: Any, reals: Reals, algebra: Algebra) -> None:
    """Everything that is assumed and can be said to Z3; to leave one out loses no truth, only proofs."""
    for relation in algebra.symbols.assumed:
        if relation.sign not in ("Lt", "Le", "Gt", "Ge", "Ne"):
            continue
        try:
            condition = algebra.condition(relation)
            said = reals.condition(condition)
        except BeyondError:
            continue
        solver.add(said)


def prove_positive(gap: Expr, strict: bool, algebra: Algebra, ends: Mapping[Any, Any] | None = None) -> bool:
    """Whether ``gap >= 0`` (or ``> 0``) follows; ``ends`` are upper ends of further names."""
    if gap.count_ops() > LARGEST:
        return False
    reals = Reals()
    solver = _solver()
    try:
        term = reals.term(gap)
        for name, end in (ends or {}).items():
            if end is not None:
                solver.add(reals.term(name) <= reals.term(end))
    except BeyondError:
        return False
    _assume(solver, reals, algebra)
    solver.add(*reals.facts)
    solver.add(term <= 0 if strict else term < 0)
    return bool(solver.check() == z3.unsat)


def decide_implication(premise: Statement, conclusion: Statement, algebra: Algebra) -> Verdict:
    """Decide whether one statement follows from another, polynomials and rational functions only."""
    reals = Reals()
    solver = _solver()
    try:
        first = z3.And(*_said(premise, reals, algebra))
        second = z3.And(*_said(conclusion, reals, algebra))
    except BeyondError as error:
        return undecided(str(error))
    if _never(first, reals, algebra):
        return undecided("the premise never holds, so that anything follows from it")
    exact = not any(isinstance(key, sp.Function) for key in reals.names)
    _assume(solver, reals, algebra)
    solver.add(*reals.facts)
    solver.add(first, z3.Not(second))
    answer = solver.check()
    if answer == z3.unsat:
        return Verdict("proved", "decided over the reals (Z3)")
    if answer == z3.sat and exact:
        model = solver.model()
        told = ", ".join(
            f"{key} = {model[term]}" for key, term in reals.names.items() if isinstance(key, sp.Symbol)
        )
        return Verdict("refuted", "counter-example (Z3)", f"at {told} the premise holds and this does not")
    return undecided("the implication is beyond the deciders")


def _never(premise: Any, reals: Reals, algebra: Algebra) -> bool:
    solver = _solver()
    _assume(solver, reals, algebra)
    solver.add(*reals.facts, premise)
    return bool(solver.check() == z3.unsat)


def _said(statement: Statement, reals: Reals, algebra: Algebra) -> list[Any]:
    match statement:
        case Relation(sign, _, _) if sign in ("Eq", "Ne", "Lt", "Le", "Gt", "Ge"):
            return [reals.condition(algebra.condition(statement))]
        case Connected("And", parts):
            return [said for part in parts for said in _said(part, reals, algebra)]
    raise BeyondError("an implication between what are no relations")
