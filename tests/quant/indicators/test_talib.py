"""TA-Lib 0.8.2 is the oracle where definitions agree; the stated relation holds where they do not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from grn.quant.indicators.registry import INDICATORS, evaluate

talib = pytest.importorskip("talib")

Columns = dict[str, npt.NDArray[np.float64]]
Array = npt.NDArray[np.float64]


def ours(name: str, columns: Columns, params: dict[str, object]) -> tuple[Array, ...]:
    """Evaluate on the columns an indicator asks for; ``x`` is the close and ``y`` the volume."""
    source = {**columns, "x": columns["close"], "y": columns["volume"]}
    return evaluate(name, [source[column] for column in INDICATORS[name].inputs], params, jit=True)


# Name here, parameters here, TA-Lib's function, its inputs, its parameters, absolute tolerance.
# The tolerance is 0 except where values near 0 are the difference of large ones.
SAME = [
    ("rolling_sum", {"n": 10}, "SUM", ["close"], {"timeperiod": 10}, 0.0),
    ("sma", {"n": 2}, "SMA", ["close"], {"timeperiod": 2}, 0.0),
    ("sma", {"n": 50}, "SMA", ["close"], {"timeperiod": 50}, 0.0),
    ("ema", {"n": 20}, "EMA", ["close"], {"timeperiod": 20}, 0.0),
    ("wma", {"n": 14}, "WMA", ["close"], {"timeperiod": 14}, 0.0),
    ("rsi", {"n": 2}, "RSI", ["close"], {"timeperiod": 2}, 1e-9),
    ("rsi", {"n": 14}, "RSI", ["close"], {"timeperiod": 14}, 0.0),
    ("roc", {"n": 10}, "ROC", ["close"], {"timeperiod": 10}, 1e-9),
    ("atr", {"n": 1}, "ATR", ["high", "low", "close"], {"timeperiod": 1}, 0.0),
    ("atr", {"n": 14}, "ATR", ["high", "low", "close"], {"timeperiod": 14}, 0.0),
    (
        "stochastic",
        {"n": 14},
        "STOCH",
        ["high", "low", "close"],
        {"fastk_period": 14, "slowk_period": 3, "slowd_period": 3},
        1e-9,
    ),
    ("rolling_max", {"n": 30}, "MAX", ["close"], {"timeperiod": 30}, 0.0),
    ("rolling_min", {"n": 30}, "MIN", ["close"], {"timeperiod": 30}, 0.0),
    ("obv", {}, "OBV", ["close", "volume"], {}, 0.0),
    ("slope", {"n": 14}, "LINEARREG_SLOPE", ["close"], {"timeperiod": 14}, 1e-9),
    ("rolling_std", {"n": 20}, "STDDEV", ["close"], {"timeperiod": 20}, 1e-9),
    ("bollinger", {"n": 20}, "BBANDS", ["close"], {"timeperiod": 20, "nbdevup": 2.0, "nbdevdn": 2.0}, 0.0),
    ("correlation", {"n": 30}, "CORREL", ["close", "volume"], {"timeperiod": 30}, 1e-9),
]


@pytest.mark.parametrize("data", ["sp500", "made"])
@pytest.mark.parametrize(
    ("name", "params", "function", "inputs", "options", "slack"), SAME, ids=[f"{s[0]}-{s[1]}" for s in SAME]
)
def test_same_numbers(
    request: pytest.FixtureRequest,
    data: str,
    name: str,
    params: dict[str, object],
    function: str,
    inputs: list[str],
    options: dict[str, object],
    slack: float,
) -> None:
    """Every output equals TA-Lib's to 1e-9, and starts on the same bar."""
    columns = request.getfixturevalue(data)
    expected = getattr(talib, function)(*(columns[column] for column in inputs), **options)
    expected = expected if isinstance(expected, tuple | list) else (expected,)
    for mine, theirs in zip(ours(name, columns, params), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=slack)


@pytest.mark.parametrize("data", ["sp500", "made"])
def test_donchian_is_max_and_min(request: pytest.FixtureRequest, data: str) -> None:
    """The channel's edges are TA-Lib's MAX of the highs and MIN of the lows."""
    columns = request.getfixturevalue(data)
    upper, middle, lower = ours("donchian", columns, {"n": 20})
    np.testing.assert_array_equal(upper, talib.MAX(columns["high"], 20))
    np.testing.assert_array_equal(lower, talib.MIN(columns["low"], 20))
    np.testing.assert_array_equal(middle, (upper + lower) / 2)


@pytest.mark.parametrize("data", ["sp500", "made"])
def test_macd_differs_by_the_fast_seed(request: pytest.FixtureRequest, data: str) -> None:
    """The lines differ by the fast EMA's seed alone: by the factor 1 − 2/(fast+1) less on every bar."""
    columns = request.getfixturevalue(data)
    theirs = talib.MACD(columns["close"], 12, 26, 9)
    mine = ours("macd", columns, {})
    start = 26 + 9 - 2
    assert all(np.array_equal(np.isnan(a), np.isnan(b)) for a, b in zip(mine, theirs, strict=True))
    seed = np.mean(columns["close"][14:26]) - ours("ema", columns, {"n": 12})[0][25]
    lag = np.arange(start - 25, len(mine[0]) - 25)
    scale = float(np.max(columns["close"]))
    np.testing.assert_allclose(
        (theirs[0] - mine[0])[start:], seed * (1 - 2 / 13) ** lag, rtol=0, atol=1e-12 * scale
    )
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a[300:], b[300:], rtol=0, atol=1e-12 * scale)


def test_undefined_is_nan_here_and_zero_there() -> None:
    """Where the formula reads 0/0 we give NaN, TA-Lib 0."""
    flat = np.full(40, 100.0)
    other = np.arange(40.0)
    pairs = [
        (evaluate("rsi", [flat], {"n": 14}, jit=True)[0], talib.RSI(flat, 14)),
        (evaluate("correlation", [flat, other], {"n": 10}, jit=True)[0], talib.CORREL(flat, other, 10)),
        (evaluate("roc", [flat - 100.0], {"n": 10}, jit=True)[0], talib.ROC(flat - 100.0, 10)),
        (
            evaluate("stochastic", [flat, flat, flat], {}, jit=True)[0],
            talib.STOCH(flat, flat, flat, 14, 3, 0, 3)[0],
        ),
    ]
    for mine, theirs in pairs:
        assert np.isnan(mine).all()
        assert (theirs[20:] == 0).all()


def test_large_move_leaves_nothing_behind() -> None:
    """Once a large move has left the window our sums are exact again; TA-Lib's keep its rounding error."""
    x = np.full(60, 0.1)
    x[5] = 1e9
    for name, function in [("rolling_sum", talib.SUM), ("sma", talib.SMA), ("wma", talib.WMA)]:
        mine, theirs = evaluate(name, [x], {"n": 10}, jit=True)[0][20:], function(x, 10)[20:]
        assert (mine == (1.0 if name == "rolling_sum" else 0.1)).all()
        np.testing.assert_allclose(theirs, mine, rtol=1e-5)
        assert (theirs != mine).all()


def test_slope_at_a_high_level() -> None:
    """A line at level 1e12 has its exact slope here; TA-Lib's sums have lost it."""
    x = 1e12 + np.arange(40.0) / 512
    assert (evaluate("slope", [x], {"n": 20}, jit=True)[0][19:] == 1 / 512).all()
    assert np.max(np.abs(talib.LINEARREG_SLOPE(x, 20)[19:] - 1 / 512)) > 1e-5
