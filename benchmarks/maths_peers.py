"""Other readers of LaTeX, judged by the table of :mod:`benchmarks.maths_parsing`; all give SymPy's trees.

They are judged kindly: indices may be part of a symbol's name, ``e`` may be a symbol, what SymPy evaluates by
itself is as good as what was written, and what SymPy finds equal is equal.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy as sp

from benchmarks.maths_meaning import Form, Line, add, call, from_text, mul, name, number, power

_HEADS = {
    "Abs": "abs",
    "Determinant": "det",
    "Transpose": "T",
    "Inverse": "inv",
    "Trace": "tr",
    "Max": "max",
    "Min": "min",
    "Equality": "Eq",
    "Unequality": "Ne",
    "StrictLessThan": "Lt",
    "LessThan": "Le",
    "StrictGreaterThan": "Gt",
    "GreaterThan": "Ge",
}


def read_antlr(latex: str) -> Any:
    """SymPy's reader, ANTLR's grammar."""
    from sympy.parsing.latex import parse_latex

    return parse_latex(latex, strict=True)


def read_lark(latex: str) -> Any:
    """SymPy's reader, Lark's grammar; where it finds several readings, the first one."""
    from sympy.parsing.latex import parse_latex

    found = parse_latex(latex, backend="lark")
    return found.children[0] if hasattr(found, "children") else found


def read_extended(latex: str) -> Any:
    """latex2sympy2_extended."""
    from latex2sympy2_extended import latex2sympy

    return latex2sympy(latex)


def read_verify(latex: str) -> Any:
    """math-verify: what it takes from a text with this formula."""
    from math_verify import parse

    found = parse(f"${latex}$", parsing_timeout=None)
    return next(part for part in found if not isinstance(part, str))


PEERS: dict[str, Callable[[str], Any]] = {
    "sympy (antlr)": read_antlr,
    "sympy (lark)": read_lark,
    "latex2sympy2_extended": read_extended,
    "math-verify": read_verify,
}


def judge_peer(line: Line, peer: str) -> str:
    """One of right, refused, wrong; guessed or refused rightly for lines with two readings."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            got = from_sympy(PEERS[peer](line.latex))
    except Exception:  # whatever a peer raises, it has not read the line
        got = None
    finally:
        logging.disable(logging.NOTSET)
    if line.meaning == "?":
        return "refused rightly" if got is None else "guessed"
    if got is None:
        return "refused"
    wanted = _kindly(from_text(line.meaning))
    if got == wanted or _equal(got, wanted):
        return "right"
    return "wrong"


def from_sympy(e: Any) -> Form:
    """The normal form of an expression of SymPy."""
    if isinstance(e, list | tuple | sp.Tuple):
        if isinstance(e, list) and len(e) == 1:
            return from_sympy(e[0])
        return ("tuple", *(from_sympy(part) for part in e))
    match e:
        case sp.Rational():
            return number(Fraction(int(e.p), int(e.q)))
        case sp.Float():
            return number(Fraction(str(e)).limit_denominator(10**9))
        case sp.Symbol():
            return ("const", "euler") if e.name == "e" else name(e.name)
        case sp.Add():
            return add([from_sympy(part) for part in e.args])
        case sp.Mul():
            return mul([from_sympy(part) for part in e.args])
        case sp.Pow():
            base, exponent = from_sympy(e.base), from_sympy(e.exp)
            return ("exp", exponent) if base == ("const", "euler") else power(base, exponent)
        case sp.Limit():
            side = {"+": "plus", "-": "minus"}.get(str(e.args[3]))
            return ("Limit", *(from_sympy(p) for p in e.args[:3]), *([("name", side)] if side else []))
        case sp.MatrixBase():
            return ("Matrix", ("tuple", *(("tuple", *(from_sympy(x) for x in row)) for row in e.tolist())))
    constants = {sp.pi: "pi", sp.E: "euler", sp.I: "imag", sp.oo: "oo"}
    if e in constants:
        return ("const", constants[e])
    if isinstance(e, sp.MatMul | sp.MatAdd):
        return (mul if isinstance(e, sp.MatMul) else add)([from_sympy(part) for part in e.args])
    if not isinstance(e, sp.Basic) or not e.args:
        raise ValueError(f"no form for {e!r}")
    head = _HEADS.get(e.func.__name__, e.func.__name__)
    if isinstance(e, sp.Derivative | sp.Integral | sp.Sum | sp.Product):
        limits = [p[0] if len(p) == 1 or p[1:] == (1,) else p for p in e.args[1:]]
        return (head, from_sympy(e.args[0]), *(from_sympy(p) for p in limits))
    return call(head, [from_sympy(part) for part in e.args])


def _kindly(form: Form) -> Form:
    """The table's meaning with SymPy's habits: logarithms to a base are quotients."""
    if not isinstance(form, tuple):
        return form
    parts = tuple(_kindly(part) for part in form)
    match parts[0]:
        case "logb":
            return mul([("log", parts[1]), power(("log", parts[2]), number(-1))])
        case "Sim" | "In":
            return parts
    return parts


def _equal(got: Form, wanted: Form) -> bool:
    """Whether SymPy finds two forms equal, side by side."""
    if got[:1] == wanted[:1] and got[0] in {"Eq", "Ne", "Lt", "Le", "Gt", "Ge"}:
        return all(one == two or _equal(one, two) for one, two in zip(got[1:], wanted[1:], strict=True))
    try:
        return bool(sp.simplify(_to_sympy(got) - _to_sympy(wanted)) == 0)
    except (ArithmeticError, AttributeError, KeyError, NotImplementedError, TypeError, ValueError):
        return False


def _to_sympy(form: Form) -> Any:
    head, *rest = form
    match head:
        case "num":
            return sp.Rational(rest[0].numerator, rest[0].denominator)
        case "name":
            return sp.Symbol(rest[0])
        case "index":
            return sp.Symbol(repr(form))
        case "const":
            return {"pi": sp.pi, "euler": sp.E, "imag": sp.I, "oo": sp.oo}[rest[0]]
        case "add":
            return sp.Add(*map(_to_sympy, rest))
        case "mul":
            return sp.Mul(*map(_to_sympy, rest))
        case "pow":
            return _to_sympy(rest[0]) ** _to_sympy(rest[1])
        case "tuple":
            return sp.Tuple(*map(_to_sympy, rest))
    known = {"abs": sp.Abs, "max": sp.Max, "min": sp.Min, "Integral": sp.Integral, "Sum": sp.Sum}
    kind = known.get(head) or getattr(sp, head, None) or sp.Function(head)
    return kind(*map(_to_sympy, rest))
