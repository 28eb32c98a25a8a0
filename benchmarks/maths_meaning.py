"""Meanings in one normal form: of the table's notation, of ``grn``'s trees, of SymPy's expressions.

The form is made of nested tuples. Sums and products are flat and sorted, numbers folded, and a quotient is a
product with a power of -1, so that two ways to write the same arithmetic are one; nothing else is simplified.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from grn.maths.syntax import (
    Apply,
    Bind,
    Call,
    Cases,
    Chain,
    Connected,
    Constant,
    Derivative,
    Expression,
    Holds,
    Index,
    Matrix,
    Name,
    Number,
    Relation,
    Statement,
    Tree,
)

Form = Any
TABLE = Path(__file__).with_name("maths_parsing.txt")
CONSTANTS = {"pi", "euler", "imag", "oo", "Reals", "Naturals", "Integers", "Rationals", "Complexes"}


@dataclass(frozen=True)
class Line:
    """A line of the table: ``meaning`` is ``?`` where it must be refused."""

    topic: str
    latex: str
    meaning: str
    given: tuple[str, ...]
    held_back: bool


def table() -> Iterator[Line]:
    """The lines of the table."""
    topic, count = "", 0
    for text in TABLE.read_text(encoding="utf-8").splitlines():
        if text.startswith("# "):
            topic, count = text[2:], 0
        elif " => " in text and not text.startswith("#"):
            latex, _, rest = text.partition(" => ")
            meaning, _, given = rest.partition(" :: ")
            yield Line(topic, latex, meaning, tuple(filter(None, given.split("; "))), count % 2 == 1)
            count += 1


# --- the normal form


def number(value: Fraction | int) -> Form:
    """A number."""
    return ("num", Fraction(value))


def add(terms: list[Form]) -> Form:
    """A flat, sorted sum."""
    flat = [part for t in terms for part in (t[1:] if t[0] == "add" else (t,))]
    constant = sum((t[1] for t in flat if t[0] == "num"), Fraction(0))
    rest = sorted((t for t in flat if t[0] != "num"), key=repr)
    parts = [*([number(constant)] if constant or not rest else []), *rest]
    return parts[0] if len(parts) == 1 else ("add", *parts)


def _is_matrix(form: Form) -> bool:
    """Whether a matrix is in a form: then the order of factors counts."""
    if not isinstance(form, tuple):
        return False
    return form[:1] in (("Matrix",), ("T",), ("inv",)) or any(map(_is_matrix, form))


def mul(factors: list[Form]) -> Form:
    """A flat product, sorted where its factors commute."""
    flat = [part for f in factors for part in (f[1:] if f[0] == "mul" else (f,))]
    constant = Fraction(1)
    rest = []
    for f in flat:
        if f[0] == "num":
            constant *= f[1]
        else:
            rest.append(f)
    if not constant:
        return number(0)
    if not any(map(_is_matrix, rest)):
        rest = sorted(rest, key=repr)
    if len(rest) == 1 and rest[0][0] == "add" and constant != 1:
        return add([mul([number(constant), part]) for part in rest[0][1:]])
    parts = [*([number(constant)] if constant != 1 or not rest else []), *rest]
    return parts[0] if len(parts) == 1 else ("mul", *parts)


def power(base: Form, exponent: Form) -> Form:
    """A power; of a product with an integer exponent, a product of powers."""
    whole = exponent[0] == "num" and exponent[1].denominator == 1
    if base[0] == "num" and whole and (base[1] or exponent[1] > 0):
        return number(base[1] ** int(exponent[1]))
    if exponent == number(1):
        return base
    if base[0] == "mul" and whole:
        return mul([power(f, exponent) for f in base[1:]])
    if base[0] == "pow" and whole:
        return power(base[1], mul([base[2], exponent]))
    return ("pow", base, exponent)


def divide(top: Form, bottom: Form) -> Form:
    """A quotient."""
    return mul([top, power(bottom, number(-1))])


def name(text: str) -> Form:
    """A name; ``x_{i}`` and ``x_i`` with one letter below are indices."""
    text = text.replace("\\", "").replace("{", "").replace("}", "").replace(" ", "")
    text = "lamda" if text == "lambda" else text
    if text in CONSTANTS:
        return ("const", text)
    base, _, sub = text.partition("_")
    if len(sub) == 1 and sub.isalpha() and base not in ("", "Delta", "hat", "bar", "tilde"):
        return ("index", base, ("name", sub))
    return ("name", text)


def call(head: str, args: list[Form]) -> Form:
    """A function; roots are powers."""
    if head == "sqrt":
        return power(args[0], number(Fraction(1, 2)))
    if head == "root":
        return power(args[0], divide(number(1), args[1]))
    return (head, *args)


# --- from the table's notation


def from_text(text: str) -> Form:
    """The form of a meaning."""
    return _python(ast.parse(text.strip(), mode="eval").body)


def _python(node: ast.expr) -> Form:
    match node:
        case ast.Constant(value=int() as value):
            return number(value)
        case ast.Constant(value=float() as value):
            return number(Fraction(repr(value)))
        case ast.Name(id=text):
            return name(text)
        case ast.UnaryOp(operand=inner):
            return mul([number(-1), _python(inner)])
        case ast.BinOp(left=left, op=op, right=right):
            one, two = _python(left), _python(right)
            match op:
                case ast.Add():
                    return add([one, two])
                case ast.Sub():
                    return add([one, mul([number(-1), two])])
                case ast.Mult():
                    return mul([one, two])
                case ast.Div():
                    return divide(one, two)
                case ast.Pow():
                    return power(one, two)
        case ast.Subscript(value=ast.Name(id=base), slice=ast.Tuple(elts=parts)):
            return ("index", base, *(_python(part) for part in parts))
        case ast.Subscript(value=ast.Name(id=base), slice=part):
            return ("index", base, _python(part))
        case ast.Call(func=ast.Name(id=head), args=args):
            return call(head, [_python(arg) for arg in args])
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return ("tuple", *(_python(part) for part in parts))
    raise ValueError(ast.dump(node))


# --- from grn's trees

_HEADS = {"transpose": "T", "inverse": "inv", "trace": "tr"}


def from_statement(statement: Statement) -> Form:
    """The form of what was read."""
    match statement:
        case Expression(tree):
            return from_tree(tree)
        case Relation(sign, left, right):
            return (sign, from_tree(left), from_tree(right))
        case Chain(first, rest):
            return ("Chain", from_tree(first), *(p for s, t in rest for p in (("name", s), from_tree(t))))
        case Connected(kind, parts):
            return (kind, *(from_statement(part) for part in parts))


def from_tree(tree: Tree) -> Form:
    """The form of a tree."""
    match tree:
        case Number(value):
            return number(value)
        case Constant(text):
            return ("const", text) if text in CONSTANTS else ("name", text)
        case Name(text):
            return ("name", "lamda" if text == "lambda" else text)
        case Index(base, at):
            return ("index", base, *(from_tree(part) for part in at))
        case Apply(function, 0, args):
            return (function, *(from_tree(arg) for arg in args))
        case Apply(function, order, args):
            return ("D", ("name", function), number(order), *(from_tree(arg) for arg in args))
        case Derivative(body, by):
            return _derivative(from_tree(body), [(from_tree(n), from_tree(o)) for n, o in by])
        case Bind(kind, body, bound, low, high):
            return _bind(kind, *(None if t is None else from_tree(t) for t in (body, bound, low, high)))
        case Matrix(rows):
            return ("Matrix", ("tuple", *(("tuple", *(from_tree(e) for e in row)) for row in rows)))
        case Cases(branches):
            return (
                "Cases",
                *(
                    ("tuple", from_tree(v), ("name", "otherwise") if w is None else from_statement(w))
                    for v, w in branches
                ),
            )
        case Holds(statement):
            return from_statement(statement)
        case Call(head, args):
            return _operation(head, [from_tree(arg) for arg in args])


def _operation(head: str, args: list[Form]) -> Form:
    match head:
        case "add":
            return add(args)
        case "neg":
            return mul([number(-1), args[0]])
        case "mul":
            return mul(args)
        case "div":
            return divide(*args)
        case "pow":
            return power(*args)
        case "subs":
            return ("Subs", *args)
    return call(_HEADS.get(head, head), args)


def _derivative(body: Form, by: list[tuple[Form, Form]]) -> Form:
    return ("Derivative", body, *(n if o == number(1) else ("tuple", n, o) for n, o in by))


def _bind(kind: str, body: Form, bound: Form, low: Form, high: Form) -> Form:
    if kind == "limit":
        return ("Limit", body, bound, low, *([high] if high else []))
    if kind == "ito":
        return ("ItoIntegral", body, bound, low, high)
    head = {"integral": "Integral", "sum": "Sum", "product": "Product"}[kind]
    return (head, body, bound if low is None else ("tuple", bound, low, high))
