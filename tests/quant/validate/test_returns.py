"""Which trials take part: those with a Sharpe ratio; what is undefined is left out and never warned about."""

from __future__ import annotations

import math

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.validate.returns import keep_defined, shape_of, sharpe_ratios


def test_only_trials_with_a_sharpe_ratio_are_kept():
    """NaN, infinities and constant returns are left out, and the columns say which ones are left."""
    x = np.random.default_rng(0).normal(0.0, 0.01, (50, 7))
    x[3, 1], x[4, 2] = np.nan, np.inf
    x[:, 4], x[:, 5] = 0.0, 0.1
    x[:, 6] = -np.inf
    kept = keep_defined(x)
    assert kept.columns.tolist() == [0, 3]
    assert (kept.given, kept.kept, kept.n_bars) == (7, 2, 50)
    assert np.array_equal(kept.returns, x[:, [0, 3]])


@pytest.mark.parametrize("bars", [0, 1])
def test_a_single_bar_has_no_spread(bars: int):
    """Below two bars no trial is kept."""
    kept = keep_defined(np.full((bars, 3), 0.1))
    assert (kept.kept, kept.given) == (0, 3)


def test_a_series_is_one_trial():
    """One dimension is one column; three are an error."""
    assert keep_defined([0.1, 0.2, 0.0]).kept == 1
    with pytest.raises(UsageError):
        keep_defined(np.zeros((2, 2, 2)))


def test_sharpe_ratios_are_those_of_numpy():
    """Mean over the deviation with n - 1; NaN for constant returns, whose rounded mean is not their value."""
    x = np.random.default_rng(1).normal(0.001, 0.01, (100, 3))
    x[:, 2] = 0.1
    found = sharpe_ratios(x)
    assert found[:2] == pytest.approx(x[:, :2].mean(axis=0) / x[:, :2].std(axis=0, ddof=1), rel=1e-14)
    assert math.isnan(found[2])


def test_shape_is_that_of_scipy():
    """Skewness and raw kurtosis as `scipy.stats` gives them without its corrections."""
    from scipy.stats import kurtosis, skew

    x = np.random.default_rng(2).standard_t(5, 300)
    expected = (float(skew(x)), float(kurtosis(x, fisher=False)))
    assert shape_of(x) == pytest.approx(expected, rel=1e-12)
    assert all(math.isnan(value) for value in shape_of(np.full(9, 0.3)))
    assert all(math.isnan(value) for value in shape_of(np.empty(0)))
