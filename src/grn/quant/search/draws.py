"""Settings drawn before anything is evaluated: at random, or spread evenly over every parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from grn.quant.engine.grid import Grid, Lattice
from grn.quant.search.method import Array, Desk, Numbers, check_count, check_seed, too_few

FEW_POINTS: Final = 2**22
"""Up to here all points are tried against `where`: a draw can then never fail for lack of luck."""
_ROUNDS: Final = 64


@dataclass(frozen=True)
class Random:
    """`n` different combinations, each equally probable (Bergstra and Bengio 2012)."""

    name: ClassVar[str] = "random"
    n: int = 100
    seed: int = 0

    @property
    def adaptive(self) -> bool:
        """No: the settings are drawn without looking at the data."""
        return False

    def looks(self, lattice: Lattice) -> int:
        """As many as are drawn."""
        return self.n

    def check(self) -> None:
        """Refuse a count or a seed that is none."""
        check_count("n", self.n)
        check_seed(self.seed)

    def run(self, lattice: Lattice, desk: Desk) -> None:
        """Evaluate the draw, all at once."""
        desk.evaluate(draw(lattice, self.n, self.seed))


@dataclass(frozen=True)
class LatinHypercube:
    """`n` different combinations that cover each parameter's values evenly (McKay, Beckman and Conover 1979).

    Combinations that `where` excludes or that come twice are drawn again, by further and smaller hypercubes;
    what sixty-four of them do not find is drawn at random.
    """

    name: ClassVar[str] = "latin"
    n: int = 100
    seed: int = 0

    @property
    def adaptive(self) -> bool:
        """No: the settings are drawn without looking at the data."""
        return False

    def looks(self, lattice: Lattice) -> int:
        """As many as are drawn."""
        return self.n

    def check(self) -> None:
        """Refuse a count or a seed that is none."""
        check_count("n", self.n)
        check_seed(self.seed)

    def run(self, lattice: Lattice, desk: Desk) -> None:
        """Evaluate the draw, all at once."""
        desk.evaluate(spread(lattice, self.n, self.seed))


def draw(lattice: Lattice, n: int, seed: int) -> Grid:
    """`n` different combinations at random, in the order in which they were drawn.

    Raises
    ------
    StrategyError
        There are fewer.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    return lattice.at(_draw_numbers(lattice, n, rng, np.empty(0, dtype=np.int64)))


def spread(lattice: Lattice, n: int, seed: int) -> Grid:
    """`n` different combinations of Latin hypercubes, in the order in which they were drawn.

    Raises
    ------
    StrategyError
        There are fewer.
    """
    from scipy.stats.qmc import LatinHypercube as Hypercube

    rng = np.random.Generator(np.random.PCG64(seed))
    if not lattice.params:
        return lattice.at(_draw_numbers(lattice, n, rng, np.empty(0, dtype=np.int64)))
    lengths = np.array([len(p.values) for p in lattice.params], dtype=np.int64)

    def batch(size: int) -> Numbers:
        unit: Array = Hypercube(len(lengths), rng=rng).random(size)
        return lattice.numbers(np.minimum((unit * lengths).astype(np.int64), lengths - 1))

    found = _collect(lattice, n, np.empty(0, dtype=np.int64), lambda missing: batch(missing))
    return lattice.at(found if len(found) == n else _draw_numbers(lattice, n, rng, found))


def _draw_numbers(lattice: Lattice, n: int, rng: np.random.Generator, known: Numbers) -> Numbers:
    """`known`, and as many different admissible points at random as make `n` of them."""
    if lattice.points <= FEW_POINTS:
        every = np.arange(lattice.points, dtype=np.int64)
        every = every[lattice.admits(lattice.values(every))]
        if len(every) < n:
            raise too_few(lattice, len(every), n)
        free = np.setdiff1d(every, known, assume_unique=True)
        return np.concatenate([known, rng.permutation(free)[: n - len(known)]])
    found = _collect(lattice, n, known, lambda missing: rng.integers(0, lattice.points, 2 * missing + 64))
    if len(found) < n:
        raise too_few(lattice, len(found), n)
    return found


def _collect(lattice: Lattice, n: int, known: Numbers, batch: Callable[[int], Numbers]) -> Numbers:
    """`known`, and what batches add that is admissible and new, in order, until there are `n`."""
    found = known
    for _ in range(_ROUNDS):
        if len(found) >= n:
            break
        drawn = batch(n - len(found))
        drawn = drawn[lattice.admits(lattice.values(drawn))]
        joined = np.concatenate([found, drawn])
        first = np.sort(np.unique(joined, return_index=True)[1])
        found = joined[first]
    return found[:n]
