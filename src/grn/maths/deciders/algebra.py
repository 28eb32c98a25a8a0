"""From our trees to SymPy's expressions, under what a document assumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from grn.maths.deciders.domain import Range, key_of, ranges
from grn.maths.plain import print_tree
from grn.maths.symbols import Symbols
from grn.maths.syntax import (
    Apply,
    Bind,
    Call,
    Cases,
    Constant,
    Derivative,
    Expression,
    Index,
    Name,
    Number,
    Relation,
    Statement,
    Tree,
    names_in,
)
from grn.maths.verdict import BeyondError

Expr = Any

LARGEST_POWER = 64
"""Numbers to higher powers stay as they are: ``9^{9^9}`` must not be worked out."""

_CONSTANTS = {"pi": sp.pi, "euler": sp.E, "oo": sp.oo, "imag": sp.I}
_FUNCTIONS: dict[str, Callable[..., Expr]] = {
    "sqrt": sp.sqrt, "factorial": sp.factorial, "binomial": sp.binomial, "floor": sp.floor,
    "ceiling": sp.ceiling, "abs": sp.Abs, "max": sp.Max, "min": sp.Min, "sign": sp.sign,
    "sin": sp.sin, "cos": sp.cos, "tan": sp.tan, "cot": sp.cot, "sec": sp.sec, "csc": sp.csc,
    "asin": sp.asin, "acos": sp.acos, "atan": sp.atan, "asinh": sp.asinh,
    "sinh": sp.sinh, "cosh": sp.cosh, "tanh": sp.tanh, "exp": sp.exp, "log": sp.log,
    "logb": lambda x, b: sp.log(x) / sp.log(b), "erf": sp.erf, "erfc": sp.erfc, "gamma": sp.gamma,
    "pos": lambda x: sp.Max(x, 0), "root": lambda x, n: x ** (1 / n),
    "Phi": lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2,
}  # fmt: skip
_RELATIONS = {"Eq": sp.Eq, "Ne": sp.Ne, "Lt": sp.Lt, "Le": sp.Le, "Gt": sp.Gt, "Ge": sp.Ge}

Rule = Callable[[Call, "Algebra"], Expr]


class Algebra:
    """Turns trees into SymPy's expressions.

    Parameters
    ----------
    symbols
        What is assumed. Names are real unless more is said; definitions are filled in.
    rules
        What to do with heads that are not algebra: ``E``, ``Var``, ``P`` ...
    """

    def __init__(self, symbols: Symbols, rules: dict[str, Rule] | None = None) -> None:
        self.symbols = symbols
        self.rules = rules or {}
        self.ranges = ranges(symbols)
        self.atoms: dict[str, sp.Symbol] = {}
        self.bound: list[str] = []
        self.denominators: list[Expr] = []
        self.definitions: dict[str, Tree] = {}
        self.bodies: dict[str, tuple[tuple[Tree, ...], Tree]] = {}
        for relation in symbols.assumed:
            self._define(relation)

    def _define(self, relation: Relation) -> None:
        if relation.sign not in ("Eq", "Define"):
            return
        match relation.left:
            case Name(text) if text not in names_in(relation.right) and text not in self.definitions:
                self.definitions[text] = relation.right
            case Apply(function, 0, args) if all(isinstance(arg, Name) for arg in args):
                self.bodies.setdefault(function, (args, relation.right))

    def symbol(self, key: str) -> sp.Symbol:
        """The symbol of a name, with what is assumed of it."""
        if key not in self.atoms:
            self.atoms[key] = sp.Symbol(key, **self.ranges.get(key, Range()).assumptions())
        return self.atoms[key]

    def convert(self, tree: Tree) -> Expr:
        """The expression of a tree; derivatives are taken, integrals, sums and limits are not.

        Raises
        ------
        BeyondError
            Something in it is not algebra.
        """
        match tree:
            case Number(value):
                return sp.Rational(value.numerator, value.denominator)
            case Constant(name) if name in _CONSTANTS:
                return _CONSTANTS[name]
            case Name(text):
                return self._name(text)
            case Index():
                return self._index(tree)
            case Call():
                return self._call(tree)
            case Apply():
                return self._apply(tree)
            case Derivative(body, by):
                return self._derivative(body, by)
            case Bind():
                return self._bind(tree)
            case Cases(branches):
                pairs = [
                    (self.convert(value), True if when is None else self.condition(when))
                    for value, when in branches
                ]
                return sp.Piecewise(*pairs)
        raise BeyondError(f"no algebra of {type(tree).__name__.lower()}")

    def condition(self, statement: Statement) -> Expr:
        """A relation as SymPy's."""
        match statement:
            case Relation(sign, left, right) if sign in _RELATIONS:
                return _RELATIONS[sign](self.convert(left), self.convert(right))
            case Expression(tree):
                raise BeyondError(f"no condition: {print_tree(tree)}")
        raise BeyondError("a condition of several relations")

    def _name(self, text: str) -> Expr:
        if self.symbols.is_matrix(text):
            raise BeyondError("a matrix")
        if text in self.bound:
            return sp.Symbol(text, integer=True) if f"{text}#" in self.bound else sp.Symbol(text, real=True)
        if text in self.definitions:
            kept, self.definitions = (
                self.definitions,
                {k: v for k, v in self.definitions.items() if k != text},
            )
            try:
                return self.convert(kept[text])
            finally:
                self.definitions = kept
        return self.symbol(text)

    def _index(self, tree: Index) -> Expr:
        inner = set().union(*(names_in(part) for part in tree.at)) if tree.at else set()
        key = key_of(tree)
        if key is None or inner & set(self.bound):
            return sp.Function(f"{tree.base}_", real=True)(*(self.convert(part) for part in tree.at))
        return self.symbol(key)

    def _call(self, tree: Call) -> Expr:
        head, args = tree.head, tree.args
        if head in self.rules:
            return self.rules[head](tree, self)
        match head:
            case "add":
                return sp.Add(*(self.convert(arg) for arg in args))
            case "mul":
                return sp.Mul(*(self.convert(arg) for arg in args))
            case "neg":
                return -self.convert(args[0])
            case "div":
                top, bottom = self.convert(args[0]), self.convert(args[1])
                if bottom == 0:
                    raise BeyondError("a division by zero")
                self.denominators.append(bottom)
                return top / bottom
            case "pow":
                return self._power(self.convert(args[0]), self.convert(args[1]))
            case "subs":
                return self.convert(args[0]).subs(self.convert(args[1]), self.convert(args[2]))
        if head not in _FUNCTIONS:
            raise BeyondError(f"no algebra of {head}")
        values = [self.convert(arg) for arg in args]
        if head in ("factorial", "gamma", "binomial") and any(v.is_number and abs(v) > 200 for v in values):
            raise BeyondError("a factorial too large to work out")
        return _FUNCTIONS[head](*values)

    def _power(self, base: Expr, exponent: Expr) -> Expr:
        if base.is_number and exponent.is_number:
            huge = exponent.is_Pow and exponent.is_integer
            if huge or (exponent.is_Rational and abs(exponent) > LARGEST_POWER):
                raise BeyondError("a power too large to work out")
        if exponent.is_Rational and abs(exponent) > LARGEST_POWER and not base.is_Atom:
            raise BeyondError("a power too large to work out")
        if exponent.is_negative:
            self.denominators.append(base)
        return base**exponent

    def _apply(self, tree: Apply) -> Expr:
        args = [self.convert(arg) for arg in tree.args]
        if tree.function in self.bodies and len(self.bodies[tree.function][0]) == len(args):
            names, body = self.bodies[tree.function]
            kept = self.bodies
            self.bodies = {k: v for k, v in kept.items() if k != tree.function}
            try:
                inner = [self.convert(name) for name in names]
                expression = self.convert(body)
            finally:
                self.bodies = kept
        elif tree.function == "Phi":
            inner = [sp.Dummy("u", real=True)]
            expression = _FUNCTIONS["Phi"](inner[0])
        else:
            inner = [sp.Dummy("u", real=True) for _ in args]
            expression = sp.Function(tree.function, real=True)(*inner)
        if tree.order:
            if len(args) != 1:
                raise BeyondError("a prime on a function of several names")
            expression = sp.diff(expression, inner[0], tree.order)
        return expression.subs(dict(zip(inner, args, strict=True)), simultaneous=True)

    def _derivative(self, body: Tree, by: tuple[tuple[Tree, Tree], ...]) -> Expr:
        variables = []
        for name, order in by:
            value = self.convert(order)
            symbol = self.convert(name)
            if not value.is_Integer or value > 12 or not symbol.is_Symbol:
                raise BeyondError("a derivative of an order that is no small number")
            variables.append((symbol, int(value)))
        expression = self.convert(body)
        if expression.is_Symbol and all(expression != symbol for symbol, _ in variables):
            # A bare name that is differentiated is a function of what it is differentiated by.
            others = sorted({symbol for symbol, _ in variables}, key=str)
            expression = sp.Function(str(expression), real=True)(*others)
        return sp.diff(expression, *variables)

    def _bind(self, tree: Bind) -> Expr:
        if not isinstance(tree.name, Name):
            raise BeyondError(f"a {tree.kind} over {print_tree(tree.name)}")
        text = tree.name.text
        low = None if tree.low is None else self.convert(tree.low)
        if tree.kind == "limit":
            symbol = self.symbol(text)
            side = {"plus": "+", "minus": "-"}.get(print_tree(tree.high) if tree.high else "", "+-")
            return sp.Limit(self.convert(tree.body), symbol, low, "-" if low == sp.oo else side)
        if tree.kind == "integral" and low is None:
            return sp.Integral(self.convert(tree.body), self.symbol(text))
        high = None if tree.high is None else self.convert(tree.high)
        discrete = tree.kind in ("sum", "product")
        marks = [text, f"{text}#"] if discrete else [text]
        self.bound += marks
        kept = len(self.denominators)
        try:
            body = self.convert(tree.body)
            symbol = self.convert(tree.name)
        finally:
            del self.bound[-len(marks) :]
            del self.denominators[kept:]
        kind = {"integral": sp.Integral, "sum": sp.Sum, "product": sp.Product}.get(tree.kind)
        if kind is None:
            raise BeyondError(f"no algebra of {tree.kind}")
        return kind(body, (symbol, low, high))
