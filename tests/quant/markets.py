"""Small markets and a small strategy for the tests of sweeps, replays and the command line."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close

CROSS = """
from grn.quant import Strategy, close, param, sma

fast, slow = param("fast", [2, 3, 4]), param("slow", [5, 8])
strategy = Strategy(
    entry=sma(close, fast).crosses_above(sma(close, slow)),
    exit=sma(close, fast).crosses_below(sma(close, slow)),
    where=fast < slow,
)
"""
"""The strategy of most tests, as a file: one kernel is compiled for all of them."""


def cross(fast: object = (2, 3, 4), slow: object = (5, 8), *, name: str = "cross") -> Strategy:
    """The strategy of `CROSS`."""
    f, s = param("fast", fast), param("slow", slow)  # type: ignore[arg-type]
    return Strategy(
        entry=sma(close, f).crosses_above(sma(close, s)),
        exit=sma(close, f).crosses_below(sma(close, s)),
        where=f < s,
        name=name,
    )


def random_walk(n: int = 120, *, seed: int = 0, symbol: str | None = None) -> pl.DataFrame:
    """Daily bars of a random walk: ts, open, high, low, close, volume (and symbol, when given)."""
    rng = np.random.default_rng(seed)
    close_ = 100.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, n))
    open_ = close_ * (1.0 + rng.normal(0.0, 0.003, n))
    start = datetime(2020, 1, 1)
    frame = pl.DataFrame(
        {
            "ts": [start + timedelta(days=i) for i in range(n)],
            "open": open_,
            "high": np.maximum(open_, close_) * 1.002,
            "low": np.minimum(open_, close_) * 0.998,
            "close": close_,
            "volume": rng.integers(1_000, 9_000, n).astype(np.float64),
        }
    )
    return frame if symbol is None else frame.select(pl.lit(symbol).alias("symbol"), pl.all())


def two_walks(n: int = 120) -> pl.DataFrame:
    """Two symbols, A and B, of different data."""
    return pl.concat([random_walk(n, symbol="A"), random_walk(n, seed=1, symbol="B")])


def write_csv(folder: Path, frame: pl.DataFrame, name: str = "bars.csv") -> Path:
    """Write a frame where a command can read it."""
    path = folder / name
    frame.write_csv(path)
    return path
