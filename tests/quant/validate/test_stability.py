"""Plateau against spike: the winner's neighbours in the grid."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.stability import measure_stability

GRID = np.array(list(itertools.product([5, 10, 20, 40, 80], [1, 2, 3, 4])), dtype=float)


def _hill(width: float) -> np.ndarray:
    """Sharpe ratios that fall off around (20, 2), row 9 of the grid, in steps."""
    distance = np.hypot(np.log2(GRID[:, 0] / 20.0), GRID[:, 1] - 2.0)
    return 2.0 * np.exp(-((distance / width) ** 2))


def test_a_hill_is_a_plateau_and_a_needle_is_not():
    """The same winner on a wide hill and on a narrow one; eight places around it."""
    wide, narrow = (measure_stability(GRID, _hill(width), best=9) for width in (4.0, 0.5))
    assert (wide.neighbours, wide.places, wide.plateau, wide.at_edge) == (8, 8, True, ())
    assert wide.kept > 0.85
    assert (narrow.plateau, narrow.kept < 0.1) == (False, True)


def test_neighbours_by_hand():
    """A corner has three neighbours; their median over the winner's."""
    sharpes = np.zeros(20)
    sharpes[[0, 1, 4, 5]] = [2.0, 1.0, 1.5, 0.5]
    found = measure_stability(GRID, sharpes, best=0)
    assert (found.neighbours, found.places, found.median, found.lowest, found.kept) == (3, 3, 1.0, 0.5, 0.5)
    assert (found.plateau, found.at_edge) == (True, (0, 1))
    assert measure_stability(GRID, sharpes, best=0, reach=2).neighbours == 8


def test_a_sampled_grid_has_fewer_neighbours():
    """Rows that were not tried and rows without a Sharpe ratio are missing, and the places say how many."""
    keep = [9, 8, 3, 17]
    sharpes = np.array([2.0, 1.8, 1.0, math.nan])
    lattice = [[5, 10, 20, 40, 80], [1, 2, 3, 4]]
    found = measure_stability(GRID[keep], sharpes, best=0, lattice=lattice)
    assert (found.neighbours, found.places) == (1, 8)
    assert found.median == 1.8


@pytest.mark.parametrize(
    ("parameters", "sharpes"),
    [
        ([[1.0]], [2.0]),
        ([[1.0], [2.0]], [2.0, math.nan]),
        ([[1.0], [2.0]], [-1.0, -2.0]),
        (np.ones((3, 0)), [1, 1, 1]),
    ],
)
def test_what_is_not_known_is_none(parameters: list[list[float]], sharpes: list[float]):
    """A single trial, no neighbour with a Sharpe ratio, a winner that loses, no parameter at all."""
    found = measure_stability(parameters, sharpes, best=0)
    assert found.plateau is None
    assert math.isnan(found.kept)


@pytest.mark.parametrize("arguments", [{"best": 20}, {"best": -1}, {"best": 0, "reach": 0}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, int]):
    """A winner outside the grid, or a reach of nothing; and shapes that differ."""
    with pytest.raises(UsageError):
        measure_stability(GRID, _hill(1.0), **arguments)
    with pytest.raises(UsageError):
        measure_stability(GRID, [1.0], best=0)
    with pytest.raises(UsageError):
        measure_stability(GRID, _hill(1.0), best=0, lattice=[[1, 2]])
