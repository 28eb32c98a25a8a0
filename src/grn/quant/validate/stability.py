"""Plateau or spike: what the winner's neighbours in the grid of parameters earn.

A rule that works at 20 days and not at 19 or 21 has found a few days of its sample. Where neighbours are
nearly as good, the exact number hardly matters, and the sample's luck has less to choose from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError

PLATEAU: Final = 0.5
"""Share of the winner's Sharpe ratio that the median neighbour must keep: a convention, not a test."""


@dataclass(frozen=True, slots=True)
class Stability:
    """The winner's neighbours.

    ``neighbours`` with a Sharpe ratio, out of ``places`` that the grid has around the winner; their median
    and lowest Sharpe ratio; ``kept``, the median over the winner's. ``plateau`` is None where nothing is
    known: no neighbour, or a winner that loses. ``at_edge`` names the parameters whose first or last value
    won: the best may lie outside.
    """

    neighbours: int
    places: int
    median: float
    lowest: float
    kept: float
    plateau: bool | None
    at_edge: tuple[int, ...]


def measure_stability(
    parameters: npt.ArrayLike,
    sharpes: npt.ArrayLike,
    *,
    best: int,
    reach: int = 1,
    lattice: Sequence[npt.ArrayLike] | None = None,
) -> Stability:
    """Compare the winner with the trials at most ``reach`` steps away in every parameter.

    Parameters
    ----------
    parameters
        Value of every parameter in every trial, float [trials, parameters]; a step is the next value that
        occurs. Parameters of a single value do not matter.
    sharpes
        Float [trials], in any unit of time.
    best
        The winner's row.
    reach
        Steps, at least 1.
    lattice
        All values of each parameter, where the trials are a sample and not every value occurs.

    Raises
    ------
    UsageError
        The shapes do not agree, or ``best`` or ``reach`` is out of range.
    """
    values, ratios = np.asarray(parameters, dtype=np.float64), np.asarray(sharpes, dtype=np.float64)
    if values.ndim != 2 or ratios.shape != values.shape[:1]:
        raise UsageError("parameters and Sharpe ratios differ in trials", seen=(values.shape, ratios.shape))
    if lattice is not None and len(lattice) != values.shape[1]:
        raise UsageError("the lattice has other parameters", seen=f"{len(lattice)} for {values.shape[1]}")
    if not 0 <= best < ratios.size or reach < 1:
        raise UsageError("winner or reach out of range", seen=f"best={best}, reach={reach}")
    steps = np.empty(values.shape, dtype=np.int64)
    places, at_edge = 1, []
    for k in range(values.shape[1]):
        some = values[:, k] if lattice is None else np.append(values[:, k], lattice[k])
        distinct = np.unique(some)
        steps[:, k] = np.searchsorted(distinct, values[:, k])
        own, last = int(steps[best, k]), distinct.size - 1
        places *= min(own + reach, last) - max(own - reach, 0) + 1
        if last > 0 and own in (0, last):
            at_edge.append(k)
    near = (np.abs(steps - steps[best]) <= reach).all(axis=1) & (steps != steps[best]).any(axis=1)
    found = ratios[near & ~np.isnan(ratios)]
    own_ratio = float(ratios[best])
    median = float(np.median(found)) if found.size else math.nan
    known = found.size > 0 and own_ratio > 0.0
    kept = median / own_ratio if known else math.nan
    return Stability(
        neighbours=int(found.size),
        places=places - 1,
        median=median,
        lowest=float(found.min()) if found.size else math.nan,
        kept=kept,
        plateau=kept >= PLATEAU if known else None,
        at_edge=tuple(at_edge),
    )
