"""Types: what the variables of a function hold, inferred before it is printed.

The functions that are translated use a small part of Python: whole numbers, float64, truth values, and rows
of numbers.  A variable keeps one type; where a whole number and a float64 meet it is a float64, as under
Numba.
"""

from __future__ import annotations

import ast
from enum import Enum

from grn.kit.errors import UnsupportedError


class Type(Enum):
    """A type of the translated code; its value is how C++ spells it."""

    REAL = "real"
    INT = "i64"
    BOOL = "bool"
    NOTHING = "void"
    ROW = "real*"
    CONST_ROW = "const real*"
    LOG = "Log"
    SERIES = "Series"
    COLUMN = "Column"
    TABLE = "Table"
    MARKET = "Market"
    NUMBERS = "Numbers"
    PLACES = "Places"
    RESULTS = "Results"


NUMBERS = (Type.BOOL, Type.INT, Type.REAL)
"""Numeric types, each of which is part of the next."""

ELEMENT = {
    Type.ROW: Type.REAL, Type.CONST_ROW: Type.REAL, Type.LOG: Type.ROW, Type.SERIES: Type.REAL,
    Type.COLUMN: Type.REAL, Type.TABLE: Type.SERIES, Type.MARKET: Type.COLUMN,
}  # fmt: skip
"""What one index takes out of a value."""

CELL = {Type.NUMBERS: Type.REAL, Type.PLACES: Type.INT, Type.RESULTS: Type.REAL}
"""What two indices take out of a value."""

_ANNOTATIONS = {
    "float": Type.REAL, "int": Type.INT, "bool": Type.BOOL, "None": Type.NOTHING,
    "MutableSequence[float]": Type.ROW, "Sequence[float]": Type.CONST_ROW,
    "Sequence[MutableSequence[float]]": Type.LOG,
}  # fmt: skip


class UnknownTypeError(Exception):
    """A variable was read of which nothing is known yet; a later round may know it."""


def refuse(what: str, node: ast.AST | None = None) -> UnsupportedError:
    """The error for code that cannot be translated, with the code."""
    seen = None if node is None else ast.unparse(node)
    return UnsupportedError(
        f"engine 'cuda' refuses: {what}", seen=seen, hint='use engine="auto", "cpu" or "reference"'
    )


def read_annotation(node: ast.expr | None) -> Type:
    """The type that an annotation names."""
    text = "no annotation" if node is None else ast.unparse(node)
    if text not in _ANNOTATIONS:
        raise refuse(f"a parameter or result of type {text}")
    return _ANNOTATIONS[text]


def join(one: Type, other: Type, node: ast.AST) -> Type:
    """The type of a variable that holds now one, now the other."""
    if one is other:
        return one
    if one in NUMBERS and other in NUMBERS:
        # A truth value that meets a number is counted as one by Python and by Numba alike.
        return NUMBERS[max(NUMBERS.index(one), NUMBERS.index(other))]
    raise refuse(f"a variable that holds both {one.value} and {other.value}", node)


def can_pass(given: Type, wanted: Type) -> bool:
    """Whether an argument of one type fits a parameter of another."""
    if given in NUMBERS and wanted in NUMBERS:
        return NUMBERS.index(given) <= NUMBERS.index(wanted)
    return given is wanted or (given is Type.ROW and wanted is Type.CONST_ROW)
