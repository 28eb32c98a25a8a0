"""One path: the sweep's numbers again, and the tails."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import UsageError
from grn.quant.metrics.from_accumulators import metric_columns
from grn.quant.metrics.from_returns import (
    accumulate,
    accumulate_trades,
    equity_returns,
    path_metrics,
    tail_metrics,
)
from grn.quant.metrics.registry import METRICS, parse_metrics

RNG = np.random.default_rng(11)
EQUITY = 100.0 * np.cumprod(1.0 + RNG.normal(5e-4, 0.01, 300))
RETURNS = equity_returns(EQUITY, initial=100.0)


def test_a_path_has_the_bits_of_its_row_in_a_sweep():
    """`path_metrics` is the sweep's formula on the sweep's accumulators."""
    further = {**accumulate_trades([3.0, -2.0], opened=3), "bars_in": 120.0, "traded": 5.0, "fees": 1.25}
    alone = path_metrics(RETURNS, EQUITY, initial=100.0, ppy=252.0, further=further)
    values = {**accumulate(RETURNS, EQUITY, initial=100.0), **further}
    table = {name: np.array([1.0, value, 2.0]) for name, value in values.items()}
    columns = metric_columns(table, n_bars=300, initial=100.0, ppy=252.0, metrics=parse_metrics())
    assert {name: columns[name][1].hex() for name in columns} == {
        name: alone[name].hex() for name in alone if not METRICS[name].second_pass
    }


def test_without_trades_the_trade_metrics_are_left_out():
    """What returns and equity determine is given; nothing is made up."""
    found = path_metrics(RETURNS, EQUITY, initial=100.0, ppy=252.0)
    assert "sharpe" in found
    assert "cvar" in found
    assert not {"trades", "win_rate", "exposure", "turnover", "fees"} & set(found)


def test_asking_for_trades_without_trades_is_an_error():
    """The message names the metric and what it lacks."""
    with pytest.raises(UsageError, match="win_rate") as caught:
        path_metrics(RETURNS, EQUITY, initial=100.0, ppy=252.0, metrics=parse_metrics("win_rate"))
    assert "closed" in str(caught.value.seen)


def test_equity_returns_of_a_dead_account_are_nan_without_a_warning():
    """0/0 is NaN; the first return is against the initial cash."""
    found = equity_returns(np.array([50.0, 0.0, 0.0]), initial=100.0)
    assert found[:2].tolist() == [-0.5, -1.0]
    assert math.isnan(found[2])


@pytest.mark.parametrize("n", [1, 2, 20, 21, 41, 61, 100, 101, 1000, 1001])
def test_the_tail_holds_its_own_quantile(n: int):
    """VaR is NumPy's percentile, and CVaR is the mean of the floor((n - 1) / 20) + 1 smallest returns."""
    returns = np.random.default_rng(n).normal(0.0, 0.02, n)
    found = tail_metrics(returns)
    assert found["var"] == pytest.approx(float(np.percentile(returns, 5)), rel=1e-12)
    smallest = np.sort(returns)[: (n - 1) // 20 + 1]
    assert found["cvar"] == pytest.approx(float(smallest.mean()), rel=1e-12)
    assert found["tail_ratio"] == pytest.approx(
        abs(float(np.percentile(returns, 95))) / abs(found["var"]), rel=1e-12
    )


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=80))
def test_tails_are_ordered_and_blind_to_the_order_of_bars(values: list[float]):
    """No return is beyond its tail (min <= CVaR <= VaR <= max), and a rearranged series has the same."""
    returns = np.array(values)
    found = tail_metrics(returns)
    slack = 1e-15
    assert returns.min() - slack <= found["cvar"] <= found["var"] + slack
    assert found["var"] <= returns.max()
    again = tail_metrics(returns[::-1])
    assert np.array_equal(list(found.values()), list(again.values()), equal_nan=True)


@pytest.mark.parametrize("returns", [np.array([]), np.array([0.1, np.nan])])
def test_no_returns_or_a_nan_give_no_tail(returns: np.ndarray):
    """Undefined is NaN for all three, without a warning."""
    assert all(math.isnan(value) for value in tail_metrics(returns).values())


def test_a_flat_run_has_no_tail_ratio():
    """With a zero quantile below, the ratio is undefined and not infinite."""
    returns = np.zeros(100)
    returns[:2] = -0.1, 0.1
    found = tail_metrics(returns)
    assert (found["var"], math.isnan(found["tail_ratio"])) == (0.0, True)
    assert found["cvar"] == pytest.approx(-0.1 / 99)
