"""Peak memory of streamed sweeps of 10^5, 10^6 and 10^7 combinations.

``python -m benchmarks.stream``: a cheap strategy on 250 bars, so that only the number of combinations grows.
Each size runs in a process of its own: a sweep into a folder, then the best hundred rows and nine exact
quantiles read from it.  Chunks have 2^14 combinations: the smallest size has several too.  From the smallest
size to the largest the peak may grow by a tenth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from benchmarks.memory import peak_memory_mib

SIZES: Final = (10**5, 10**6, 10**7)
BARS: Final = 250
METRICS: Final = "total_return,sharpe,max_drawdown,trades"
ALLOWED: Final = 0.10
CHUNK: Final = 2**14
WARM: Final = 10**3
"""Combinations of a first sweep in each process: its kernel is compiled before anything is measured."""


def run(folder: Path, size: int) -> None:
    """One size in this process; prints what it took as JSON."""
    import numpy as np
    import polars as pl

    import grn
    from grn.ledger import Ledger
    from grn.quant import Strategy, close, param, sma

    rng = np.random.default_rng(1)
    walk = 100 * np.cumprod(1 + rng.normal(0, 0.01, BARS))
    stamps = pl.datetime_range(
        pl.datetime(2020, 1, 1), pl.datetime(2020, 1, 1) + pl.duration(days=BARS - 1), "1d", eager=True
    )
    bars = pl.DataFrame({"ts": stamps, "open": walk, "close": walk})

    def strategy(points: int) -> Strategy:
        fast, slow = param("fast", range(2, 12)), param("slow", range(12, 22))
        level = param("level", np.linspace(0.9, 1.1, points // 100).tolist())
        trend = sma(close, fast) > level * sma(close, slow)
        return Strategy(trend, ~trend, name="levels")

    with Ledger.open(folder / "ledger") as ledger:
        grn.stream_sweep(strategy(WARM), bars, folder / "warm", metrics=METRICS, ledger=ledger)
        began = time.perf_counter()
        result = grn.stream_sweep(
            strategy(size), bars, folder / "sweep", metrics=METRICS, chunk=CHUNK, ledger=ledger
        )
        swept = time.perf_counter()
        peak = peak_memory_mib()
        best = result.top(100)
        shares = result.quantiles("sharpe")
        read = time.perf_counter()
    on_disk = sum(p.stat().st_size for p in (folder / "sweep").iterdir())
    found = {
        "combinations": size,
        "rows": len(result),
        "sweep_s": swept - began,
        "summaries_s": read - swept,
        "sweep_peak_mib": peak,
        "peak_mib": peak_memory_mib(),
        "folder_mib": on_disk / 2**20,
        "ledger_mib": sum(p.stat().st_size for p in (folder / "ledger").rglob("*") if p.is_file()) / 2**20,
        "best_sharpe": best["sharpe"][0],
        "median_sharpe": shares[0.5],
    }
    print(json.dumps(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all sizes; 1 when memory grew by more than a tenth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--save", metavar="NAME", default="stream.local", help="results/NAME.json")
    parser.add_argument("--run", nargs=2, metavar=("FOLDER", "SIZE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.run:
        run(Path(chosen.run[0]), int(chosen.run[1]))
        return 0
    runs: list[dict[str, Any]] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            runs.append(child(name, size))
        print(
            "  {combinations:>10,} combinations {sweep_s:7.2f} s + {summaries_s:5.2f} s  "
            "peak {peak_mib:5.0f} MiB  on disk {folder_mib:6.0f} MiB".format(**runs[-1])
        )
    growth = runs[-1]["peak_mib"] / runs[0]["peak_mib"] - 1.0
    print(f"  {SIZES[-1] // SIZES[0]} times the combinations change the peak by {growth:+.1%}")
    result = {
        "command": "python -m benchmarks.stream",
        "bars": BARS,
        "metrics": METRICS,
        "chunk": CHUNK,
        "runs": runs,
        "growth": growth,
        "allowed": ALLOWED,
        "machine": describe_machine(),
        **describe_code(),
    }
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if growth <= ALLOWED else 1


def child(folder: str, size: int) -> dict[str, Any]:
    """Run one size in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.stream", "--run", folder, str(size)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{size} combinations failed:\n{ran.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
