"""Frames and comparisons for the tests of the schema."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from grn.quant.schema import Bars

START = date(2020, 1, 1)


def daily(n: int = 5, **columns: object) -> pl.DataFrame:
    """Make n daily bars with a sound OHLCV, any column replaced by `columns`."""
    closes = [100.0 + i for i in range(n)]
    base: dict[str, object] = {
        "ts": [START + timedelta(days=i) for i in range(n)],
        "open": [c - 0.5 for c in closes],
        "high": [c + 1.0 for c in closes],
        "low": [c - 1.0 for c in closes],
        "close": closes,
        "volume": [1000 + i for i in range(n)],
    }
    return pl.DataFrame({**base, **columns})


def same(one: tuple[Bars, ...], other: tuple[Bars, ...]) -> bool:
    """Whether two loads gave the same symbols, timestamps, columns and bytes."""
    return [
        (b.symbol, b.ts_ns.tobytes(), {k: v.tobytes() for k, v in b.columns.items()}, b.identity) for b in one
    ] == [
        (b.symbol, b.ts_ns.tobytes(), {k: v.tobytes() for k, v in b.columns.items()}, b.identity)
        for b in other
    ]
