"""What a search method is, and what it may ask."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from grn.kit.errors import StrategyError, UsageError
from grn.quant.engine.grid import Grid, Lattice

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Desk(Protocol):
    """Evaluates settings; a method sees of the data what this answers and nothing else."""

    @property
    def n_bars(self) -> int:
        """Bars of the longest account."""

    def evaluate(self, grid: Grid, share: float = 1.0) -> Array:
        """Run settings on the first `share` of the bars: float64 [C], higher is better, NaN is no answer.

        A setting may be evaluated on all bars once.
        """

    def guess(self, grid: Grid) -> tuple[Array, Flags]:
        """Guess in float32: scores as of `evaluate`, and in which a decision is in doubt: bool [C]."""

    def drop(self, grid: Grid) -> None:
        """Tell that these settings, guessed or evaluated on fewer bars, will not be run on all of them."""


class Method(Protocol):
    """Picks settings of a lattice, all at once or after what others gave."""

    name: ClassVar[str]

    def looks(self, lattice: Lattice) -> int:
        """How many settings are looked at, at most."""

    @property
    def adaptive(self) -> bool:
        """Whether what is picked depends on the data: then a verdict has to search shuffled bars anew."""

    def run(self, lattice: Lattice, desk: Desk) -> None:
        """Evaluate settings; equal seeds and answers pick equal settings."""

    def check(self) -> None:
        """Refuse settings of the method that make no sense."""


def describe(method: Method) -> dict[str, Any]:
    """A method as plain data: its name and its settings."""
    return {"method": method.name, **asdict(method)}  # type: ignore[call-overload]


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}", seen=repr(value))


def check_seed(seed: object) -> None:
    """Refuse what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UsageError("seed must be a whole number from 0 to 2^32 - 1", seen=repr(seed))


def too_few(lattice: Lattice, found: int, wanted: int) -> StrategyError:
    """The error for a search that cannot find as many different settings as were asked for."""
    return StrategyError(
        f"the parameters have {found:,} combinations, not {wanted:,}"
        if lattice.where is None
        else f"`where` leaves {found:,} combinations that could be found, not {wanted:,}",
        seen=lattice.spelled,
        hint=f"search {found:,} of them, or sweep them all",
    )
