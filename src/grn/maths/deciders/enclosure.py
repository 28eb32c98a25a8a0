"""Values as balls that contain the true value for certain (Arb through python-flint), at exact points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import flint
import sympy as sp

from grn.maths.verdict import BeyondError

Ball = Any
Point = Mapping[sp.Symbol, Fraction]

BITS = 160
LONGEST_SUM = 3000

_UNARY: dict[Any, str] = {
    sp.sin: "sin", sp.cos: "cos", sp.tan: "tan", sp.cot: "cot", sp.sec: "sec", sp.csc: "csc",
    sp.sinh: "sinh", sp.cosh: "cosh", sp.tanh: "tanh", sp.coth: "coth", sp.exp: "exp",
    sp.atan: "atan", sp.asin: "asin", sp.acos: "acos", sp.asinh: "asinh", sp.erf: "erf", sp.erfc: "erfc",
    sp.gamma: "gamma", sp.floor: "floor", sp.ceiling: "ceil", sp.sign: "sgn",
}  # fmt: skip


class UndefinedError(Exception):
    """An expression has no value at a point, or none that is certain."""


def enclose(expression: Any, point: Point) -> Ball:
    """A ball around an expression's value.

    Raises
    ------
    UndefinedError
        It is not defined at the point, or not certainly.
    BeyondError
        It has something in it that cannot be enclosed.
    """
    kept = flint.ctx.prec
    flint.ctx.prec = BITS
    try:
        ball = _ball(expression, dict(point))
    finally:
        flint.ctx.prec = kept
    if not ball.is_finite():
        raise UndefinedError("no finite value")
    return ball


def to_ball(value: Fraction) -> Ball:
    """A ball around an exact number."""
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def _ball(e: Any, at: dict[sp.Symbol, Any]) -> Ball:
    if e.is_Rational:
        return flint.arb(flint.fmpq(int(e.p), int(e.q)))
    if e.is_Symbol:
        if e not in at:
            raise BeyondError(f"{e} has no value")
        value = at[e]
        return to_ball(value) if isinstance(value, Fraction) else value
    if e.is_Add:
        return _fold(lambda x, y: x + y, e.args, at)
    if e.is_Mul:
        return _fold(lambda x, y: x * y, e.args, at)
    if e.is_Pow:
        return _power(e.base, e.exp, at)
    if e is sp.pi:
        return flint.arb.pi()
    if e is sp.E:
        return flint.arb(1).exp()
    if e.func in _UNARY:
        return getattr(_ball(e.args[0], at), _UNARY[e.func])()
    match e:
        case sp.log():
            inner = _ball(e.args[0], at)
            if not inner > 0:
                raise UndefinedError("a logarithm of what is not positive")
            return inner.log()
        case sp.Abs():
            return abs(_ball(e.args[0], at))
        case sp.factorial():
            return (_ball(e.args[0], at) + 1).gamma()
        case sp.binomial():
            n, k = (_ball(part, at) for part in e.args)
            return (n + 1).gamma() / ((k + 1).gamma() * (n - k + 1).gamma())
        case sp.Max() | sp.Min():
            balls = [_ball(part, at) for part in e.args]
            join = max if isinstance(e, sp.Max) else min
            total = balls[0]
            for ball in balls[1:]:
                total = total.max(ball) if join is max else total.min(ball)
            return total
        case sp.Piecewise():
            for value, when in e.args:
                if _certain(when, at):
                    return _ball(value, at)
            raise UndefinedError("no case applies")
        case sp.Sum() | sp.Product():
            return _series(e, at)
        case sp.Integral():
            return _integral(e, at)
    raise BeyondError(f"no enclosure of {e.func.__name__}")


def _fold(join: Callable[[Ball, Ball], Ball], parts: Any, at: dict[sp.Symbol, Any]) -> Ball:
    total = _ball(parts[0], at)
    for part in parts[1:]:
        total = join(total, _ball(part, at))
    return total


def _power(base: Any, exponent: Any, at: dict[sp.Symbol, Any]) -> Ball:
    if base is sp.E:
        return _ball(exponent, at).exp()
    under = _ball(base, at)
    if exponent.is_Integer:
        if exponent < 0 and under.contains(0):
            raise UndefinedError("a division by what may be zero")
        return under ** int(exponent)
    over = _ball(exponent, at)
    if exponent == sp.Rational(1, 2):
        if under < 0:
            raise UndefinedError("a root of a negative number")
        return under.sqrt()
    if over.is_integer():
        return under**over
    if under == 0 and over > 0:
        return flint.arb(0)
    if not under > 0:
        raise UndefinedError("a power of what is not positive")
    return under**over


def _certain(when: Any, at: dict[sp.Symbol, Any]) -> bool:
    """Whether a condition holds for certain; undefined where it can be either."""
    if when in (True, False, sp.true, sp.false):
        return bool(when)
    if isinstance(when, sp.And):
        return all(_certain(part, at) for part in when.args)
    if isinstance(when, sp.Or):
        return any(_certain(part, at) for part in when.args)
    if isinstance(when, sp.core.relational.Relational):
        gap = _ball(when.lhs - when.rhs, at)
        answers: dict[str, tuple[Any, Any]] = {
            ">": (gap > 0, gap <= 0), ">=": (gap >= 0, gap < 0), "<": (gap < 0, gap >= 0),
            "<=": (gap <= 0, gap > 0), "==": (gap == 0, gap != 0), "!=": (gap != 0, gap == 0),
        }  # fmt: skip
        yes, no = answers[when.rel_op]
        if yes or no:
            return bool(yes)
    raise UndefinedError("a condition that is not certain")


def _series(e: Any, at: dict[sp.Symbol, Any]) -> Ball:
    (name, low, high), *more = e.limits
    if more or high is sp.oo:
        raise BeyondError("no enclosure of an infinite sum")
    first, last = _ball(low, at), _ball(high, at)
    if not (first.is_integer() and last.is_integer()) or last - first > LONGEST_SUM:
        raise BeyondError("a sum over what is no short range of integers")
    total = flint.arb(0 if isinstance(e, sp.Sum) else 1)
    for k in range(int(first.unique_fmpz()), int(last.unique_fmpz()) + 1):
        term = _ball(e.function, {**at, name: Fraction(k)})
        total = total + term if isinstance(e, sp.Sum) else total * term
    return total


def _integral(e: Any, at: dict[sp.Symbol, Any]) -> Ball:
    """Integrals over finite intervals of elementary functions: Arb's rigorous quadrature."""
    if len(e.limits) != 1 or len(e.limits[0]) != 3:
        raise BeyondError("no enclosure of such an integral")
    name, low, high = e.limits[0]
    if low.is_infinite or high.is_infinite:
        raise BeyondError("no enclosure of an integral over an unbounded interval")
    ends = flint.acb(_ball(low, at)), flint.acb(_ball(high, at))

    def integrand(z: Any, analytic: bool) -> Any:
        return _complex(e.function, {**at, name: z}, analytic)

    found = flint.acb.integral(integrand, *ends)
    return found.real


def _complex(e: Any, at: dict[sp.Symbol, Any], analytic: bool) -> Any:
    """An integrand at a complex ball; only functions that are holomorphic wherever they are defined."""
    if e.is_Symbol:
        value = at[e]
        return flint.acb(to_ball(value)) if isinstance(value, Fraction) else value
    if not e.args or e.is_number:
        return flint.acb(_ball(e, {}))
    if e.is_Add or e.is_Mul:
        total = _complex(e.args[0], at, analytic)
        for part in e.args[1:]:
            value = _complex(part, at, analytic)
            total = total + value if e.is_Add else total * value
        return total
    if e.is_Pow and e.base is sp.E:
        return _complex(e.exp, at, analytic).exp()
    if e.is_Pow and e.exp.is_Integer:
        return _complex(e.base, at, analytic) ** int(e.exp)
    if e.is_Pow and e.exp == sp.Rational(1, 2):
        return _complex(e.base, at, analytic).sqrt(analytic)
    if e.func is sp.log:
        return _complex(e.args[0], at, analytic).log(analytic)
    if e.func in (sp.sin, sp.cos, sp.sinh, sp.cosh, sp.exp, sp.erf):
        return getattr(_complex(e.args[0], at, analytic), _UNARY[e.func])()
    raise BeyondError(f"no enclosure of an integral of {e.func.__name__}")
