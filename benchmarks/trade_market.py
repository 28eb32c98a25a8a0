"""Fifty million generated trades as the lake stores them: Parquet, zstd, sorted, with statistics.

Eight symbols trade in one order of time, a random walk each; prices have ticks of a cent, amounts three
decimals, sides are drawn; times are microseconds,
which every peer can hold, and no two are equal.  The same seed gives the same rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

SYMBOLS: Final = ("ADA", "BNB", "BTC", "DOT", "ETH", "LTC", "SOL", "XRP")
FIRST_NS: Final = 1_704_067_200 * 10**9  # 2024-01-01
MEAN_STEP_US: Final = 40_000
FILE_ROWS: Final = 5_000_000
_GROUP_ROWS: Final = 250_000


def write_trades(folder: Path, rows: int, compression: str = "zstd") -> list[Path]:
    """Write trades in files of five million rows, unless they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20261123)
    ts_ns, log_prices = FIRST_NS, np.log(np.array([0.5, 300.0, 40e3, 7.0, 2.3e3, 70.0, 100.0, 0.6]))
    files = []
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        size = min(FILE_ROWS, rows - start)
        path = folder / f"part-{number:04}.parquet"
        files.append(path)
        # Drawn even when the file is there: later files go on from here.
        steps = 1_000 * rng.integers(1, 2 * MEAN_STEP_US, size)
        which = rng.integers(0, len(SYMBOLS), size)
        moves = rng.normal(0.0, 1e-4, size)
        amounts = np.round(rng.exponential(1.0, size) + 0.001, 3)
        sides = rng.integers(0, 2, size)
        prices = np.empty(size)
        for symbol in range(len(SYMBOLS)):
            own = which == symbol
            walk = log_prices[symbol] + np.cumsum(moves[own])
            prices[own] = np.maximum(np.round(np.exp(walk), 2), 0.01)
            log_prices[symbol] = walk[-1] if len(walk) else log_prices[symbol]
        stamps = ts_ns + np.cumsum(steps)
        ts_ns = int(stamps[-1])
        if path.exists():
            continue
        frame = pl.DataFrame(
            {
                "ts": pl.Series(stamps).cast(pl.Datetime("ns", "UTC")),
                "symbol": pl.Series(which).replace_strict(
                    range(len(SYMBOLS)), SYMBOLS, return_dtype=pl.String
                ),
                "id": pl.int_range(start, start + size, eager=True).cast(pl.String),
                "price": prices,
                "amount": amounts,
                "side": pl.Series(sides).replace_strict([0, 1], ["buy", "sell"], return_dtype=pl.String),
            }
        )
        part = path.with_suffix(".part")
        frame.write_parquet(part, compression=compression, row_group_size=_GROUP_ROWS)  # type: ignore[arg-type]
        part.replace(path)
    return files
