"""Digits: what is exact is exact, nothing drifts, and formulas hold against NumPy and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from grn.quant.indicators.registry import evaluate

Array = npt.NDArray[np.float64]
Columns = dict[str, Array]
prices = st.floats(1e-3, 1e6)


@given(x=st.lists(prices, min_size=1, max_size=60), n=st.integers(1, 30))
def test_sum_and_mean_are_correctly_rounded(x: list[float], n: int) -> None:
    """Sum and mean are the exact rational sum and mean, rounded once."""
    total = evaluate("rolling_sum", [np.array(x)], {"n": n}, jit=True)[0]
    mean = evaluate("sma", [np.array(x)], {"n": n}, jit=True)[0]
    for t in range(n - 1, len(x)):
        exact = sum((Fraction(value) for value in x[t - n + 1 : t + 1]), Fraction())
        assert total[t] == float(exact)
        assert mean[t] == float(exact / n)


@given(value=prices, jump=st.floats(-1e300, 1e300), n=st.integers(2, 50))
def test_flat_stretch_after_a_large_move(value: float, jump: float, n: int) -> None:
    """When a move of any size has left the window, a constant window gives exactly that constant."""
    x = np.full(3 * n, value)
    x[n - 1] = jump
    flat = slice(2 * n, None)
    for name in ("sma", "wma", "bollinger", "rolling_min", "rolling_max"):
        for series in evaluate(name, [x], {"n": n}, jit=True):
            assert (series[flat] == value).all(), name
    assert (evaluate("rolling_std", [x], {"n": n}, jit=True)[0][flat] == 0.0).all()
    assert (evaluate("slope", [x], {"n": n}, jit=True)[0][flat] == 0.0).all()
    assert np.isnan(evaluate("zscore", [x], {"n": n}, jit=True)[0][flat]).all()
    assert np.isnan(evaluate("correlation", [x, np.arange(3.0 * n)], {"n": n}, jit=True)[0][flat]).all()


@given(tail=st.lists(prices, min_size=3, max_size=30), steps=st.lists(st.floats(1e9, 1e300), max_size=8))
def test_staircase_of_large_values_is_forgotten(tail: list[float], steps: list[float]) -> None:
    """Values falling from 1e300 in steps leave the sum as they leave the window, none by a leap."""
    x = np.array([*sorted(steps, reverse=True), *tail])
    mean = evaluate("sma", [x], {"n": 3}, jit=True)[0]
    exact = sum((Fraction(value) for value in tail[-3:]), Fraction()) / 3
    assert mean[-1] == float(exact)


def test_overflow_is_forgotten() -> None:
    """A window whose sum exceeds the largest double is followed by exact means again."""
    x = np.array([1.7e308, 1.7e308, 1.7e308, 1.0, 2.0, 3.0, 4.0])
    assert evaluate("sma", [x], {"n": 3}, jit=True)[0][-2:].tolist() == [2.0, 3.0]


@given(x=st.lists(st.one_of(prices, st.floats(1.0, 1e300)), max_size=20))
def test_span_of_one_is_the_series_itself(x: list[float]) -> None:
    """With n = 1 nothing of the past is left: averages are the series, ATR is the true range, exactly."""
    series = np.array(x)
    for name in ("sma", "ema", "wma", "rolling_sum"):
        np.testing.assert_array_equal(evaluate(name, [series], {"n": 1}, jit=True)[0], series)
    still = np.ones(len(x))
    np.testing.assert_array_equal(
        evaluate("atr", [series, np.zeros(len(x)), still], {"n": 1}, jit=True)[0][1:],
        np.maximum(series, 1.0)[1:],
    )


def test_no_drift_over_ten_million_bars() -> None:
    """After ten million bars the running mean is still the exact mean of its window, rounded once."""
    rng = np.random.default_rng(11)
    x = rng.lognormal(4.0, 2.0, 10_000_000)
    mean = evaluate("sma", [x], {"n": 97}, jit=True)[0]
    for t in range(len(x) - 20, len(x)):
        exact = sum((Fraction(value) for value in x[t - 96 : t + 1].tolist()), Fraction()) / 97
        assert mean[t] == float(exact)


def test_volume_does_not_drift() -> None:
    """On-balance volume of fractional volumes is the exact sum, rounded once, on every bar."""
    rng = np.random.default_rng(5)
    close, volume = rng.integers(0, 4, 3_000).astype(np.float64), rng.lognormal(3.0, 4.0, 3_000)
    result = evaluate("obv", [close, volume], {}, jit=True)[0]
    exact = Fraction(volume[0])
    for t in range(1, 3_000):
        exact += Fraction(volume[t]) * int(np.sign(close[t] - close[t - 1]))
        assert result[t] == float(exact)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("level", [0.0, 1e9])
def test_deviation_and_zscore_against_numpy(level: float, ddof: int) -> None:
    """NumPy's two-pass deviation of the shifted window agrees to 1e-14, at a level of 1e9 as at 0."""
    x = level + np.round(np.random.default_rng(1).normal(size=300), 6)
    windows = sliding_window_view(x, 20) - x[19:, None]
    expected = windows.std(axis=1, ddof=ddof)
    params = {"n": 20, "ddof": ddof}
    np.testing.assert_allclose(evaluate("rolling_std", [x], params, jit=True)[0][19:], expected, rtol=1e-14)
    np.testing.assert_allclose(
        evaluate("zscore", [x], params, jit=True)[0][19:],
        -windows.mean(axis=1) / expected,
        rtol=1e-12,
        atol=1e-15 * max(level, 1.0),
    )


def test_correlation_and_slope_against_numpy(sp500: Columns) -> None:
    """NumPy's corrcoef and polyfit on every window of a year of S&P 500 agree to 1e-9."""
    x, y = sp500["close"][:250], sp500["volume"][:250]
    n = 21
    r = evaluate("correlation", [x, y], {"n": n}, jit=True)[0]
    b = evaluate("slope", [x], {"n": n}, jit=True)[0]
    for t in range(n - 1, 250):
        window = slice(t - n + 1, t + 1)
        np.testing.assert_allclose(r[t], np.corrcoef(x[window], y[window])[0, 1], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(b[t], np.polyfit(np.arange(n), x[window], 1)[0], rtol=1e-9, atol=1e-10)
    perfect = evaluate("correlation", [x, 3.0 * x + 7.0], {"n": n}, jit=True)[0][n - 1 :]
    assert (perfect <= 1.0).all()
    np.testing.assert_allclose(perfect, 1.0, rtol=1e-12)


def test_macd_is_the_difference_of_two_averages(sp500: Columns) -> None:
    """Line, signal and histogram are, bit for bit, what ema of ema gives."""
    x = sp500["close"]
    line, signal, histogram = evaluate("macd", [x], {}, jit=True)
    fast, slow = (evaluate("ema", [x], {"n": n}, jit=True)[0] for n in (12, 26))
    smooth = evaluate("ema", [fast - slow], {"n": 9}, jit=True)[0]
    np.testing.assert_array_equal(line[33:], (fast - slow)[33:])
    np.testing.assert_array_equal(signal, smooth)
    np.testing.assert_array_equal(histogram, line - signal)


def test_zscore_and_bollinger_share_mean_and_deviation(sp500: Columns) -> None:
    """A z-score of k is the upper band: both rest on sma and rolling_std."""
    x = sp500["close"]
    mean = evaluate("sma", [x], {"n": 20}, jit=True)[0]
    deviation = evaluate("rolling_std", [x], {"n": 20}, jit=True)[0]
    upper, middle, lower = evaluate("bollinger", [x], {"n": 20, "k": 2.5}, jit=True)
    np.testing.assert_array_equal(middle, mean)
    np.testing.assert_array_equal(upper, mean + 2.5 * deviation)
    np.testing.assert_array_equal(lower, mean - 2.5 * deviation)
    np.testing.assert_array_equal(evaluate("zscore", [x], {"n": 20}, jit=True)[0], (x - mean) / deviation)


def _exact_vwap(columns: Columns, start: int, stop: int) -> float:
    total = moved = Fraction()
    for t in range(start, stop):
        price = (columns["high"][t] + columns["low"][t] + columns["close"][t]) / 3.0
        total += Fraction(columns["volume"][t])
        moved += Fraction(columns["volume"][t]) * Fraction(price)
    return float(moved / total) if total else float("nan")


def test_vwap_against_fractions(made: Columns) -> None:
    """The rolling VWAP is the exact weighted mean to 1e-14; a window without volume is NaN."""
    inputs = [made[name] for name in ("high", "low", "close", "volume")]
    for n in (1, 10):
        result = evaluate("vwap", inputs, {"n": n}, jit=True)[0]
        expected = [_exact_vwap(made, t - n + 1, t + 1) for t in range(n - 1, 400)]
        np.testing.assert_allclose(result[n - 1 :], expected, rtol=1e-14)
    assert np.isnan(evaluate("vwap", inputs, {"n": 1}, jit=True)[0]).sum() == (made["volume"] == 0).sum() > 0


def test_session_vwap_begins_anew_each_day(made: Columns) -> None:
    """It is the exact weighted mean since the session's first bar; a new day starts afresh."""
    day = np.repeat([3.0, 4.0, 7.0, 8.0], 100)
    inputs = [made[name] for name in ("high", "low", "close", "volume")]
    result = evaluate("session_vwap", [*inputs, day], {}, jit=True)[0]
    expected = [_exact_vwap(made, t - t % 100, t + 1) for t in range(400)]
    np.testing.assert_allclose(result, expected, rtol=1e-14)


def test_session_vwap_with_a_missing_value(made: Columns) -> None:
    """A missing price, volume or day makes the rest of its session NaN; the next session is whole."""
    day = np.repeat([3.0, 4.0], 200)
    inputs = [made[name] for name in ("high", "low", "close", "volume")]
    whole = evaluate("session_vwap", [*inputs, day], {}, jit=True)[0]
    for hole in range(5):
        series = [column.copy() for column in (*inputs, day)]
        series[hole][50] = np.nan
        result = evaluate("session_vwap", series, {}, jit=True)[0]
        np.testing.assert_array_equal(result[:50], whole[:50])
        assert np.isnan(result[50:200]).all()
        np.testing.assert_array_equal(result[200:], whole[200:])
