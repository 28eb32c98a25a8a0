"""One strategy by regime and by time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.regimes import measure_decay, split_regimes, volatility_regimes


def test_regimes_by_hand():
    """Two regimes and bars of none: their bars, Sharpe ratios, and shares of the profit."""
    returns = [0.01, 0.03, -0.02, 0.04, 9.0, math.nan]
    calm, wild = split_regimes(returns, [0, 0, 1, 1, -1, 1])
    assert (calm.regime, calm.n_bars, wild.n_bars) == (0, 2, 2)
    assert calm.sharpe == pytest.approx(0.02 / (0.01 * math.sqrt(2.0)))
    assert (calm.share, wild.share) == (pytest.approx(4 / 6), pytest.approx(2 / 6))


def test_volatility_is_that_of_the_bars_before():
    """Calm, then wild: the labels follow one window later, and know nothing of their own bar."""
    moved = np.concatenate((np.tile([0.001, -0.001], 50), np.tile([0.05, -0.05], 50)))
    labels = volatility_regimes(moved, window=10, regimes=2)
    assert (labels[:10] == -1).all()
    assert (labels[10:101] == 0).all()
    assert (labels[115:] == 1).all()
    noise = np.random.default_rng(0).normal(size=310)
    assert np.bincount(volatility_regimes(noise, window=10)[10:]).tolist() == [100, 100, 100]


def test_a_strategy_that_stopped_working_decays():
    """Skill in the first half only: a large difference; none in a steady one."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.01, 2000)
    faded = noise + np.where(np.arange(2000) < 1000, 0.002, 0.0)
    gone, steady = measure_decay(faded), measure_decay(noise + 0.002)
    assert gone.first > gone.second
    assert gone.p_value < 0.01
    assert gone.trend < 0.0
    assert steady.p_value > 0.05


def test_decay_of_noise_is_uniform():
    """Without skill, p-values of 0.1 or less come up about one time in ten (400 series)."""
    found = [measure_decay(np.random.default_rng(s).normal(0.0, 0.01, 300)).p_value for s in range(400)]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / 400))


@pytest.mark.parametrize(
    "returns", [[], [0.1, 0.2, 0.3], [0.0] * 20, [0.1, math.nan, 0.3, 0.2], [1, 1, 2, 3]]
)
def test_what_cannot_decay_is_nan(returns: list[float]):
    """Too short, constant in a half, or NaN."""
    assert math.isnan(measure_decay(returns).p_value)


def test_empty_and_undefined_bars_have_no_regime():
    """No bar, too few for a window, NaN or infinite returns in it: -1, and no warning."""
    assert split_regimes([], []) == ()
    assert volatility_regimes([0.1] * 5, window=5).tolist() == [-1] * 5
    assert volatility_regimes([0.1, math.nan, math.inf] * 4, window=3).tolist() == [-1] * 12
    assert math.isnan(split_regimes([0.1, 0.1], [0, 0])[0].sharpe)


def test_arguments_out_of_range_are_refused():
    """A window of one bar, no regime, and lengths that differ."""
    for window, regimes in ((1, 3), (5, 0)):
        with pytest.raises(UsageError):
            volatility_regimes([0.1] * 9, window=window, regimes=regimes)
    with pytest.raises(UsageError):
        split_regimes([0.1], [0, 1])
