"""The same trades in other orders, and the same positions at other times."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.chance import rotate_positions, shuffle_trades


def test_drawdowns_by_hand():
    """+10 %, -20 %, +5 %, -10 %: from 1.1 down to 1.1 x 0.8 x 1.05 x 0.9, a fall of 24.4 %."""
    found = shuffle_trades([0.1, -0.2, 0.05, -0.1], draws=500)
    assert found.drawdown == pytest.approx(1.0 - 0.8 * 1.05 * 0.9, rel=1e-12)
    possible = set()
    for order in itertools.permutations([1.1, 0.8, 1.05, 0.9]):
        capital = np.multiply.accumulate(order)
        highest = np.maximum(np.maximum.accumulate(capital), 1.0)
        possible.add(round(float((1 - capital / highest).max()), 9))
    assert {round(float(value), 9) for value in found.drawdowns} == possible
    assert found.quantile(1.0) == pytest.approx(max(possible))


def test_the_worst_order_is_rare_and_the_best_is_not():
    """All losses in a row go deepest of all; alternating ones hardly fall."""
    wins, losses = [0.05] * 20, [-0.04] * 20
    worst = shuffle_trades(losses + wins, draws=300)
    best = shuffle_trades([x for pair in zip(wins, losses, strict=True) for x in pair], draws=300)
    assert worst.p_value == pytest.approx(1 / 301)
    assert best.p_value == 1.0


def test_same_seed_same_bytes_in_any_batch(monkeypatch: pytest.MonkeyPatch):
    """Orders do not depend on how many are drawn at once."""
    trades = np.random.default_rng(0).normal(0.0, 0.02, 50)
    whole = shuffle_trades(trades, draws=40, seed=3).drawdowns
    monkeypatch.setattr("grn.quant.validate.chance._AT_ONCE", 150)
    assert shuffle_trades(trades, draws=40, seed=3).drawdowns.tobytes() == whole.tobytes()
    assert shuffle_trades(trades, draws=40, seed=4).drawdowns.tobytes() != whole.tobytes()


@pytest.mark.parametrize("trades", [[], [0.1, math.nan], [math.inf]])
def test_no_trade_has_no_drawdown(trades: list[float]):
    """No trade, or one without a number: NaN."""
    found = shuffle_trades(trades)
    assert math.isnan(found.drawdown)
    assert math.isnan(found.p_value)
    assert math.isnan(found.quantile(0.5))


def test_a_trade_that_loses_everything_ends_it():
    """-100 % and -150 % both leave nothing."""
    assert shuffle_trades([0.1, -1.0, 0.5], draws=5).drawdown == 1.0
    assert shuffle_trades([0.1, -1.5, 0.5], draws=5).drawdown == 1.0


@pytest.mark.parametrize("n", [3, 40, 41])
def test_rotations_are_those_of_roll(n: int):
    """All of them at once over frequencies, as one after the other with `numpy.roll`."""
    rng = np.random.default_rng(n)
    held, moved = rng.choice([0.0, 1.0, -0.5], n), rng.normal(0.0, 0.01, n)
    held[0], held[1] = 1.0, 0.0
    series = [np.roll(held, k) * moved for k in range(n)]
    expected = [one.mean() / one.std(ddof=1) if one.any() else 0.0 for one in series]
    found = rotate_positions(held, moved)
    assert [found.sharpe, *found.rotated] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    reached = sum(value >= expected[0] * (1 - 1e-9) for value in expected[1:])
    assert found.p_value == pytest.approx((1 + reached) / n)


def test_timing_is_told_from_drift():
    """Long most of the time in a market that rises: no timing. Long before it rises: timing."""
    rng = np.random.default_rng(6)
    moved = rng.normal(0.001, 0.01, 1500)
    lucky = (rng.random(1500) < 0.8).astype(float)
    clever = (moved + rng.normal(0.0, 0.02, 1500) > 0.0).astype(float)
    assert rotate_positions(lucky, moved).p_value > 0.05
    assert rotate_positions(clever, moved).p_value < 0.005


def test_positions_that_never_change_have_no_timing():
    """Every rotation of buy and hold is buy and hold: p is 1."""
    moved = np.random.default_rng(7).normal(0.01, 0.01, 100)
    assert rotate_positions(np.ones(100), moved).p_value == 1.0


@pytest.mark.parametrize(
    ("held", "moved"),
    [
        ([1, 0], [0.1, 0.2]),
        ([0, 0, 0, 0], [1, 2, 3, 4]),
        ([1, 0, math.nan, 1], [1, 2, 3, 4]),
        ([1, 1, 1], [0.1] * 3),
    ],
)
def test_what_has_no_timing_is_nan(held: list[float], moved: list[float]):
    """Too short, flat, NaN, or constant: NaN."""
    assert math.isnan(rotate_positions(held, moved).p_value)


def test_arguments_out_of_range_are_refused():
    """No draw, and lengths that differ."""
    with pytest.raises(UsageError):
        shuffle_trades([0.1], draws=0)
    with pytest.raises(UsageError):
        rotate_positions([1.0, 0.0], [0.1])
