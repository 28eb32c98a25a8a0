"""Annual Sharpe ratios of returns that follow from each other: Lo's closed form, and the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.autocorrelation import (
    adjusted_sharpe_ratio,
    annual_factor,
    autocorrelations,
    memory_of,
)


@pytest.mark.parametrize("periods", [1, 4, 12, 252])
def test_without_autocorrelation_it_is_the_root(periods: int):
    """Lo (2002), eq. 20 with every autocorrelation at 0 is the root of the periods."""
    assert annual_factor(np.zeros(periods), periods) == pytest.approx(math.sqrt(periods), rel=1e-15)
    assert annual_factor([], periods) == pytest.approx(math.sqrt(periods), rel=1e-15)


@pytest.mark.parametrize("rho", [0.9, 0.5, 0.2, -0.1, -0.4])
def test_first_order_autoregression_has_the_papers_closed_form(rho: float):
    """Lo (2002), eq. 22: root q over the root of 1 + 2 rho / (1 - rho) (1 - (1 - rho**q) / (q (1 - rho)))."""
    q = 12
    inner = 1.0 + 2.0 * rho / (1.0 - rho) * (1.0 - (1.0 - rho**q) / (q * (1.0 - rho)))
    assert annual_factor(rho ** np.arange(1, q), q) == pytest.approx(math.sqrt(q / inner), rel=1e-13)


def test_autocorrelations_by_hand():
    """1, 2, 3, 4 about 2.5: lag 1 is (0.75 - 0.25 + 0.75) / 5, lag 2 (-0.75 - 0.75) / 5, lag 3 -2.25 / 5."""
    found = autocorrelations([1.0, 2.0, 3.0, 4.0], 5)
    assert found[:3] == pytest.approx([0.25, -0.3, -0.45], rel=1e-14)
    assert np.isnan(found[3:]).all()


def test_smoothed_returns_look_better_than_they_are():
    """A moving average of noise with skill: adjusting takes off what smoothing brought."""
    noise = np.random.default_rng(4).normal(0.002, 0.01, 4000)
    smooth = np.convolve(noise, np.full(4, 0.25), "valid")
    plain = smooth.mean() / smooth.std(ddof=1) * math.sqrt(12)
    honest = noise.mean() / noise.std(ddof=1) * math.sqrt(12)
    assert plain > 1.7 * honest
    assert adjusted_sharpe_ratio(smooth, 12) == pytest.approx(honest, rel=0.25)


@pytest.mark.parametrize("series", [[], [0.1], [0.1, 0.2], [0.0] * 50, [0.1] * 50, [0.1, math.nan, 0.2, 0.3]])
def test_what_has_no_answer_is_nan(series: list[float]):
    """Too short, constant, or with a NaN: NaN, and no warning."""
    assert math.isnan(adjusted_sharpe_ratio(series, 12))


def test_a_sum_without_variance_is_nan():
    """Autocorrelations under which the year's variance would be negative."""
    assert math.isnan(annual_factor([-0.9], 12))
    assert math.isnan(annual_factor([math.nan], 12))


def test_arguments_out_of_range_are_refused():
    """No period a year, or a negative number of lags."""
    with pytest.raises(UsageError):
        annual_factor([], 0)
    with pytest.raises(UsageError):
        autocorrelations([1.0, 2.0], -1)


def test_memory_is_the_variance_of_the_mean() -> None:
    """An autoregression of r has (1 + r) / (1 - r), 3 at a half, and a bandwidth sees most; noise has 1."""
    rng = np.random.default_rng(0)
    shocks = rng.normal(0.0, 1.0, 50_000)
    x = np.empty_like(shocks)
    x[0] = shocks[0]
    for t in range(1, len(x)):
        x[t] = 0.5 * x[t - 1] + shocks[t]
    memory, lags = memory_of(x)
    assert 2.8 < memory < 3.2
    assert 48 < lags < 54  # 1.1447 (4 * 0.25 / 0.75**2 * 50,000)**(1/3) = 51.1
    assert memory_of(shocks)[0] < 1.05
    assert memory_of(np.tile([1.0, -1.0], 50))[0] == 1.0
    for nothing in ([], [1.0, 2.0], np.ones(9), [1.0, np.nan, 2.0]):
        assert memory_of(nothing) == (1.0, 0)
