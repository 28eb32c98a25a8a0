from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import BudgetError, StrategyError
from grn.quant.engine.grid import Grid, Lattice, build_grid
from grn.quant.strategy.expr import Expr, param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close


def lattice(*lengths: int, where: Expr | None = None) -> Lattice:
    """Parameters a, b, ... with the values 1, 2, ... ."""
    return Lattice(tuple(param(chr(97 + i), range(1, n + 1)) for i, n in enumerate(lengths)), where)


@given(lengths=st.lists(st.integers(1, 5), min_size=0, max_size=4), cut=st.integers(1, 40))
def test_pieces_of_a_lattice_are_the_whole(lengths: list[int], cut: int) -> None:
    """Cut anywhere, the pieces below each other are the product of the values, the first one slowest."""
    space = lattice(*lengths)
    pieces = [space.between(k, min(k + cut, space.points)).values for k in range(0, space.points, cut)]
    product = list(itertools.product(*(p.values for p in space.params)))
    assert np.concatenate(pieces).tolist() == [list(map(float, row)) for row in product]
    assert space.points == len(product)


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_numbers_and_places_are_the_same_points(lengths: list[int], data: st.DataObject) -> None:
    """A point found by the places of its values in their lists has these values."""
    space = lattice(*lengths)
    places = [data.draw(st.integers(0, n - 1)) for n in lengths]
    numbers = space.numbers(np.array([places], dtype=np.int64))
    assert 0 <= numbers[0] < space.points
    assert space.values(numbers).tolist() == [[float(k + 1) for k in places]]


def test_where_is_asked_piece_by_piece() -> None:
    """What `where` excludes is left out of every piece; the order stays."""
    a, b = param("a", range(1, 5)), param("b", range(1, 5))
    space = Lattice((a, b), a < b)
    assert space.between(0, 4).values.tolist() == [[1, 2], [1, 3], [1, 4]]
    assert space.between(12, 16).values.tolist() == []
    assert space.at(np.array([11, 0, 1])).values.tolist() == [[3, 4], [1, 2]]


def test_a_lattice_of_any_size_is_only_numbered() -> None:
    """10^16 points take no memory: the last of them are found by their numbers."""
    space = lattice(10_000, 10_000, 10_000, 10_000)
    assert space.points == 10**16
    assert space.between(10**16 - 1, 10**16).values.tolist() == [[10_000.0] * 4]


def test_more_points_than_a_number_holds_are_refused() -> None:
    """2^62 points and more could not be numbered."""
    names = [param(f"p{k}", range(1, 10_001)) for k in range(5)]
    strategy = Strategy(sma(close, names[0]) > sum(names[1:], start=names[0]), close < 0)
    with pytest.raises(StrategyError, match="more points than can be numbered"):
        Lattice.of(strategy)


def test_a_grid_is_priced_before_it_is_built() -> None:
    """A grid above the budget says what it spans, and the way around."""
    wide = Strategy(sma(close, param("n", range(1, 2001))) > param("x", range(2000)), close < 0)
    with pytest.raises(BudgetError, match="4,000,000 combinations of n") as caught:
        build_grid(wide, 0.1)
    assert "stream" in str(caught.value.hint)
    assert isinstance(build_grid(wide, 1.0), Grid)
