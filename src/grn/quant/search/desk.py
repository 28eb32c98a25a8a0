"""A desk: settings evaluated on bars, and everything that was evaluated, kept in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grn.kit.errors import DataError
from grn.quant.compute import Advance, compute, count_bars, guess
from grn.quant.engine.choose import Choice
from grn.quant.engine.grid import Grid
from grn.quant.metrics.registry import METRICS, Metric
from grn.quant.result import SweepResult
from grn.quant.schema import Bars
from grn.quant.search.method import Array, Flags
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import AnyStrategy, Weights


@dataclass(frozen=True)
class Market:
    """What settings are run on, and how."""

    strategy: AnyStrategy
    bars: tuple[Bars, ...]
    rules: Rules
    metrics: tuple[Metric, ...]
    choice: Choice
    ppy: float

    def first(self, share: float) -> Market:
        """The same with the first `share` of the bars.

        Each symbol for itself; symbols that share one account up to the same moment of their calendar.

        Raises
        ------
        DataError
            A symbol has no bars that early.
        """
        if share >= 1.0:
            return self
        if not isinstance(self.strategy, Weights):
            return replace(self, bars=tuple(b.head(max(1, math.ceil(share * len(b)))) for b in self.bars))
        calendar = np.unique(np.concatenate([b.ts_ns for b in self.bars]))
        last = calendar[max(1, math.ceil(share * len(calendar))) - 1]
        counts = [int(np.searchsorted(b.ts_ns, last, side="right")) for b in self.bars]
        late = [b.symbol for b, n in zip(self.bars, counts, strict=True) if n == 0]
        if late:
            raise DataError(
                "a symbol has no bars in the part of the history that a rung looks at",
                seen=f"{', '.join(late)}, the first {share:.0%}",
                hint="take fewer rungs, or leave the symbol out",
            )
        return replace(self, bars=tuple(b.head(n) for b, n in zip(self.bars, counts, strict=True)))


@dataclass(frozen=True)
class Round:
    """One evaluation: settings, the share of the bars that they saw, and the best metric among them."""

    settings: int
    share: float
    best: float | None


class MarketDesk:
    """Evaluates settings on a market.

    Attributes
    ----------
    results
        What was evaluated on all bars, in order.
    rounds
        Every evaluation, in order.
    """

    def __init__(
        self,
        market: Market,
        by: str,
        *,
        threads: int | None = None,
        progress: Advance | None = None,
        looked: Callable[[Grid], None] | None = None,
        evaluated: Callable[[Market, SweepResult, float], None] | None = None,
        dropped: Callable[[Grid], None] | None = None,
    ) -> None:
        self._market = market
        self._by = METRICS[by]
        self._threads = threads
        self._progress = progress
        self._looked = looked
        self._evaluated = evaluated
        self._dropped = dropped
        self.results: list[SweepResult] = []
        self.rounds: list[Round] = []

    @property
    def n_bars(self) -> int:
        """Bars of the longest account."""
        return max(count_bars(self._market.strategy, self._market.bars))

    def evaluate(self, grid: Grid, share: float = 1.0) -> Array:
        """Run settings on the first `share` of the bars: float64 [C], higher is better, NaN is no answer."""
        market = self._market.first(share)
        result = compute(
            market.strategy, market.bars, grid, market.rules, market.metrics, market.choice,
            ppy=market.ppy, threads=self._threads, progress=self._progress,
        )  # fmt: skip
        if share >= 1.0:
            self.results.append(result)
        if self._evaluated is not None:
            self._evaluated(market, result, share)
        scores = score(result, self._by)
        answers = scores[~np.isnan(scores)]
        sign = -1.0 if self._by.higher_is_better is False else 1.0
        best = sign * float(answers.max()) if answers.size else None
        self.rounds.append(Round(len(grid), share, best))
        return scores

    def guess(self, grid: Grid) -> tuple[Array, Flags]:
        """Guess the scores of settings on the cards, in float32; see `compute.guess`."""
        if self._looked is not None:
            self._looked(grid)
        market = self._market
        result, doubts = guess(
            market.strategy, market.bars, grid, market.rules, (self._by,), market.choice, ppy=market.ppy,
            progress=self._progress,
        )  # fmt: skip
        return score(result, self._by), doubts

    def drop(self, grid: Grid) -> None:
        """These settings will not be run on all bars."""
        if self._dropped is not None and len(grid):
            self._dropped(grid)


def score(result: SweepResult, by: Metric) -> Array:
    """Score of each setting: float64 [C], higher is better.

    The mean of the metric over the accounts that have it, NaN where none has.
    """
    if by.name in {m.name for m in result.metrics}:
        values = result.frame[by.name].to_numpy()
    else:
        values = np.concatenate(result.trial_sharpes) * math.sqrt(result.ppy)
    table = values.reshape(len(result.accounts), len(result.grid))
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    mean: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return -mean if by.higher_is_better is False else mean


def join(results: Sequence[SweepResult]) -> SweepResult:
    """Results of several grids on the same bars as one, the grids below each other."""
    import polars as pl

    one = results[0]
    if len(results) == 1:
        return one
    rows: list[Any] = []
    for account in range(len(one.accounts)):
        rows += [r.frame.slice(account * len(r.grid), len(r.grid)) for r in results]
    sharpes = tuple(np.concatenate(parts) for parts in zip(*(r.trial_sharpes for r in results), strict=True))
    values = np.ascontiguousarray(np.concatenate([r.grid.values for r in results]))
    timings = {k: sum(r.timings_s[k] for r in results) for k in one.timings_s}
    return replace(
        one, grid=Grid(one.grid.params, values), frame=pl.concat(rows), trial_sharpes=sharpes,
        timings_s=timings,
    )  # fmt: skip
