"""Fifty million trades to bars, and a scan with an as-of join, against DuckDB, pandas and plain Polars.

``python -m benchmarks.trades`` takes some minutes, ``--rows 5000000`` one.  Equal numbers first, then the
clock: runs take turns in fresh processes, medians are reported.  The distance to the floor is stated twice:
to reading the same bytes without looking at them, and to decoding the columns and doing nothing with them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.measure import ROOT, describe_code, describe_machine, median, write_result
from benchmarks.trade_market import write_trades
from benchmarks.trade_runs import files_of
from grn.kit.versions import package_version

WHO: Final = {"minute": ("grn", "polars", "duckdb", "pandas"), "dollar": ("grn", "duckdb", "pandas"),
              "join": ("grn", "polars", "duckdb", "pandas"), "decode": ("polars",)}  # fmt: skip
OTHER_RULE: Final = "dollar"
"""No query of DuckDB or pandas without a loop starts each bar from zero; theirs cut the running sum
instead."""
SLOW: Final = "pandas"
"""Runs in the first round only."""
TOLERANCE: Final = 1e-9
_COLUMNS: Final = ("ts", "symbol", "price", "amount", "side")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when the numbers differ and no time is reported."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trades", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000_000, help="trades (default: 50,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds (default: 3)")
    parser.add_argument("--data", type=Path, help="folder to keep the generated trades in")
    parser.add_argument("--save", metavar="NAME", default="trades.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    command = f"python -m benchmarks.trades --rows {chosen.rows} --rounds {chosen.rounds}"
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.data or Path(name)
        files = write_trades(folder, chosen.rows)
        timed: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for number in range(chosen.rounds):
            for task, whos in tasks_of(folder):
                for who in whos:
                    if number == 0 or who != SLOW:
                        timed.setdefault(task, {}).setdefault(who, []).append(child(who, task, folder))
            if sum(not equal(task, found) for task, found in timed.items()):
                print("the numbers differ: no time is reported")
                return 1
        raw_s = min(read_bytes(files) for _ in range(3))
        result = {"command": command, **describe(files, chosen.rows, raw_s, timed), "rounds": chosen.rounds}
    result |= {"machine": describe_machine(), "machine_shared_with_other_work": True, **describe_code()}
    versions = result["versions"]
    assert isinstance(versions, dict)
    versions |= {package: package_version(package) for package in ("duckdb", "pandas", "pyarrow")}
    report(result)
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0


def tasks_of(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The tasks in order; the bars of the join are written after those of the first have been compared."""
    for task, whos in WHO.items():
        if task == "join" and not (folder / "bars.parquet").exists():
            from grn.quant import time_bars

            bars = time_bars(pl.scan_parquet(files_of(folder)), "1m").collect()
            bars.sort("known_ts", maintain_order=True).write_parquet(folder / "bars.parquet")
        yield task, whos


def child(who: str, task: str, folder: Path) -> dict[str, Any]:
    """Run `benchmarks.trade_runs` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.trade_runs", who, task, str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{who} {task} failed:\n{ran.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    print(f"  {task:<7} {who:<7} {found['seconds']:8.2f} s {found['peak_mib']:8.0f} MiB", flush=True)
    return found


def equal(task: str, found: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether everybody found our numbers, in every run."""
    same = True
    for who, runs in found.items():
        if task in (OTHER_RULE, "decode"):
            continue
        for name, value in found["grn"][0]["numbers"].items():
            other = runs[-1]["numbers"][name]
            # Ours are the same in every run; theirs add in the order in which threads come.
            if abs(value - other) > (0.0 if who == "grn" else TOLERANCE * abs(value)):
                print(f"{task}: {who} has {name} = {other!r}, we have {value!r}")
                same = False
    return same


def read_bytes(files: Sequence[Path]) -> float:
    """Seconds to read the files, which lie in the page cache, into one buffer by one thread."""
    buffer = bytearray(4 * 2**20)
    began = time.perf_counter()
    for path in files:
        with path.open("rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass
    return time.perf_counter() - began


def describe(
    files: Sequence[Path], rows: int, raw_s: float, timed: dict[str, dict[str, list[dict[str, Any]]]]
) -> dict[str, Any]:
    """Medians, and distances to both floors."""
    size = sum(path.stat().st_size for path in files)
    tasks: dict[str, Any] = {}
    for task, whos in timed.items():
        tasks[task] = {
            who: {
                "seconds": median([run["seconds"] for run in runs]),
                "seconds_all": [run["seconds"] for run in runs],
                "peak_mib": median([run["peak_mib"] for run in runs]),
            }
            for who, runs in whos.items()
        }
    decode_s = tasks["decode"]["polars"]["seconds"]
    ours = {task: tasks[task]["grn"]["seconds"] for task in ("minute", "dollar", "join")}
    return {
        "rows": rows,
        "files_mib": size / 2**20,
        "columns_mib": column_bytes(files) / 2**20,
        "decoded_bytes_per_row": 8 + 16 + 8 + 8 + 16,
        "raw_read_s": raw_s,
        "raw_read_gib_s": size / 2**30 / raw_s,
        "decode_s": decode_s,
        "tasks": tasks,
        "same_numbers": {task: task != OTHER_RULE for task in ("minute", "dollar", "join")},
        "times_raw_read": {task: seconds / raw_s for task, seconds in ours.items()},
        "times_decode": {task: seconds / decode_s for task, seconds in ours.items()},
        "rows_per_s": {task: rows / seconds for task, seconds in ours.items()},
    }


def column_bytes(files: Sequence[Path]) -> int:
    """Bytes of the columns that bars read, as they lie in the files."""
    import pyarrow.parquet as pq

    total = 0
    for path in files:
        meta = pq.ParquetFile(path).metadata
        for group in range(meta.num_row_groups):
            for column in range(meta.num_columns):
                chunk = meta.row_group(group).column(column)
                if chunk.path_in_schema in _COLUMNS:
                    total += chunk.total_compressed_size
    return total


def report(result: dict[str, Any]) -> None:
    """Print what was measured."""
    load = os.getloadavg()[0]
    print(f"\n{result['rows']:,} trades, {result['files_mib']:,.0f} MiB of Parquet; load {load:.1f}")
    for task, whos in result["tasks"].items():
        for who, found in whos.items():
            ratio = found["seconds"] / whos["grn"]["seconds"] if "grn" in whos else 0.0
            note = "  (another rule)" if task == OTHER_RULE and who != "grn" else ""
            spent = f"{found['seconds']:8.2f} s {found['peak_mib']:8.0f} MiB"
            print(f"  {task:<7} {who:<7} {spent} {ratio:6.1f}{note}")
    print(f"  reading the bytes alone {result['raw_read_s']:.2f} s ({result['raw_read_gib_s']:.1f} GiB/s)")
    for task, times in result["times_raw_read"].items():
        print(f"  {task:<7} {times:5.1f} times that, {result['times_decode'][task]:.2f} times decoding alone")


if __name__ == "__main__":
    raise SystemExit(main())
