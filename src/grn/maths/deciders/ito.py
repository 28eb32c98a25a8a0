"""Stochastic differentials: both sides as drift and diffusions, by Itô's formula.

Brownian motions are those that the document calls so; different ones are independent. A process without an
equation keeps its own differential, and products of such differentials are unknowns of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.domain import key_of
from grn.maths.deciders.identity import decide_identity
from grn.maths.syntax import Call, Number, Tree, walk
from grn.maths.verdict import BeyondError, Verdict

Expr = Any
Coefficients = dict[str, Expr]
"""By what moves: ``dt``, ``dW[t]``, ``dX[t]``, ``dX[t] dY[t]``."""

_MOST_DEEP = 4


@dataclass
class Stochastic:
    """Itô's calculus under a document's stochastic differentials."""

    algebra: Algebra
    equations: dict[str, Tree] = field(default_factory=dict)
    deep: int = 0

    def __post_init__(self) -> None:
        """Collect what the document says of differentials."""
        for relation in self.algebra.symbols.assumed:
            match relation.left:
                case Call("d", (inner,)) if relation.sign == "Eq":
                    key = key_of(inner)
                    if key is not None:
                        self.equations[key] = relation.right

    def brownian(self, key: str) -> bool:
        """Whether a key such as ``W[t]`` is a Brownian motion."""
        return self.algebra.symbols.kind(key.partition("[")[0]) == "brownian"

    def coefficients(self, tree: Tree) -> Coefficients:
        """What a tree of differentials is in terms of dt and dW.

        Raises
        ------
        BeyondError
            It is not linear in differentials after their products are worked out.
        """
        match tree:
            case Number(value) if value == 0:
                return {}
            case Call("d", (inner,)):
                return self._of(inner)
            case Call("add", args):
                return _sum([self.coefficients(arg) for arg in args])
            case Call("neg", (inner,)):
                return _scale(self.coefficients(inner), sp.Integer(-1))
            case Call("mul", args):
                return self._product(args)
            case Call("div", (top, bottom)):
                return _scale(self.coefficients(top), 1 / self.algebra.convert(bottom))
            case Call("pow", (base, Number(n))) if n == 2:
                return self._bracket(self.coefficients(base), self.coefficients(base))
        raise BeyondError("no sum of differentials")

    def _product(self, args: tuple[Tree, ...]) -> Coefficients:
        moving = [arg for arg in args if _moves(arg)]
        factor = sp.Mul(*(self.algebra.convert(arg) for arg in args if not _moves(arg)))
        if len(moving) == 1:
            return _scale(self.coefficients(moving[0]), factor)
        if len(moving) == 2:
            return _scale(self._bracket(*(self.coefficients(arg) for arg in moving)), factor)
        return {}

    def _bracket(self, one: Coefficients, two: Coefficients) -> Coefficients:
        """Multiply differentials: (dW)^2 = dt, dW dt = 0, dW dB = 0."""
        found: Coefficients = {}
        for first, f in one.items():
            for second, g in two.items():
                if "dt" in (first, second) or " " in first or " " in second:
                    continue
                known = self.brownian(first[1:]), self.brownian(second[1:])
                brownian = "dt" if first == second else ""
                key = brownian if all(known) else " ".join(sorted((first, second)))
                if key:
                    found[key] = found.get(key, sp.Integer(0)) + f * g
        return found

    def _of(self, inner: Tree) -> Coefficients:
        """The differential of an expression, by Itô's formula."""
        key = key_of(inner)
        if key is not None:
            return self._moving(key)
        body = self.algebra.convert(inner)
        time = self.algebra.symbol("t")
        processes = [s for s in sorted(body.free_symbols, key=str) if s != time and self._is_process(str(s))]
        total: Coefficients = {"dt": sp.diff(body, time)}
        moves = {process: self._moving(str(process)) for process in processes}
        for process in processes:
            total = _sum([total, _scale(moves[process], sp.diff(body, process))])
        for one in processes:
            for two in processes:
                curved = sp.diff(body, one, two) / 2
                if curved != 0:
                    total = _sum([total, _scale(self._bracket(moves[one], moves[two]), curved)])
        return total

    def _is_process(self, key: str) -> bool:
        return key in self.equations or self.brownian(key) or key.endswith("[t]")

    def _moving(self, key: str) -> Coefficients:
        if key == "t":
            return {"dt": sp.Integer(1)}
        if key in self.equations and self.deep < _MOST_DEEP:
            self.deep += 1
            found = self.coefficients(self.equations[key])
            self.deep -= 1
            return found
        return {f"d{key}": sp.Integer(1)}


def _moves(tree: Tree) -> bool:
    return any(isinstance(part, Call) and part.head == "d" for part in walk(tree))


def _sum(parts: list[Coefficients]) -> Coefficients:
    total: Coefficients = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, sp.Integer(0)) + value
    return total


def _scale(part: Coefficients, factor: Expr) -> Coefficients:
    return {key: factor * value for key, value in part.items()}


def decide_differentials(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """Decide an equation between differentials: each coefficient is an identity of its own."""
    calculus = Stochastic(algebra)
    one, two = calculus.coefficients(left), calculus.coefficients(right)
    worst = Verdict("proved", "Itô's formula")
    for key in sorted({*one, *two}):
        verdict = decide_identity(one.get(key, sp.Integer(0)), two.get(key, sp.Integer(0)), algebra)
        if verdict.kind == "refuted":
            return Verdict("refuted", "Itô's formula", f"the factors of {key} differ: {verdict.detail}")
        if verdict.kind != "proved":
            worst = Verdict(verdict.kind, "Itô's formula", f"the factors of {key}: {verdict.detail}")
    return worst


def is_stochastic(left: Tree, right: Tree) -> bool:
    """Whether differentials stand on either side."""
    return _moves(left) or _moves(right)
