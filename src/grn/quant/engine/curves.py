"""Equity curves of many settings of a strategy, where a whole path of each would be too much.

The walk is the one that draws a path (`walk`, compiled once for all strategies): the bits are a path's.  What
is saved lies around it: the log of orders and a first walk that counts them, series that combinations share,
and conditions of which no parameter changed from one to the next.  The thread that asks evaluates conditions;
others walk meanwhile, without the interpreter's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.engine.choose import refusals
from grn.quant.engine.forms import Form, fill_form
from grn.quant.engine.grid import Grid
from grn.quant.engine.market import build_market
from grn.quant.engine.plan import chunks
from grn.quant.engine.series import Binding, Evaluator, lag_depth
from grn.quant.engine.terms import write_terms
from grn.quant.schema import Bars
from grn.quant.strategy.expr import Column, Expr, Key
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.tree import find_params, nodes

Array = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Visit = Callable[[int, Array], None]
"""Takes the number of a first combination, and the equity of it and those that follow: float64 [n, T]."""
Decisions = tuple[tuple[Truths, ...], Array]
"""Four conditions, bool [T] each, and the numbers of entries, float64 [places, T]."""

BLOCK = 2**17
"""Bars of all combinations of a block at most (one combination at least): 1 MiB, which a cache holds."""
LINE = 8
"""Numbers in a line of the cache: who writes curves into columns writes whole lines."""
REMEMBERED = 0.5
"""Series that are kept, in parts of the number of curves ..."""
FEWEST = 64
"""... and at least so many."""


def returns_of(equity: Array, initial: float) -> Array:
    """Return of each bar, the first against the initial cash; zero after a ruin: float64 [..., T]."""
    before = np.empty_like(equity)
    before[..., :1] = initial
    before[..., 1:] = equity[..., :-1]
    alive = before > 0.0
    with np.errstate(all="ignore"):
        if alive.all():
            np.divide(equity, before, out=before)
            return np.subtract(before, 1.0, out=before)
        return np.where(alive, equity / np.where(alive, before, 1.0) - 1.0, 0.0)


def visit_curves(
    strategy: Strategy, bars: Bars, rules: Rules, grid: Grid, visit: Visit, *, threads: int = 1
) -> None:
    """Walk every combination of a grid, and hand on their equity at each bar, block by block.

    Parameters
    ----------
    visit
        Called once for each block, in any order and from several threads at once.
    threads
        Threads that walk.  The bits do not depend on them.
    """
    walk = _Walk(strategy, bars, rules)
    decisions = _Decisions(strategy, bars, walk.form, grid)

    def run(first: int, block: list[Decisions]) -> None:
        visit(first, walk(block))

    size = max(1, BLOCK // max(1, len(bars)))
    spans = list(chunks(len(grid), size - size % LINE if size > LINE else size))
    if threads <= 1 or len(spans) == 1:
        for first, last in spans:
            run(first, decisions.between(first, last))
        return
    running: deque[Future[None]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for first, last in spans:
            running.append(pool.submit(run, first, decisions.between(first, last)))
            # What waits to be walked is memory.
            if len(running) > threads:
                running.popleft().result()
        while running:
            running.popleft().result()


class _Walk:
    """The compiled walk over one symbol's bars, with all that no parameter changes."""

    def __init__(self, strategy: Strategy, bars: Bars, rules: Rules) -> None:
        from grn.quant.engine.compiled import functions, prepare

        self._walk = functions["walk"]
        self._n = len(bars)
        self.form = fill_form(strategy, rules)
        numbers, terms = np.array(self.form.numbers), np.array(write_terms(rules))
        self._fixed = build_market(bars, rules), numbers, terms, rules.cash
        never, tickets = np.zeros(1, np.bool_), np.ones((1, 1))
        account, ticket, levels, log = self.form.open_books()
        books = account, ticket, levels, np.empty((4, 1)), log
        prepare(self._walk, (*(never,) * 4, tickets, *self._fixed, *books))

    def __call__(self, block: Sequence[Decisions]) -> Array:
        """Equity of each at each bar: float64 [n, T]."""
        equity = np.empty((len(block), self._n))
        out = np.empty((4, self._n))
        for k, (signals, tickets) in enumerate(block):
            account, ticket, levels, log = self.form.open_books()
            # A log without rows takes nothing.
            self._walk(*signals, tickets, *self._fixed, account, ticket, levels, out, log)
            equity[k] = out[2]
        return equity


class _Decisions:
    """What the combinations of a grid decide on one symbol's bars."""

    def __init__(self, strategy: Strategy, bars: Bars, form: Form, grid: Grid) -> None:
        self._evaluator = _Memory(bars, grid, jit=refusals(strategy)["cpu"] is None)
        self._grid = grid
        self._signals = strategy.signals
        self._numbers = {k: form.ticket[k] for k in form.asked}
        # By the bits of what they read: 0.0 and -0.0 are two divisors.
        self._bits = grid.values.view(np.int64)
        self._reads = {node.key: self._columns(node) for node in self._signals}
        self._ticket_reads = self._columns(*self._numbers.values())
        self._decided: dict[Key, tuple[list[int], Truths]] = {}
        self._tickets = np.ones((len(form.ticket), len(bars)))
        self._written: list[int] | None = None

    def _columns(self, *roots: Expr) -> list[int]:
        """Columns of the grid that expressions read."""
        names = [p.name for p in self._grid.params]
        return [names.index(p.name) for p in find_params(*roots)]

    def between(self, first: int, last: int) -> list[Decisions]:
        """Those of the combinations ``first <= row < last``; equal ones in a row are one array."""
        return [self._decide(row) for row in range(first, last)]

    def _decide(self, row: int) -> Decisions:
        bits = self._bits[row].tolist()
        self._evaluator.turn_to(bits)
        binding = self._grid.binding(row)
        found = []
        for node in self._signals:
            # By key: the exit of one side often is the entry of the other.
            bound = [bits[k] for k in self._reads[node.key]]
            known = self._decided.get(node.key)
            if known is None or known[0] != bound:
                known = self._decided[node.key] = bound, self._evaluator.condition(node, binding)
            found.append(known[1])
        bound = [bits[k] for k in self._ticket_reads]
        if self._numbers and bound != self._written:
            # A new array: the one before is still to be walked with.
            self._tickets = np.ones(self._tickets.shape)
            for k, node in self._numbers.items():
                self._tickets[k] = self._evaluator.numbers(node, binding)
            self._written = bound
        return tuple(found), self._tickets


@dataclass(frozen=True)
class _Fact:
    """What is to be known of an expression.

    Attributes
    ----------
    number
        Equal expressions have one.
    reads
        Columns of the grid that it reads.
    series
        Series in it.
    depth
        See `lag_depth`.
    """

    number: int
    reads: tuple[int, ...]
    series: int
    depth: int


class _Memory(Evaluator):
    """Keeps what other combinations read again; when that is too many bytes it begins anew."""

    def __init__(self, bars: Bars, grid: Grid, *, jit: bool) -> None:
        super().__init__(bars, jit=jit)
        self._most_bytes = max(FEWEST, int(REMEMBERED * len(grid))) * 8 * len(bars)
        self._names = [p.name for p in grid.params]
        self._varied = int(np.count_nonzero((grid.values != grid.values[:1]).any(axis=0)))
        self._facts: dict[int, _Fact] = {}
        self._numbers: dict[Key, int] = {}
        self._bits: list[int] = []
        self._kept: dict[tuple[int, ...], Array] = {}
        self._bytes = 0

    def turn_to(self, bits: list[int]) -> None:
        """Begin with a combination: the bits of its values."""
        if self._bytes > self._most_bytes:
            for kept in (self._families, self._shared, self._frames, self._kept):
                kept.clear()
            self._bytes = 0
        self._bits = bits

    def _fact(self, node: Expr) -> _Fact:
        # By identity, which is quick; the strategy holds all of its expressions.
        if id(node) not in self._facts:
            reads = tuple(self._names.index(p.name) for p in find_params(node))
            number = self._numbers.setdefault(node.key, len(self._numbers))
            self._facts[id(node)] = _Fact(number, reads, sum(n.series for n in nodes(node)), lag_depth(node))
        return self._facts[id(node)]

    def _depth(self, node: Expr) -> int:
        return self._fact(node).depth

    def _pointwise(self, node: Expr, binding: Binding, pad: int) -> Any:
        fact = self._fact(node)
        # What reads every parameter that varies is read once.
        if not fact.series or (len(fact.reads) >= self._varied and not node.series):
            return super()._pointwise(node, binding, pad)
        return self._keep(fact, pad, 1, lambda: super(_Memory, self)._pointwise(node, binding, pad))

    def _leaf(self, node: Expr, binding: Binding) -> Array:
        if isinstance(node, Column):
            return super()._leaf(node, binding)
        # A series of a higher timeframe has made others, which lie where they cannot be counted; an indicator
        # has several outputs, and what its windows share.
        fact = self._fact(node)
        return self._keep(fact, -1, fact.series, lambda: super(_Memory, self)._leaf(node, binding))

    def _keep(self, fact: _Fact, pad: int, times: int, make: Callable[[], Array]) -> Array:
        key = (fact.number, pad, *(self._bits[k] for k in fact.reads))
        if key not in self._kept:
            self._kept[key] = make()
            self._bytes += times * self._kept[key].nbytes
        return self._kept[key]
