"""A metric over the parameters of a sweep: the map that is drawn, and the ground around a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

Array = npt.NDArray[np.float64]

MOST_CELLS: Final = 300
"""Cells per axis of a map; more values than that are averaged in groups of neighbours."""
REACH: Final = 0.05
"""A neighbour lies within this share of each parameter's values, at least one step."""
PLATEAU: Final = 0.8
SPIKE: Final = 0.5
"""Median of the neighbours, as a share of the winner, from which it is a plateau and below which a spike."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """A metric over one or two parameters on one symbol, the others held at the row's values.

    Attributes
    ----------
    names : the parameters on the axes, x first; one or two.
    axes : values on each axis: float64 [n] each.
    z : float64 [n] or [ny, nx]; NaN where a combination was not run or has no value.
    here : the row's values on the axes.
    value : the metric of the row's combination on this symbol.
    fixed : the other parameters that have several values, and where they are held.
    group : values averaged into one cell, per axis.
    tried : every value on each axis: float64, ascending; ``axes`` itself where nothing is averaged.
    unrun : cells of which no combination was run.
    """

    symbol: str
    metric: str
    names: tuple[str, ...]
    axes: tuple[Array, ...]
    z: Array
    here: tuple[float, ...]
    value: float
    fixed: Mapping[str, float]
    group: tuple[int, ...]
    tried: tuple[Array, ...]
    unrun: int

    @property
    def undefined(self) -> int:
        """Cells that were run and have no value."""
        return int(np.count_nonzero(np.isnan(self.z))) - self.unrun


@dataclass(frozen=True)
class Neighbours:
    """The settings around a row: how many, how far away, their median and the share of the row's value."""

    n: int
    steps: Mapping[str, int]
    median: float
    share: float
    word: str


def free_params(result: SweepResult) -> tuple[int, ...]:
    """Indices of the parameters that take more than one value in the sweep."""
    values = result.grid.values
    return tuple(i for i in range(values.shape[1]) if len(values) and (values[:, i] != values[0, i]).any())


def survey(result: SweepResult, metric: str, *, market: int, row: int) -> Landscape:
    """Map a metric over the first two parameters that vary.

    Parameters
    ----------
    metric : a metric of the sweep.
    market : index of the symbol.
    row : row whose values the other parameters are held at.

    Raises
    ------
    UsageError : the sweep does not have the metric, or no parameter varies.
    """
    if metric not in {m.name for m in result.metrics}:
        raise UsageError(
            "no such metric in this result", seen=metric, hint=", ".join(m.name for m in result.metrics)
        )
    free = free_params(result)
    if not free:
        raise UsageError("no parameter of this sweep varies", seen=f"{len(result.grid)} combination")
    size = len(result.grid)
    values, here = result.grid.values, result.grid.values[row % size]
    shown, held = free[:2], free[2:]
    keep = np.ones(size, dtype=np.bool_)
    for i in held:
        keep &= values[:, i] == here[i]
    column = result.frame[metric].to_numpy()[market * size : (market + 1) * size].astype(np.float64)
    axes: list[Array] = []
    cells: list[npt.NDArray[np.int64]] = []
    groups: list[int] = []
    tried: list[Array] = []
    for i in shown:
        axis, cell, group = _axis(values[keep, i])
        axes.append(axis)
        cells.append(cell)
        groups.append(group)
        tried.append(np.unique(values[keep, i]))
    sizes = [len(a) for a in axes]
    return Landscape(
        symbol=result.accounts[market],
        metric=metric,
        names=tuple(result.grid.params[i].name for i in shown),
        axes=tuple(axes),
        z=_mean(column[keep], cells, sizes),
        here=tuple(float(here[i]) for i in shown),
        value=float(column[row % size]),
        fixed={result.grid.params[i].name: float(here[i]) for i in held},
        group=tuple(groups),
        tried=tuple(tried),
        unrun=math.prod(sizes) - len(np.unique(_flat(cells, sizes))),
    )


def _axis(values: Array) -> tuple[Array, npt.NDArray[np.int64], int]:
    """Values of an axis, the cell of each combination, and how many values share a cell."""
    axis, place = np.unique(values, return_inverse=True)
    group = math.ceil(len(axis) / MOST_CELLS)
    if group > 1:
        place = place // group
        starts = np.arange(0, len(axis), group)
        axis = np.add.reduceat(axis, starts) / np.diff(np.r_[starts, len(axis)])
    return axis, place.astype(np.int64), group


def _mean(values: Array, cells: list[npt.NDArray[np.int64]], sizes: list[int]) -> Array:
    """Mean of the values that fall into each cell; the last axis becomes the rows of the map."""
    flat = _flat(cells, sizes)
    seen = ~np.isnan(values)
    n = math.prod(sizes)
    total = np.bincount(flat[seen], weights=values[seen], minlength=n)
    number = np.bincount(flat[seen], minlength=n)
    mean: Array = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean.reshape(sizes[::-1])


def _flat(cells: list[npt.NDArray[np.int64]], sizes: list[int]) -> npt.NDArray[np.int64]:
    """One index of the cell of each combination, the first axis fastest."""
    return cells[0] if len(cells) == 1 else cells[1] * sizes[0] + cells[0]


def colour_reach(maps: Sequence[Landscape]) -> float:
    """Where the colours of maps that share a scale end, either side of zero.

    All but the most extreme 2 % of the cells, and the marked setting of the first map in any case: a few
    terrible corners must not wash out the rest.
    """
    cells = np.abs(np.concatenate([m.z[np.isfinite(m.z)] for m in maps]))
    if not len(cells):
        return 1.0
    marked = abs(maps[0].value)
    reach = max(float(np.percentile(cells, 98)), marked if math.isfinite(marked) else 0.0)
    return reach or 1.0


def look_around(result: SweepResult, row: int) -> Neighbours | None:
    """Compare a row's Sharpe ratio with the settings around it, over every parameter that varies.

    None when there is nothing to compare: no neighbour with a Sharpe ratio, or the row's is not above zero.
    """
    size = len(result.grid)
    sharpes = result.trial_sharpes[row // size]
    peak = float(sharpes[row % size])
    free = free_params(result)
    if not free or not peak > 0.0:
        return None
    near = np.ones(size, dtype=np.bool_)
    steps: dict[str, int] = {}
    for i in free:
        axis, place = np.unique(result.grid.values[:, i], return_inverse=True)
        reach = max(1, int(REACH * len(axis)))
        near &= np.abs(place - place[row % size]) <= reach
        steps[result.grid.params[i].name] = reach
    near[row % size] = False
    around = sharpes[near]
    around = around[~np.isnan(around)]
    if not len(around):
        return None
    median = float(np.median(around))
    share = median / peak
    word = "plateau" if share >= PLATEAU else "spike" if share < SPIKE else "slope"
    return Neighbours(len(around), steps, median * math.sqrt(result.ppy), share, word)


def rank_of(sharpes: Array, combination: int) -> tuple[int, int]:
    """Rank of a combination among those with a Sharpe ratio (1 is best), and their number; 0 without one."""
    value = sharpes[combination]
    defined = sharpes[~np.isnan(sharpes)]
    return (0 if np.isnan(value) else 1 + int(np.count_nonzero(defined > value))), len(defined)


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's rank correlation of the pairs where both are defined; NaN where it is not."""
    both = ~(np.isnan(a) | np.isnan(b))
    x, y = _ranks(a[both]), _ranks(b[both])
    if len(x) < 3:
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float((x * x).sum()) * float((y * y).sum()))
    return float((x * y).sum()) / scale if scale > 0.0 else math.nan


def _ranks(values: Array) -> Array:
    """Ranks with ties at their mean."""
    _, place, number = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(number)
    ranks: Array = (last - (number - 1) / 2.0)[place]
    return ranks
