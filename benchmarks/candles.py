"""Seeded candles: a market with highs, lows and gaps for the comparisons of stops and limits."""

from __future__ import annotations

import numpy as np

from benchmarks.market import DAY_NS
from grn.quant import Bars

STEPS = 12
"""Prices inside a bar; the extremes of a candle are theirs."""


def candle_market(
    symbols: int = 3, n_bars: int = 2_000, *, gaps: bool, seed: int = 5, volatility: float = 0.01
) -> tuple[Bars, ...]:
    """Geometric random walks of `STEPS` steps a bar, daily from 2015-01-01, seven days a week.

    Without `gaps` a bar opens at the last close.  With them the open moves by half a day's volatility, and on
    one bar in 25 by a jump of about 4 %.
    """
    rng = np.random.default_rng([seed, int(gaps)])
    inside = rng.normal(0.0, volatility / np.sqrt(STEPS), (symbols, n_bars, STEPS))
    overnight = np.zeros((symbols, n_bars))
    if gaps:
        jumps = np.where(rng.random((symbols, n_bars)) < 0.04, rng.normal(0.0, 0.04, (symbols, n_bars)), 0.0)
        overnight = rng.normal(0.0, volatility / 2, (symbols, n_bars)) + jumps
    moves = np.concatenate([overnight[:, :, None], inside], axis=2).reshape(symbols, -1)
    prices = 100.0 * np.exp(np.cumsum(moves, axis=1)).reshape(symbols, n_bars, STEPS + 1)
    if not gaps:
        # To the last bit: an open that is not the close may lie beyond a stop.
        prices[:, 1:, 0] = prices[:, :-1, -1]
    columns = {
        "open": prices[:, :, 0],
        "high": prices.max(axis=2),
        "low": prices.min(axis=2),
        "close": prices[:, :, -1],
    }
    start = int(np.datetime64("2015-01-01", "ns").astype(np.int64))
    ts_ns = start + DAY_NS * np.arange(n_bars, dtype=np.int64)
    return tuple(
        Bars(
            symbol=f"CANDLE{k + 1}",
            ts_ns=ts_ns,
            columns={name: np.ascontiguousarray(column[k]) for name, column in columns.items()},
        )
        for k in range(symbols)
    )
