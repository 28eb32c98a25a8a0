"""Hand-made candles with signals, for the examples of what differs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from grn.quant import Bars
from grn.quant.engine.path import Path

SIDES = ("long_in", "long_out", "short_in", "short_out")
Candle = tuple[float, float, float, float]
"""Open, high, low, close."""
Fill = tuple[int, float, float]
"""Bar, signed units, price."""


def flat(price: float) -> Candle:
    """A bar on which nothing moves."""
    return (price, price, price, price)


def make_candles(rows: Sequence[Candle], **signals: Sequence[int]) -> Bars:
    """Daily bars; each of `SIDES` is given by the numbers of the bars on which it holds."""
    columns = {
        name: np.array([row[k] for row in rows], dtype=float)
        for k, name in enumerate(("open", "high", "low", "close"))
    }
    for side in SIDES:
        columns[side] = np.isin(np.arange(len(rows)), list(signals.get(side, ()))).astype(float)
    stamps = 86_400_000_000_000 * np.arange(1, len(rows) + 1, dtype=np.int64)
    return Bars(symbol="HAND", ts_ns=stamps, columns=columns)


def fills_of(path: Path) -> list[Fill]:
    """Every leg of a path of ours."""
    return [(int(leg[0]), float(leg[3]), float(leg[4])) for leg in path.legs]


def vectorbt_portfolio(bars: Bars, **options: Any) -> Any:
    """Portfolio of vectorbt for the bars' own signals, 1,000 of cash, orders of any size."""
    import pandas as pd  # type: ignore[import-untyped]  # it comes with vectorbt, without stubs

    from benchmarks.peer_vectorbt import load_vectorbt

    vbt = load_vectorbt()
    names = dict(zip(("entries", "exits", "short_entries", "short_exits"), SIDES, strict=True))
    given: dict[str, Any] = {name: bars.column(column) > 0.0 for name, column in names.items()}
    given |= {name: pd.Series(bars.column(name)) for name in ("open", "high", "low")}
    given |= {"init_cash": 1_000.0, "freq": "1D", "stop_entry_price": "fillprice"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vbt.Portfolio.from_signals(pd.Series(bars.column("close")), **given | options)


def vectorbt_fills(portfolio: Any) -> list[Fill]:
    """Every order of vectorbt that was filled."""
    return [
        (int(o["idx"]), float(o["size"]) * (1.0 if o["side"] == 0 else -1.0), float(o["price"]))
        for o in portfolio.orders.records.to_dict("records")
    ]
