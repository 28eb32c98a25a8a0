"""Matrices as expressions of NumPy, and of mpmath, which they are held against.

Columns and rows are arrays of one dimension. An inverse beside a factor is solved for and not worked out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property

from grn.maths.deciders.algebra import Algebra
from grn.maths.deciders.words import Expansion
from grn.maths.implement.emit import Emitter, Limits, Refer, called
from grn.maths.implement.results import Derivation, identifier
from grn.maths.plain import print_tree
from grn.maths.sizes import NUMBER, Size, is_identity
from grn.maths.syntax import Call, Matrix, Name, Number, Tree
from grn.maths.verdict import BeyondError

Factor = tuple[Tree, Size]


@dataclass(frozen=True)
class Arrays:
    """Writes what has matrices in it.

    Attributes
    ----------
    arguments
        Keys of the names at hand: sizes are taken from them.
    exact
        For mpmath; otherwise for NumPy.
    """

    derivation: Derivation
    arguments: tuple[str, ...]
    exact: bool

    def write(self, tree: Tree, emitter: Emitter) -> ast.expr | None:
        """The expression of a tree; None where it is arithmetic of numbers, or a sum of arrays.

        Raises
        ------
        BeyondError
            A size is not said, or an operation has no counterpart.
        """
        sizes = self.derivation.sizes
        if isinstance(tree, Name) and not is_identity(tree, sizes.symbols):
            told = any(tree.text in size for size in sizes.known.values())
            return self._length(tree.text) if told else None
        if not sizes.has_matrix(tree):
            return None
        size = sizes.of(tree)
        match tree:
            case Name():
                return called("mp.eye" if self.exact else "np.eye", self._length(size[0]))
            case Matrix(rows):
                return self._entries(rows, emitter)
            case Call("log", (Call("det", (inner,)),)) if not self.exact:
                # The determinant of a large matrix is beyond float64 long before its logarithm is.
                found = called("np.linalg.slogdet", emitter.expression(inner))
                return ast.Subscript(found, ast.Constant(1))
            case Call("det", (inner,)):
                return called("mp.det" if self.exact else "np.linalg.det", emitter.expression(inner))
            case Call("transpose", (inner,)):
                written = emitter.expression(inner)
                return written if self._is_flat(size) else ast.Attribute(written, "T")
            case Call("inverse", (inner,)):
                return called("mp.inverse" if self.exact else "np.linalg.inv", emitter.expression(inner))
            case Call("pow", (base, Number(n))) if size != NUMBER and n.denominator == 1 and n > 0:
                if self.exact:
                    return ast.BinOp(emitter.expression(base), ast.Pow(), ast.Constant(int(n)))
                return called("np.linalg.matrix_power", emitter.expression(base), ast.Constant(int(n)))
            case Call("mul", args):
                factors = [(arg, sizes.of(arg)) for arg in args]
                return None if all(size == NUMBER for _, size in factors) else self._scaled(factors, emitter)
            case Call("add" | "neg" | "div" | "log" | "exp" | "sqrt", _):
                return None
            case Call("pow", _) if size == NUMBER:
                return None
        raise BeyondError(f"no code for {print_tree(tree)}")

    def _is_flat(self, size: Size) -> bool:
        """Whether something of this size is an array of one dimension: for mpmath nothing is."""
        return not self.exact and "1" in size

    def _length(self, text: str) -> ast.expr:
        """How long a size is, taken from an argument."""
        if text.isdigit():
            return ast.Constant(int(text))
        sizes = self.derivation.sizes.known
        for axis in (0, 1):
            for key in self.arguments:
                if sizes.get(key, NUMBER)[axis] != text:
                    continue
                name = ast.Name(identifier(key))
                if self.exact:
                    return ast.Attribute(name, ("rows", "cols")[axis])
                if not axis:
                    return called("len", name)
                return ast.Subscript(ast.Attribute(name, "shape"), ast.Constant(1))
        raise BeyondError(f"no argument from which {text} could be told")

    def _entries(self, rows: tuple[tuple[Tree, ...], ...], emitter: Emitter) -> ast.expr:
        cells = [[emitter.expression(cell) for cell in row] for row in rows]
        if self.exact:
            cells = [[called("mp.mpf", cell) for cell in row] for row in cells]
            return called("mp.matrix", ast.List([ast.List(row) for row in cells]))
        if 1 in (len(cells), len(cells[0])):
            return called("np.array", ast.List([cell for row in cells for cell in row]))
        return called("np.array", ast.List([ast.List(row) for row in cells]))

    def _scaled(self, factors: list[Factor], emitter: Emitter) -> ast.expr:
        """Numbers first, then what is made of matrices."""
        numbers = [emitter.expression(tree) for tree, size in factors if size == NUMBER]
        rest = [factor for factor in factors if factor[1] != NUMBER]
        total: ast.expr | None = None
        for written in (*numbers, *self._chains(rest, emitter)):
            total = written if total is None else ast.BinOp(total, ast.Mult(), written)
        assert total is not None
        return total

    def _chains(self, factors: list[Factor], emitter: Emitter) -> list[ast.expr]:
        """Products of matrices; one that comes down to a number ends there, and the next begins."""
        found: list[ast.expr] = []
        while factors:
            rows, end = factors[0][1][0], len(factors)
            if rows == "1":
                end = next((n for n, (_, size) in enumerate(factors, 1) if size[1] == "1"), end)
            whole = rows == "1" and factors[end - 1][1][1] == "1"
            written = self._chain(factors[:end], emitter)
            if whole and self.exact:
                written = ast.Subscript(written, ast.Tuple([ast.Constant(0), ast.Constant(0)]))
            found.append(written)
            factors = factors[end:]
        return found

    def _chain(self, factors: list[Factor], emitter: Emitter) -> ast.expr:
        first, size = factors[0]
        if len(factors) > 1 and isinstance(first, Call) and first.head == "inverse" and not self.exact:
            solved = emitter.expression(first.args[0])
            return called("np.linalg.solve", solved, self._chain(factors[1:], emitter))
        total = emitter.expression(first)
        for tree, right in factors[1:]:
            if isinstance(tree, Call) and tree.head == "inverse" and not self.exact:
                total = self._solved_from_the_right(total, size, tree.args[0], emitter)
            elif not self.exact and size[1] == "1" and right[0] == "1":
                total = called("np.outer", total, emitter.expression(tree))
            else:
                sign = ast.Mult() if self.exact else ast.MatMult()
                total = ast.BinOp(total, sign, emitter.expression(tree))
            size = (size[0], right[1])
        return total

    def _solved_from_the_right(self, total: ast.expr, size: Size, tree: Tree, emitter: Emitter) -> ast.expr:
        """``X A^-1`` as ``(A^-T X^T)^T``."""
        matrix = emitter.expression(tree)
        if not self._is_symmetric(tree):
            matrix = ast.Attribute(matrix, "T")
        if self._is_flat(size):
            return called("np.linalg.solve", matrix, total)
        return ast.Attribute(called("np.linalg.solve", matrix, ast.Attribute(total, "T")), "T")

    def _is_symmetric(self, tree: Tree) -> bool:
        try:
            words = self._expansion.words(tree)
            return words == self._expansion.flipped(words)
        except BeyondError:
            return False

    @cached_property
    def _expansion(self) -> Expansion:
        return Expansion(Algebra(self.derivation.symbols.copy()))


def emitter_for(
    derivation: Derivation,
    arguments: tuple[str, ...],
    exact: bool,
    refer: Refer,
    limits: Limits | None = None,
) -> Emitter:
    """What writes trees of a derivation where these arguments are at hand."""
    arrays = Arrays(derivation, arguments, exact) if derivation.sizes.known else None
    return Emitter(exact, refer, limits, arrays, frozenset(derivation.callables))
