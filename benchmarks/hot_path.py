"""What reading costs in memory and time: Parquet, Polars' Arrow reader, and the mapped cache.

``python -m benchmarks.hot_path``: twenty million trades, four columns of numbers, 610 MiB.  Each way runs in
a process of its own and reports its resident memory at every step, anonymous pages (memory of its own) apart
from pages of files (shared with every process, dropped at need).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from benchmarks.trade_market import write_trades

COLUMNS: Final = ("ts", "price", "amount", "id")
Step = Callable[[str], None]


def source_of(folder: Path) -> pl.LazyFrame:
    """The columns that are kept, one symbol's name for all: an engine's input."""
    frame = pl.scan_parquet(sorted(folder.glob("part-*.parquet")))
    return frame.select("ts", "price", "amount", pl.col("id").cast(pl.Int64))


def parquet(folder: Path, step: Step) -> float:
    """Decode the Parquet files."""
    frame = source_of(folder).collect()
    step("open")
    total = float(frame["price"].sum())
    step("sum of a column")
    return total


def polars_arrow(folder: Path, step: Step) -> float:
    """Read the cache's own file with Polars."""
    frame = pl.read_ipc(next((folder / "cache").glob("*.arrow")))
    step("open")
    total = float(frame["price"].sum())
    step("sum of a column")
    return total


def mapped(folder: Path, step: Step) -> float:
    """Map the cache, and hand columns on to Polars, NumPy and the engines."""
    import numpy as np

    from grn.quant import load_bars, map_arrow

    cache = map_arrow(
        "hot", source_of(folder), sorted(folder.glob("part-*.parquet")), folder=folder / "cache"
    )
    assert not cache.built
    frame = cache.frame
    step("open")
    total = float(frame["price"].sum())
    step("sum of a column")
    view = cache.array("price")
    assert np.shares_memory(view, frame["price"].to_numpy(allow_copy=False))
    step("as a NumPy array")
    assert float(view[:1000].sum()) > 0
    rest = float(frame["amount"].sum()) + float(frame["ts"].to_physical().max() or 0)  # type: ignore[arg-type]
    assert rest > 0
    step("all columns touched")
    (bars,) = load_bars(frame.lazy().rename({"price": "close", "amount": "volume"}), needs=["volume"])
    assert np.shares_memory(bars.column("close"), view)
    step("as bars of an engine")
    return total


WAYS: Final[dict[str, Callable[[Path, Step], float]]] = {
    "parquet": parquet,
    "polars_arrow": polars_arrow,
    "mapped": mapped,
}


def resident_mib() -> dict[str, float]:
    """Anonymous memory and pages of files of this process, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = {line.split(":")[0]: int(line.split()[1]) / 2**10 for line in status.splitlines() if "kB" in line}
    return {"anonymous": found["RssAnon"], "file": found["RssFile"], "peak": found["VmHWM"]}


def run(way: str, folder: Path) -> None:
    """One way in this process; prints its steps as JSON."""
    import pyarrow.ipc  # noqa: F401  everybody starts with the same packages

    import grn.quant.features.arrow_cache
    import grn.quant.schema.load  # noqa: F401

    before, began = resident_mib(), time.perf_counter()
    steps: list[dict[str, object]] = []

    def step(name: str) -> None:
        now = resident_mib()
        grown = {kind: round(now[kind] - before[kind], 1) for kind in ("anonymous", "file")}
        seconds = round(time.perf_counter() - began, 4)
        steps.append({"step": name, "seconds": seconds, "grown_mib": grown})

    total = WAYS[way](folder, step)
    print(json.dumps({"steps": steps, "sum": total, "peak_mib": round(resident_mib()["peak"], 1)}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the cache, then run each way in a fresh process; 1 when they find different numbers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_path", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--save", metavar="NAME", default="hot_path.local", help="results/NAME.json")
    parser.add_argument("--run", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.run:
        run(chosen.run[0], Path(chosen.run[1]))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_trades(folder, chosen.rows)
        build = (
            "from pathlib import Path; from benchmarks.hot_path import source_of;"
            "from grn.quant import map_arrow;"
            f"f = Path({name!r});"
            "map_arrow('hot', source_of(f), sorted(f.glob('part-*.parquet')), folder=f / 'cache')"
        )
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True)
        build_s = time.perf_counter() - began
        found = {way: child(way, folder) for way in WAYS}
        size_mib = next((folder / "cache").glob("*.arrow")).stat().st_size / 2**20
        files_mib = sum(path.stat().st_size for path in files) / 2**20
    result: dict[str, Any] = {
        "command": f"python -m benchmarks.hot_path --rows {chosen.rows}",
        "rows": chosen.rows,
        "parquet_mib": round(files_mib, 1),
        "arrow_mib": round(size_mib, 1),
        "build_s": round(build_s, 2),
        "ways": found,
        "machine": describe_machine(),
        **describe_code(),
    }
    sizes = f"Parquet {files_mib:,.0f} MiB, Arrow {size_mib:,.0f} MiB"
    print(f"{chosen.rows:,} rows; {sizes}, built in {build_s:.1f} s")
    for way, numbers in found.items():
        for step in numbers["steps"]:
            grown = step["grown_mib"]
            print(
                f"  {way:<13} {step['step']:<20} {step['seconds']:8.4f} s"
                f"  memory {grown['anonymous']:+8.1f} MiB  mapped {grown['file']:+8.1f} MiB"
            )
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if len({numbers["sum"] for numbers in found.values()}) == 1 else 1


def child(way: str, folder: Path) -> dict[str, Any]:
    """Run one way in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.hot_path", "--run", way, str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{way} failed:\n{ran.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
