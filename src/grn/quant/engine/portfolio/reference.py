"""The reference for portfolios: plain Python, one bar of one symbol at a time.  The truth for cpu.

Weights are evaluated bar by bar from their definition; what looks across symbols asks every symbol for what
it last knew.  The sums are taken from the entries that the walk wrote down, not from the sums it kept.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.quant.engine.plan import Grid
from grn.quant.engine.portfolio.book import (
    CARRY,
    CLOSING,
    LENDING,
    OPENING,
    ROWS,
    RUIN,
    SLOTS,
    SPLIT,
    Book,
)
from grn.quant.engine.portfolio.desk import build_desk, count_stops, scopes_of
from grn.quant.engine.portfolio.panel import Panel
from grn.quant.engine.portfolio.walk import Market, walk
from grn.quant.engine.reference import accumulate_bars, binary, unary
from grn.quant.engine.series import Binding, Evaluator
from grn.quant.engine.terms import write_terms
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.strategy.cross import Cross, Hold, Of
from grn.quant.strategy.expr import Binary, Const, Expr, Key, Lag, Param, Unary, When
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import Weights


def run(
    weights: Weights, grid: Grid, panel: Panel, rules: Rules, groups: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Accumulators of every combination: float64 [C, accumulators]."""
    names = accumulator_names(groups)
    out = np.empty((len(grid), len(names)))
    for row in range(len(grid)):
        found = follow(weights, panel, rules, grid.binding(row))
        sums = accumulate(found, rules.cash)
        out[row] = [sums[name] for name in names]
    return out


class Followed:
    """What one walk left behind: its series [T] and its entries."""

    def __init__(self, n_bars: int) -> None:
        self.cash, self.equity, self.gross = ([0.0] * n_bars for _ in range(3))
        self.units: list[list[float]] = []
        self.entries: list[list[float]] = []
        self.a: list[float] = []


def follow(weights: Weights, panel: Panel, rules: Rules, binding: Binding) -> Followed:
    """Walk one combination in plain Python."""
    reader = Reader(panel, binding)
    table = [
        [reader.known(weights.weight, s, int(ts)) for s in range(len(panel.bars))]
        for ts in panel.ts_ns.tolist()
    ]
    market = panel.market(rules)._replace(due=panel.due(weights, rules, binding))
    plain = Market(*(column.tolist() for column in market))
    found = Followed(len(panel.ts_ns))
    n = len(panel.bars)
    found.units = [[0.0] * n for _ in panel.ts_ns]
    log = _Log()
    book = empty_book(weights, panel.symbols, log)
    desk = build_desk(weights, rules, panel.symbols, binding)
    walk(
        table, plain, desk, write_terms(rules), book, rules.cash,
        found.cash, found.equity, found.gross, found.units,
    )  # fmt: skip
    found.entries, found.a = log.rows[: int(book.a[ROWS])], list(book.a)
    return found


class _Log:
    """Rows that are there as soon as they are asked for."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []

    def __len__(self) -> int:
        return 2**62

    def __getitem__(self, k: int) -> list[float]:
        while len(self.rows) <= k:
            self.rows.append([0.0] * 10)
        return self.rows[k]


def empty_book(weights: Weights, symbols: Sequence[str], log: Any) -> Book:
    """A book of plain lists."""
    n, stops = len(symbols), count_stops(weights)

    def zeros(size: int) -> list[float]:
        return [0.0] * size

    return Book(
        a=zeros(SLOTS), units=zeros(n), price=zeros(n), flow=zeros(n), goal=zeros(n), change=zeros(n),
        leaving=zeros(n), lock=zeros(n), scope=scopes_of(weights, symbols), pooled=zeros(stops),
        opened=zeros(stops), best=zeros(stops), turn=[0] * n, log=log,
    )  # fmt: skip


class Reader:
    """Values of expressions, one at a time, at one combination."""

    def __init__(self, panel: Panel, binding: Binding) -> None:
        self.panel, self.binding = panel, binding
        self.stamps = [b.ts_ns.tolist() for b in panel.bars]
        self.symbols = [_Symbol(self, s) for s in range(len(panel.bars))]
        self._kept: dict[tuple[Key, int, int], float | bool] = {}
        self._leaves: dict[tuple[Key, int], list[float]] = {}

    def known(self, node: Expr, s: int, ts: int) -> float:
        """What a symbol last knew at a time; missing before its first bar."""
        i = bisect_right(self.stamps[s], ts) - 1
        return float(self.value(node, s, i)) if i >= 0 else math.nan

    def value(self, node: Expr, s: int, i: int) -> float | bool:
        """Value of a node on a symbol's own bar `i`; before the first everything is missing."""
        key = (node.key, s, i)
        if key not in self._kept:
            self._kept[key] = self._value(node, s, i)
        return self._kept[key]

    def _value(self, node: Expr, s: int, i: int) -> float | bool:
        match node:
            case Const():
                return node.value
            case Param():
                return self.binding[node.name]
            case Lag():
                back = int(self.binding[node.n.name]) if isinstance(node.n, Param) else node.n
                return self.value(node.operand, s, i - back)
            case When():
                return self.value(node.yes if self.value(node.test, s, i) else node.no, s, i)
            case Unary():
                return unary(node.op, self.value(node.operand, s, i))
            case Binary():
                return binary(node.op, self.value(node.left, s, i), self.value(node.right, s, i))
        if i < 0:
            return math.nan if node.kind == "float" else False
        ts = self.stamps[s][i]
        match node:
            case Of():
                return self.known(node.operand, self.panel.symbols.index(node.symbol), ts)
            case Cross():
                everyone = [self.known(node.operand, k, ts) for k in range(len(self.stamps))]
                return look_across(node.op, everyone, s)
        if (node.key, s) not in self._leaves:
            leaf = (
                self._held(node, s) if isinstance(node, Hold) else self.symbols[s]._leaf(node, self.binding)
            )
            self._leaves[node.key, s] = leaf.tolist()
        x = self._leaves[node.key, s][i]
        return x if node.kind == "float" else x == 1.0

    def _held(self, node: Hold, s: int) -> npt.NDArray[np.float64]:
        """`hold`, from the first bar to the last: it remembers what it was."""
        held = False
        found = np.zeros(len(self.stamps[s]))
        for i in range(len(found)):
            if self.value(node.leave, s, i):
                held = False
            elif self.value(node.entry, s, i):
                held = True
            found[i] = float(held)
        return found


class _Symbol(Evaluator):
    """Indicators and the like of one symbol in plain Python; what goes into them comes bar by bar."""

    def __init__(self, reader: Reader, s: int) -> None:
        super().__init__(reader.panel.bars[s], jit=False)
        self.reader, self.s = reader, s

    def numbers(self, node: Expr, binding: Binding) -> npt.NDArray[np.float64]:
        """Values of an expression at each own bar."""
        return np.array([self.reader.value(node, self.s, i) for i in range(len(self.bars))], dtype=np.float64)


def look_across(op: str, everyone: Sequence[float], s: int) -> float:
    """Rank of symbol `s` among all that have a value, or their sum or mean."""
    there = [x for x in everyone if x == x]
    if op == "rank":
        mine = everyone[s]
        if mine != mine:
            return math.nan
        larger = sum(x > mine for x in there)
        return float(1 + larger + sum(x == mine for x in everyone[:s]))
    if not there:
        return math.nan
    total = 0.0
    for x in there:
        total += x
    return total / len(there) if op == "mean" else total


def accumulate(found: Followed, initial: float) -> dict[str, float]:
    """Every accumulator of `metrics.accumulators` from a finished path."""
    return accumulate_bars(found.equity, found.gross, initial) | accumulate_entries(found.entries)


def accumulate_entries(entries: Sequence[Sequence[float]]) -> dict[str, float]:
    """Accumulators that entries alone determine: trades, turnover, fees."""
    a = dict.fromkeys(accumulator_names(("trades", "turnover", "fees")), 0.0)
    del a["equity"]
    flow: dict[float, float] = {}
    for _, _, kind, symbol, units, _, value, fees, before, reason in entries:
        if kind in (SPLIT, LENDING):
            continue
        if kind == CARRY:
            flow[symbol] += value
            continue
        a["fees"] += fees
        if before > 0.0 and reason != RUIN:
            a["traded"] += value / before
        if kind == OPENING:
            a["opened"] += 1.0
            flow[symbol] = 0.0
        flow[symbol] += value - fees if units < 0.0 else -(value + fees)
        if kind == CLOSING:
            a["closed"] += 1.0
            if flow[symbol] > 0.0:
                a["wins"] += 1.0
                a["win_sum"] += flow[symbol]
            elif flow[symbol] < 0.0:
                a["loss_sum"] -= flow[symbol]
    return a
