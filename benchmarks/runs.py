"""One measured run in a process of its own: ``python -m benchmarks.runs ours readme --table FILE``.

Prints one line of JSON: seconds by name, and the process's peak memory.
"""

from __future__ import annotations

import argparse
import gc
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

    Every call has a ledger that is there and has seen nothing.
    """
    import grn
    from grn.kit.paths import ledger_dir

    strategy, market = crossover(comparison.direction, step=stride), random_market()

    def run(metrics: Sequence[str] | str) -> tuple[float, grn.SweepResult]:
        with tempfile.TemporaryDirectory() as home:
            os.environ["GRN_HOME"] = home
            grn.Ledger.open(ledger_dir()).close()  # made once in a lifetime
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
    warm = sorted((run(METRICS) for _ in range(WARM_REPEATS)), key=lambda one: one[0])
    warm_s, middle = warm[WARM_REPEATS // 2]
    engine_s, computed_s = middle.timings_s["run"], middle.timings_s["total"]
    parts = {"engine": engine_s, "metrics": computed_s - engine_s, "ledger": warm_s - computed_s}
    run("default")
    all_s = float(np.median([run("default")[0] for _ in range(WARM_REPEATS)]))
    return {"first": first_s, "warm": warm_s, "warm_all_metrics": all_s, **parts}, table


def time_theirs(comparison: Comparison, stride: int) -> tuple[dict[str, float], Table]:
    """Seconds of vectorbt for the same four metrics, everything compiled before."""
    from benchmarks.peer_vectorbt import CHUNK, load_vectorbt, run_theirs

    began = time.perf_counter()
    load_vectorbt()
    imported = time.perf_counter()
    market, pairs = random_market(), pairs_of(stride)
    run_theirs(comparison, market[:1], pairs[:CHUNK])
    # The collection after each chunk would look through all that is imported: 0.3 s each, three quarters of
    # the whole time.
    gc.collect()
    gc.freeze()
    compiled = time.perf_counter()
    parts: dict[str, float] = {}
    table = run_theirs(comparison, market, pairs, spent=parts)
    done = time.perf_counter()
    return {
        "import": imported - began,
        "compile": compiled - imported,
        "warm": done - compiled,
        **parts,
    }, table


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
