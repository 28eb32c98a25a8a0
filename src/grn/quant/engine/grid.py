"""Parameter combinations: the lattice of all values, numbered but not written down, and grids from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grn.kit.errors import BudgetError, StrategyError, UsageError
from grn.quant.engine.series import apply_binary, apply_unary
from grn.quant.strategy.expr import Binary, Const, Expr, Param, Unary, When
from grn.quant.strategy.weights import AnyStrategy

GIB = 2.0**30
_MOST_POINTS = 2**62
"""More could not be numbered by a 64-bit integer."""


@dataclass(frozen=True)
class Grid:
    """Parameter combinations of a sweep.

    Attributes
    ----------
    params
        parameters, in column order.
    values
        float64 [C, P], one row per combination; the first parameter varies slowest.
    """

    params: tuple[Param, ...]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def binding(self, row: int) -> dict[str, float]:
        """Values of one combination by parameter name."""
        return {p.name: float(v) for p, v in zip(self.params, self.values[row], strict=True)}

    def columns(self) -> dict[str, npt.NDArray[np.generic]]:
        """Values by parameter name, integers as int64."""
        return {
            p.name: self.values[:, i].astype(np.int64) if p.integer else self.values[:, i].copy()
            for i, p in enumerate(self.params)
        }


@dataclass(frozen=True)
class Lattice:
    """All points that the parameters' values span, by number: nothing is in memory until it is asked for.

    Point 0 has the first value of every parameter; the last parameter varies fastest.

    Attributes
    ----------
    params
        parameters, in column order.
    where
        condition that a point must meet to be a combination, or None.
    """

    params: tuple[Param, ...]
    where: Expr | None

    @classmethod
    def of(cls, strategy: AnyStrategy) -> Lattice:
        """The lattice of a strategy.

        Raises
        ------
        StrategyError
            It has more points than can be numbered.
        """
        lattice = cls(strategy.params, strategy.where)
        if lattice.points >= _MOST_POINTS:
            raise StrategyError(
                "the parameters span more points than can be numbered",
                seen=lattice.spelled,
                hint="take fewer values",
            )
        return lattice

    @property
    def points(self) -> int:
        """How many points there are, those included that `where` excludes."""
        return math.prod(len(p.values) for p in self.params)

    @property
    def spelled(self) -> str:
        """Points and lengths for messages: ``4,950 combinations of fast (50), slow (99)``."""
        lengths = ", ".join(f"{p.name} ({len(p.values):,})" for p in self.params)
        return f"{self.points:,} combinations of {lengths}"

    def between(self, start: int, stop: int) -> Grid:
        """The combinations among the points ``start <= number < stop``, in order."""
        return self.at(np.arange(start, stop, dtype=np.int64))

    def at(self, numbers: npt.NDArray[np.int64]) -> Grid:
        """The combinations among these points, in this order; what `where` excludes is left out."""
        points = self.values(numbers)
        return Grid(self.params, np.ascontiguousarray(points[self.admits(points)]))

    def values(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Parameter values of points: float64 [n, P]."""
        found = np.empty((len(numbers), len(self.params)))
        rest = numbers
        for i in range(len(self.params) - 1, -1, -1):
            axis = np.array(self.params[i].values, dtype=np.float64)
            rest, place = np.divmod(rest, len(axis))
            found[:, i] = axis[place]
        return found

    def numbers(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Numbers of points given by the place of each value in its parameter's list: int64 [n, P] -> [n]."""
        found = np.zeros(len(places), dtype=np.int64)
        for i, p in enumerate(self.params):
            found = found * len(p.values) + places[:, i]
        return found

    def admits(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which points `where` admits: bool [n]."""
        if self.where is None:
            return np.ones(len(points), dtype=np.bool_)
        keep = _holds(self.where, {p.name: points[:, i] for i, p in enumerate(self.params)})
        return np.broadcast_to(keep, len(points))


def build_grid(strategy: AnyStrategy, memory_gib: float) -> Grid:
    """Every combination of the parameters' values that `where` admits.

    Raises
    ------
    BudgetError
        The combinations alone would not fit into the memory budget (priced before they are built).
    StrategyError
        No combination is left.
    """
    lattice = Lattice.of(strategy)
    need_gib = lattice.points * 8 * (2 * len(lattice.params) + 1) / GIB
    if need_gib > memory_gib:
        raise BudgetError(
            f"the grid needs {need_gib:,.1f} GiB of a budget of {memory_gib:g} GiB",
            seen=lattice.spelled,
            hint="take fewer values or larger steps: param(name, range(2, 101, 2)), or stream the sweep "
            "to a folder",
        )
    grid = lattice.between(0, lattice.points)
    if not len(grid):
        raise no_combination(lattice)
    return grid


def no_combination(lattice: Lattice) -> StrategyError:
    """The error for a lattice of which `where` leaves nothing."""
    return StrategyError(
        "no parameter combination is left",
        seen=f"{lattice.points:,} before `where`: {lattice.where}",
        hint="relax `where`",
    )


def pin_grid(strategy: AnyStrategy, values: Mapping[str, float]) -> Grid:
    """The one combination with these of the parameters' values; those left out must have a single one."""
    row = []
    known = {p.name: p for p in strategy.params}
    for name in values:
        if name not in known:
            raise UsageError(
                f"the strategy has no parameter {name!r}", seen=", ".join(known) or "it has none"
            )
    for p in strategy.params:
        if p.name in values:
            if values[p.name] not in p.values:
                raise UsageError(
                    f"{values[p.name]:g} is not among the values of parameter {p.name!r}",
                    hint="`with_values` gives a strategy other values",
                )
            row.append(float(values[p.name]))
        elif len(p.values) == 1:
            row.append(float(p.values[0]))
        else:
            raise UsageError(
                f"parameter {p.name!r} has {len(p.values)} values; a backtest needs one",
                seen=f"{p.values[0]:g} ... {p.values[-1]:g}",
                hint=f"give one: -p {p.name}={p.values[0]:g}, or sweep them all with `grn quant sweep`",
            )
    return Grid(strategy.params, np.array([row], dtype=np.float64).reshape(1, len(row)))


def _holds(where: Expr, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    def value(node: Expr) -> npt.NDArray[np.generic]:
        match node:
            case Param():
                return columns[node.name]
            case Const():
                return np.asarray(node.value)
            case Binary():
                return np.asarray(apply_binary(node.op, value(node.left), value(node.right)))
            case Unary():
                return np.asarray(apply_unary(node.op, value(node.operand)))
            case When():
                return np.where(value(node.test), value(node.yes), value(node.no))
        raise AssertionError(type(node).__name__)

    with np.errstate(all="ignore"):
        return np.asarray(value(where), dtype=np.bool_)
