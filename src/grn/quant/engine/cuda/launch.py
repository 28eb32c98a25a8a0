"""Running a kernel on cards: tables copied once, combinations in batches, copies beside computation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from grn.kit.errors import MissingError
from grn.quant.engine.cuda.cards import CuPy, find_cards, load_cupy
from grn.quant.engine.cuda.fleet import Fleet, NoCardError
from grn.quant.engine.cuda.predict import size_batch
from grn.quant.engine.cuda.prelude import Real
from grn.quant.engine.cuda.source import make_kernel, print_source
from grn.quant.engine.cuda.tables import Batch, build_tables, count_sums, cut_batch, row_bytes
from grn.quant.engine.plan import Grid, Layout, Plan
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules

Span = tuple[int, int]


@dataclass
class Kept:
    """Results so far: whoever resumes a run hands them in again.

    Attributes
    ----------
    sums
        float64 [C, accumulators]; rows outside `finished` mean nothing yet.
    finished
        Half-open ranges of rows that are done.
    """

    sums: npt.NDArray[np.float64]
    finished: list[Span] = field(default_factory=list)

    def missing(self) -> list[Span]:
        """Ranges that are not done, in order."""
        found, at = [], 0
        for first, last in sorted(self.finished):
            if first > at:
                found.append((at, first))
            at = max(at, last)
        return [*found, (at, len(self.sums))] if at < len(self.sums) else found


class CardLostError(MissingError):
    """Every card stopped answering in the middle of a sweep; finished batches are kept.

    Example: a laptop's card that was switched off, or a driver that was reset.
    Fix: run again with ``kept=error.kept``, or with ``engine="cpu"``, whose numbers are the same bits.
    """

    def __init__(
        self, what: str, *, seen: object = None, hint: str | None = None, kept: Kept | None = None
    ) -> None:
        super().__init__(what, seen=seen, hint=hint)
        self.kept = kept


def run(
    plan: Plan,
    layout: Layout,
    grid: Grid,
    bars: Bars,
    rules: Rules,
    groups: Sequence[str],
    *,
    progress: Callable[[int], None] | None = None,
    real: Real = "double",
    kept: Kept | None = None,
    cupy: CuPy | None = None,
) -> npt.NDArray[np.float64]:
    """Accumulators of every combination on one symbol: float64 [C, accumulators].

    In double the bits of the cpu engine, whatever the cards and the batches.

    Parameters
    ----------
    progress
        Called with the number of combinations just finished.
    real
        What the card computes in; "float" is for screening (`screen`), and gives one more column: 1 where a
        decision is in doubt (`doubts`).
    kept
        Results of a run that was broken off.
    cupy
        The module, or what stands in for it.

    Raises
    ------
    BudgetError
        Not even one block of threads has room on a card.
    CardLostError
        No card is left.
    MissingError
        There is no card, or no CuPy.
    UnsupportedError
        The kernel uses something that is not translated.
    """
    cupy = load_cupy() if cupy is None else cupy
    cards = find_cards(cupy)
    source = print_source([make_kernel(plan, grid.params, groups, rules)], real)
    tables = build_tables(plan, layout, bars, rules, real)
    width = count_sums(groups, real)
    results = kept or Kept(np.empty((len(grid), width)))
    spans: deque[Span] = deque(results.missing())

    def cut(rows: int) -> Batch | None:
        """The next batch of at most so many rows."""
        if not spans:
            return None
        first, last = spans.popleft()
        if last - first > rows:
            spans.appendleft((first + rows, last))
            last = first + rows
        return cut_batch(grid, layout, first, last, real)

    def take(batch: Batch, sums: npt.NDArray[Any]) -> None:
        results.sums[batch.first : batch.last] = sums.T
        results.finished.append((batch.first, batch.last))
        if progress is not None:
            progress(len(batch))

    per_row = row_bytes(layout, grid, groups, real)
    widths = layout.rows.shape[1], grid.values.shape[1], width
    try:
        with Fleet(cupy, source, tables, real) as fleet:
            for card in cards:
                size = size_batch(card, len(cards), len(grid), len(bars), tables.n_bytes, per_row, real)
                fleet.enlist(card, size.rows, per_row, widths)
            fleet.work(cut, take, lambda batch: spans.append((batch.first, batch.last)))
    except NoCardError as error:
        done = sum(last - first for first, last in results.finished)
        raise CardLostError(
            f"no card is left after {done:,} of {len(grid):,} combinations",
            seen=str(error),
            hint='run again when `nvidia-smi` lists the card, or with engine="cpu": the numbers are the same',
            kept=results,
        ) from error
    return results.sums
