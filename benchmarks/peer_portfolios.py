"""The comparisons of target weights as vectorbt runs them, with weights computed by NumPy alone."""

from __future__ import annotations

import gc
import warnings

import numpy as np
import numpy.typing as npt

from benchmarks.comparisons import CASH
from benchmarks.peer_vectorbt import load_vectorbt
from benchmarks.portfolios import COMBINATIONS, METRICS, PortfolioComparison, Table, split_market
from grn.quant import Bars

Array = npt.NDArray[np.float64]
CHUNK = 50
"""Combinations at a time."""


def rotation_weights(side: str, close: Array, length: int, n: int) -> Array:
    """Target weights of the rotation on every bar: float64 [T, symbols]."""
    change = np.full(close.shape, np.nan)
    change[length:] = close[length:] / close[:-length] - 1.0
    whole = n * (n + 1) / 2

    def ranked(values: Array) -> Array:
        place = np.argsort(np.argsort(-values, axis=1), axis=1) + 1.0
        return np.where(place <= n, (n + 1 - place) / whole, 0.0)

    weights = ranked(change)
    if side == "short":
        weights = -0.5 * weights
    elif side == "both":
        weights = 0.5 * weights - 0.5 * ranked(-change)
    # No rate of change, no position.
    weights[:length] = 0.0
    return weights


def run_theirs(
    comparison: PortfolioComparison,
    market: tuple[Bars, ...],
    combinations: tuple[tuple[int, int, int], ...] = COMBINATIONS,
) -> Table:
    """The four metrics from ``Portfolio.from_orders`` with target percentages and shared cash."""
    import pandas as pd  # type: ignore[import-untyped]  # it comes with vectorbt, without stubs

    vbt = load_vectorbt()
    accounts = split_market(comparison, market)
    table = {name: np.empty((len(accounts), len(combinations))) for name in METRICS}
    closes = [np.stack([b.column("close") for b in bars], axis=1) for bars in accounts]
    opens = [np.stack([b.column("open") for b in bars], axis=1) for bars in accounts]
    index = pd.to_datetime(market[0].ts_ns)
    later = comparison.fill == "next_open"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(combinations), CHUNK):
            part = combinations[start : start + CHUNK]
            # All accounts of all combinations in one frame: groups of columns that share their cash.
            sizes, groups, columns = [], [], []
            for c, (length, n, every) in enumerate(part):
                for k, close in enumerate(closes):
                    weights = rotation_weights(comparison.side, close, length, n)
                    due = np.zeros(len(close), dtype=bool)
                    due[int(later) :: every] = True
                    if later:
                        weights = np.concatenate([weights[:1], weights[:-1]])
                    sizes.append(np.where(due[:, None], weights, np.nan))
                    groups += [c * len(accounts) + k] * close.shape[1]
                    columns.append(close)
            price = np.concatenate(columns, axis=1)
            calls: object = "auto" if comparison.calls == "auto" else "default"
            if comparison.calls == "reversed":
                place = np.concatenate([np.arange(size)[::-1] for size in comparison.groups] * len(part))
                calls = np.broadcast_to(place, price.shape).copy()
            portfolio = vbt.Portfolio.from_orders(
                pd.DataFrame(price, index=index),
                np.concatenate(sizes, axis=1),
                size_type="targetpercent",
                price=np.concatenate(opens * len(part), axis=1) if later else np.inf,
                fees=comparison.costs.fee,
                fixed_fees=comparison.costs.fixed_fee,
                slippage=comparison.costs.slippage,
                init_cash=CASH,
                cash_sharing=True,
                group_by=np.array(groups),
                call_seq=calls,
                freq="1D",
            )
            here = slice(start, start + len(part))
            found = {
                "total_return": portfolio.total_return(),
                "sharpe": portfolio.sharpe_ratio(),
                "max_drawdown": portfolio.max_drawdown(),
                "orders": portfolio.orders.count(),
            }
            for name, column in found.items():
                table[name][:, here] = np.asarray(column, dtype=np.float64).reshape(len(part), -1).T
            del portfolio
            gc.collect()
    return table
