"""Successive halving: many settings on the first bars, the best of them on more, the last few on all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from grn.kit.errors import UsageError
from grn.quant.engine.grid import Grid, Lattice
from grn.quant.search.draws import draw
from grn.quant.search.method import Desk, check_count, check_seed

LEAST_BARS: Final = 250
"""Bars of the shortest rung when their number is not asked for: on fewer the order of settings is noise."""


@dataclass(frozen=True)
class Halving:
    """`n` settings at random on the first bars; the best of them on `eta` times the bars, and so on.

    Successive halving (Jamieson and Talwalkar 2016), whose budget here is the length of the history: rung k
    of R sees the first ``eta ** (k + 1 - R)`` of the bars, always from the first one on, and keeps
    ``ceil(n / eta ** k)`` settings.  What decides early is therefore the earlier past.

    Attributes
    ----------
    eta
        Factor between rungs, at least 2.
    rungs
        How many; default as many as leave `LEAST_BARS` bars to the first and one setting to the last.
    """

    name: ClassVar[str] = "halving"
    n: int = 81
    seed: int = 0
    eta: int = 3
    rungs: int | None = None

    @property
    def adaptive(self) -> bool:
        """Yes: who is promoted depends on the data."""
        return True

    def looks(self, lattice: Lattice) -> int:
        """As many as are drawn."""
        return self.n

    def check(self) -> None:
        """Refuse settings that make no sense."""
        check_count("n", self.n)
        check_count("eta", self.eta, 2)
        check_seed(self.seed)
        if self.rungs is not None:
            check_count("rungs", self.rungs)
            if self.eta ** (self.rungs - 1) > self.n:
                raise UsageError(
                    f"{self.rungs} rungs leave less than one of {self.n} settings",
                    seen=f"eta {self.eta}",
                    hint="take fewer rungs or more settings",
                )

    def plan(self, n_bars: int) -> list[tuple[int, float]]:
        """Settings and share of the bars of every rung."""
        rungs = self.rungs
        if rungs is None:
            rungs = 1
            while self.eta**rungs <= self.n and n_bars / self.eta**rungs >= LEAST_BARS:
                rungs += 1
        return [(math.ceil(self.n / self.eta**k), float(self.eta) ** (k + 1 - rungs)) for k in range(rungs)]

    def run(self, lattice: Lattice, desk: Desk) -> None:
        """Climb the rungs."""
        plan = self.plan(desk.n_bars)
        grid = draw(lattice, self.n, self.seed)
        for (_, share), (kept, _) in zip(plan, [*plan[1:], (0, 1.0)], strict=True):
            scores = desk.evaluate(grid, share)
            if share < 1.0:
                best, rest = _split(scores, kept)
                desk.drop(Grid(grid.params, grid.values[rest]))
                grid = Grid(grid.params, grid.values[best])


def _split(
    scores: np.ndarray[tuple[int], np.dtype[np.float64]], kept: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """The best `kept` and the others, both in the order in which they came; of equals the first is better."""
    order = np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")
    return np.sort(order[:kept]), np.sort(order[kept:])
