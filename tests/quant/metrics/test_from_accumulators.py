"""Metric columns: same bits alone and among many, edge cases by rule, moments within their error bound."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from grn.quant.metrics.accumulators import GROUPS, accumulator_names
from grn.quant.metrics.from_accumulators import metric_columns, sharpe_per_period
from grn.quant.metrics.from_returns import accumulate, accumulate_trades
from grn.quant.metrics.registry import METRICS, parse_metrics

NAMES = accumulator_names(group.name for group in GROUPS)
FLAT = {
    "equity": 100.0,
    "s1": 0.0,
    "s2": 0.0,
    "s3": 0.0,
    "s4": 0.0,
    "d2": 0.0,
    "gain": 0.0,
    "loss": 0.0,
    "dd_peak": 100.0,
    "dd_trough": 100.0,
    "dd_bars": 0.0,
    **accumulate_trades([], opened=0),
    "bars_in": 0.0,
    "traded": 0.0,
    "fees": 0.0,
}
"""A run that never traded."""


def _many(count: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(0.0, 2.0, count) for name in NAMES}
    values["equity"] = rng.uniform(-20.0, 300.0, count)
    values["s1"] = rng.normal(0.0, 0.1, count)
    for name in ("d2", "loss", "closed", "wins", "loss_sum"):
        values[name][rng.random(count) < 0.1] = 0.0
    values["s2"][::7] = np.nan
    return values


def _one(values: dict[str, float], names: str = "all", **changes: float) -> dict[str, float]:
    columns = metric_columns(
        {**values, **changes}, n_bars=100, initial=100.0, ppy=252.0, metrics=parse_metrics(names)
    )
    return {name: float(column[0]) for name, column in columns.items()}


@pytest.mark.parametrize("count", [1, 3, 8, 1001])
def test_an_element_has_the_same_bits_alone_and_among_many(count: int):
    """Vectorised, one by one, strided and reversed: no element knows its neighbours."""
    values = _many(count, seed=count)
    run = {"n_bars": 750, "initial": 100.0, "ppy": 252.0, "metrics": parse_metrics()}
    together = metric_columns(values, **run)
    for index in range(0, count, max(1, count // 50)):
        alone = metric_columns({name: value[index : index + 1] for name, value in values.items()}, **run)
        for name, column in alone.items():
            assert column.tobytes() == together[name][index : index + 1].tobytes(), name
    strided = {name: np.repeat(value, 3)[::3] for name, value in values.items()}
    reversed_ = {name: np.ascontiguousarray(value[::-1])[::-1] for name, value in values.items()}
    for other in (strided, reversed_):
        for name, column in metric_columns(other, **run).items():
            assert column.tobytes() == together[name].tobytes(), name


def test_columns_are_fresh_and_in_the_order_asked():
    """Writing to a result never changes an accumulator."""
    values = _many(5, seed=1)
    columns = metric_columns(
        values, n_bars=9, initial=1.0, ppy=1.0, metrics=parse_metrics("fees,trades,sharpe")
    )
    assert list(columns) == ["fees", "trades", "sharpe"]
    assert not any(
        np.shares_memory(column, value) for column in columns.values() for value in values.values()
    )


def test_a_run_that_never_traded():
    """Nothing happened: returns, risk and counts are 0, every ratio is NaN, and no warning is raised."""
    found = _one(FLAT)
    zeros = {name for name, value in found.items() if value == 0.0}
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert zeros == {
        "total_return",
        "cagr",
        "volatility",
        "max_drawdown",
        "max_drawdown_bars",
        "trades",
        "exposure",
        "turnover",
        "fees",
    }
    assert zeros | undefined == set(METRICS)


@pytest.mark.parametrize("rate", [1e-4, -3e-3, 0.017])
@pytest.mark.parametrize("n", [2, 100, 5031, 300_000])
def test_constant_returns_have_no_sharpe_ratio(rate: float, n: int):
    """What s2 - s1*s1/n leaves of a constant series is rounding: volatility is 0 and Sharpe NaN, not 1e8."""
    returns = np.full(n, rate)
    values = {"s1": float(np.cumsum(returns)[-1]), "s2": float(np.cumsum(returns * returns)[-1])}
    values |= {"s3": rate**3 * n, "s4": rate**4 * n, "equity": 1.0}
    found = metric_columns(
        values, n_bars=n, initial=1.0, ppy=252.0, metrics=parse_metrics("volatility,sharpe,skew,kurtosis")
    )
    assert found["volatility"][0] == 0.0
    assert all(np.isnan(found[name][0]) for name in ("sharpe", "skew", "kurtosis"))


@pytest.mark.parametrize("n_bars", [0, 1])
def test_one_bar_has_no_spread(n_bars: int):
    """With fewer than two returns there is no variance, and no division warning either."""
    values = {**FLAT, "s1": 0.01, "s2": 0.0001, "s3": 1e-6, "s4": 1e-8}
    found = metric_columns(values, n_bars=n_bars, initial=100.0, ppy=252.0, metrics=parse_metrics())
    for name in ("volatility", "sharpe", "skew", "kurtosis"):
        assert np.isnan(found[name][0]), name
    assert np.isnan(sharpe_per_period(values, n_bars=n_bars)[0])


def test_zero_denominators_are_nan_and_never_infinite():
    """No loss yet, no fall yet, no losing trade: undefined, although there is a gain."""
    found = _one(FLAT, s1=0.5, s2=0.1, gain=0.5, equity=150.0, opened=1.0, closed=1.0, wins=1.0, win_sum=50.0)
    for name in ("sortino", "calmar", "omega", "profit_factor", "avg_loss"):
        assert math.isnan(found[name]), name
    assert (found["win_rate"], found["expectancy"], found["avg_win"]) == (1.0, 50.0, 50.0)


@pytest.mark.parametrize("equity", [0.0, -25.0])
def test_a_ruined_account(equity: float):
    """Total return and drawdown say how much was lost, CAGR is -1: a negative base has no real root."""
    found = _one(FLAT, equity=equity, dd_trough=equity)
    assert found["total_return"] == equity / 100.0 - 1.0
    assert found["cagr"] == -1.0
    assert found["max_drawdown"] == equity / 100.0 - 1.0


def test_growth_too_large_for_a_double_is_infinite():
    """A few bars that double a year of 525,960 bars overflow: infinity, no exception."""
    found = metric_columns(
        {"equity": 3e2}, n_bars=1, initial=1.0, ppy=525_960.0, metrics=parse_metrics("cagr")
    )
    assert found["cagr"][0] == math.inf


def test_by_hand():
    """A small case computed by hand: returns 0.1, -0.05, 0.02, 0 at four periods a year."""
    returns = np.array([0.1, -0.05, 0.02, 0.0])
    equity = 100.0 * np.cumprod(1.0 + returns)
    values = {**FLAT, **accumulate(returns, equity, initial=100.0), "traded": 1.5, "bars_in": 3.0}
    found = {
        name: float(column[0])
        for name, column in metric_columns(
            values, n_bars=4, initial=100.0, ppy=4.0, metrics=parse_metrics()
        ).items()
    }
    assert found["total_return"] == pytest.approx(1.1 * 0.95 * 1.02 - 1.0, rel=1e-14)
    assert found["cagr"] == pytest.approx(found["total_return"], rel=1e-14)
    std = math.sqrt(((0.1 - 0.0175) ** 2 + 0.0675**2 + 0.0025**2 + 0.0175**2) / 3.0)
    assert found["volatility"] == pytest.approx(2.0 * std, rel=1e-13)
    assert found["sharpe"] == pytest.approx(2.0 * 0.0175 / std, rel=1e-13)
    assert found["sortino"] == pytest.approx(2.0 * 0.0175 / 0.025, rel=1e-13)
    assert found["omega"] == pytest.approx(0.12 / 0.05, rel=1e-13)
    assert found["max_drawdown"] == pytest.approx(-0.05, rel=1e-13)
    assert found["calmar"] == pytest.approx(found["total_return"] / 0.05, rel=1e-12)
    assert (found["max_drawdown_bars"], found["exposure"], found["turnover"]) == (3.0, 0.75, 1.5)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1.0])
def test_variance_stays_within_the_documented_bound(ratio: float):
    """Against exact rational arithmetic: 3 n u (1 + k^2), where k = mean / std."""
    n = 4000
    rng = np.random.default_rng(7)
    returns = 0.01 * (rng.normal(size=n) + ratio)
    exact = [Fraction(value) for value in returns.tolist()]
    mean = sum(exact) / n
    variance = sum((value - mean) ** 2 for value in exact) / (n - 1)
    values = accumulate(returns, np.cumprod(1.0 + returns), initial=1.0)
    found = metric_columns(values, n_bars=n, initial=1.0, ppy=1.0, metrics=parse_metrics("volatility"))
    error = abs(float((Fraction(float(found["volatility"][0])) ** 2 - variance) / variance))
    k = float(mean) / math.sqrt(float(variance))
    assert error <= 3 * n * 2.0**-53 * (1.0 + k * k)


def test_sharpe_per_period_is_the_annual_one_without_the_root():
    """What the ledger keeps and what the table shows are the same ratio in two units."""
    values = _many(64, seed=3)
    annual = metric_columns(values, n_bars=500, initial=1.0, ppy=252.0, metrics=parse_metrics("sharpe"))[
        "sharpe"
    ]
    np.testing.assert_array_equal(sharpe_per_period(values, n_bars=500) * math.sqrt(252.0), annual)


def test_a_missing_accumulator_is_named():
    """An engine that forgot a group hears which one."""
    with pytest.raises(KeyError, match="s1"):
        metric_columns({"equity": 1.0}, n_bars=5, initial=1.0, ppy=1.0, metrics=parse_metrics("sharpe"))
