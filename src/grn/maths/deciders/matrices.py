"""Matrices of any size: products as words in their letters, transposes and inverses pushed inwards.

Two expressions are equal when their words are; they differ for certain when exact rational matrices say so.
"""

from __future__ import annotations

import hashlib
import random
from fractions import Fraction
from typing import Any

import sympy as sp

from grn.maths.deciders.algebra import Algebra
from grn.maths.symbols import Symbols
from grn.maths.syntax import Call, Matrix, Name, Number, Tree, walk
from grn.maths.verdict import BeyondError, Verdict, undecided

Letter = tuple[str, bool, bool]
"""A name, whether transposed, whether inverted."""

Word = tuple[Letter, ...]
Words = dict[Word, Any]
"""A matrix as a sum of words with scalar factors; the empty word is the identity."""

MOST_WORDS = 600
SIZES = (2, 3)


def is_matrix(tree: Tree, symbols: Symbols) -> bool:
    """Whether a tree is a matrix, or a number made of matrices."""
    return any(
        isinstance(part, Matrix)
        or (isinstance(part, Name) and symbols.is_matrix(part.text))
        or (isinstance(part, Call) and part.head in ("transpose", "inverse", "det", "trace"))
        for part in walk(tree)
    )


class Expansion:
    """Expands trees of named matrices into words."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self.symbols = algebra.symbols
        said = {word[0]: set() for word in algebra.symbols.words}  # type: dict[str, set[str]]
        for word in algebra.symbols.words:
            said[word[0]] |= set(word[1:])
        self.invertible = said.get("invertible", set()) | said.get("orthogonal", set())
        self.symmetric = said.get("symmetric", set())
        self.orthogonal = said.get("orthogonal", set())

    def words(self, tree: Tree) -> Words:
        """A matrix as words.

        Raises
        ------
        BeyondError
            It has something in it that words cannot say.
        """
        match tree:
            case Name("I") if self.symbols.is_matrix("I"):
                return {(): sp.Integer(1)}
            case Name(text) if self.symbols.is_matrix(text):
                return {((text, False, False),): sp.Integer(1)}
            case Call("add", args):
                return self._sum([self.words(arg) for arg in args])
            case Call("neg", (inner,)):
                return {word: -factor for word, factor in self.words(inner).items()}
            case Call("mul", args):
                return self._product(args)
            case Call("div", (top, bottom)):
                scale = self.scalar(bottom)
                return {word: factor / scale for word, factor in self.words(top).items()}
            case Call("pow", (base, Number(n))) if n.denominator == 1 and 0 < n <= 6:
                return self._product((base,) * int(n))
            case Call("transpose", (inner,)):
                return {self._flip(word): factor for word, factor in self.words(inner).items()}
            case Call("inverse", (inner,)):
                return self._inverse(self.words(inner))
        raise BeyondError("no matrix of letters")

    def scalar(self, tree: Tree) -> Any:
        """A number in which traces and determinants are atoms of words."""
        match tree:
            case Call("trace", (inner,)):
                return sum(
                    (
                        factor * sp.Symbol(f"tr{_circle(word, self)}")
                        for word, factor in self.words(inner).items()
                    ),
                    sp.Integer(0),
                )
            case Call("det", (inner,)):
                return self._determinant(self.words(inner))
            case Call("add", args):
                return sp.Add(*(self.scalar(arg) for arg in args))
            case Call("mul", args):
                return sp.Mul(*(self.scalar(arg) for arg in args))
            case Call("neg", (inner,)):
                return -self.scalar(inner)
            case Call("div", (top, bottom)):
                return self.scalar(top) / self.scalar(bottom)
            case Call("pow", (base, exponent)):
                return self.scalar(base) ** self.algebra.convert(exponent)
        return self.algebra.convert(tree)

    def _sum(self, parts: list[Words]) -> Words:
        total: Words = {}
        for part in parts:
            for word, factor in part.items():
                total[word] = total.get(word, sp.Integer(0)) + factor
        if len(total) > MOST_WORDS:
            raise BeyondError("too many products of matrices")
        return total

    def _product(self, args: tuple[Tree, ...]) -> Words:
        total: Words = {(): sp.Integer(1)}
        scale: Any = sp.Integer(1)
        for arg in args:
            if not _is_square(arg, self.symbols):
                scale *= self.scalar(arg)
                continue
            right = self.words(arg)
            total = self._sum(
                [{self._joined(one + two): f * g} for one, f in total.items() for two, g in right.items()]
            )
        return {word: scale * factor for word, factor in total.items()}

    def _joined(self, word: Word) -> Word:
        """Cancel letters beside their inverses."""
        found: list[Letter] = []
        for letter in word:
            name, transposed, inverted = letter
            if name in self.orthogonal and inverted:
                letter = (name, not transposed, False)
            if name in self.symmetric:
                letter = (name, False, letter[2])
            before = found[-1] if found else None
            if before and self._cancel(before, letter):
                found.pop()
            else:
                found.append(letter)
        return tuple(found)

    def _cancel(self, one: Letter, two: Letter) -> bool:
        if one[0] != two[0]:
            return False
        if one[0] in self.orthogonal:
            return one[1] != two[1]
        return one[1] == two[1] and one[2] != two[2]

    def _flip(self, word: Word) -> Word:
        return self._joined(tuple((name, not t, i) for name, t, i in reversed(word)))

    def _inverse(self, words: Words) -> Words:
        if len(words) != 1:
            raise BeyondError("the inverse of a sum of matrices")
        ((word, factor),) = words.items()
        if any(name not in self.invertible for name, _, _ in word):
            raise BeyondError("the inverse of a matrix that is not said to be invertible")
        return {self._joined(tuple((name, t, not i) for name, t, i in reversed(word))): 1 / factor}

    def _determinant(self, words: Words) -> Any:
        if len(words) != 1:
            raise BeyondError("the determinant of a sum of matrices")
        ((word, factor),) = words.items()
        if factor != 1:
            raise BeyondError("the determinant of a multiple needs the size")
        total: Any = sp.Integer(1)
        for name, _, inverted in word:
            symbol = sp.Symbol(f"det {name}", nonzero=True)
            total *= 1 / symbol if inverted else symbol
        return total


def _is_square(tree: Tree, symbols: Symbols) -> bool:
    """Whether a tree is a matrix itself, and no trace or determinant of one."""
    match tree:
        case Name(text):
            return symbols.is_matrix(text)
        case Matrix():
            return True
        case Call("trace" | "det" | "norm", _):
            return False
        case Call("add" | "mul" | "neg" | "div" | "pow" | "transpose" | "inverse", args):
            return any(_is_square(arg, symbols) for arg in args)
    return False


def _circle(word: Word, expansion: Expansion) -> Word:
    """One word for all that have the same trace: its rotations, and those of its transpose."""
    flipped = expansion._flip(word)
    turned = [w[i:] + w[:i] for w in (word, flipped) for i in range(max(1, len(w)))]
    return min(turned)


def decide_matrices(left: Tree, right: Tree, algebra: Algebra) -> Verdict:
    """Decide ``left = right`` between matrices, or numbers made of them."""
    if any(isinstance(part, Matrix) for side in (left, right) for part in walk(side)):
        raise BeyondError("matrices with entries")
    expansion = Expansion(algebra)
    square = _is_square(left, algebra.symbols) or _is_square(right, algebra.symbols)
    try:
        if square:
            gap = expansion._sum([expansion.words(left), {w: -f for w, f in expansion.words(right).items()}])
            proved = all(sp.expand(factor) == 0 for factor in gap.values())
        else:
            proved = sp.simplify(expansion.scalar(left) - expansion.scalar(right)) == 0
        if proved:
            return Verdict("proved", "words of matrices")
        why = "the words of both sides differ"
    except BeyondError as error:
        why = str(error)
    return _try_numbers(left, right, algebra, why) or undecided(why)


def _try_numbers(left: Tree, right: Tree, algebra: Algebra, why: str) -> Verdict | None:
    """Exact rational matrices of two sizes; a refutation where they differ."""
    names = sorted(
        {
            part.text
            for side in (left, right)
            for part in walk(side)
            if isinstance(part, Name) and not part.text.endswith("_bold")
        }
    )
    agreed = 0
    for size in SIZES:
        told = f"{size} {' '.join(names)}"
        rng = random.Random(int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big"))
        values = {name: _draw(name, size, rng, algebra) for name in names}
        try:
            gap = evaluate(left, values, algebra) - evaluate(right, values, algebra)
        except (BeyondError, ValueError, TypeError, ZeroDivisionError, sp.ShapeError):
            return None
        differs = gap != sp.zeros(*gap.shape) if isinstance(gap, sp.MatrixBase) else gap != 0
        if differs:
            shown = ", ".join(f"{n} = {v.tolist() if hasattr(v, 'tolist') else v}" for n, v in values.items())
            return Verdict("refuted", "exact matrices", f"at {shown}")
        agreed += 1
    return Verdict("supported", f"{agreed} probes", f"equal for exact matrices of two sizes; {why}")


def _draw(name: str, size: int, rng: random.Random, algebra: Algebra) -> Any:
    if not algebra.symbols.is_matrix(name):
        return sp.Rational(rng.randint(1, 40), 7)
    if name == "I":
        return sp.eye(size)
    said = {word[0] for word in algebra.symbols.words if name in word[1:]}
    m = sp.Matrix(size, size, lambda i, j: rng.randint(-4, 4) + (11 if i == j else 0))
    if "orthogonal" in said:
        return sp.eye(size)[::-1, :] if size else m
    return m + m.T if "symmetric" in said else m


def evaluate(tree: Tree, values: dict[str, Any], algebra: Algebra) -> Any:
    """A tree's value for exact matrices."""
    match tree:
        case Number(value):
            return sp.Rational(value.numerator, value.denominator)
        case Name(text) if text in values:
            return values[text]
        case Call(head, args):
            inner = [evaluate(arg, values, algebra) for arg in args]
            return _operate(head, inner)
    raise BeyondError("no exact value")


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
        case Call(head, args) if any(isinstance(part, Matrix) for part in walk(tree)):
            if (
                head == "pow"
                and isinstance(args[1], Number)
                and args[1].value != Fraction(int(args[1].value))
            ):
                raise BeyondError("a root of a matrix")
            return _operate(head, [entries(arg, algebra) for arg in args])
    return algebra.convert(tree)
