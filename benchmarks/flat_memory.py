"""Peak memory of one pass over 5, 10 and 20 GB of trades.

``python -m benchmarks.flat_memory``: 1 GB of uncompressed Parquet lies on the disk and is read 5, 10 and 20
times in one query, each time later in time.  Each size runs in a process of its own.  The peak may grow by a
tenth at most.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from benchmarks.memory import peak_memory_mib
from benchmarks.trade_market import FILE_ROWS, write_trades

KINDS: Final = ("minute", "dollar")
TIMES: Final = (5, 10, 20)
ALLOWED: Final = 0.10
BYTES_PER_ROW: Final = 36
"""Of the uncompressed files, about; what lies on the disk is measured and reported."""


def run(folder: Path, times: int, kind: str) -> None:
    """One pass in this process; prints what it took as JSON."""
    from grn.quant import dollar_bars, time_bars, with_volatility

    files = sorted(folder.glob("part-*.parquet"))
    ends = (
        pl.scan_parquet([files[0], files[-1]]).select(pl.col("ts").min(), last=pl.col("ts").max()).collect()
    )
    span = ends["last"][0] - ends["ts"][0]
    whole = pl.concat(
        [pl.scan_parquet(files).with_columns(pl.col("ts") + n * 2 * span) for n in range(times)]
    )
    if kind == "minute":
        bars = with_volatility(time_bars(whole, "1m"), "yang_zhang", 30)
    else:
        bars = dollar_bars(whole, 5e6)
    began = time.perf_counter()
    out = bars.select(pl.len(), pl.col("trades").sum(), pl.col("volume").sum()).collect(engine="streaming")
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mib": peak_memory_mib(), "bars": out["len"][0]}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all sizes; 1 when memory grew by more than a tenth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flat_memory", description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="on the disk, in 10^9 bytes (default: 1)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--save", metavar="NAME", default="flat_memory.local", help="results/NAME.json")
    parser.add_argument("--run", nargs=3, metavar=("FOLDER", "TIMES", "KIND"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.run:
        run(Path(chosen.run[0]), int(chosen.run[1]), chosen.run[2])
        return 0
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        rows = math.ceil(chosen.gb * 1e9 / BYTES_PER_ROW / FILE_ROWS) * FILE_ROWS
        size = sum(path.stat().st_size for path in write_trades(Path(name), rows, "uncompressed"))
        for kind in chosen.kinds:
            for times in TIMES:
                runs.append({"kind": kind, "gb": size * times / 1e9, "rows": rows * times})
                runs[-1] |= child(name, times, kind)
                print(
                    "  {kind:<7} {gb:5.1f} GB {seconds:7.1f} s  peak {peak_mib:6.0f} MiB".format(**runs[-1])
                )
    growth = {}
    for kind in chosen.kinds:
        peaks = [found["peak_mib"] for found in runs if found["kind"] == kind]
        growth[kind] = peaks[-1] / peaks[0] - 1.0
        print(f"  {kind:<7} {TIMES[-1] // TIMES[0]} times the data change the peak by {growth[kind]:+.1%}")
    result = {
        "command": f"python -m benchmarks.flat_memory --gb {chosen.gb:g} --kinds {' '.join(chosen.kinds)}",
        "runs": runs,
        "growth": growth,
        "allowed": ALLOWED,
        "machine": describe_machine(),
        **describe_code(),
    }
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if max(growth.values()) <= ALLOWED else 1


def child(folder: str, times: int, kind: str) -> dict[str, Any]:
    """Run one size in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.flat_memory", "--run", folder, str(times), kind]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{kind} failed:\n{ran.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
