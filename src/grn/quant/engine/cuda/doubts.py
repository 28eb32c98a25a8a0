"""Doubts: where float32 may decide a bar otherwise than float64.

For screening.  Beside every number that the conditions of a strategy compute stands a bound of its distance
from the float64 number, carried along operation by operation (running error analysis: Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., section 3.3).  A comparison whose sides are nearer than their
bounds together is in doubt, and so is the row: it may go its own way from there on, and its score may be
off by any amount.  So are comparisons of a bar's prices with the level of a stop.  The rows without a doubt
take the decisions of float64 there, and are off by rounding alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

import numpy as np

from grn.quant.engine.cuda.expressions import Scope, print_number
from grn.quant.engine.cuda.inference import Type
from grn.quant.engine.cuda.statements import Body

FUNCTIONS = """\
#define ROUNDING real(0x1p-23)
#define LEVEL_ROUNDING real(0x1p-19)
GRN_INSIDE real off_sum(real r, real ea, real eb) { return ea + eb + ROUNDING * size_of(r); }
GRN_INSIDE real off_product(real r, real a, real b, real ea, real eb) {
    return size_of(a) * eb + size_of(b) * ea + ea * eb + ROUNDING * size_of(r);
}
GRN_INSIDE real off_quotient(real r, real b, real ea, real eb) {
    const real least = size_of(b) - eb;
    return least > real(0) ? (ea + size_of(r) * eb) / least + ROUNDING * size_of(r) : INFINITE;
}
GRN_INSIDE real off_root(real r, real x, real e) {
    return e == real(0) || x > e + e ? (x > real(0) ? e / r : real(0)) + ROUNDING * size_of(r) : INFINITE;
}
GRN_INSIDE bool note(bool& doubt, bool near, bool decided) { doubt = doubt || near; return decided; }
GRN_INSIDE bool is_near(real a, real b, real e) {
    return a == a && b == b && e != real(0) && !(size_of(a - b) > e);
}
"""
"""Bounds are twice the unit roundoff, which also covers what is lost by computing them in float32."""

_COMPUTED = re.compile(r"v\d+")
"""Variables of the printed conditions (`engine.statements`)."""
_LEVELS = frozenset(("lower", "upper"))


class WatchedBody(Body):
    """A kernel's body that notes its doubts in the variable `doubt`."""

    def __init__(self, statements: list[ast.stmt], parameters: Mapping[str, Type], scope: Scope) -> None:
        super().__init__(statements, parameters, scope)

    def lines(self, indent: int) -> list[str]:
        """The body, with the bounds declared beside the variables."""
        pad = " " * indent
        bounds = [
            f"{pad}real off_{name} = {{}};"
            for name, kind in self._types.items()
            if kind is Type.REAL and _COMPUTED.fullmatch(name)
        ]
        return [f"{pad}bool doubt = false;", *bounds, *super().lines(indent)]

    def _assign(self, target: ast.expr, value: ast.expr, node: ast.stmt) -> list[str]:
        lines = super()._assign(target, value, node)
        if isinstance(target, ast.Name) and _COMPUTED.fullmatch(target.id):
            bound = self._bound(value, target.id) if self._types[target.id] is Type.REAL else None
            lines += [] if bound is None else [f"off_{target.id} = {bound};"]
        return lines

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        code = super()._pair(left, op, right)
        (a, one), (b, other) = self._value(left), self._value(right)
        if Type.REAL not in (one, other):
            return code
        names = {n.id for side in (left, right) for n in ast.walk(side) if isinstance(n, ast.Name)}
        if names & _LEVELS:
            near = f"LEVEL_ROUNDING * size_of({b if a in _LEVELS else a})"
        elif isinstance(left, ast.Subscript) or not (bounds := [self._bound(s) for s in (left, right)])[0]:
            # A series of truth values is compared as it is loaded; it holds 0, 1 or nothing.
            return code
        elif bounds[1] is None:
            return code
        else:
            near = f"{bounds[0]} + {bounds[1]}"
        return f"note(doubt, is_near(real({a}), real({b}), {near}), {code})"

    def _bound(self, node: ast.expr, result: str = "") -> str | None:
        """Code of the bound of an expression; None for what is none of the conditions' numbers."""
        match node:
            case ast.Constant(value=value) if isinstance(value, int | float):
                return self._rounded(value)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self._bound(inner)
            case ast.Name(id=name) if _COMPUTED.fullmatch(name):
                return f"off_{name}"
            case ast.Name(id=name) if re.fullmatch(r"p\d+", name):
                return f"ROUNDING * size_of({name})"
            case ast.Name(id=name) if name in self._scope.constants:
                return self._rounded(self._scope.constants[name])
            case ast.Subscript(value=ast.Name(id=name)) if self._types.get(name) is Type.SERIES:
                return f"ROUNDING * size_of({result})"
            case ast.IfExp(test=test, body=body, orelse=other):
                yes, no = self._bound(body), self._bound(other)
                return None if yes is None or no is None else f"({self._truth(test)} ? {yes} : {no})"
            case ast.Call(func=ast.Name(id="abs"), args=[inner]):
                return self._bound(inner)
            case ast.Call(func=ast.Name(id="sqrt"), args=[inner]):
                bound = self._bound(inner)
                return None if bound is None else f"off_root({result}, {self._value(inner)[0]}, {bound})"
            case ast.BinOp(left=left, op=op, right=right):
                return self._bound_of_two(left, op, right, result)
        return None

    def _bound_of_two(self, left: ast.expr, op: ast.operator, right: ast.expr, result: str) -> str | None:
        one, other = self._bound(left), self._bound(right)
        if one is None or other is None:
            return None
        a, b = self._as(left, Type.REAL), self._as(right, Type.REAL)
        match op:
            case ast.Add() | ast.Sub():
                return f"off_sum({result}, {one}, {other})"
            case ast.Mult():
                return f"off_product({result}, {a}, {b}, {one}, {other})"
            case ast.Div():
                return f"off_quotient({result}, {b}, {one}, {other})"
        return None

    @staticmethod
    def _rounded(value: float) -> str:
        """The bound of a constant: none when float32 holds it."""
        with np.errstate(over="ignore"):
            exact = value != value or float(np.float32(value)) == value
        return "real(0)" if exact else f"ROUNDING * size_of({print_number(float(value))[0]})"
