"""Does it work in every weather, and does it still work? One strategy by regime, and by time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.kernels import Integers
from grn.quant.validate.returns import CONSTANT, Array, shape_of, sharpe_ratios

REGIMES: Final = ("calm", "middling", "stormy")
"""What three regimes are called."""


@dataclass(frozen=True, slots=True)
class Regime:
    """A strategy in one regime: its number, bars, Sharpe ratio per bar (NaN: constant), share of the profit.

    ``share`` is the regime's sum of returns over the sum of all; NaN where that is 0.
    """

    regime: int
    n_bars: int
    sharpe: float
    share: float


@dataclass(frozen=True, slots=True)
class Decay:
    """The first half against the second.

    Attributes
    ----------
    first, second
        Sharpe ratios per bar.
    z, p_value
        Their difference (first less second) over its standard error (Bailey & López de Prado 2012, eq. 4 for
        each half), and the probability of one this large without decay, one-sided.
    trend
        Least squares slope of returns over time, per bar and bar.
    """

    first: float
    second: float
    z: float
    p_value: float
    trend: float


def volatility_regimes(market: npt.ArrayLike, *, window: int, regimes: int = 3) -> Integers:
    """Number bars by the volatility before them, 0 for the calmest: int64 [bars]; -1 where it is not known.

    The deviation of the ``window`` returns before a bar, cut where it has equally many bars on both sides.
    The cuts know all of the data: this describes, and is no signal.

    Parameters
    ----------
    market
        Returns of the market, float [bars].
    window, regimes
        Bars to look back, at least 2; regimes, at least 1.
    """
    if window < 2 or regimes < 1:
        raise UsageError("window must be at least 2 and regimes at least 1", seen=f"{window}, {regimes}")
    moved = np.asarray(market, dtype=np.float64)
    labels = np.full(moved.size, -1, dtype=np.int64)
    if moved.size <= window:
        return labels
    with np.errstate(invalid="ignore"):
        before = np.lib.stride_tricks.sliding_window_view(moved, window)[:-1].std(axis=1)
    known = np.isfinite(before)
    if known.any():
        cuts = np.quantile(before[known], np.arange(1, regimes) / regimes)
        labels[window:][known] = np.searchsorted(cuts, before[known], side="left")
    return labels


def split_regimes(returns: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Regime, ...]:
    """One strategy by regime, ascending; bars of label -1 and of NaN returns are left out.

    Parameters
    ----------
    returns, labels
        Float and int [bars].
    """
    series, of = np.asarray(returns, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if series.shape != of.shape or series.ndim != 1:
        raise UsageError("returns and labels differ in bars", seen=(series.shape, of.shape))
    used = (of >= 0) & np.isfinite(series)
    whole = float(series[used].sum())
    found = []
    for regime in np.unique(of[used]).tolist():
        part = series[used & (of == regime)]
        share = float(part.sum()) / whole if whole != 0.0 else math.nan
        found.append(Regime(regime, part.size, float(sharpe_ratios(part[:, None])[0]), share))
    return tuple(found)


def measure_decay(returns: npt.ArrayLike) -> Decay:
    """Compare the first half of a strategy's returns [bars] with the second; NaN where a half is constant."""
    series = np.asarray(returns, dtype=np.float64)
    undefined = Decay(*(math.nan,) * 5)
    if series.ndim != 1 or series.size < 4 or not np.isfinite(series).all():
        return undefined
    halves = series[: series.size // 2], series[series.size // 2 :]
    (first, e1), (second, e2) = (_estimate(half) for half in halves)
    error = math.sqrt(e1 + e2)
    z = (first - second) / error if error > 0.0 else math.nan
    time = np.arange(series.size) - (series.size - 1) / 2.0
    return Decay(
        first=first,
        second=second,
        z=z,
        p_value=math.nan if math.isnan(z) else NormalDist().cdf(-z),
        trend=float(time @ series) / float(time @ time),
    )


def _estimate(series: Array) -> tuple[float, float]:
    """Sharpe ratio per bar, and the variance of that estimate."""
    ratio = float(sharpe_ratios(series[:, None])[0])
    skew, kurtosis = shape_of(series)
    spread = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio
    return ratio, spread / (series.size - 1) if spread > CONSTANT else math.nan
