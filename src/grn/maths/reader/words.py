"""Assumptions and declarations: relations that hold, and a few words."""

from __future__ import annotations

import re

from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.symbols import KINDS, Symbols
from grn.maths.syntax import (
    Apply,
    Call,
    Chain,
    Connected,
    Constant,
    Expression,
    Index,
    Name,
    Relation,
    Statement,
    Tree,
    names_in,
    sides,
)

_NAME = r"\\?[A-Za-z]+(?:_(?:\w|\{\w+\}))?"
_NAMES = rf"{_NAME}(?:(?:\s*,\s*|\s+and\s+){_NAME})*"
_ADJECTIVES = {
    "invertible": "invertible",
    "symmetric": "symmetric",
    "positive": "positive",
    "independent": "independent",
    "Brownian": "Brownian",
    "orthogonal": "orthogonal",
}


def declare(text: str, symbols: Symbols) -> None:
    """Take one assumption into a table: ``x > 0``, ``function f``, ``A invertible``, ``y(x)``, ``dX = ...``.

    Raises
    ------
    UnparsedError
        It is neither a relation of the dialect nor one of its words.
    """
    text = text.strip().rstrip(".")
    found = re.fullmatch(rf"({'|'.join(KINDS)})\s+({_NAME})", text)
    if found:
        symbols.declare(found[1], [_bare_name(found[2])])
        return
    found = re.fullmatch(rf"({_NAMES})\s+(?:(?:is|are)\s+)?(?:an?\s+)?(\w+)(?:\s+\w+)?", text)
    if found and found[2] in _ADJECTIVES:
        names = [_bare_name(name) for name in re.split(r"\s*,\s*|\s+and\s+", found[1])]
        if found[2] == "Brownian":
            symbols.declare("brownian", [name.partition("_")[0] for name in names])
        symbols.words.append((_ADJECTIVES[found[2]], *names))
        return
    found = re.match(rf"({_NAME})\s*\(\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*\)\s*(?:$|&?\s*:?=)", text)
    if found:
        symbols.declare("function", [_bare_name(found[1])])
        symbols.arguments[_bare_name(found[1])] = tuple(Name(_bare_name(n)) for n in found[2].split(","))
        if found.end() == len(text):
            return
    take_statement(read_line(text, symbols), symbols)


def take_statement(statement: Statement, symbols: Symbols) -> None:
    """Take a statement that holds into a table."""
    match statement:
        case Expression():
            raise UnparsedError("an assumption needs a relation", hint="x > 0, or: function f")
        case Connected("And", parts):
            for part in parts:
                take_statement(part, symbols)
        case Connected():
            raise UnparsedError("an implication is no assumption")
        case Chain(first, rest):
            left = first
            for sign, right in rest:
                take_statement(Relation(sign, left, right), symbols)
                left = right
        case Relation():
            _take_relation(statement, symbols)


def _take_relation(relation: Relation, symbols: Symbols) -> None:
    left = relation.left
    key = left.text if isinstance(left, Name) else left.base if isinstance(left, Index) else None
    if relation.sign == "In" and key is not None:
        matrix = isinstance(relation.right, Call) and relation.right.head == "Reals"
        symbols.declare("matrix" if matrix else "variable", [key])
    elif relation.sign == "Sim" and key is not None:
        symbols.declare("variable", [key])
    elif relation.sign == "Define" and isinstance(left, Apply):
        symbols.declare("function", [left.function])
        symbols.arguments[left.function] = left.args
    for side in sides(relation):
        for name in sorted(names_in(side)):
            if symbols.kind(name) is None and not _is_constant(side):
                symbols.declare("variable", [name])
    symbols.assumed.append(relation)


def _is_constant(tree: Tree) -> bool:
    return isinstance(tree, Constant)


def _bare_name(text: str) -> str:
    return text.strip().replace("\\", "").replace("{", "").replace("}", "")
