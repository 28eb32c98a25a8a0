"""The Kalman trend against two independent routes: matrices in NumPy, and generalised least squares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from grn.quant.indicators.registry import evaluate

Array = npt.NDArray[np.float64]
NOISES = [(0.01, 0.0001), (0.5, 0.1), (0.0, 0.001), (2.0, 0.0), (0.0, 0.0)]


def by_matrices(x: Array, q_level: float, q_slope: float) -> Array:
    """Textbook filter (Harvey 1989, 3.2.2-3.2.3) in matrix form, Joseph's update, started from two bars.

    The start is the exact posterior of a flat prior on (level, slope) at bar 0 after seeing bars 0 and 1.
    """
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    observe = np.array([[1.0, 0.0]])
    noise = np.diag([q_level, q_slope])
    state = np.array([x[1], x[1] - x[0]])
    covariance = np.array([[1.0, 1.0], [1.0, 2.0 + q_level + q_slope]])
    states = [np.full(2, np.nan), state]
    for value in x[2:]:
        state = transition @ state
        covariance = transition @ covariance @ transition.T + noise
        gain = covariance @ observe.T @ np.linalg.inv(observe @ covariance @ observe.T + np.eye(1))
        state = state + (gain @ (value - observe @ state)).ravel()
        keep = np.eye(2) - gain @ observe
        covariance = keep @ covariance @ keep.T + gain @ gain.T
        states.append(state)
    return np.array(states)


def by_least_squares(x: Array, q_level: float, q_slope: float) -> Array:
    """Return the last (level, slope) given all of ``x`` under a flat prior, without any recursion.

    With level = a + b·t + accumulated noise, the state at the end and the observations are jointly Gaussian:
    the answer is the generalised least-squares line plus the regression of the state's noise on the residual.
    """
    bars = len(x)
    # Columns: level noises u[i], then slope noises w[i]; w[i] moves the slope from i, the level from i + 1
    # on.
    to_level = np.zeros((bars, 2 * bars))
    to_slope = np.zeros((bars, 2 * bars))
    for t in range(bars):
        for i in range(1, t + 1):
            to_level[t, i] = 1.0
            to_level[t, bars + i] = t - i
            to_slope[t, bars + i] = 1.0
    variances = np.concatenate((np.full(bars, q_level), np.full(bars, q_slope)))
    design = np.column_stack((np.ones(bars), np.arange(bars)))
    inverse = np.linalg.inv(to_level * variances @ to_level.T + np.eye(bars))
    line = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ x)
    residual = inverse @ (x - design @ line)
    level = design[-1] @ line + to_level[-1] * variances @ to_level.T @ residual
    slope = line[1] + to_slope[-1] * variances @ to_level.T @ residual
    return np.array([level, slope])


@pytest.mark.parametrize(("q_level", "q_slope"), NOISES)
def test_matrix_form(sp500: dict[str, Array], q_level: float, q_slope: float) -> None:
    """The scalar recurrence is the matrix filter, over six years of S&P 500, to 1e-9."""
    x = sp500["close"][:1500]
    level, slope = evaluate("kalman_trend", [x], {"q_level": q_level, "q_slope": q_slope}, jit=True)
    expected = by_matrices(x, q_level, q_slope)
    np.testing.assert_allclose(level, expected[:, 0], rtol=1e-9)
    np.testing.assert_allclose(slope, expected[:, 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("q_level", "q_slope"), NOISES)
def test_best_estimate_under_a_flat_prior(q_level: float, q_slope: float) -> None:
    """On every bar, level and slope are the generalised least-squares estimate from the bars so far."""
    x = np.random.default_rng(3).normal(size=30).cumsum() + 10.0
    level, slope = evaluate("kalman_trend", [x], {"q_level": q_level, "q_slope": q_slope}, jit=False)
    for bars in range(2, 31):
        expected = by_least_squares(x[:bars], q_level, q_slope)
        np.testing.assert_allclose([level[bars - 1], slope[bars - 1]], expected, rtol=1e-9, atol=1e-9)


def test_without_noise_it_is_the_regression_line() -> None:
    """With both noises 0 the filter is ordinary least squares through all bars so far (numpy.polyfit)."""
    x = np.random.default_rng(4).normal(size=300).cumsum()
    level, slope = evaluate("kalman_trend", [x], {"q_level": 0.0, "q_slope": 0.0}, jit=True)
    for t in (1, 2, 10, 299):
        line = np.polyfit(np.arange(t + 1), x[: t + 1], 1)
        expected = [float(np.polyval(line, t)), float(line[0])]
        np.testing.assert_allclose([level[t], slope[t]], expected, rtol=1e-9, atol=1e-9)


def test_scale_and_trend_pass_through() -> None:
    """A straight line is followed without error, whatever the noises: twice the data, twice the answer."""
    x = 5.0 + 0.25 * np.arange(100, dtype=np.float64)
    level, slope = evaluate("kalman_trend", [x], {}, jit=True)
    np.testing.assert_allclose(level[1:], x[1:], rtol=1e-14)
    np.testing.assert_allclose(slope[1:], 0.25, rtol=1e-12)
    y = np.random.default_rng(8).normal(size=200)
    once, twice = (evaluate("kalman_trend", [series], {}, jit=True) for series in (y, y + y))
    np.testing.assert_array_equal(twice[0], 2.0 * once[0])
    np.testing.assert_array_equal(twice[1], 2.0 * once[1])
