"""Trades for the tests of features: drawn by Hypothesis, and a fixed tape that any program can make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "mlfinpy.json").read_text())
"""Bars and labels of the package mlfinpy; the file says of which version and settings."""

TS = pl.Datetime("ns", "UTC")


@dataclass(frozen=True)
class Trade:
    """One trade, as the slow references read it."""

    ts: int
    symbol: str
    price: float
    amount: float
    side: str | None


def tape(trades: list[Trade]) -> pl.LazyFrame:
    """The trades as a lazy frame of the lake's schema."""
    return pl.LazyFrame(
        {
            "ts": pl.Series([t.ts for t in trades], dtype=pl.Int64).cast(TS),
            "symbol": pl.Series([t.symbol for t in trades], dtype=pl.String),
            "id": pl.Series([str(i) for i in range(len(trades))], dtype=pl.String),
            "price": pl.Series([t.price for t in trades], dtype=pl.Float64),
            "amount": pl.Series([t.amount for t in trades], dtype=pl.Float64),
            "side": pl.Series([t.side for t in trades], dtype=pl.String),
        }
    )


@st.composite
def tapes(draw: st.DrawFn, max_size: int = 60) -> list[Trade]:
    """Trades of up to three symbols, in order of time, many at one moment; amounts may be 0."""
    size = draw(st.integers(0, max_size))
    ts = draw(st.integers(-(10**12), 10**12))
    trades = []
    for _ in range(size):
        ts += draw(st.sampled_from([0, 0, 1, 999, 10**9, 7 * 10**9, 90 * 10**9]))
        trades.append(
            Trade(
                ts,
                draw(st.sampled_from("ABC")),
                draw(st.integers(1, 400)) / 4,
                draw(st.integers(0, 40)) / 8,
                draw(st.sampled_from(["buy", "sell", None])),
            )
        )
    return trades


def published_trades() -> list[Trade]:
    """Three hundred trades from a linear congruential generator, x -> 1664525 x + 1013904223 mod 2^32."""
    x, draws = 1, []
    for _ in range(900):
        x = (1664525 * x + 1013904223) % 2**32
        draws.append(x // 2**20)
    cents, second, trades = 10_000, 0, []
    for a, b, c in zip(draws[::3], draws[1::3], draws[2::3], strict=True):
        cents += a % 5 - 2
        second += 1 + b % 50
        trades.append(Trade(second * 10**9, "X", cents / 100, float(1 + c % 20), None))
    return trades
