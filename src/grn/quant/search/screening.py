"""Screening: all combinations guessed in float32 on a card; those that may be among the best are run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from grn.kit.errors import UsageError
from grn.quant.engine.cuda.screen import Array, Rows, find_top
from grn.quant.engine.grid import Grid, Lattice, no_combination
from grn.quant.search.method import Desk, check_count, check_seed


@dataclass(frozen=True)
class Screen:
    """The `n` best of all combinations, for cards whose float64 is slow (see `grn.quant.engine.cuda.screen`).

    Rows, order and numbers are those that a sweep gives. Combinations that the guess rules out have no row,
    but the search chose among them: they are trials.
    """

    name: ClassVar[str] = "screen"
    n: int = 100
    seed: int = 0

    @property
    def adaptive(self) -> bool:
        """Yes: which are run follows from the guesses."""
        return True

    def looks(self, lattice: Lattice) -> int:
        """All of them."""
        return lattice.points

    def check(self) -> None:
        """Refuse a count or a seed that is none."""
        check_count("n", self.n)
        check_seed(self.seed)

    def run(self, lattice: Lattice, desk: Desk) -> None:
        """Guess all, and evaluate until no other one can be among the best."""
        grid = lattice.between(0, lattice.points)
        if not len(grid):
            raise no_combination(lattice)
        if self.n > len(grid):
            raise UsageError("a screen finds some of all combinations", seen=f"{self.n:,} of {len(grid):,}")
        guesses, doubts = desk.guess(grid)

        def exact(rows: Rows) -> Array:
            return desk.evaluate(Grid(grid.params, grid.values[rows]))

        checked, *_ = find_top(guesses, doubts, exact, self.n, seed=self.seed)
        rest = np.ones(len(grid), dtype=np.bool_)
        rest[checked] = False
        desk.drop(Grid(grid.params, grid.values[rest]))
