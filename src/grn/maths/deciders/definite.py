"""Which matrices are positive definite for certain: sums, inverses and congruences of such ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grn.maths.sizes import is_identity
from grn.maths.syntax import Call, Name, Tree
from grn.maths.verdict import BeyondError

if TYPE_CHECKING:
    from grn.maths.deciders.words import Expansion

DEFINITE, SEMIDEFINITE, UNKNOWN = 2, 1, 0


def degree(tree: Tree, expansion: Expansion) -> int:
    """How definite a matrix is: :data:`DEFINITE`, :data:`SEMIDEFINITE` or :data:`UNKNOWN`; symmetric, too.

    ``A X A^T`` is semidefinite when X is, and definite when A is invertible as well (Horn and Johnson, Matrix
    Analysis, 2nd ed., observation 7.1.8).
    """
    match tree:
        case Name(text):
            if is_identity(tree, expansion.symbols) or text in expansion.definite:
                return DEFINITE
            if text in expansion.semidefinite:
                return SEMIDEFINITE
            body = expansion.definitions.get(text)
            return UNKNOWN if body is None else degree(body, expansion)
        case Call("add", args):
            found = [degree(arg, expansion) for arg in args]
            return max(found) if min(found) else UNKNOWN
        case Call("inverse", (inner,)):
            return DEFINITE if degree(inner, expansion) == DEFINITE else UNKNOWN
        case Call("transpose", (inner,)):
            return degree(inner, expansion)
        case Call("div", (top, bottom)) if _sign(bottom, expansion) == DEFINITE:
            return degree(top, expansion)
        case Call("mul", args):
            arrays = [arg for arg in args if expansion.is_array(arg)]
            numbers = [arg for arg in args if not expansion.is_array(arg)]
            if arrays:
                return min(
                    _congruence(arrays, expansion), *(_sign(arg, expansion) for arg in numbers), DEFINITE
                )
    return UNKNOWN


def _congruence(factors: list[Tree], expansion: Expansion) -> int:
    """``A X A^T``, ``A B X B^T A^T``, ``A A^T``: pairs from outside to inside."""
    strict = True
    while len(factors) > 1:
        first, *inner, last = factors
        try:
            left, right = expansion.words(first), expansion.words(last)
        except BeyondError:
            return UNKNOWN
        if left != expansion.flipped(right):
            return UNKNOWN
        letters = [name for word in left for name, _, _ in word]
        strict = strict and len(left) == 1 and all(name in expansion.invertible for name in letters)
        factors = inner
    centre = degree(factors[0], expansion) if factors else DEFINITE
    return centre if strict else min(centre, SEMIDEFINITE)


def _sign(tree: Tree, expansion: Expansion) -> int:
    """The same for a number: above 0, not below 0, or not known."""
    try:
        value = expansion.scalar(tree)
    except BeyondError:
        return UNKNOWN
    return DEFINITE if value.is_positive else SEMIDEFINITE if value.is_nonnegative else UNKNOWN
