"""Equity of many combinations at once: the bits of their paths, for strategies and rules of all kinds."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

from grn.quant import Bars, Rules, Strategy
from grn.quant.engine import curves
from grn.quant.engine.compiled import functions
from grn.quant.engine.curves import returns_of, visit_curves
from grn.quant.engine.grid import Grid, build_grid
from grn.quant.engine.path import trace
from grn.quant.strategy.expr import param
from grn.quant.strategy.words import close
from tests.property.cases import NIGHTLY, SHAPES, make_case, make_shape, same_bits
from tests.property.markets import make_bars
from tests.quant.markets import cross

Array = npt.NDArray[np.float64]

SEEDS = range(SHAPES if NIGHTLY else 60)
CASES = 8 if NIGHTLY else 2


def collect(strategy: Strategy, bars: Bars, rules: Rules, grid: Grid, *, threads: int = 1) -> Array:
    """Equity of every combination: float64 [C, T]; each of them comes once."""
    found = np.full((len(grid), len(bars)), np.nan)
    seen = np.zeros(len(grid), np.int64)

    def visit(first: int, equity: Array) -> None:
        seen[first : first + len(equity)] += 1
        found[first : first + len(equity)] = equity

    visit_curves(strategy, bars, rules, grid, visit, threads=threads)
    assert (seen == 1).all()
    return found


@pytest.mark.parametrize("threads", [1, 2])
def test_curves_have_the_bits_of_paths(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated strategies and rules of every kind; two threads with blocks of few bars and no memory."""
    if threads == 2:
        monkeypatch.setattr(curves, "BLOCK", 100)
        monkeypatch.setattr(curves, "FEWEST", 2)
        monkeypatch.setattr(curves, "REMEMBERED", 0.0)
    opened = 0.0
    for seed in SEEDS:
        shape = make_shape(seed)
        for number in range(CASES):
            case = make_case(shape, number)
            found = collect(shape.strategy, case.bars, case.rules, shape.grid, threads=threads)
            for row, equity in enumerate(found):
                path = trace(shape.strategy, case.bars, case.rules, shape.grid.binding(row))
                assert same_bits(equity, path.equity), f"row {row} of {case}"
                assert same_bits(returns_of(equity, case.rules.cash), path.returns)
                opened += path.tallies["opened"]
    assert opened > 100 * len(SEEDS) ** 0.5, "hardly anything traded: these cases prove nothing"


def test_one_compilation_of_the_walk_serves_every_strategy() -> None:
    """Long and short, with conditions that never hold, with stops or without: to Numba all are one type."""
    for seed in range(12):
        case = make_case(make_shape(seed), 0)
        trace(case.shape.strategy, case.bars, case.rules, case.shape.grid.binding(0))
        collect(case.shape.strategy, case.bars, case.rules, case.shape.grid)
    assert len(functions["walk"].signatures) == 1


def test_what_is_remembered_belongs_to_its_values() -> None:
    """0.0 and -0.0 are equal and not the same divisor; an unread parameter between two that are read."""
    bars = make_bars(np.random.default_rng(0), n_bars=50, kind="walk")
    d, n = param("d", [1.0, 2.0]), param("n", [1, 2])
    other = param("other", [0.5, 0.7])
    strategy = Strategy(
        entry=(close / d > 0.0) & (close > close.lag(n)), exit=close < close.lag(n) * other, name="signed"
    )
    settings = [[d, n, o] for d in (0.0, -0.0, 1.0) for o in (0.9, 1.1) for n in (1.0, 2.0)]
    grid = Grid(
        strategy.params,
        np.array([[{"d": d, "n": n, "other": o}[p.name] for p in strategy.params] for d, n, o in settings]),
    )
    rules = Rules(fill="close")
    found = collect(strategy, bars, rules, grid)
    for row, equity in enumerate(found):
        assert same_bits(equity, trace(strategy, bars, rules, grid.binding(row)).equity)
    assert (found[:4] != found[4:8]).any()


def test_returns_are_those_of_each_bar() -> None:
    """Against a loop; what follows a ruin, and what follows a missing equity, earns nothing."""
    equity = np.array([[110.0, 99.0, 0.0, 0.0], [100.0, -5.0, -5.0, 7.0], [np.nan, 3.0, 6.0, np.inf]])
    slow = []
    for line in equity.tolist():
        before, earned = 100.0, []
        for worth in line:
            earned.append(worth / before - 1.0 if before > 0.0 else 0.0)
            before = worth
        slow.append(earned)
    assert same_bits(returns_of(equity, 100.0), np.array(slow))
    alive = np.abs(equity[:1]) + 1.0
    assert same_bits(returns_of(alive, 100.0), np.stack([returns_of(alive[0], 100.0)]))
    assert equity[0, 0] == 110.0


def test_memory_is_that_of_blocks_and_of_what_is_shared() -> None:
    """Beside what the caller keeps, less than all curves take; many windows do not add up."""
    bars = make_bars(np.random.default_rng(1), n_bars=5_000, kind="walk")
    strategy = cross(range(2, 22), range(30, 60))
    grid = build_grid(strategy, 1.0)
    visit_curves(strategy, bars, Rules(), Grid(grid.params, grid.values[:1]), lambda *_: None)
    tracemalloc.start()
    visit_curves(strategy, bars, Rules(), grid, lambda *_: None, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(grid) * len(bars)


def test_what_a_visitor_raises_reaches_who_asked() -> None:
    """From another thread too; nothing runs on after it."""
    bars = make_bars(np.random.default_rng(2), n_bars=5_000, kind="walk")
    strategy = cross(range(2, 22), range(30, 60))
    running = threading.active_count()

    def visit(first: int, equity: Array) -> None:
        raise KeyError(first)

    for threads in (1, 2):
        with pytest.raises(KeyError):
            visit_curves(strategy, bars, Rules(), build_grid(strategy, 1.0), visit, threads=threads)
    assert threading.active_count() == running
