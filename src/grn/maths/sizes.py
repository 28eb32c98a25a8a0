r"""Sizes of matrices as a document says them: ``H \in \mathbb{R}^{m \times n}`` and what follows from it.

Sizes are texts, ``n`` or ``3``; two are equal when they are the same text. What is not said is not known.
"""

from __future__ import annotations

from typing import TypeAlias

from grn.maths.plain import print_tree
from grn.maths.symbols import Symbols
from grn.maths.syntax import Call, Matrix, Name, Relation, Tree, walk
from grn.maths.verdict import BeyondError

Size: TypeAlias = tuple[str, str]
"""Rows and columns."""

NUMBER: Size = ("1", "1")
_OF_MATRICES = ("transpose", "inverse", "det", "trace", "norm")


class MisfitError(BeyondError):
    """Matrices whose sizes do not fit."""


class Sizes:
    """Sizes of the names of a document, and of what is made of them.

    Attributes
    ----------
    known
        Sizes by name: what is declared in a space of matrices, and what is defined as a matrix.
    """

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.known: dict[str, Size] = {}
        for relation in symbols.assumed:
            self._take(relation)

    def _take(self, relation: Relation) -> None:
        if not isinstance(relation.left, Name) or relation.left.text in self.known:
            return
        key, right = relation.left.text, relation.right
        if relation.sign == "In" and isinstance(right, Call) and right.head == "Reals":
            shape = [print_tree(part) for part in right.args]
            self.known[key] = (shape[0], shape[1] if len(shape) > 1 else "1")
        elif relation.sign in ("Define", "Eq") and self.symbols.is_matrix(key) and self.has_matrix(right):
            try:
                self.known[key] = self.of(right)
            except BeyondError:
                return

    def has_matrix(self, tree: Tree) -> bool:
        """Whether a matrix stands anywhere in a tree."""
        return any(
            isinstance(part, Matrix)
            or (isinstance(part, Name) and self.symbols.is_matrix(part.text))
            or (isinstance(part, Call) and part.head in _OF_MATRICES)
            for part in walk(tree)
        )

    def of(self, tree: Tree) -> Size:
        """The size of a tree; a number is 1 by 1.

        Raises
        ------
        MisfitError
            Two sizes that do not fit.
        BeyondError
            A size is not said.
        """
        match tree:
            case Name(text) if text in self.known:
                return self.known[text]
            case Name(text) if self.symbols.is_matrix(text):
                raise BeyondError(f"the size of {text} is not said")
            case Matrix(rows):
                return str(len(rows)), str(len(rows[0]))
            case Call(head, args):
                return self._call(head, [self.of(arg) for arg in args], tree)
        if self.has_matrix(tree):
            raise BeyondError("no size of such an operation on matrices")
        return NUMBER

    def _call(self, head: str, sizes: list[Size], tree: Tree) -> Size:
        first = sizes[0]
        match head:
            case "add":
                if any(size != first for size in sizes):
                    raise _misfit(tree, sizes)
                return first
            case "neg":
                return first
            case "mul":
                return _product(sizes, tree)
            case "div" if sizes[1] == NUMBER:
                return first
            case "pow" if sizes[1] == NUMBER and first[0] == first[1]:
                return first
            case "transpose":
                return first[1], first[0]
            case "inverse" if first[0] == first[1]:
                return first
            case "det" | "trace" if first[0] == first[1]:
                return NUMBER
            case "norm":
                return NUMBER
        if all(size == NUMBER for size in sizes):
            return NUMBER
        raise _misfit(tree, sizes)


def _product(sizes: list[Size], tree: Tree) -> Size:
    total = NUMBER
    for size in sizes:
        if NUMBER in (total, size):
            total = size if total == NUMBER else total
        elif total[1] == size[0]:
            total = total[0], size[1]
        else:
            raise _misfit(tree, sizes)
    return total


def _misfit(tree: Tree, sizes: list[Size]) -> MisfitError:
    shown = ", ".join(f"{rows} x {columns}" for rows, columns in sizes)
    return MisfitError(f"sizes that do not fit in {print_tree(tree)}: {shown}")


def is_identity(tree: Tree, symbols: Symbols) -> bool:
    """Whether a tree is the identity: ``I``, once it was declared a matrix."""
    return isinstance(tree, Name) and tree.text == "I" and symbols.is_matrix("I")
