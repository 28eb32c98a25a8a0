"""What costs leave: fees and slippage several times as high, and the capital at which the market is used up.

Both take returns and what was traded for them; where orders themselves depend on costs or on the price, the
sweep has to be run again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.returns import Array, sharpe_ratios


@dataclass(frozen=True, slots=True)
class Stressed:
    """A strategy at ``factor`` times its costs: mean return and Sharpe ratio, per bar (NaN: constant)."""

    factor: float
    mean: float
    sharpe: float


@dataclass(frozen=True, eq=False)
class Stress:
    """A strategy at several times its costs, and the factor at which nothing is left.

    ``break_even`` is infinite where it pays no costs and earns, 0.0 where it loses without any.
    """

    levels: tuple[Stressed, ...]
    break_even: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """Capital that a strategy bears, in the currency of the volume.

    ``best`` earns the most per bar in money, ``break_even`` earns nothing any more, and above ``limit`` an
    order would be more than the given share of a bar's volume. NaN where nothing is known, infinite where
    nothing is traded, 0.0 where the strategy loses without impact.
    """

    best: float
    break_even: float
    limit: float


def stress_costs(
    returns: npt.ArrayLike,
    traded: npt.ArrayLike,
    *,
    cost: float,
    factors: Sequence[float] = (1.0, 2.0, 5.0),
) -> Stress:
    """Raise a strategy's costs: returns before costs, less ``factor`` times the costs.

    Parameters
    ----------
    returns
        Returns after costs, float [bars].
    traded
        Value traded over capital in each bar, float [bars], not negative.
    cost
        Fee and slippage per value traded (0.001 is 0.1 %), as in ``returns``.
    factors
        Of the costs; 1 gives ``returns`` back.

    Raises
    ------
    UsageError
        The lengths differ, or costs or what was traded are negative.
    """
    net, volume = _aligned(returns, traded)
    if cost < 0.0:
        raise UsageError("cost must not be negative", seen=cost)
    paid = cost * volume
    gross = net + paid
    levels = []
    for factor in factors:
        series = gross - factor * paid
        ratio = float(sharpe_ratios(series[:, None])[0])
        levels.append(Stressed(factor, float(series.mean()) if series.size else math.nan, ratio))
    earned, spent = (float(values.mean()) if values.size else math.nan for values in (gross, paid))
    if math.isnan(earned) or math.isnan(spent):
        break_even = math.nan
    elif earned <= 0.0:
        break_even = 0.0
    else:
        break_even = earned / spent if spent > 0.0 else math.inf
    return Stress(tuple(levels), break_even)


def estimate_capacity(
    returns: npt.ArrayLike,
    traded: npt.ArrayLike,
    volume: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    impact: float = 1.0,
    participation: float = 0.1,
) -> Capacity:
    """Estimate the capital at which the strategy's own orders move prices as far as it earns.

    An order of value q in a bar of value v moves the price by ``impact * volatility * sqrt(q / v)`` (the
    square-root law: Torre 1997; Almgren, Thum, Hauptmann and Li 2005, Direct Estimation of Equity Market
    Impact). A bar's loss grows with the root of capital A, so the mean is m - k sqrt(A): it is 0 at (m /
    k)**2, and A (m - k sqrt(A)) is largest at (2 m / 3 k)**2. An order of magnitude, no more.

    Parameters
    ----------
    returns
        Returns of small capital, after costs other than impact, float [bars].
    traded
        Value traded over capital in each bar, float [bars].
    volume
        Value traded by everyone in each bar, float [bars].
    volatility
        Deviation of the market's returns per bar, float [bars] or one number.
    impact
        The law's factor; about 1 for a bar that is a day.
    participation
        Largest share of a bar's volume that an order may be, for ``limit``.

    Raises
    ------
    UsageError
        The lengths differ, or a number is out of its range.
    """
    net, share = _aligned(returns, traded)
    market = np.asarray(volume, dtype=np.float64)
    swing = np.broadcast_to(np.asarray(volatility, dtype=np.float64), net.shape)
    if market.shape != net.shape:
        raise UsageError("returns and volume differ in bars", seen=(net.shape, market.shape))
    if not (impact > 0.0 and 0.0 < participation <= 1.0):
        raise UsageError("impact or participation out of range", seen=f"{impact}, {participation}")
    trades = share > 0.0
    finite = np.isfinite(net).all() and np.isfinite(market[trades]).all() and np.isfinite(swing[trades]).all()
    if not net.size or not finite:
        return Capacity(math.nan, math.nan, math.nan)
    if not trades.any():
        return Capacity(math.inf, math.inf, math.inf)
    if (market[trades] <= 0.0).any():
        return Capacity(0.0, 0.0, 0.0)
    limit = float((participation * market[trades] / share[trades]).min())
    mean = float(net.mean())
    k = impact * float((swing[trades] * share[trades] ** 1.5 / np.sqrt(market[trades])).sum()) / net.size
    if mean <= 0.0:
        return Capacity(0.0, 0.0, limit)
    if k == 0.0:
        return Capacity(math.inf, math.inf, limit)
    return Capacity((2.0 * mean / (3.0 * k)) ** 2, (mean / k) ** 2, limit)


def _aligned(returns: npt.ArrayLike, traded: npt.ArrayLike) -> tuple[Array, Array]:
    net, share = np.asarray(returns, dtype=np.float64), np.asarray(traded, dtype=np.float64)
    if net.shape != share.shape or net.ndim != 1:
        raise UsageError("returns and what was traded differ in bars", seen=(net.shape, share.shape))
    if (share < 0.0).any():
        raise UsageError("what was traded must not be negative", seen=float(share.min()))
    return net, share
