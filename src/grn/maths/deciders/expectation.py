"""Expectations, variances, covariances and probabilities of Gaussians, in closed form.

E[X^k exp(aX)] of a Gaussian is the k-th derivative of its moment generating function; products of independent
names factor; whatever has no known law stays an unknown, of which only linearity is used.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra, Rule
from grn.maths.deciders.domain import key_of
from grn.maths.syntax import Call, Holds, Relation, Tree
from grn.maths.verdict import BeyondError

Expr = Any

HIGHEST_MOMENT = 12


class Laws:
    """The laws of a document's random names."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.gaussian: dict[Any, tuple[Expr, Expr]] = {}
        for relation in algebra.symbols.assumed:
            key = key_of(relation.left)
            match relation.right:
                case Call("Normal", (mean, variance)) if relation.sign == "Sim" and key is not None:
                    # A random name must not be taken for a number with a sign.
                    algebra.ranges.pop(key, None)
                    self.gaussian[algebra.symbol(key)] = (algebra.convert(mean), algebra.convert(variance))
        self.independent = [set(word[1:]) for word in algebra.symbols.words if word[0] == "independent"]

    def apart(self, names: list[Any]) -> bool:
        """Whether these names are said to be independent of each other."""
        return len(names) < 2 or any({str(name) for name in names} <= said for said in self.independent)

    def mean(self, body: Expr) -> Expr:
        """The expectation of an expression."""
        expanded = sp.expand(sp.expand(body.rewrite(sp.exp), power_exp=False))
        return sp.Add(*(self._term(term) for term in sp.Add.make_args(sp.powsimp(expanded))))

    def _term(self, term: Expr) -> Expr:
        names = sorted(term.free_symbols & set(self.gaussian), key=str)
        if not names:
            return term
        if not self.apart(names):
            return sp.Function("E_")(term)
        fixed, moving = term.as_independent(*names, as_Add=False)
        powers, exponent = self._split(moving, names)
        total = fixed
        for name in names:
            rate = sp.expand(exponent).coeff(name, 1) if exponent != 0 else sp.Integer(0)
            total *= self._moment(name, powers.get(name, 0), rate)
            exponent = sp.expand(exponent - rate * name)
        if exponent.has(*names):
            raise BeyondError("an expectation of an exponential that is not linear")
        return total * sp.exp(exponent)

    def _split(self, moving: Expr, names: list[Any]) -> tuple[dict[Any, int], Expr]:
        """Powers of the names and the exponent of one product."""
        powers: dict[Any, int] = {}
        exponent: Expr = sp.Integer(0)
        for factor in sp.Mul.make_args(moving):
            if isinstance(factor, sp.exp):
                exponent += factor.exp
            elif factor in names:
                powers[factor] = powers.get(factor, 0) + 1
            elif factor.is_Pow and factor.base in names and factor.exp.is_Integer and factor.exp > 0:
                powers[factor.base] = powers.get(factor.base, 0) + int(factor.exp)
            else:
                raise BeyondError("an expectation of what is no polynomial times an exponential")
        if any(power > HIGHEST_MOMENT for power in powers.values()):
            raise BeyondError("a moment of such a high order")
        return powers, exponent

    def _moment(self, name: Any, power: int, rate: Expr) -> Expr:
        mean, variance = self.gaussian[name]
        s = sp.Dummy("s")
        generating = sp.exp(s * mean + s**2 * variance / 2)
        return sp.diff(generating, s, power).subs(s, rate)


def probability_rules(algebra: Algebra) -> dict[str, Rule]:
    """Rules for E, Var, Cov and P under a document's laws."""
    laws = Laws(algebra)

    def convert(tree: Tree) -> Expr:
        return algebra.convert(tree)

    def mean(call: Call, _: Algebra) -> Expr:
        if len(call.args) != 1:
            raise BeyondError("a conditional expectation")
        return laws.mean(convert(call.args[0]))

    def variance(call: Call, _: Algebra) -> Expr:
        if len(call.args) != 1:
            raise BeyondError("a conditional variance")
        body = convert(call.args[0])
        return laws.mean(body**2) - laws.mean(body) ** 2

    def covariance(call: Call, _: Algebra) -> Expr:
        one, two = (convert(arg) for arg in call.args)
        return laws.mean(one * two) - laws.mean(one) * laws.mean(two)

    def probability(call: Call, _: Algebra) -> Expr:
        match call.args:
            case (Holds(Relation("Le" | "Lt" | "Ge" | "Gt" as sign, left, right)),):
                name, bound = convert(left), convert(right)
                if name not in laws.gaussian or bound.free_symbols & set(laws.gaussian):
                    raise BeyondError("a probability of what is no bound on a Gaussian")
                mu, spread = laws.gaussian[name]
                below = (1 + sp.erf((bound - mu) / sp.sqrt(2 * spread))) / 2
                return below if sign in ("Le", "Lt") else 1 - below
        raise BeyondError("a probability of what is no bound on a Gaussian")

    return {"E": mean, "Var": variance, "Cov": covariance, "P": probability}
