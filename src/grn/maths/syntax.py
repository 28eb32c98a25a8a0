"""What a line of mathematics means: a typed tree. Knows nothing of LaTeX and of deciders.

Products keep their order (matrices), numbers are exact, indices of sums and processes stay indices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number, exactly as written."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Constant:
    """``pi``, ``euler``, ``imag`` or ``oo``; ``Reals`` and the like on the right of "in"."""

    name: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name: ``x``, ``sigma_1``, ``hat_beta``, ``A_bold``."""

    text: str


@dataclass(frozen=True, slots=True)
class Index:
    """A name with an index that may change: ``x[i+1]``, ``S[t]``, ``a[i,j]``."""

    base: str
    at: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """An operation or function that the dialect knows: ``add``, ``mul``, ``sin``, ``transpose`` ...

    Heads are those of :data:`HEADS`.
    """

    head: str
    args: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of the document at arguments; ``order`` counts primes."""

    function: str
    order: int
    args: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative by one or more names; each with its order."""

    body: Tree
    by: tuple[tuple[Tree, Tree], ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """An operator that binds a name: ``integral``, ``sum``, ``product``, ``limit``, ``ito``.

    ``low`` and ``high`` are None for an antiderivative; a limit has its point in ``low`` and the side from
    which it is taken (``plus``, ``minus`` or None) in ``high``. ``ito`` is an integral against a process.
    """

    kind: str
    body: Tree
    name: Tree
    low: Tree | None
    high: Tree | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Entries by rows, all of one length."""

    rows: tuple[tuple[Tree, ...], ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """Values and their conditions; the last condition may be None: otherwise."""

    branches: tuple[tuple[Tree, Statement | None], ...]


@dataclass(frozen=True, slots=True)
class Holds:
    """A statement as an argument: what a probability is of."""

    statement: Statement


Tree: TypeAlias = Number | Constant | Name | Index | Call | Apply | Derivative | Bind | Matrix | Cases | Holds


@dataclass(frozen=True, slots=True)
class Relation:
    """Two sides; ``sign`` is one of :data:`SIGNS`."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Chain:
    """``a = b <= c``: the first side, then signs and sides."""

    first: Tree
    rest: tuple[tuple[str, Tree], ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """Statements joined by ``And``, ``Implies`` or ``Iff``."""

    kind: str
    parts: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """A line without a relation."""

    tree: Tree


Statement: TypeAlias = Relation | Chain | Connected | Expression

SIGNS = ("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Approx", "Define", "In", "Sim", "Succ", "SuccEq")
"""``Succ``: the difference is symmetric positive definite; ``SuccEq``: positive semidefinite."""

HEADS = frozenset(
    (
        *("add", "mul", "neg", "div", "pow", "sqrt", "root", "factorial", "binomial", "floor", "ceiling"),
        *(
            "abs",
            "norm",
            "max",
            "min",
            "pos",
            "sign",
            "sin",
            "cos",
            "tan",
            "cot",
            "sec",
            "csc",
            "asin",
            "acos",
        ),
        *("atan", "asinh", "sinh", "cosh", "tanh", "exp", "log", "logb", "erf", "erfc", "gamma", "Phi"),
        *(
            "transpose",
            "inverse",
            "det",
            "trace",
            "E",
            "Var",
            "Cov",
            "P",
            "given",
            "Normal",
            "d",
            "O",
            "subs",
        ),
        *("Reals", "interval", "interval_open"),
    )
)
"""``pos`` is the positive part, ``Phi`` the normal distribution, ``d`` a differential, ``O`` an order."""

ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))


def number(value: int | Fraction) -> Number:
    """An integer or fraction as a tree."""
    return Number(Fraction(value))


def children(tree: Tree) -> Iterator[Tree]:
    """The parts of a tree, from left to right; conditions of cases and probabilities too."""
    for field in fields(tree):
        yield from _trees(getattr(tree, field.name))


def _trees(value: object) -> Iterator[Tree]:
    if isinstance(value, Tree):
        yield value
    elif isinstance(value, Relation | Chain | Connected | Expression):
        yield from sides(value)
    elif isinstance(value, tuple):
        for part in value:
            yield from _trees(part)


def sides(statement: Statement) -> Iterator[Tree]:
    """The sides of all relations of a statement."""
    match statement:
        case Relation(_, left, right):
            yield left
            yield right
        case Chain(first, rest):
            yield first
            yield from (tree for _, tree in rest)
        case Connected(_, parts):
            for part in parts:
                yield from sides(part)
        case Expression(tree):
            yield tree


def walk(tree: Tree) -> Iterator[Tree]:
    """A tree and all that is in it, parents first."""
    yield tree
    for child in children(tree):
        yield from walk(child)


def names_in(tree: Tree) -> set[str]:
    """Names in a tree, bases of indices and bound ones too."""
    return {
        part.text if isinstance(part, Name) else part.base
        for part in walk(tree)
        if isinstance(part, Name | Index)
    }
