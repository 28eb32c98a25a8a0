"""What costs and size leave of a strategy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.frictions import estimate_capacity, stress_costs


def test_costs_by_hand():
    """0.2 % a bar before costs, a tenth traded at 1 %: 0.1 % paid; twice the costs leave nothing."""
    net = np.array([0.011, -0.009, 0.011, -0.009])
    found = stress_costs(net, np.full(4, 0.1), cost=0.01)
    assert [level.mean for level in found.levels] == pytest.approx([0.001, 0.0, -0.003], abs=1e-15)
    assert found.levels[0].sharpe == pytest.approx(net.mean() / net.std(ddof=1))
    assert found.break_even == pytest.approx(2.0)


def test_once_the_costs_is_what_was_given():
    """A factor of 1 gives the returns back, whatever was paid."""
    rng = np.random.default_rng(0)
    net, traded = rng.normal(0.0, 0.01, 200), rng.random(200)
    (level,) = stress_costs(net, traded, cost=0.002, factors=[1.0]).levels
    assert level.mean == pytest.approx(net.mean(), rel=1e-12)


def test_what_costs_cannot_break():
    """Nothing traded and earning: no factor is too high. Losing without costs: none is low enough."""
    assert stress_costs([0.01, 0.02], [0.0, 0.0], cost=0.1).break_even == math.inf
    assert stress_costs([-0.01, -0.02], [0.0, 0.0], cost=0.1).break_even == 0.0
    assert math.isnan(stress_costs([], [], cost=0.1).break_even)
    assert math.isnan(stress_costs([math.nan, 0.1], [1.0, 1.0], cost=0.1).break_even)
    assert math.isnan(stress_costs([math.inf, 0.1], [1.0, 1.0], cost=0.1, factors=[1.0]).levels[0].sharpe)


def test_capacity_by_hand():
    """1 % moves, all capital traded every bar against a million: impact 0.01 sqrt(A / 1e6), mean 0.001.

    It breaks even where the root is 0.1, at 10,000; the most money is made at (2 / 3)**2 of that; and a tenth
    of the volume is 100,000.
    """
    n = np.ones(50)
    found = estimate_capacity(0.001 * n, n, 1e6 * n, 0.01)
    assert found.break_even == pytest.approx(10_000.0)
    assert found.best == pytest.approx(10_000.0 * 4 / 9)
    assert found.limit == pytest.approx(100_000.0)


def test_the_best_capital_earns_the_most():
    """Money per bar, computed bar by bar for many sizes of capital, peaks where the formula says."""
    rng = np.random.default_rng(3)
    net, traded = rng.normal(0.001, 0.01, 400), rng.random(400) * (rng.random(400) < 0.3)
    volume, swing = rng.uniform(1e6, 5e6, 400), rng.uniform(0.005, 0.02, 400)
    found = estimate_capacity(net, traded, volume, swing)
    sizes = found.best * np.geomspace(0.25, 4.0, 201)
    money = [float((a * (net - swing * traded * np.sqrt(a * traded / volume))).sum()) for a in sizes]
    assert sizes[int(np.argmax(money))] == pytest.approx(found.best, rel=0.02)
    at_end = found.break_even
    left = (net - swing * traded * np.sqrt(at_end * traded / volume)).mean()
    assert left == pytest.approx(0.0, abs=1e-12)


def test_capacity_without_an_answer():
    """Nothing traded bears anything, a loss nothing, a bar without volume nothing, NaN is NaN."""
    some = np.array([0.01, 0.02])
    assert estimate_capacity(some, [0.0, 0.0], [1.0, 1.0], 0.01).best == math.inf
    assert estimate_capacity(-some, [1.0, 0.0], [1e6, 1e6], 0.01).break_even == 0.0
    assert estimate_capacity(some, [1.0, 0.0], [0.0, 1e6], 0.01).limit == 0.0
    assert estimate_capacity(some, [1.0, 1.0], [1e6, 1e6], 0.0).best == math.inf
    assert math.isnan(estimate_capacity([math.nan, 0.1], [1.0, 0.0], [1e6, 1e6], 0.01).best)
    assert math.isnan(estimate_capacity([], [], [], 0.01).best)


@pytest.mark.parametrize(
    "call",
    [
        lambda: stress_costs([0.1], [0.1, 0.2], cost=0.1),
        lambda: stress_costs([0.1], [-0.1], cost=0.1),
        lambda: stress_costs([0.1], [0.1], cost=-0.1),
        lambda: estimate_capacity([0.1], [0.1], [1.0, 2.0], 0.01),
        lambda: estimate_capacity([0.1], [0.1], [1.0], 0.01, impact=0.0),
        lambda: estimate_capacity([0.1], [0.1], [1.0], 0.01, participation=2.0),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    """Lengths that differ, negative costs or trades, impossible shares."""
    with pytest.raises(UsageError):
        call()
