"""The same comparisons as vectorbt runs them, in the quickest correct way found.

Columns go through in chunks: at 250 a sweep takes half the time and a fraction of the memory of one frame
with all columns (its intermediates then stay in the processor's caches), and the numbers are the same.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.comparisons import CASH, PAIRS, Combination, Comparison, Table
from grn.quant import AllCash, Bars, Fraction, Quantity, Value

VERSION = "1.2.0"
CHUNK = 250
DIRECTIONS: Mapping[str, str] = {"long": "longonly", "short": "shortonly", "both": "both"}
ACCUMULATION: Mapping[str, str] = {"no": "disabled", "add": "addonly", "reduce": "removeonly", "both": "both"}
CONFLICTS: Mapping[str, str] = {
    "cancel": "ignore", "entry": "entry", "exit": "exit", "long": "long", "short": "short",
}  # fmt: skip


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


def rule_arguments(comparison: Comparison) -> dict[str, object]:
    """Our costs, direction and further rules as arguments of ``Portfolio.from_signals``."""
    costs, conflicts, instrument = comparison.costs, comparison.conflicts, comparison.instrument
    found: dict[str, object] = {
        "fees": costs.fee,
        "fixed_fees": costs.fixed_fee,
        "slippage": costs.slippage,
        "init_cash": CASH,
        "freq": "1D",
        "accumulate": ACCUMULATION[comparison.accumulate],
        "upon_long_conflict": CONFLICTS[conflicts.same],
        "upon_short_conflict": CONFLICTS[conflicts.same],
        "upon_dir_conflict": CONFLICTS[conflicts.both],
        "upon_opposite_entry": conflicts.opposite,
        "allow_partial": comparison.shortfall == "cut",
        "min_size": instrument.min_units,
    }
    if instrument.lot:
        found["size_granularity"] = instrument.lot
    return found


def stop_arguments(
    comparison: Comparison, bars: Bars, combinations: Sequence[Combination]
) -> dict[str, object]:
    """Our stops, one size per column, as arguments of ``Portfolio.from_signals``."""
    if not comparison.stops:
        return {}
    found: dict[str, object] = {name: bars.column(name)[:, None] for name in ("open", "high", "low")}
    found |= {"stop_entry_price": "fillprice", "stop_exit_price": comparison.stop_exit}
    sizes = dict(zip(comparison.axes, np.array(combinations).T.copy()[:, None, :], strict=True))
    # A stop that is not wanted is missing, and not left out: the simulation is compiled once for all of them.
    missing = np.full((1, len(combinations)), np.nan)
    trails = "trailing_stop" in comparison.stops
    found["sl_stop"] = sizes.get("trailing_stop" if trails else "stop_loss", missing)
    found["tp_stop"] = sizes.get("take_profit", missing)
    found["sl_trail"] = np.full((1, len(combinations)), trails)
    return found


def crossover_signals(
    comparison: Comparison, price: Any, combinations: Sequence[Combination]
) -> dict[str, object]:
    """Signals of the crossover, one column per combination, from vectorbt's own averages."""
    vbt = load_vectorbt()
    # Combinations that differ in a stop only have the same averages.
    pairs = sorted({c[:2] for c in combinations})
    fast = vbt.MA.run(price, window=[int(p[0]) for p in pairs], short_name="fast")
    slow = vbt.MA.run(price, window=[int(p[1]) for p in pairs], short_name="slow")
    entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    if comparison.fill == "next_open":
        # A signal of one bar is acted on at the open of the next.
        entries, exits = entries.vbt.signals.fshift(1), exits.vbt.signals.fshift(1)
    if len(pairs) < len(combinations):
        at = [pairs.index(c[:2]) for c in combinations]
        entries, exits = (
            np.ascontiguousarray(x.to_numpy().reshape(len(price), -1)[:, at]) for x in (entries, exits)
        )
    return {"entries": entries, "exits": exits, "direction": DIRECTIONS[comparison.direction]}


def momentum_signals(
    comparison: Comparison, price: Any, combinations: Sequence[Combination]
) -> dict[str, object]:
    """Signals of the momentum strategy, one column per combination."""
    close = price.to_numpy()

    def compare(lag: float, side: int) -> npt.NDArray[np.bool_]:
        n = int(lag)
        found = np.zeros(len(close), dtype=bool)
        found[n:] = side * (close[n:] - close[:-n]) > 0.0
        return found

    up = np.stack([compare(c[0], 1) for c in combinations], axis=1)
    down = np.stack([compare(c[1], -1) for c in combinations], axis=1)
    never = np.zeros_like(up)
    if comparison.direction == "long":
        four = (up, down, never, never)
    elif comparison.direction == "short":
        four = (never, never, down, up)
    else:
        four = (up, never | compare(3, -1)[:, None], down, never | compare(5, 1)[:, None])
    return dict(zip(("entries", "exits", "short_entries", "short_exits"), four, strict=True))


def run_theirs(
    comparison: Comparison,
    market: tuple[Bars, ...],
    combinations: Sequence[Combination] = PAIRS,
    *,
    chunk: int = CHUNK,
    spent: dict[str, float] | None = None,
) -> Table:
    """The metrics from vectorbt; `spent` gets the seconds of its parts."""
    import pandas as pd  # type: ignore[import-untyped]  # it comes with vectorbt, without stubs

    vbt = load_vectorbt()
    find_signals = {"crossover": crossover_signals, "momentum": momentum_signals}[comparison.strategy]
    table = {name: np.empty((len(market), len(combinations))) for name in comparison.metrics}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k, bars in enumerate(market):
            index = pd.to_datetime(bars.ts_ns)
            price = pd.Series(bars.column("close"), index=index, name=bars.symbol)
            further: dict[str, object] = {}
            if comparison.fill == "next_open":
                further["price"] = pd.Series(bars.column("open"), index=index, name=bars.symbol)
            for start in range(0, len(combinations), chunk):
                part = combinations[start : start + chunk]
                began = time.perf_counter()
                signals = find_signals(comparison, price, part)
                decided = time.perf_counter()
                portfolio = vbt.Portfolio.from_signals(
                    price,
                    **signals,
                    **size_arguments(comparison),
                    **rule_arguments(comparison),
                    **stop_arguments(comparison, bars, part),
                    **further,
                )
                simulated = time.perf_counter()
                here = slice(start, start + len(part))
                for name in comparison.metrics:
                    table[name][k, here] = MEASURES[name](portfolio).to_numpy()
                if spent is not None:
                    parts = (decided - began, simulated - decided, time.perf_counter() - simulated)
                    for name, seconds in zip(("signals", "simulation", "metrics"), parts, strict=True):
                        spent[name] = spent.get(name, 0.0) + seconds
                # Portfolios hold themselves in reference cycles: without this, memory grows with the chunks.
                del portfolio
                gc.collect()
    return table


MEASURES: Mapping[str, Callable[[Any], Any]] = {
    "total_return": lambda portfolio: portfolio.total_return(),
    "sharpe": lambda portfolio: portfolio.sharpe_ratio(),
    "max_drawdown": lambda portfolio: portfolio.max_drawdown(),
    "trades": lambda portfolio: portfolio.trades.count(),
    "win_rate": lambda portfolio: portfolio.trades.closed.win_rate(),
    "profit_factor": lambda portfolio: portfolio.trades.closed.profit_factor(),
}
"""Our metrics by vectorbt's names for them; its own `win_rate` of all trades counts an open one too."""
