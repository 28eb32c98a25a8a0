"""What a sweep promises about its rows: alone or among others, in any order, the same bits."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pytest

import grn
from grn.kit.errors import UsageError
from grn.quant.compute import compute
from grn.quant.engine.choose import Choice
from grn.quant.engine.contradictions import check_contradictions
from grn.quant.engine.plan import Grid
from grn.quant.metrics.registry import parse_metrics
from grn.quant.result import SweepResult
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules
from tests.property.cases import ALL_GROUPS, NIGHTLY, SHAPES, Shape, make_rules, make_shape, same_bits
from tests.property.markets import make_bars

METRICS = parse_metrics("default")


def shapes() -> list[int]:
    """Shapes with every accumulator: their kernels are those that a sweep prints."""
    found = [
        seed
        for seed in range(SHAPES)
        if make_shape(seed).groups == ALL_GROUPS and make_shape(seed).engine == "cpu"
    ]
    return found if NIGHTLY else found[:12]


def market(shape: Shape) -> tuple[Bars, ...]:
    """Three symbols of different length and time."""
    rng = np.random.default_rng([shape.seed, 3])
    return tuple(make_bars(rng, symbol=name, n_bars=n) for name, n in (("A", 80), ("B", 35), ("C", 2)))


def run(shape: Shape, bars: tuple[Bars, ...], grid: Grid, engine: str = "cpu") -> SweepResult:
    """Compute a grid with the shape's rules."""
    rules = make_rules(np.random.default_rng([shape.seed, 4]), shape.style)
    return compute(shape.strategy, bars, grid, rules, METRICS, Choice(engine, "test"), ppy=252.0)


def possible_rules(shape: Shape, bars: tuple[Bars, ...]) -> Rules:
    """The shape's first rules that are not refused on these bars."""
    for number in count():
        rules = make_rules(np.random.default_rng([shape.seed, 4, number]), shape.style)
        with suppress(UsageError):
            check_contradictions(shape.strategy, rules, bars)
            return rules
    raise AssertionError("unreachable")


@pytest.mark.parametrize("seed", shapes())
def test_frames_are_the_same_bytes_in_both_engines(seed: int) -> None:
    """The result frame of the reference and of cpu have one hash."""
    shape = make_shape(seed)
    bars = market(shape)
    truth, fused = run(shape, bars, shape.grid, "reference"), run(shape, bars, shape.grid)
    assert truth.frame.columns == fused.frame.columns
    assert truth.frame_sha256 == fused.frame_sha256


@pytest.mark.parametrize("seed", shapes())
def test_split_equals_whole(seed: int) -> None:
    """A sweep of many equals the sweeps of its parts and each row a backtest of it; symbols do not mix."""
    shape = make_shape(seed)
    bars = market(shape)
    values = shape.grid.values
    whole = run(shape, bars, shape.grid)
    columns = whole.frame.columns[1:]
    rows = whole.frame.select(columns).to_numpy().reshape(len(bars), len(values), len(columns))
    half = (len(values) + 1) // 2
    for start, stop in ((0, half), (half, len(values)), *((k, k + 1) for k in range(len(values)))):
        if start == stop:
            continue
        part = run(shape, bars, Grid(shape.grid.params, np.ascontiguousarray(values[start:stop])))
        found = part.frame.select(columns).to_numpy().reshape(len(bars), stop - start, len(columns))
        assert same_bits(rows[:, start:stop], found), f"rows {start} to {stop} of {shape}"
    for k, one in enumerate(bars):
        alone = run(shape, (one,), shape.grid)
        assert same_bits(rows[k], alone.frame.select(columns).to_numpy()), f"{one.symbol} of {shape}"


@pytest.mark.parametrize("seed", shapes()[:6])
def test_the_order_of_symbols_changes_nothing_but_the_order(seed: int) -> None:
    """Symbols swept in another order give the same rows in that order."""
    shape = make_shape(seed)
    bars = market(shape)
    whole = run(shape, bars, shape.grid).frame
    turned = run(shape, bars[::-1], shape.grid).frame
    for one in bars:
        mine, other = (f.filter(f["symbol"] == one.symbol).drop("symbol").to_numpy() for f in (whole, turned))
        assert same_bits(mine, other)
    assert turned["symbol"].unique(maintain_order=True).to_list() == ["C", "B", "A"]


@pytest.mark.parametrize("seed", shapes()[:4])
def test_a_row_is_a_backtest_with_its_parameters(seed: int) -> None:
    """`grn.backtest` at a row's parameters gives that row, and its path ends at the row's total return."""
    shape = make_shape(seed)
    bars = market(shape)[:2]
    rules = possible_rules(shape, bars)
    options: dict[str, Any] = {
        "rules": rules,
        "metrics": "default",
        "periods_per_year": 252.0,  # the market mixes daily and hourly bars
    }
    whole = grn.sweep(shape.strategy, bars, **options)
    columns = whole.frame.columns[1:]
    for k in range(len(shape.grid)):
        one = grn.backtest(shape.strategy, bars, shape.grid.binding(k), **options)
        rows = [j * len(shape.grid) + k for j in range(len(bars))]
        assert same_bits(whole.frame.select(columns)[rows].to_numpy(), one.frame.select(columns).to_numpy())
        for i in rows:
            assert whole.path(i).equity[-1] / rules.cash - 1.0 == whole.row(i)["total_return"]
