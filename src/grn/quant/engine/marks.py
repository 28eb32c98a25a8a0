"""Marks: on which bars the conditions of a strategy hold, as bits, printed.

A kernel first runs through all bars for the comparisons alone, eight bars at a time, and keeps one bit of
each. Logic between comparisons then works on words of 64 bars.  A comparison of yesterday's values is
yesterday's comparison: its bits are shifted, not computed again.
"""

from __future__ import annotations

from collections.abc import Iterable

from grn.quant.engine.statements import Printer, VectorBlock
from grn.quant.strategy.expr import ARITHMETIC, COMPARISON, Binary, Const, Expr, Key, Lag, Param, Unary, When

LONGEST_SHIFT = 63
"""Bars by which bits can be shifted with one word before the current one at hand."""


class Marks:
    """Rows of bits: comparisons, and what is made of them.

    Row k of `words` (int64) holds bar t in bit ``t % 64`` of word ``1 + t // 64``; word 0 is empty.  `marks`
    are the same bytes: bar t lies in byte ``8 + t // 8``.
    """

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._block = VectorBlock(printer, 0)
        self._rows: dict[tuple[Key, str], tuple[int, str]] = {}
        self._made: list[str] = []
        self._names: dict[tuple[int, int], str] = {}
        self._lines: list[str] = []

    def word(self, node: Expr, lag: int = 0, shift: str = "") -> str:
        """Code for 64 bars of a condition: `lag` bars ago, and `shift` (printed code) more."""
        match node:
            case Const():
                return "-1" if node.value else "0"
            case Lag(n=int(n)):
                return self.word(node.operand, lag + n, shift)
            case Lag(n=Param() as n):
                return self.word(node.operand, lag, f"{shift} - int({self._printer.param(n)})")
            case Binary(op="and" | "or" | "xor"):
                a, b = self.word(node.left, lag, shift), self.word(node.right, lag, shift)
                return f"({a} {'&|^'[('and', 'or', 'xor').index(node.op)]} {b})"
            case Unary(op="not"):
                return f"~{self.word(node.operand, lag, shift)}"
            case When():
                test, yes, no = (self.word(c, lag, shift) for c in node.children)
                return f"(({test} & {yes}) | (~{test} & {no}))"
        if not shift and fails_before_data(node):
            common = min(least_lag(node), LONGEST_SHIFT - lag)
            if common >= 0:
                return self._shifted(take_lag(node, common), lag + common)
        return self._loaded(self._row(node, f"{f' - {lag}' if lag else ''}{shift}"), 0)

    def row(self, code: str) -> str:
        """The row that keeps what `code` makes of words: printed as a name that `lines` defines."""
        if code not in self._made:
            self._made.append(code)
        return f"row{self._made.index(code)}"

    def _row(self, node: Expr, shift: str) -> int:
        if (node.key, shift) not in self._rows:
            self._rows[node.key, shift] = len(self._rows), self._block.value(node, shift)
        return self._rows[node.key, shift][0]

    def _shifted(self, node: Expr, lag: int) -> str:
        return self._loaded(self._row(node, ""), lag)

    def _loaded(self, row: int, lag: int) -> str:
        if (row, lag) not in self._names:
            name = self._names[row, lag] = f"w{row}" + (f"_{lag}" if lag else "")
            code = f"words[{row}, w]"
            if lag:
                # From the word before come its upper bits; the shift to the right copies the sign.
                code = f"({code} << {lag}) | ((words[{row}, w - 1] >> {64 - lag}) & {2**lag - 1})"
            self._lines.append(f"{name} = {code}")
        return self._names[row, lag]

    @property
    def rows(self) -> int:
        """Rows of `words` that the kernel needs."""
        return len(self._rows) + len(self._made)

    @property
    def names(self) -> list[str]:
        """Code that gives the made rows their numbers."""
        return [f"row{k} = {len(self._rows) + k}" for k in range(len(self._made))]

    def lines(self, pad: int) -> list[str]:
        """Code that fills all rows for one combination."""
        compare = [
            f"i = 8 * k + {pad}",
            *self._block.lines,
            *(f"marks[{row}, 8 + k] = bits({name})" for row, name in self._rows.values()),
        ]
        join = [
            *self._lines,
            *(f"words[row{k}, w] = {code}" for k, code in enumerate(self._made)),
        ]
        return [
            *(["for k in range((n + 7) >> 3):", *_in(compare)] if self._rows else []),
            "for w in range(1, ((n + 63) >> 6) + 1):",
            *_in(join),
        ]


def _in(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def fails_before_data(node: Expr) -> bool:
    """Whether a condition is certainly false while a series that it reads is missing.

    So it is on the bars before the first one, where bits shifted in from nowhere are 0.
    """
    if node.series:
        return True
    if isinstance(node, Binary) and node.op in COMPARISON:
        return is_missing_before_data(node.left) or is_missing_before_data(node.right)
    return isinstance(node, Unary) and node.op == "truth" and is_missing_before_data(node.operand)


def is_missing_before_data(node: Expr) -> bool:
    """Whether a number is certainly missing on the bars before the first one."""
    if node.series:
        return node.kind == "float"
    match node:
        case Binary() if node.op in ARITHMETIC:
            return is_missing_before_data(node.left) or is_missing_before_data(node.right)
        case Unary(op="neg" | "abs" | "sqrt"):
            return is_missing_before_data(node.operand)
        case Lag():
            return is_missing_before_data(node.operand)
    return False


def least_lag(node: Expr) -> int:
    """Bars by which everything that a node reads lies back at least; a large number if it reads nothing."""
    if node.series:
        return 0
    if isinstance(node, Lag):
        return 0 if isinstance(node.n, Param) else node.n + least_lag(node.operand)
    return min((least_lag(c) for c in node.children), default=2**31)


def take_lag(node: Expr, n: int) -> Expr:
    """The node whose value `n` bars ago this one is; `n` is at most its `least_lag`."""
    if n == 0:
        return node
    match node:
        case Lag(n=int(own)):
            below = take_lag(node.operand, max(0, n - own))
            return below if own <= n else Lag(below, own - n)
        case Binary():
            return Binary(node.op, take_lag(node.left, n), take_lag(node.right, n))
        case Unary():
            return Unary(node.op, take_lag(node.operand, n))
        case When():
            return When(*(take_lag(c, n) for c in node.children))
    return node
