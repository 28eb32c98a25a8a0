"""What orders and stops cost a sweep: the same moving-average pairs without them, and with each kind.

    python -m benchmarks.brackets

Variants take turns in one process; the time is from `grn.sweep` to the frame, ledger included, kernels
compiled before.  The bars are candles without gaps (`benchmarks.candles`).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace

import grn
from benchmarks.candles import candle_market
from benchmarks.comparisons import METRICS, crossover
from benchmarks.measure import describe_code, describe_machine, median, write_result
from grn.quant import Costs, Limit, StopLoss, Strategy, TakeProfit, TimeStop, TrailingStop, close

BASE = crossover()
VARIANTS: dict[str, Strategy] = {
    "no stops": BASE,
    "stop-loss": replace(BASE, stops=(StopLoss(0.03),)),
    "bracket": replace(BASE, stops=(StopLoss(0.03), TakeProfit(0.06), TrailingStop(0.05))),
    "time stop": replace(BASE, stops=(TimeStop(20),)),
    "limit entry": replace(BASE, entry_order=Limit(close * 0.995, expires=3)),
}
BARS = 3_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Time every variant in turn; 1 when brackets take more than three times as long as no stops."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brackets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (default: 7)")
    parser.add_argument("--save", metavar="NAME", default="brackets.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    market = candle_market(n_bars=BARS, gaps=False)
    wall: dict[str, list[float]] = {name: [] for name in VARIANTS}
    processor: dict[str, list[float]] = {name: [] for name in VARIANTS}
    trades = {}
    with tempfile.TemporaryDirectory() as home:
        os.environ["GRN_HOME"] = home
        for turn in range(chosen.rounds + 1):
            for name, strategy in VARIANTS.items():
                began, worked = time.perf_counter(), time.process_time()
                result = grn.sweep(strategy, market, costs=Costs(fee=0.001), metrics=METRICS)
                if turn > 0:  # the first turn compiles
                    wall[name].append(time.perf_counter() - began)
                    processor[name].append(time.process_time() - worked)
                trades[name] = int(result.frame["trades"].sum())
    base = median(wall["no stops"])
    found = {
        name: {
            "wall_s": median(wall[name]),
            "processor_s": median(processor[name]),
            "times": median(wall[name]) / base,
            "trades": trades[name],
        }
        for name in VARIANTS
    }
    print(f"{len(result.frame):,} combinations x {BARS:,} bars, four metrics, median of {chosen.rounds}\n")
    for name, row in found.items():
        print(
            f"  {name:<12} {row['wall_s']:6.3f} s  {row['times']:5.2f} times   "
            f"processor {row['processor_s']:6.3f} s   {row['trades']:,} trades"
        )
    written = {"command": f"python -m benchmarks.brackets --rounds {chosen.rounds}", "variants": found}
    path = write_result(chosen.save, {**written, "machine": describe_machine(), **describe_code()})
    print(f"\nwritten to benchmarks/results/{path.name}")
    return int(found["bracket"]["times"] > 3.0)


if __name__ == "__main__":
    raise SystemExit(main())
