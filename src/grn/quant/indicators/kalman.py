"""Kalman filter of the local linear trend model."""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

from grn.quant.indicators.spec import Indicator, ParamSpec

NAN = math.nan


def kalman_trend(
    x: Sequence[float],
    q_level: float,
    q_slope: float,
    level: MutableSequence[float],
    slope: MutableSequence[float],
) -> None:
    """Filter level and slope; the state covariance ``p`` is in units of the observation variance.

    Two observations determine the state under a diffuse prior: level x[1] with variance 1, slope x[1] − x[0]
    with variance 2 + q_level + q_slope, covariance 1 (the errors of x[0] and x[1], and the first step's).
    """
    mean = trend = 0.0
    p_level = p_both = p_slope = 0.0
    run = 0
    for t in range(len(x)):
        level[t] = NAN
        slope[t] = NAN
        if x[t] - x[t] != 0.0:
            run = 0
            continue
        run += 1
        if run == 1:
            continue
        if run == 2:
            mean = x[t]
            trend = x[t] - x[t - 1]
            p_level = p_both = 1.0
            p_slope = 2.0 + q_level + q_slope
        else:
            p_level += 2.0 * p_both + p_slope + q_level
            p_both += p_slope
            p_slope += q_slope
            gain_level = p_level / (p_level + 1.0)
            gain_slope = p_both / (p_level + 1.0)
            surprise = x[t] - (mean + trend)
            mean = (mean + trend) + gain_level * surprise
            trend += gain_slope * surprise
            p_slope -= gain_slope * p_both
            p_level = gain_level
            p_both = gain_slope
        level[t] = mean
        slope[t] = trend


FAMILY = (
    Indicator(
        name="kalman_trend",
        inputs=("x",),
        params=(
            ParamSpec("q_level", "float", minimum=0.0, default=0.01, maximum=1e9),
            ParamSpec("q_slope", "float", minimum=0.0, default=0.0001, maximum=1e9),
        ),
        outputs=("level", "slope"),
        kernel=kalman_trend,
        warmup=lambda params: 1,
        summary="Kalman filter of a local linear trend: level and slope per bar, from the past only.",
        formula="x[t] = level[t] + e, level[t] = level[t-1] + slope[t-1] + u, slope[t] = slope[t-1] + w; "
        "e, u, w independent, var u = q_level · var e, var w = q_slope · var e; filtered (not smoothed), "
        "diffuse start. A larger q follows faster; q_level = q_slope = 0 gives the least-squares line "
        "through all bars so far",
        source="Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 2.3.2, 3.2; "
        "diffuse start: Durbin, Koopman, Time Series Analysis by State Space Methods (2012), ch. 5",
    ),
)
