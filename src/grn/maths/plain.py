"""A tree printed back: one line of plain text in which every grouping shows."""

from __future__ import annotations

from fractions import Fraction

from grn.maths.syntax import (
    ONE,
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

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_SIGNS = {
    "Eq": "=", "Ne": "!=", "Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">=",
    "Approx": "~=", "Define": ":=", "In": "in", "Sim": "~", "Succ": "succ", "SuccEq": "succeq",
}  # fmt: skip
_ARROWS = {"And": ", ", "Implies": "  =>  ", "Iff": "  <=>  "}


def print_statement(statement: Statement) -> str:
    """Print a statement: ``Derivative(x**2, x) = 2*x``."""
    match statement:
        case Expression(tree):
            return print_tree(tree)
        case Relation(sign, left, right):
            return f"{print_tree(left)} {_SIGNS[sign]} {print_tree(right)}"
        case Chain(first, rest):
            return print_tree(first) + "".join(f" {_SIGNS[sign]} {print_tree(side)}" for sign, side in rest)
        case Connected(kind, parts):
            return _ARROWS[kind].join(print_statement(part) for part in parts)


def print_tree(tree: Tree, tight: int = 0) -> str:
    """Print a tree; ``tight`` is how strongly its place binds."""
    text, strength = _write(tree)
    return f"({text})" if strength < tight else text


def _write(tree: Tree) -> tuple[str, int]:
    match tree:
        case Number(value):
            return _number(value)
        case Constant(name) | Name(name):
            return name, _ATOM
        case Index(base, at):
            return f"{base}[{_list(at)}]", _ATOM
        case Call(head, args):
            return _call(head, args)
        case Apply(function, 0, args):
            return f"{function}({_list(args)})", _ATOM
        case Apply(function, order, args):
            return f"D({function}, {order}, {_list(args)})", _ATOM
        case Derivative(body, by):
            names = ", ".join(
                print_tree(n) if o == ONE else f"({print_tree(n)}, {print_tree(o)})" for n, o in by
            )
            return f"Derivative({print_tree(body)}, {names})", _ATOM
        case Bind():
            return _bind(tree), _ATOM
        case Matrix(rows):
            return f"Matrix([{', '.join(f'[{_list(row)}]' for row in rows)}])", _ATOM
        case Cases(branches):
            pairs = (
                f"({print_tree(value)}, {'otherwise' if when is None else print_statement(when)})"
                for value, when in branches
            )
            return f"Cases({', '.join(pairs)})", _ATOM
        case Holds(statement):
            return print_statement(statement), 0


def _number(value: Fraction) -> tuple[str, int]:
    if value.denominator == 1:
        return str(value), _ATOM if value >= 0 else 0
    return f"{value.numerator}/{value.denominator}", _PRODUCT if value >= 0 else 0


def _call(head: str, args: tuple[Tree, ...]) -> tuple[str, int]:
    match head:
        case "add":
            text = print_tree(args[0], 0)
            for term in args[1:]:
                if isinstance(term, Call) and term.head == "neg":
                    text += f" - {print_tree(term.args[0], _PRODUCT)}"
                else:
                    text += f" + {print_tree(term, _PRODUCT)}"
            return text, _SUM
        case "neg":
            return f"-{print_tree(args[0], _PRODUCT)}", _SUM
        case "mul":
            return "*".join(print_tree(a, _POWER if n else _PRODUCT) for n, a in enumerate(args)), _PRODUCT
        case "div":
            return f"{print_tree(args[0], _PRODUCT)}/{print_tree(args[1], _POWER)}", _PRODUCT
        case "pow":
            return f"{print_tree(args[0], _ATOM)}**{print_tree(args[1], _ATOM)}", _POWER
    return f"{head}({_list(args)})", _ATOM


def _bind(tree: Bind) -> str:
    body, name = print_tree(tree.body), print_tree(tree.name)
    low = "" if tree.low is None else print_tree(tree.low)
    high = "" if tree.high is None else print_tree(tree.high)
    if tree.kind == "limit":
        return f"Limit({body}, {name}, {low}{', ' + high if high else ''})"
    kind = {"integral": "Integral", "ito": "ItoIntegral", "sum": "Sum", "product": "Product"}[tree.kind]
    return f"{kind}({body}, {f'({name}, {low}, {high})' if low else name})"


def _list(trees: tuple[Tree, ...]) -> str:
    return ", ".join(print_tree(tree) for tree in trees)
