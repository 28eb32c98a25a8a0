"""The same returns through vectorbt 1.2.0, empyrical-reloaded 0.7.1 and quantstats 0.0.86.

Each relation is the one that the documentation states under "Other packages". The comparison is to 1e-9,
relative and absolute; what differs by definition is tested to differ in the way that is written down.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

from grn.quant.metrics.from_accumulators import metric_columns
from grn.quant.metrics.from_returns import accumulate, accumulate_trades, equity_returns, path_metrics
from grn.quant.metrics.registry import parse_metrics
from grn.quant.samples import sample

PPY = 252.0
# The peers' own deprecation and division warnings are none of ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def _index_returns() -> np.ndarray:
    close = sample("SP500").collect()["close"].to_numpy()
    return close[1:] / close[:-1] - 1.0


def _switched(returns: np.ndarray) -> np.ndarray:
    """Flat four bars in ten, as a strategy is."""
    switched = returns.copy()
    switched[np.arange(returns.size) % 10 < 4] = 0.0
    return switched


def _generated(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    returns = 4e-4 + 0.012 * rng.standard_t(4, 700)
    returns[0] = abs(returns[0])  # no loss on the first bar, where vectorbt differs: tested below
    return returns


CASES = {
    "S&P 500 1999-2018": _index_returns,
    "S&P 500, in and out": lambda: _switched(_index_returns()),
    "fat tails": lambda: _generated(0),
    "fat tails, in and out": lambda: _switched(_generated(1)),
    "a week": lambda: np.array([0.01, -0.02, 0.005, 0.0, -0.001]),
}


@pytest.fixture(params=CASES, scope="module")
def returns(request: pytest.FixtureRequest) -> np.ndarray:
    series: np.ndarray = CASES[request.param]()
    return series


def _ours(returns: np.ndarray) -> dict[str, float]:
    equity = np.cumprod(1.0 + returns)
    return path_metrics(returns, equity, initial=1.0, ppy=PPY)


def _series(returns: np.ndarray) -> Any:
    import pandas as pd

    # quantstats guesses from the values whether it was handed prices; every day is a bar, so nothing is
    # resampled.
    return pd.Series(returns, index=pd.date_range("2001-01-01", periods=returns.size, freq="D"))


@pytest.fixture(scope="module")
def vectorbt() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("vectorbt")


@pytest.fixture(scope="module")
def empyrical() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("empyrical")


@pytest.fixture(scope="module")
def quantstats() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("quantstats")
        return pytest.importorskip("quantstats.stats")


def _agree(found: dict[str, float], expected: dict[str, float]) -> None:
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=1e-9, abs=1e-9), name


def _vectorbt_metrics(vectorbt: Any, returns: np.ndarray) -> dict[str, float]:
    """Call what its returns accessor calls, uncompiled: compiling its wrappers takes half a minute."""
    nb = vectorbt.returns.nb
    return {
        "total_return": nb.cum_returns_final_1d_nb.py_func(returns),
        "cagr": nb.annualized_return_1d_nb.py_func(returns, PPY),
        "volatility": nb.annualized_volatility_1d_nb.py_func(returns, PPY),
        "sharpe": nb.sharpe_ratio_1d_nb.py_func(returns, PPY),
        "sortino": nb.sortino_ratio_1d_nb.py_func(returns, PPY),
        "calmar": nb.calmar_ratio_1d_nb.py_func(returns, PPY),
        "omega": nb.omega_ratio_1d_nb.py_func(returns, PPY),
        "max_drawdown": nb.max_drawdown_1d_nb.py_func(returns),
        "var": nb.value_at_risk_1d_nb.py_func(returns),
        "cvar": nb.cond_value_at_risk_1d_nb.py_func(returns),
        "tail_ratio": nb.tail_ratio_1d_nb.py_func(returns),
    }


def test_vectorbt_agrees(vectorbt: Any, returns: np.ndarray):
    """Eleven metrics are vectorbt's."""
    _agree(_ours(returns), _vectorbt_metrics(vectorbt, returns))


def test_empyrical_agrees(empyrical: Any, returns: np.ndarray):
    """The same eleven are empyrical's."""
    expected = {
        "total_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.annual_return(returns, annualization=PPY),
        "volatility": empyrical.annual_volatility(returns, annualization=PPY),
        "sharpe": empyrical.sharpe_ratio(returns, annualization=PPY),
        "sortino": empyrical.sortino_ratio(returns, annualization=PPY),
        "calmar": empyrical.calmar_ratio(returns, annualization=PPY),
        "omega": empyrical.omega_ratio(returns),
        "max_drawdown": empyrical.max_drawdown(returns),
        "var": empyrical.value_at_risk(returns),
        "cvar": empyrical.conditional_value_at_risk(returns),
        "tail_ratio": empyrical.tail_ratio(returns),
    }
    _agree(_ours(returns), expected)


def test_quantstats_agrees_up_to_its_sample_corrections(quantstats: Any, returns: np.ndarray):
    """Where definitions coincide so do numbers; its skew and kurtosis are ours after pandas' bias
    corrections.
    """
    series, n = _series(returns), returns.size
    found = _ours(returns)
    expected = {
        "total_return": quantstats.comp(series),
        "cagr": quantstats.cagr(series, periods=252),
        "volatility": quantstats.volatility(series, periods=252),
        "sharpe": quantstats.sharpe(series, periods=252),
        "sortino": quantstats.sortino(series, periods=252),
        "calmar": quantstats.calmar(series, periods=252),
        "omega": quantstats.omega(series, periods=252),
        "max_drawdown": quantstats.max_drawdown(series),
        "tail_ratio": quantstats.tail_ratio(series),
        "cvar": quantstats.conditional_value_at_risk(series, method="historical"),
    }
    _agree(found, expected)
    skew = found["skew"] * math.sqrt(n * (n - 1)) / (n - 2)
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (found["kurtosis"] - 3.0) + 6.0)
    assert skew == pytest.approx(float(quantstats.skew(series)), rel=1e-9, abs=1e-9)
    assert excess == pytest.approx(float(quantstats.kurtosis(series)), rel=1e-9, abs=1e-9)


def test_quantstats_value_at_risk_is_parametric(quantstats: Any):
    """Its VaR is a normal quantile of mean and deviation: milder than history where tails are fat."""
    returns = _index_returns()
    normal = returns.mean() - 1.6448536269514722 * returns.std(ddof=1)
    assert float(quantstats.value_at_risk(_series(returns))) == pytest.approx(normal, rel=1e-9)
    assert _ours(returns)["var"] != pytest.approx(normal, rel=1e-3)


def test_vectorbt_answers_infinity_where_we_answer_nan(vectorbt: Any):
    """No trade at all: its Sharpe ratio is inf and ours NaN, so that no ranking starts with it."""
    returns = np.zeros(50)
    theirs = _vectorbt_metrics(vectorbt, returns)
    ours = _ours(returns)
    for name in ("sharpe", "sortino", "omega", "tail_ratio"):
        assert theirs[name] == math.inf, name
        assert math.isnan(ours[name]), name


def test_vectorbt_forgets_a_loss_on_the_first_bar(vectorbt: Any, empyrical: Any, quantstats: Any):
    """Our peak starts at the initial cash, as empyrical's and quantstats' do; vectorbt's at the first
    close.
    """
    returns = np.array([-0.10, 0.05, -0.02, 0.03, 0.01])
    assert _ours(returns)["max_drawdown"] == pytest.approx(-0.10, rel=1e-12)
    assert empyrical.max_drawdown(returns) == pytest.approx(-0.10, rel=1e-12)
    assert float(quantstats.max_drawdown(_series(returns))) == pytest.approx(-0.10, rel=1e-12)
    assert _vectorbt_metrics(vectorbt, returns)["max_drawdown"] == pytest.approx(-0.02, rel=1e-12)


def test_vectorbt_trade_metrics(vectorbt: Any):
    """Trade metrics are those of its closed trades; an open one counts in `trades` alone."""
    import pandas as pd

    rng = np.random.default_rng(5)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, 400))
    phase = np.arange(400) % 40
    series = pd.Series(close, index=pd.date_range("2001-01-01", periods=400, freq="D"))
    portfolio = vectorbt.Portfolio.from_signals(
        series,
        entries=pd.Series((phase == 3) | (np.arange(400) == 395), series.index),
        exits=pd.Series(phase == 17, series.index),
        fees=0.001,
        init_cash=100.0,
        freq="1D",
    )
    closed = portfolio.trades.closed
    equity = portfolio.value().to_numpy()
    pnl = closed.records["pnl"].tolist()
    values = {
        **accumulate(equity_returns(equity, initial=100.0), equity, initial=100.0),
        **accumulate_trades(pnl, opened=int(portfolio.trades.count())),
        "bars_in": float((portfolio.assets() != 0).sum()),
        "fees": float(portfolio.orders.fees.sum()),
    }
    names = "trades,win_rate,profit_factor,expectancy,avg_win,avg_loss,exposure,fees"
    columns = metric_columns(values, n_bars=400, initial=100.0, ppy=PPY, metrics=parse_metrics(names))
    assert portfolio.trades.count() == closed.count() + 1
    _agree(
        {name: float(column[0]) for name, column in columns.items()},
        {
            "trades": portfolio.trades.count(),
            "win_rate": closed.win_rate(),
            "profit_factor": closed.profit_factor(),
            "expectancy": closed.expectancy(),
            "avg_win": closed.winning.pnl.mean(),
            "avg_loss": closed.losing.pnl.mean(),
            "exposure": portfolio.position_coverage(),
            "fees": portfolio.orders.fees.sum(),
        },
    )
