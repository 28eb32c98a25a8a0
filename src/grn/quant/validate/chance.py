"""What chance would have made of the same trades, and of the same positions at other times.

Two questions about one strategy: how deep could its drawdown have been, had its trades come in another order?
And would the same positions, held as long and as often, have earned as much at any other time?
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.returns import CONSTANT, Array

_AT_ONCE: Final = 2_000_000


@dataclass(frozen=True, eq=False)
class Shuffled:
    """The same trades in other orders.

    ``drawdown`` is the deepest of the order that happened, 0 to 1, ``drawdowns`` float64 [draws] those of the
    others, and ``p_value`` the share of orders that went at least as deep, the one that happened among them.
    """

    drawdown: float
    drawdowns: Array
    p_value: float

    def quantile(self, share: float) -> float:
        """Drawdown that this share of orders stays below; NaN without trades."""
        return float(np.quantile(self.drawdowns, share)) if self.drawdowns.size else math.nan


@dataclass(frozen=True, eq=False)
class Timing:
    """The same positions at every other time.

    ``sharpe`` per bar as it was, ``rotated`` float64 [bars - 1] with the positions 1, 2, ... bars later
    (around the end), and ``p_value`` the share of all rotations at least as good, the one that happened
    among them.
    """

    sharpe: float
    rotated: Array
    p_value: float


def shuffle_trades(trade_returns: npt.ArrayLike, *, draws: int = 1_000, seed: int = 0) -> Shuffled:
    """Draw orders of the trades and take each one's deepest drawdown of capital.

    The end is the same in every order, as each trade multiplies the capital. NaN for no trade, or one that
    has no number; a trade that loses everything leaves a drawdown of 1.

    Parameters
    ----------
    trade_returns
        Return on the whole capital of each trade, float [trades], in the order of their ends.
    draws, seed
        Orders to draw, and the seed of ``numpy.random.default_rng``.
    """
    if draws < 1 or seed < 0:
        raise UsageError("draws must be at least 1, and the seed not negative", seen=f"{draws}, {seed}")
    trades = np.asarray(trade_returns, dtype=np.float64)
    if not trades.size or not np.isfinite(trades).all():
        return Shuffled(math.nan, np.empty(0), math.nan)
    growth = np.maximum(1.0 + trades, 0.0)
    rng, found = np.random.default_rng(seed), []
    batch = max(1, _AT_ONCE // trades.size)
    for begin in range(0, draws, batch):
        orders = np.tile(growth, (min(batch, draws - begin), 1))
        found.append(_drawdowns(rng.permuted(orders, axis=1)))
    drawdowns = np.concatenate(found)
    drawdown = float(_drawdowns(growth[None])[0])
    # Another order multiplies in another order: equal drawdowns differ in the last digits.
    reached = int(np.count_nonzero(drawdowns >= drawdown * (1.0 - 1e-12)))
    return Shuffled(drawdown, drawdowns, (1 + reached) / (1 + draws))


def rotate_positions(positions: npt.ArrayLike, market: npt.ArrayLike) -> Timing:
    """Hold the same positions at every other time: the random entry with the same exposure, all of them.

    A rotation keeps how much is held, how long, how often and in which order; what it destroys is when. So
    drift that the market had anyway is in every rotation, and is not credited to timing. All rotations come
    from two correlations over frequencies; without costs, which are the same for all.

    NaN for fewer than three bars, values that are no numbers, and positions that earn constant returns. Where
    positions never change, every rotation is the same and p is 1.

    Parameters
    ----------
    positions
        Share of capital held over each bar, float [bars].
    market
        Return of the market over the same bar, float [bars].
    """
    held, moved = np.asarray(positions, dtype=np.float64), np.asarray(market, dtype=np.float64)
    if held.shape != moved.shape or held.ndim != 1:
        raise UsageError("positions and market differ in bars", seen=(held.shape, moved.shape))
    n = held.size
    undefined = Timing(math.nan, np.empty(0), math.nan)
    if n < 3 or not (np.isfinite(held).all() and np.isfinite(moved).all()):
        return undefined
    mean = _rotations(held, moved) / n
    square = _rotations(held**2, moved**2) / n
    spread = square - mean**2
    if not spread[0] > CONSTANT * square[0]:
        return undefined
    with np.errstate(all="ignore"):
        ratio = np.where(spread > CONSTANT * square, mean / np.sqrt(spread * n / (n - 1)), 0.0)
    # Correlations over frequencies are rounded to about 1e-15 of their largest.
    reached = int(np.count_nonzero(ratio[1:] >= ratio[0] - 1e-9 * abs(ratio[0])))
    return Timing(float(ratio[0]), ratio[1:], (1 + reached) / n)


def _drawdowns(growth: Array) -> Array:
    """Deepest drawdown of each row of factors, float64 [rows]."""
    capital = np.multiply.accumulate(growth, axis=1)
    highest = np.maximum(np.maximum.accumulate(capital, axis=1), 1.0)
    deepest: Array = np.max(1.0 - capital / highest, axis=1, initial=0.0)
    return deepest


def _rotations(held: Array, moved: Array) -> Array:
    """Sum over bars of ``held[t - k] * moved[t]`` for every k, around the end: float64 [bars]."""
    found: Array = np.fft.irfft(np.conj(np.fft.rfft(held)) * np.fft.rfft(moved), n=held.size)
    return found
