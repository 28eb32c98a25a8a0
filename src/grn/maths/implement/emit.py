"""Trees as expressions of Python: for NumPy, which computes, and for mpmath, which it is held against."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Protocol, TypeAlias

from grn.maths.deciders.algebra import LARGEST_POWER
from grn.maths.implement.results import free_keys, identifier
from grn.maths.implement.stable import MEANINGS
from grn.maths.plain import print_tree
from grn.maths.syntax import (
    Apply,
    Bind,
    Call,
    Cases,
    Constant,
    Derivative,
    Index,
    Name,
    Number,
    Relation,
    Statement,
    Tree,
)
from grn.maths.verdict import BeyondError

_SHARED = {
    "sqrt": "sqrt", "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "sign": "sign", "floor": "floor", "expm1": "expm1", "log1p": "log1p",
}  # fmt: skip
_NUMPY = {head: f"np.{name}" for head, name in _SHARED.items()} | {
    "abs": "np.abs", "asin": "np.arcsin", "acos": "np.arccos", "atan": "np.arctan", "asinh": "np.arcsinh",
    "ceiling": "np.ceil", "erf": "special.erf", "erfc": "special.erfc", "gamma": "special.gamma",
    "Phi": "special.ndtr", "log_Phi": "special.log_ndtr", "logaddexp": "np.logaddexp",
    "binomial": "special.binom",
}  # fmt: skip
_MPMATH = {head: f"mp.{name}" for head, name in _SHARED.items()} | {
    "abs": "mp.fabs", "asin": "mp.asin", "acos": "mp.acos", "atan": "mp.atan", "asinh": "mp.asinh",
    "ceiling": "mp.ceil", "erf": "mp.erf", "erfc": "mp.erfc", "gamma": "mp.gamma", "Phi": "mp.ncdf",
    "factorial": "mp.factorial", "binomial": "mp.binomial",
}  # fmt: skip
_COMPARED: dict[str, type[ast.cmpop]] = {
    "Lt": ast.Lt, "Le": ast.LtE, "Gt": ast.Gt, "Ge": ast.GtE, "Eq": ast.Eq, "Ne": ast.NotEq,
}  # fmt: skip


Refer: TypeAlias = Callable[[str, list[ast.expr]], ast.expr | None]
Limits: TypeAlias = Callable[[Derivative | Bind], ast.expr]


class Dialect(Protocol):
    """Writes what is not arithmetic of numbers; None where it is."""

    def write(self, tree: Tree, emitter: Emitter) -> ast.expr | None:
        """The expression of a tree."""


@dataclass(frozen=True, slots=True)
class Emitter:
    """Writes trees as expressions.

    Attributes
    ----------
    exact
        For mpmath; otherwise for NumPy.
    refer
        What stands for a named result and the arguments behind it; None for a name that is an argument.
    limits
        What stands for a derivative or a limit; None where nothing can.
    arrays
        What writes matrices; None where there are none.
    callables
        Functions that are arguments.
    """

    exact: bool
    refer: Refer
    limits: Limits | None = None
    arrays: Dialect | None = None
    callables: frozenset[str] = frozenset()

    def expression(self, tree: Tree) -> ast.expr:
        """The expression of a tree.

        Raises
        ------
        BeyondError
            Something in it has no counterpart: a sum, an integral, a matrix, a function without a body.
        """
        written = self.arrays.write(tree, self) if self.arrays is not None else None
        if written is not None:
            return written
        match tree:
            case Number(value):
                return self._number(value)
            case Constant("pi"):
                return dotted("mp.pi" if self.exact else "np.pi")
            case Constant("euler"):
                return dotted("mp.e" if self.exact else "np.e")
            case Name() | Index():
                key = print_tree(tree)
                return self.refer(key, []) or ast.Name(identifier(key))
            case Call(head, args):
                return self._call(head, args)
            case Apply("Phi", 1, (x,)):
                return self._density(x)
            case Apply(function, 0, args):
                passed = [self.expression(arg) for arg in args]
                found = self.refer(function, passed)
                if found is not None:
                    return found
                if function in self.callables:
                    return ast.Call(ast.Name(identifier(function)), passed, [])
                raise BeyondError(f"no formula for {function}")
            case Derivative() | Bind("limit") if self.limits is not None:
                return self.limits(tree)
            case Cases(branches):
                return self._cases(branches)
        raise BeyondError(f"no code for {print_tree(tree)}")

    def condition(self, statement: Statement) -> ast.expr:
        """A relation as a comparison."""
        match statement:
            case Relation(sign, left, right) if sign in _COMPARED:
                return ast.Compare(self.expression(left), [_COMPARED[sign]()], [self.expression(right)])
        raise BeyondError("no code for such a condition")

    def _number(self, value: Fraction) -> ast.expr:
        if value < 0:
            return ast.UnaryOp(ast.USub(), self._number(-value))
        if value.denominator == 1:
            return ast.Constant(int(value))
        top: ast.expr = ast.Constant(value.numerator)
        if self.exact:
            top = called("mp.mpf", top)
        return ast.BinOp(top, ast.Div(), ast.Constant(value.denominator))

    def _call(self, head: str, args: tuple[Tree, ...]) -> ast.expr:
        match head, args:
            case "add", _:
                return self._sum(args)
            case "mul", _:
                first, *rest = (self.expression(arg) for arg in args)
                return reduce(lambda x, y: ast.BinOp(x, ast.Mult(), y), rest, first)
            case "neg", (x,):
                return ast.UnaryOp(ast.USub(), self.expression(x))
            case "div", (x, y):
                return ast.BinOp(self._whole(x), ast.Div(), self.expression(y))
            case "pow", (x, y):
                return self._power(x, y)
            case "root", (x, n):
                return ast.BinOp(
                    self._whole(x), ast.Pow(), self.expression(Call("div", (Number(Fraction(1)), n)))
                )
            case "logb", (x, b):
                return ast.BinOp(self._call("log", (x,)), ast.Div(), self._call("log", (b,)))
            case "cot" | "sec" | "csc", _:
                inverse = {"cot": "tan", "sec": "cos", "csc": "sin"}[head]
                return ast.BinOp(ast.Constant(1), ast.Div(), self._call(inverse, args))
            case "pos", (x,):
                return self._greatest("max", (x, Number(Fraction(0))))
            case "max" | "min", _:
                return self._greatest(head, args)
            case "factorial", (x,) if not self.exact:
                return called("special.gamma", ast.BinOp(self.expression(x), ast.Add(), ast.Constant(1)))
        if self.exact and head in MEANINGS and head not in _MPMATH:
            return self.expression(MEANINGS[head](*args))
        known = (_MPMATH if self.exact else _NUMPY).get(head)
        if known is None:
            raise BeyondError(f"no code for {head}")
        return called(known, *(self.expression(arg) for arg in args))

    def _sum(self, args: tuple[Tree, ...]) -> ast.expr:
        total = self.expression(args[0])
        for term in args[1:]:
            minus = isinstance(term, Call) and term.head == "neg"
            inner = self.expression(term.args[0] if isinstance(term, Call) and minus else term)
            total = ast.BinOp(total, ast.Sub() if minus else ast.Add(), inner)
        return total

    def _whole(self, tree: Tree) -> ast.expr:
        """An expression that is no Python integer where mpmath needs more than a float."""
        written = self.expression(tree)
        return called("mp.mpf", written) if self.exact and isinstance(written, ast.Constant) else written

    def _power(self, base: Tree, exponent: Tree) -> ast.expr:
        if isinstance(exponent, Number) and exponent.value == Fraction(1, 2):
            return self._call("sqrt", (base,))
        if isinstance(base, Number) and not (
            isinstance(exponent, Number) and abs(exponent.value) <= LARGEST_POWER
        ):
            if isinstance(exponent, Number) or not free_keys(exponent):
                raise BeyondError("a power too large to work out")
            return self._call("exp", (Call("mul", (exponent, Call("log", (base,)))),))
        return ast.BinOp(self._whole(base), ast.Pow(), self.expression(exponent))

    def _greatest(self, head: str, args: tuple[Tree, ...]) -> ast.expr:
        values = [self.expression(arg) for arg in args]
        if self.exact:
            return called(head, *values)
        name = {"max": "np.maximum", "min": "np.minimum"}[head]
        return reduce(lambda x, y: called(name, x, y), values)

    def _density(self, x: Tree) -> ast.expr:
        """The density of the normal distribution: the derivative of its distribution."""
        if self.exact:
            return called("mp.npdf", self.expression(x))
        square = Call("pow", (x, Number(Fraction(2))))
        bell = self._call("exp", (Call("div", (Call("neg", (square,)), Number(Fraction(2)))),))
        root = called("np.sqrt", ast.BinOp(ast.Constant(2), ast.Mult(), dotted("np.pi")))
        return ast.BinOp(bell, ast.Div(), root)

    def _cases(self, branches: tuple[tuple[Tree, Statement | None], ...]) -> ast.expr:
        written = dotted("mp.nan" if self.exact else "np.nan")
        for value, when in reversed(branches):
            if when is None:
                written = self.expression(value)
            elif self.exact:
                written = ast.IfExp(self.condition(when), self.expression(value), written)
            else:
                written = called("np.where", self.condition(when), self.expression(value), written)
        return written


def dotted(name: str) -> ast.expr:
    """A name with dots as an expression."""
    first, *rest = name.split(".")
    found: ast.expr = ast.Name(first)
    for part in rest:
        found = ast.Attribute(found, part)
    return found


def called(name: str, *args: ast.expr) -> ast.expr:
    """A call of a function by its name with dots."""
    return ast.Call(dotted(name), list(args), [])


def written(expression: ast.expr) -> str:
    """An expression as text."""
    return ast.unparse(ast.fix_missing_locations(ast.Expression(expression)))
