"""Assumptions and declarations: relations that hold, and a few words."""

from __future__ import annotations

import re

from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.sizes import MisfitError, Sizes
from grn.maths.symbols import KINDS, Symbols
from grn.maths.syntax import (
    ZERO,
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
from grn.maths.verdict import BeyondError

_NAME = r"\\?[A-Za-z]+(?:_(?:\w|\{\w+\}))?"
_NAMES = rf"{_NAME}(?:(?:\s*,\s*|\s+and\s+){_NAME})*"
_DEFINITE = re.compile(
    rf"({_NAMES})\s+(?:(?:is|are)\s+)?(?:an?\s+)?(symmetric\s+(?:and\s+)?)?positive[\s-]+(semi-?)?definite(?:\s+\w+)?"
)
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
    found = _DEFINITE.fullmatch(text)
    if found:
        _take_definite(_listed(found[1]), "semidefinite" if found[3] else "definite", bool(found[2]), symbols)
        return
    found = re.fullmatch(rf"({_NAMES})\s+(?:(?:is|are)\s+)?(?:an?\s+)?(\w+)(?:\s+\w+)?", text)
    if found and found[2] in _ADJECTIVES:
        names = _listed(found[1])
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


def _listed(names: str) -> list[str]:
    return [_bare_name(name) for name in re.split(r"\s*,\s*|\s+and\s+", names)]


def _take_definite(names: list[str], word: str, symmetric: bool, symbols: Symbols) -> None:
    """Take that matrices are definite: such a matrix is symmetric here, and the document has to say so."""
    for name in names:
        if not symmetric and not any(said[0] == "symmetric" and name in said for said in symbols.words):
            raise UnparsedError(f"is {name} symmetric too?", hint="write: symmetric positive definite")
        if symbols.kind(name) not in (None, "matrix"):
            raise UnparsedError(f"{name} is no matrix")
        symbols.declare("matrix", [name])
    symbols.words += [("symmetric", *names), (word, *names)]


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
    elif relation.sign in ("Succ", "SuccEq"):
        if not isinstance(left, Name) or relation.right != ZERO:
            raise UnparsedError("such an assumption is of one matrix, compared with 0", hint=r"P \succ 0")
        _take_definite([left.text], "definite" if relation.sign == "Succ" else "semidefinite", True, symbols)
        return
    elif relation.sign in ("Define", "Eq") and isinstance(left, Name) and symbols.kind(left.text) is None:
        _declare_made(left.text, relation.right, symbols)
    elif relation.sign == "Define" and isinstance(left, Apply):
        symbols.declare("function", [left.function])
        symbols.arguments[left.function] = left.args
    for side in sides(relation):
        for name in sorted(names_in(side)):
            if symbols.kind(name) is None and not _is_constant(side):
                symbols.declare("variable", [name])
    symbols.assumed.append(relation)


def _declare_made(name: str, right: Tree, symbols: Symbols) -> None:
    """A name that is made of matrices is one itself where the sizes say so."""
    sizes = Sizes(symbols)
    if not sizes.has_matrix(right):
        return
    try:
        if sizes.of(right) != ("1", "1"):
            symbols.declare("matrix", [name])
    except MisfitError as error:
        raise UnparsedError(str(error)) from error
    except BeyondError:
        return  # not all sizes are said: the name is what it was before


def _is_constant(tree: Tree) -> bool:
    return isinstance(tree, Constant)


def _bare_name(text: str) -> str:
    return text.strip().replace("\\", "").replace("{", "").replace("}", "")
