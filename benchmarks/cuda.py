"""A moving-average cross on NVIDIA cards: the cpu engine's bits first, then the clock, then the screening.

    python -m benchmarks.cuda
    python -m benchmarks.cuda --combinations 40000 --bars 20000 --screen

Without a card it says so and measures nothing.  Every bit of rows drawn from the whole grid is compared
before anything is timed; the time is that of the launcher, tables and copies included, kernels compiled
before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from math import isqrt

import numpy as np

from benchmarks.market import random_market
from benchmarks.measure import describe_code, describe_machine, median, write_result
from grn.kit.errors import GrnError
from grn.quant import Costs, Rules, Strategy, close, param, sma
from grn.quant.engine import cpu
from grn.quant.engine.cuda import launch, predict
from grn.quant.engine.cuda.cards import find_cards, load_cupy
from grn.quant.engine.cuda.screen import Array, screen
from grn.quant.engine.grid import Grid
from grn.quant.engine.plan import Layout, build_grid, build_layout, build_plan

RULES = Rules(costs=Costs(fee=0.001))
GROUPS = ("drawdown", "moments", "trades")
COMPARED = 2_000
TOP = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, time, write down; 1 when a bit differs, 3 without a card."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__)
    parser.add_argument("--combinations", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--bars", type=int, default=20_000, help="default: 20,000")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--screen", action="store_true", help="time the float32 screening too")
    parser.add_argument("--save", metavar="NAME", default="cuda.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    try:
        cupy = load_cupy()
        cards = find_cards(cupy)
    except GrnError as error:
        print(f"nothing measured: {error}\n{error.hint}", file=sys.stderr)
        return int(error.exit_code)
    side = isqrt(chosen.combinations)
    fast, slow = param("fast", range(2, side + 2)), param("slow", range(5, side + 5))
    strategy = Strategy(
        sma(close, fast).crosses_above(sma(close, slow)), sma(close, fast).crosses_below(sma(close, slow))
    )
    (bars,) = random_market(symbols=1, n_bars=chosen.bars)
    plan, grid = build_plan(strategy, RULES), build_grid(strategy, 24.0)
    layout = build_layout(plan, grid)
    work = (plan, layout, grid, bars, RULES, GROUPS)
    found = launch.run(*work, cupy=cupy)
    rows = np.sort(np.random.default_rng(0).choice(len(grid), min(COMPARED, len(grid)), replace=False))
    part = Layout(layout.rows[rows], layout.series), Grid(grid.params, grid.values[rows])
    truth = cpu.run(plan, *part, bars, RULES, GROUPS, threads=cpu.default_threads())
    if found[rows].tobytes() != truth.tobytes():
        print("cards and processor differ: nothing timed", file=sys.stderr)
        return 1
    result: dict[str, object] = {
        "command": f"python -m benchmarks.cuda --combinations {chosen.combinations} --bars {chosen.bars}",
        "cards": [str(card) for card in cards],
        "combinations": len(grid),
        "bars": chosen.bars,
        "compared_rows": len(rows),
        "predicted_per_s": sum(predict.predict_rate(card) for card in cards),
    }
    seconds = [timed(lambda: launch.run(*work, cupy=cupy)) for _ in range(chosen.rounds)]
    done = len(grid) * chosen.bars
    result["float64"] = {"wall_s": median(seconds), "per_s": done / median(seconds)}
    print(f"{len(grid):,} combinations x {chosen.bars:,} bars on {', '.join(map(str, cards))}")
    print(f"  equal on every bit in {len(rows):,} rows")
    print(f"  float64    {median(seconds):8.3f} s   {done / median(seconds) / 1e9:8.1f} billion per second")
    if chosen.screen:
        launch.run(*work, real="float", cupy=cupy)  # compiles
        single = [timed(lambda: launch.run(*work, real="float", cupy=cupy)) for _ in range(chosen.rounds)]
        began = time.perf_counter()
        best = screen(*work, sharpe, top=TOP, threads=cpu.default_threads(), cupy=cupy)
        whole = time.perf_counter() - began
        result["float32"] = {"wall_s": median(single), "per_s": done / median(single)}
        result["screening"] = {"wall_s": whole, "top": TOP, "rows_in_float64": len(best.checked)}
        print(f"  float32    {median(single):8.3f} s   {done / median(single) / 1e9:8.1f} billion per second")
        print(f"  screening  {whole:8.3f} s   {len(best.checked):,} rows in float64 for the best {TOP}")
    path = write_result(chosen.save, {**result, "machine": describe_machine(), **describe_code()})
    print(f"\nwritten to benchmarks/results/{path.name}")
    return 0


def timed(work: object) -> float:
    """Seconds of a call."""
    assert callable(work)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def sharpe(sums: dict[str, Array]) -> Array:
    """Mean over deviation of the returns, up to a constant."""
    return sums["s1"] / np.sqrt(sums["s2"])


if __name__ == "__main__":
    raise SystemExit(main())
