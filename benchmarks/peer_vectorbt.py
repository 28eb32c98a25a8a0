"""The same comparisons as vectorbt runs them, in the quickest correct way found.

Columns go through in chunks: at 250 a sweep takes half the time and a fraction of the memory of one frame
with all columns (its intermediates then stay in the processor's caches), and the numbers are the same.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.comparisons import CASH, METRICS, PAIRS, Comparison, Table
from grn.quant import AllCash, Bars, Fraction, Quantity, Value

VERSION = "1.2.0"
CHUNK = 250
DIRECTIONS: Mapping[str, str] = {"long": "longonly", "short": "shortonly", "both": "both"}


def load_vectorbt() -> Any:
    """Import vectorbt; the warnings of Numba and pandas about its code are not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vectorbt
    if vectorbt.__version__ != VERSION:
        raise RuntimeError(f"parity is claimed with vectorbt {VERSION}, not with {vectorbt.__version__}")
    return vectorbt


def size_arguments(comparison: Comparison) -> dict[str, object]:
    """Our size as arguments of ``Portfolio.from_signals``."""
    match comparison.size:
        case AllCash():
            return {"size": np.inf}
        case Fraction(value):
            return {"size": value, "size_type": "percent"}
        case Quantity(value):
            return {"size": value, "size_type": "amount"}
        case Value(value):
            return {"size": value, "size_type": "value"}
    raise AssertionError(comparison.size)


def cost_arguments(comparison: Comparison) -> dict[str, object]:
    """Our costs and direction as arguments of ``Portfolio.from_signals``."""
    costs = comparison.costs
    return {
        "fees": costs.fee,
        "fixed_fees": costs.fixed_fee,
        "slippage": costs.slippage,
        "direction": DIRECTIONS[comparison.direction],
        "init_cash": CASH,
        "freq": "1D",
    }


def run_theirs(
    comparison: Comparison,
    market: tuple[Bars, ...],
    pairs: tuple[tuple[int, int], ...] = PAIRS,
    *,
    chunk: int = CHUNK,
) -> Table:
    """The four metrics from vectorbt."""
    import pandas as pd  # type: ignore[import-untyped]  # it comes with vectorbt, without stubs

    vbt = load_vectorbt()
    table = {name: np.empty((len(market), len(pairs))) for name in METRICS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k, bars in enumerate(market):
            index = pd.to_datetime(bars.ts_ns)
            price = pd.Series(bars.column("close"), index=index, name=bars.symbol)
            for start in range(0, len(pairs), chunk):
                part = pairs[start : start + chunk]
                fast = vbt.MA.run(price, window=[p[0] for p in part], short_name="fast")
                slow = vbt.MA.run(price, window=[p[1] for p in part], short_name="slow")
                entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
                further: dict[str, object] = {}
                if comparison.fill == "next_open":
                    # A signal of one bar is acted on at the open of the next.
                    entries, exits = entries.vbt.signals.fshift(1), exits.vbt.signals.fshift(1)
                    further["price"] = pd.Series(bars.column("open"), index=index, name=bars.symbol)
                portfolio = vbt.Portfolio.from_signals(
                    price,
                    entries,
                    exits,
                    **size_arguments(comparison),
                    **cost_arguments(comparison),
                    **further,
                )
                here = slice(start, start + len(part))
                table["total_return"][k, here] = portfolio.total_return().to_numpy()
                table["sharpe"][k, here] = portfolio.sharpe_ratio().to_numpy()
                table["max_drawdown"][k, here] = portfolio.max_drawdown().to_numpy()
                table["trades"][k, here] = portfolio.trades.count().to_numpy()
                # Portfolios hold themselves in reference cycles: without this, memory grows with the chunks.
                del fast, slow, entries, exits, portfolio
                gc.collect()
    return table
