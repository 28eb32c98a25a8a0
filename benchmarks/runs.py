"""One measured run in a process of its own: ``python -m benchmarks.runs ours readme --table FILE``.

Prints one line of JSON: seconds by name, and the process's peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.comparisons import BY_NAME, METRICS, PAIRS, PERIODS_PER_YEAR, Comparison, Table, crossover
from benchmarks.market import random_market
from benchmarks.memory import peak_memory_mib

WARM_REPEATS = 5


def time_ours(comparison: Comparison, stride: int) -> tuple[dict[str, float], Table]:
    """Seconds from `grn.sweep` to the frame, ledger included: first call of the process, then warm.

    Every call has a new home, and so a ledger that has seen nothing.
    """
    import grn

    strategy, market = crossover(comparison.direction, step=stride), random_market()

    def run(metrics: Sequence[str] | str) -> tuple[float, grn.SweepResult]:
        with tempfile.TemporaryDirectory() as home:
            os.environ["GRN_HOME"] = home
            began = time.perf_counter()
            result = grn.sweep(
                strategy, market, costs=comparison.costs, fill=comparison.fill, size=comparison.size,
                cash=comparison.rules.cash, metrics=metrics, periods_per_year=PERIODS_PER_YEAR,
            )  # fmt: skip
            assert len(result.frame) == len(result)
            return time.perf_counter() - began, result

    first_s, result = run(METRICS)
    shape = (len(market), len(result.grid))
    table = {name: result.frame[name].to_numpy().astype(np.float64).reshape(shape) for name in METRICS}
    warm_s = float(np.median([run(METRICS)[0] for _ in range(WARM_REPEATS)]))
    run("default")
    all_s = float(np.median([run("default")[0] for _ in range(WARM_REPEATS)]))
    return {"first": first_s, "warm": warm_s, "warm_all_metrics": all_s}, table


def time_theirs(comparison: Comparison, stride: int) -> tuple[dict[str, float], Table]:
    """Seconds of vectorbt for the same four metrics, everything compiled before."""
    from benchmarks.peer_vectorbt import CHUNK, load_vectorbt, run_theirs

    began = time.perf_counter()
    load_vectorbt()
    imported = time.perf_counter()
    market, pairs = random_market(), pairs_of(stride)
    run_theirs(comparison, market[:1], pairs[:CHUNK])
    compiled = time.perf_counter()
    table = run_theirs(comparison, market, pairs)
    done = time.perf_counter()
    return {"import": imported - began, "compile": compiled - imported, "warm": done - compiled}, table


def pairs_of(stride: int) -> tuple[tuple[int, int], ...]:
    """Pairs out of every `stride`-th window."""
    return tuple((a, b) for a, b in PAIRS if (a - 2) % stride == 0 and (b - 2) % stride == 0)


RUNNERS: dict[str, Callable[[Comparison, int], tuple[dict[str, float], Table]]] = {
    "ours": time_ours,
    "theirs": time_theirs,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, write the table and print the timings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("who", choices=RUNNERS)
    parser.add_argument("comparison", choices=BY_NAME)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--table", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    seconds, table = RUNNERS[chosen.who](BY_NAME[chosen.comparison], chosen.stride)
    np.savez(chosen.table, **table)  # type: ignore[arg-type]  # names and arrays are what savez takes
    print(json.dumps({"seconds": seconds, "peak_mib": peak_memory_mib()}))


if __name__ == "__main__":
    main()
