"""A tree as Typst mathematics: printed from what was read, so that a film shows what was checked."""

from __future__ import annotations

import unicodedata
from fractions import Fraction

from grn.maths.reader.vocabulary import GREEK
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
    "Eq": "=", "Ne": "≠", "Lt": "<", "Le": "≤", "Gt": ">", "Ge": "≥",
    "Approx": "≈", "Define": ":=", "In": "∈", "Sim": "tilde.op",
    "Succ": "≻", "SuccEq": "⪰",
}  # fmt: skip
_ARROWS = {"And": ", quad ", "Implies": " ⟹ ", "Iff": " ⟺ "}
_CONSTANTS = {
    "pi": "π", "euler": "e", "imag": 'upright("i")', "oo": "∞", "Reals": "RR", "Naturals": "NN",
    "Integers": "ZZ", "Rationals": "QQ", "Complexes": "CC",
}  # fmt: skip
_ACCENTS = {"hat": "hat", "bar": "overline", "tilde": "tilde", "dot": "dot", "ddot": "dot.double"}
_OPERATORS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "log": "ln", "det": "det", "max": "max", "min": "min",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan",
}  # fmt: skip
"""Heads that Typst knows as operators."""
_NAMED = {
    "asinh": "arsinh", "erf": "erf", "erfc": "erfc", "sign": "sgn", "trace": "tr", "Var": "Var", "Cov": "Cov",
}  # fmt: skip
_LETTERS = {"gamma": "Γ", "Phi": "Φ", "Normal": "cal(N)", "O": "cal(O)"}
_BINDERS = {"integral": "integral", "ito": "integral", "sum": "sum", "product": "product"}
# Letters that Unicode calls otherwise than LaTeX.
_GREEK = {
    "lambda": "λ", "Lambda": "Λ", "epsilon": "ϵ", "varepsilon": "ε", "vartheta": "ϑ", "varrho": "rho.alt",
    "varsigma": "ς", "phi": "ϕ", "varphi": "φ", "ell": "ell", "hbar": "ℏ",
}  # fmt: skip


def typeset(statement: Statement) -> str:
    """A statement as Typst writes it between dollar signs."""
    match statement:
        case Expression(tree):
            return _tree(tree)
        case Relation(sign, left, right):
            return f"{_tree(left)} {_SIGNS[sign]} {_tree(right)}"
        case Chain(first, rest):
            return _tree(first) + "".join(f" {_SIGNS[sign]} {_tree(side)}" for sign, side in rest)
        case Connected(kind, parts):
            return _ARROWS[kind].join(typeset(part) for part in parts)


def _tree(tree: Tree, tight: int = 0) -> str:
    """A tree; ``tight`` is how strongly its place binds."""
    text, strength = _write(tree)
    return f"({text})" if strength < tight else text


def _write(tree: Tree) -> tuple[str, int]:
    match tree:
        case Number(value):
            return _number(value)
        case Constant(name):
            return _CONSTANTS.get(name) or _name(name), _ATOM
        case Name(text):
            return _name(text), _ATOM
        case Index(base, at):
            return f"{_name(base)}_({_list(at)})", _ATOM
        case Call(head, args):
            return _call(head, args)
        case Apply(function, order, args):
            shown = _name(function) if order < 4 else f"{_name(function)}^(({order}))"
            return f"{shown}{chr(39) * order if order < 4 else ''} ({_list(args)})", _ATOM
        case Derivative(body, by):
            return _derivative(body, by), _PRODUCT
        case Bind():
            return _bind(tree), _PRODUCT
        case Matrix(rows):
            return f"mat({'; '.join(_list(row) for row in rows)})", _ATOM
        case Cases(branches):
            return f"cases({', '.join(_branch(value, when) for value, when in branches)})", _ATOM
        case Holds(statement):
            return typeset(statement), 0


def _number(value: Fraction) -> tuple[str, int]:
    if value.denominator == 1:
        return str(value), _ATOM if value >= 0 else 0
    sign = "-" if value < 0 else ""
    return f"{sign}frac({abs(value.numerator)}, {value.denominator})", _ATOM if value >= 0 else 0


def _name(text: str) -> str:
    """A name with its accents and subscripts; a word stands upright."""
    first, _, rest = text.partition("_")
    if first in _ACCENTS and rest:
        return f"{_ACCENTS[first]}({_name(rest)})"
    if first == "Delta" and rest:
        return f"Δ {_name(rest)}"
    if rest == "bold" or rest.startswith("bold_"):
        below = rest.removeprefix("bold").removeprefix("_")
        return f"bold({_word(first)})" + (f"_({_label(below)})" if below else "")
    return _word(first) + (f"_({_label(rest)})" if rest else "")


def _label(text: str) -> str:
    return " ".join(_word(part) for part in text.split("_"))


def _word(text: str) -> str:
    if text in _GREEK:
        return _GREEK[text]
    if text in GREEK:
        case = "CAPITAL" if text[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {case} LETTER {text.upper()}")
    if text.isalnum() and (len(text) == 1 or text.isdigit()):
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Words as a string of Typst: nothing in them is markup."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _call(head: str, args: tuple[Tree, ...]) -> tuple[str, int]:
    match head, args:
        case "add", _:
            return _add(args), _SUM
        case "neg", (arg,):
            return f"-{_tree(arg, _PRODUCT)}", _SUM
        case "mul", _:
            return _product(args), _PRODUCT
        case "div", (top, bottom):
            return f"frac({_tree(top)}, {_tree(bottom)})", _ATOM
        case "pow", (base, power):
            return _power(base, power), _POWER
        case "exp", (arg,):
            return f"e^({_tree(arg)})", _POWER
        case "sqrt", (arg,):
            return f"sqrt({_tree(arg)})", _ATOM
        case "root", (arg, degree):
            return f"root({_tree(degree)}, {_tree(arg)})", _ATOM
        case "transpose", (arg,):
            return f"{_tree(arg, _ATOM)}^top", _POWER
        case "inverse", (arg,):
            return f"{_tree(arg, _ATOM)}^(-1)", _POWER
        case "pos", (arg,):
            return f"({_tree(arg)})^+", _POWER
        case "factorial", (arg,):
            return f"{_tree(arg, _ATOM)}!", _POWER
        case "d", (arg,):
            return f"upright(d) {_tree(arg, _POWER)}", _PRODUCT
        case "given", (arg,):
            return f"mid(|) {_tree(arg)}", 0
        case "subs", (body, name, value):
            return f"lr({_tree(body, _POWER)} |)_({_tree(name)} = {_tree(value)})", _ATOM
        case "logb", (base, arg):
            return f"log_({_tree(base)}) ({_tree(arg)})", _ATOM
        case "norm", (arg, which):
            return f"norm({_tree(arg)})_({_tree(which)})", _ATOM
    return _brackets(head, args), _ATOM


def _brackets(head: str, args: tuple[Tree, ...]) -> str:
    """What puts its arguments into brackets."""
    inner = _list(args)
    match head:
        case "abs" | "norm" | "floor":
            return f"{head}({inner})"
        case "ceiling":
            return f"ceil({inner})"
        case "binomial":
            return f"binom({inner})"
        case "E" | "Var" | "Cov":
            return f'op("{head}") lr([{_given(args)}])'
        case "P":
            return f"PP lr([{_given(args)}])"
        case "interval":
            return f"lr([{inner}])"
        case "interval_open":
            return f"lr(({inner}))"
        case "Reals":
            return f"RR^({' times '.join(_tree(arg, _PRODUCT) for arg in args)})" if args else "RR"
    called = _OPERATORS.get(head) or _LETTERS.get(head) or f'op("{_NAMED.get(head, head)}")'
    return f"{called} ({inner})"


def _given(args: tuple[Tree, ...]) -> str:
    """Arguments of an expectation; a condition follows its bar."""
    text = ""
    for arg in args:
        bar = isinstance(arg, Call) and arg.head == "given"
        text += (" " if bar else ", " if text else "") + _tree(arg)
    return text


def _add(args: tuple[Tree, ...]) -> str:
    text = _tree(args[0])
    for term in args[1:]:
        if isinstance(term, Call) and term.head == "neg":
            text += f" - {_tree(term.args[0], _PRODUCT)}"
        else:
            text += f" + {_tree(term, _PRODUCT)}"
    return text


def _product(args: tuple[Tree, ...]) -> str:
    """Factors side by side; a number behind another factor gets a dot before it."""
    text = ""
    for place, arg in enumerate(args):
        # What reaches to the right as far as it can is closed where more follows.
        last = place == len(args) - 1
        factor = _tree(arg, _PRODUCT if last or not isinstance(arg, Derivative | Bind) else _POWER)
        dotted = bool(text) and factor[0].isdigit()
        apart = " thin " if isinstance(arg, Call) and arg.head == "d" else " "
        text += (" dot " if dotted else apart if text else "") + factor
    return text


def _power(base: Tree, power: Tree) -> str:
    if isinstance(base, Call) and base.head in _OPERATORS and len(base.args) == 1:
        return f"{_OPERATORS[base.head]}^({_tree(power)}) ({_tree(base.args[0])})"
    # A fraction is an atom beside a factor, and not below an exponent.
    tall = isinstance(base, Call) and base.head == "div"
    tall = tall or (isinstance(base, Number) and base.value.denominator != 1)
    written = _tree(base, 5) if tall else _tree(base, _ATOM)
    return f"{written}^({_tree(power)})"


def _derivative(body: Tree, by: tuple[tuple[Tree, Tree], ...]) -> str:
    """Always with round letters: whether others are held fixed is the document's to say."""
    orders = [order for _, order in by]
    total: Fraction | None = Fraction(0)
    for order in orders:
        total = None if total is None or not isinstance(order, Number) else total + order.value
    above = " + ".join(_tree(order, _PRODUCT) for order in orders) if total is None else str(total)
    top = "∂" if above == "1" else f"∂^({above})"
    below = " ".join(
        f"∂ {_tree(name, _ATOM)}" if order == ONE else f"∂ {_tree(name, _ATOM)}^({_tree(order)})"
        for name, order in by
    )
    if isinstance(body, Name | Index | Apply):
        return f"frac({top} {_tree(body)}, {below})"
    return f"frac({top}, {below}) {_tree(body, _POWER)}"


def _bind(tree: Bind) -> str:
    name = _tree(tree.name)
    if tree.kind == "limit":
        side = {"plus": "^+", "minus": "^-"}.get(_side(tree.high), "")
        low = "" if tree.low is None else _tree(tree.low, _ATOM)
        return f"lim_({name} → {low}{side}) {_tree(tree.body, _PRODUCT)}"
    sign = _BINDERS[tree.kind]
    low = "" if tree.low is None else _tree(tree.low)
    high = "" if tree.high is None else f"^({_tree(tree.high)})"
    if tree.kind in ("sum", "product"):
        below = f"_({name} = {low})" if low else f"_({name})"
        return f"{sign}{below}{high} {_tree(tree.body, _PRODUCT)}"
    below = f"_({low})" if low else ""
    return f"{sign}{below}{high} {_tree(tree.body, _PRODUCT)} thin upright(d) {name}"


def _side(tree: Tree | None) -> str:
    return tree.name if isinstance(tree, Constant) else tree.text if isinstance(tree, Name) else ""


def _branch(value: Tree, when: Statement | None) -> str:
    condition = '"otherwise"' if when is None else f'"if" {typeset(when)}'
    return f"{_tree(value)} & quad {condition}"


def _list(trees: tuple[Tree, ...]) -> str:
    return ", ".join(_tree(tree) for tree in trees)
