"""One work of `benchmarks.limits` in a process of its own: prints its measurements as one line of JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

import grn
from benchmarks.candles import candle_market
from benchmarks.comparisons import METRICS, PERIODS_PER_YEAR, crossover
from benchmarks.market import random_market
from benchmarks.memory import peak_memory_mib
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import (
    Bars,
    Costs,
    Rules,
    Strategy,
    Weights,
    bollinger,
    close,
    ema,
    high,
    low,
    param,
    roc,
    rolling_max,
    rolling_min,
    rsi,
    sma,
    top,
    when,
)
from grn.quant.engine import cpu
from grn.quant.engine.plan import build_grid, build_layout, build_plan

COSTS: Final = Costs(fee=0.001)
Numbers = dict[str, float]


def timed(strategy: Any, market: Sequence[Bars], *, repeats: int, metrics: Any = METRICS) -> Numbers:
    """Least and median wall time of a sweep, its processor time, and its rate; the first call apart."""
    if "--small" in sys.argv:
        market, repeats = [bars.head(300) for bars in market], 0
    wall, processor = [], []
    for turn in range(repeats + 1):
        with tempfile.TemporaryDirectory() as home:
            os.environ["GRN_HOME"] = home
            Ledger.open(ledger_dir()).close()  # empty, but there: it is made once in a lifetime
            began, worked = time.perf_counter(), time.process_time()
            result = grn.sweep(
                strategy,
                market,
                costs=COSTS,
                fill="close",
                metrics=metrics,
                periods_per_year=PERIODS_PER_YEAR,
            )
            assert len(result.frame) == len(result)
            took = time.perf_counter() - began
        if turn == 0:
            first_s = took
        else:
            wall.append(took)
            processor.append(time.process_time() - worked)
    if not wall:
        return {"first_s": first_s}
    work = len(result.grid) * sum(map(len, market)) / 1e6
    return {
        "million_per_s": work / float(np.median(wall)),
        "best_million_per_s": work / min(wall),
        "wall_s": float(np.median(wall)),
        "processor_s": float(np.median(processor)),
        "first_s": first_s,
        "combinations": len(result.grid),
        "peak_mib": peak_memory_mib(),
    }


def pairs(count: int) -> Strategy:
    """Moving averages of every pair out of so many windows, two bars apart."""
    windows = range(2, 2 + 2 * count, 2)
    fast, slow = param("fast", windows), param("slow", windows)
    a, b = sma(close, fast), sma(close, slow)
    return Strategy(a.crosses_above(b), a.crosses_below(b), where=fast < slow)


def four() -> Numbers:
    """The moving-average pairs of vectorbt's README on three symbols."""
    return timed(crossover(), random_market(), repeats=15)


def every_metric() -> Numbers:
    """The same with every metric that one pass gives."""
    return timed(crossover(), random_market(), repeats=9, metrics="default")


def long() -> Numbers:
    """20,000 bars and 4,950 pairs."""
    return timed(pairs(100), random_market(1, 20_000, step_ns=60 * 10**9), repeats=5)


def very_long() -> Numbers:
    """200,000 bars and 10,011 pairs."""
    return timed(pairs(142), random_market(1, 200_000, step_ns=60 * 10**9), repeats=2)


def one_run() -> Numbers:
    """One pair on ten million bars: the engine alone, and with the ledger, where the data is stored once."""
    market = random_market(1, 10_000_000, volatility=1e-4, step_ns=60 * 10**9)
    a, b = sma(close, 20), sma(close, 50)
    strategy = Strategy(a.crosses_above(b), a.crosses_below(b))
    found = timed(strategy, market, repeats=3, metrics=["sharpe", "max_drawdown"])
    if "--small" in sys.argv:
        return found
    rules = Rules(fill="close", costs=COSTS)
    plan, grid = build_plan(strategy, rules), build_grid(strategy, 1.0)
    layout, engine = build_layout(plan, grid), []
    for _ in range(4):
        began = time.perf_counter()
        cpu.run_all(plan, layout, grid, market, rules, ["moments", "drawdown"], threads=2)
        engine.append(time.perf_counter() - began)
    return {"engine_s": float(np.median(engine)), **found}


def relative_strength() -> Numbers:
    """Bought below a level of the relative strength index, sold above another."""
    value = rsi(close, param("n", range(2, 51)))
    strategy = Strategy(value < param("low", range(10, 50, 4)), value > param("high", range(50, 90, 4)))
    return timed(strategy, random_market(), repeats=5)


def bands() -> Numbers:
    """Bought below the lower Bollinger band, sold above the middle one."""
    band = bollinger(close, param("n", range(5, 103)), param("k", [x / 20 for x in range(20, 70)]))
    return timed(Strategy(close < band.lower, close > band.middle), random_market(), repeats=3)


def channel() -> Numbers:
    """Bought at a new high of some bars, sold at a new low of others."""
    upper, bottom = param("upper", range(2, 72)), param("bottom", range(2, 72))
    strategy = Strategy(close > rolling_max(high, upper).lag(1), close < rolling_min(low, bottom).lag(1))
    return timed(strategy, candle_market(n_bars=3_000, gaps=False), repeats=5)


def exponential() -> Numbers:
    """Crossings of exponential averages."""
    fast, slow = param("fast", range(2, 101)), param("slow", range(2, 101))
    a, b = ema(close, fast), ema(close, slow)
    return timed(
        Strategy(a.crosses_above(b), a.crosses_below(b), where=fast < slow), random_market(), repeats=5
    )


def distribution() -> Numbers:
    """All metrics, those that need every return included, of a hundred chosen rows."""
    result = grn.sweep(crossover(), random_market(), costs=COSTS, fill="close", metrics=METRICS)
    result.details(0)
    began = time.perf_counter()
    for i in range(0, 14_500, 145):
        result.details(i)
    each = (time.perf_counter() - began) / 100
    return {"ms_per_row": 1000 * each, "predicted_whole_sweep_s": each * len(result)}


def weights() -> Numbers:
    """The strongest fifth of 500 symbols by momentum, 5,000 bars, 100 settings."""
    length, count = param("length", range(20, 220, 10)), param("count", [5, 10, 20, 50, 100])
    chosen = when(top(roc(close, length), count), 1.0 / count, 0.0)
    strategy = Weights(weight=chosen, every="month", cash_short="pro_rata")
    return timed(strategy, random_market(500, 5_000), repeats=1)


WORKS: Final[dict[str, Callable[[], Numbers]]] = {
    "four metrics": four,
    "four metrics, cached kernel": lambda: timed(crossover(), random_market(), repeats=1),
    "never seen": lambda: timed(crossover(), random_market(), repeats=1),
    "every one-pass metric": every_metric,
    "20,000 bars x 5,000": long,
    "200,000 bars x 10,000": very_long,
    "one run, 10,000,000 bars": one_run,
    "rsi": relative_strength,
    "bollinger": bands,
    "donchian": channel,
    "ema": exponential,
    "distribution of chosen rows": distribution,
    "target weights": weights,
}

if __name__ == "__main__":
    # What belongs to starting is paid before: packages, what Numba reads before it loads its first function,
    # and the functions that every kernel shares.
    from importlib import import_module

    from numba.core.registry import cpu_target

    for package in ("polars", "grn.quant.compute", "grn.quant.engine.compiled"):
        import_module(package)
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    print(json.dumps(WORKS[sys.argv[1]]()))
