"""Matrices of any size: equal when their words are, different for certain when exact matrices say so."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.definite import DEFINITE, SEMIDEFINITE, degree
from grn.maths.deciders.words import Expansion, definitions
from grn.maths.sizes import MisfitError, Sizes, is_identity
from grn.maths.symbols import Symbols
from grn.maths.syntax import ZERO, Call, Matrix, Name, Number, Tree, names_in, walk
from grn.maths.verdict import BeyondError, Verdict, undecided

PROBED = ((2, 3, 11), (3, 2, 11), (2, 3, 0))
"""Of three probes: the first size that a document names, the second (the third is the first again), and how
much is added to diagonals. Large diagonals have inverses; without them less holds by chance."""


def is_matrix(tree: Tree, symbols: Symbols) -> bool:
    """Whether a tree is a matrix, or a number made of matrices; what names are defined as counts."""
    sizes = Sizes(symbols)
    made = {
        relation.left.text
        for relation in symbols.assumed
        if relation.sign in ("Eq", "Define")
        and isinstance(relation.left, Name)
        and sizes.has_matrix(relation.right)
    }
    return sizes.has_matrix(tree) or bool(made & names_in(tree))


def decide_matrices(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """Decide ``left = right`` between matrices, or numbers made of them."""
    if any(_has_entries(side, algebra) for side in (left, right)):
        raise BeyondError("matrices with entries")
    expansion = Expansion(algebra)
    why = _misfit(left, right, expansion.sizes)
    if why:
        return undecided(why)
    try:
        if expansion.is_array(left) or expansion.is_array(right):
            expansion.words(left), expansion.words(right)
            expansion.settle()
            proved = expansion.words(Call("add", (left, Call("neg", (right,))))) == {}
        else:
            expansion.scalar(left), expansion.scalar(right)
            expansion.settle()
            proved = sp.simplify(expansion.scalar(left) - expansion.scalar(right)) == 0
        if proved or _is_inverse(left, right, algebra) or _is_inverse(right, left, algebra):
            return Verdict("proved", "words of matrices")
        why = "the words of both sides differ"
    except BeyondError as error:
        why = str(error)
    return _try_numbers(left, right, algebra, why) or undecided(why)


def _is_inverse(one: Tree, two: Tree, algebra: Algebra) -> bool:
    """Whether a side is an inverse of something that, times the other side, is the identity."""
    expansion = Expansion(algebra)  # of its own: here the sum must not be a letter
    match one:
        case Call("inverse", (inner,)) if expansion.is_array(inner):
            expansion.words(Call("mul", (inner, two)))
            expansion.settle()
            return expansion.words(Call("mul", (inner, two))) == {(): 1}
    return False


def decide_definite(sign: str, left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """Decide that a matrix is positive definite (``Succ``) or semidefinite (``SuccEq``)."""
    if right != ZERO:
        raise BeyondError("only compared with 0: write the difference on the left")
    expansion = Expansion(algebra)
    why = _misfit(left, left, expansion.sizes)
    if why:
        return undecided(why)
    if degree(left, expansion) >= (DEFINITE if sign == "Succ" else SEMIDEFINITE):
        return Verdict("proved", "sums, inverses and congruences of definite matrices")

    def broken(value: Any) -> bool:
        holds = value.is_positive_definite if sign == "Succ" else value.is_positive_semidefinite
        return value != value.T or not holds

    refutation, agreed = _probe(left, algebra, broken)
    if refutation is not None:
        return refutation
    if agreed:
        return Verdict("supported", f"{agreed} probes", "it holds for exact matrices")
    return undecided("no decider knows what is in it")


def _has_entries(tree: Tree, algebra: Algebra, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a matrix is written out in a tree, or in what its names are defined as."""
    known = {**algebra.definitions, **definitions(algebra)}
    for part in walk(tree):
        if isinstance(part, Matrix):
            return True
        body = known.get(part.text) if isinstance(part, Name) and part.text not in seen else None
        if body is not None and _has_entries(body, algebra, seen | names_in(part)):
            return True
    return False


def _misfit(left: Tree, right: Tree, sizes: Sizes) -> str:
    """Why two sides cannot be of one size; empty where they are, or where no sizes are said."""
    try:
        one, two = sizes.of(left), sizes.of(right)
    except MisfitError as error:
        return str(error)
    except BeyondError:
        return ""
    return "" if one == two or ZERO in (left, right) else f"{' x '.join(one)} is not {' x '.join(two)}"


def _try_numbers(left: Tree, right: Tree, algebra: Algebra, why: str) -> Verdict | None:
    """Exact rational matrices of two sizes; a refutation where they differ."""

    def broken(gap: Any) -> bool:
        return bool(gap != sp.zeros(*gap.shape)) if isinstance(gap, sp.MatrixBase) else bool(gap != 0)

    gap = left if right == ZERO else Call("add", (left, Call("neg", (right,))))
    refutation, agreed = _probe(gap, algebra, broken)
    if refutation is not None or not agreed:
        return refutation
    return Verdict("supported", f"{agreed} probes", f"equal for exact matrices; {why}")


def _probe(tree: Tree, algebra: Algebra, broken: Callable[[Any], bool]) -> tuple[Verdict | None, int]:
    """Values for exact matrices: a refutation, or how many agree; None and 0 where there are none."""
    known = definitions(algebra)
    sizes = Sizes(algebra.symbols)
    names = sorted(n for n in _leaves(tree, algebra, known) if not n.endswith("_bold"))
    texts = list(dict.fromkeys(t for size in sizes.known.values() for t in size if not t.isdigit()))
    agreed = 0
    for first, second, diagonal in PROBED:
        measured = {text: (first, second)[place % 2] for place, text in enumerate(texts)}
        told = f"{first} {' '.join(names)}"
        rng = random.Random(int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big"))
        values: dict[str, Any] = {}
        for name in names:
            rows, columns = sizes.known.get(name, ("", ""))
            shape = (_count(rows, measured, first), _count(columns, measured, first))
            drawn = _draw(name, shape, rng, algebra, diagonal)
            values[name] = sp.Integer(measured[name]) if name in measured else drawn
        try:
            value = evaluate(tree, values, algebra, known)
            is_broken = broken(value)
        except (BeyondError, ValueError, TypeError, ZeroDivisionError, AttributeError, sp.ShapeError):
            if not diagonal:
                continue
            return None, 0
        if is_broken:
            leaves = ((name, values[name]) for name in names)
            shown = ", ".join(f"{n} = {v.tolist() if hasattr(v, 'tolist') else v}" for n, v in leaves)
            return Verdict("refuted", "exact matrices", f"at {shown}"), agreed
        agreed += 1
    return None, agreed


def _leaves(tree: Tree, algebra: Algebra, known: dict[str, Tree]) -> set[str]:
    """Names that a tree depends on, definitions filled in."""
    found: set[str] = set()
    todo = [tree]
    while todo:
        for part in walk(todo.pop()):
            if isinstance(part, Name) and part.text not in found:
                found.add(part.text)
                body = known.get(part.text, algebra.definitions.get(part.text))
                if body is not None:
                    todo.append(body)
    return {name for name in found if name not in known and name not in algebra.definitions}


def _count(text: str, measured: dict[str, int], otherwise: int) -> int:
    return int(text) if text.isdigit() else measured.get(text, otherwise)


def _draw(name: str, shape: tuple[int, int], rng: random.Random, algebra: Algebra, diagonal: int) -> Any:
    if not algebra.symbols.is_matrix(name):
        return sp.Rational(rng.randint(1, 40), 7)
    rows, columns = shape
    if name == "I":
        return sp.eye(rows)
    said = {word[0] for word in algebra.symbols.words if name in word[1:]}
    if "invertible" in said:
        diagonal = 11
    square = rows == columns
    m = sp.Matrix(rows, columns, lambda i, j: rng.randint(-4, 4) + (diagonal if i == j and square else 0))
    if "definite" in said:
        return m * m.T + sp.eye(rows)
    if "semidefinite" in said:
        return m[:, :1] * m[:, :1].T
    if "orthogonal" in said:
        return sp.eye(rows)[::-1, :]
    return m + m.T if "symmetric" in said else m


def evaluate(tree: Tree, values: dict[str, Any], algebra: Algebra, known: dict[str, Tree]) -> Any:
    """A tree's value for exact matrices; a matrix of one entry is that number."""
    match tree:
        case Number(value):
            return sp.Rational(value.numerator, value.denominator)
        case Name(text) if text in values:
            return values[text]
        case Name(text) if text in known or text in algebra.definitions:
            body = known.get(text, algebra.definitions.get(text))
            assert body is not None
            values[text] = evaluate(body, values, algebra, known)
            return values[text]
        case Name() if is_identity(tree, algebra.symbols):
            raise BeyondError("an identity of no size")
        case Call(head, args):
            return _entry(_operate(head, [evaluate(arg, values, algebra, known) for arg in args]))
    raise BeyondError("no exact value")


def _entry(value: Any) -> Any:
    return value[0, 0] if isinstance(value, sp.MatrixBase) and value.shape == (1, 1) else value


def _operate(head: str, args: list[Any]) -> Any:
    total = args[0]
    match head:
        case "add" | "mul":
            for part in args[1:]:
                total = total + part if head == "add" else total * part
            return total
        case "neg":
            return -total
        case "div":
            return total / args[1]
        case "pow":
            return total ** args[1]
        case "transpose":
            return total.T if isinstance(total, sp.MatrixBase) else total
        case "inverse":
            return total.inv() if isinstance(total, sp.MatrixBase) else 1 / total
        case "det":
            return total.det()
        case "trace":
            return total.trace()
    raise BeyondError(f"no exact value of {head}")


def entries(tree: Tree, algebra: Algebra) -> Any:
    """A matrix with entries (or a number made of such) as SymPy's.

    Raises
    ------
    BeyondError
        A letter stands for a matrix in it.
    """
    match tree:
        case Matrix(rows):
            return sp.Matrix([[algebra.convert(entry) for entry in row] for row in rows])
        case Name(text) if _has_entries(tree, algebra):
            body = definitions(algebra).get(text)
            return entries(algebra.definitions[text] if body is None else body, algebra)
        case Call(head, args) if _has_entries(tree, algebra):
            if (
                head == "pow"
                and isinstance(args[1], Number)
                and args[1].value != Fraction(int(args[1].value))
            ):
                raise BeyondError("a root of a matrix")
            return _entry(_operate(head, [entries(arg, algebra) for arg in args]))
    return algebra.convert(tree)
