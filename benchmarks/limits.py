"""What a sweep reaches on this machine, work by work, beside what it was asked to reach.

    python -m benchmarks.limits

Each work runs in a process of its own, its kernel compiled before by another one; times are from `grn.sweep`
to the frame, the ledger's entry included, in a home that has seen nothing.  `benchmarks.sweep` has the same
rate beside vectorbt.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result


@dataclass(frozen=True)
class Bar:
    """What is asked of a work: a number of its measurements, and what it must not exceed (or fall below)."""

    work: str
    what: str
    limit: float
    at_least: bool = False


BARS: Final = (
    Bar("four metrics", "million_per_s", 600.0, at_least=True),
    Bar("four metrics, cached kernel", "first_s", 1.0),
    Bar("never seen", "first_s", 10.0),
    Bar("every one-pass metric", "million_per_s", 300.0, at_least=True),
    Bar("20,000 bars x 5,000", "wall_s", 0.2),
    Bar("200,000 bars x 10,000", "wall_s", 4.0),
    Bar("200,000 bars x 10,000", "peak_mib", 500.0),
    Bar("one run, 10,000,000 bars", "engine_s", 0.4),
)
WORKS: Final = (
    "four metrics", "four metrics, cached kernel", "never seen", "every one-pass metric",
    "20,000 bars x 5,000", "200,000 bars x 10,000", "one run, 10,000,000 bars",
    "rsi", "bollinger", "donchian", "ema", "distribution of chosen rows", "target weights",
)  # fmt: skip
FAMILIES: Final = ("rsi", "bollinger", "donchian", "ema")
"""Works that are to reach half the rate of the moving averages."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 when something that was asked is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--only", action="append", choices=WORKS, metavar="WORK", help="these works only")
    parser.add_argument("--save", metavar="NAME", default="limits.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for work in chosen.only or WORKS:
            found[work] = measure(work, Path(folder))
            print(f"{work:<30} " + "  ".join(f"{k} {v:,.4g}" for k, v in found[work].items()), flush=True)
    missed = [text for bar in BARS if bar.work in found for text in judge(bar, found[bar.work])]
    if "four metrics" in found:
        half = found["four metrics"]["million_per_s"] / 2
        asked = [Bar(name, "million_per_s", half, at_least=True) for name in FAMILIES if name in found]
        missed += [text for bar in asked for text in judge(bar, found[bar.work])]
    result: dict[str, Any] = {
        "command": "python -m benchmarks.limits",
        "works": found,
        "missed": missed,
        "machine": describe_machine(),
        **describe_code(),
    }
    print("\n".join(missed) or "everything that was asked is reached")
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 1 if missed else 0


def judge(bar: Bar, found: dict[str, float]) -> list[str]:
    """A sentence when a measurement misses what was asked."""
    value = found[bar.what]
    if value >= bar.limit if bar.at_least else value <= bar.limit:
        return []
    return [f"missed: {bar.work}: {bar.what} {value:,.4g}, asked {bar.limit:,.4g}"]


def measure(work: str, folder: Path) -> dict[str, float]:
    """One work in a fresh process; `never seen` finds no kernel there, the others do."""
    environment = {
        **os.environ, "GRN_CACHE": str(folder / "kernels"), "NUMBA_CACHE_DIR": str(folder / "numba")
    }  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.limit_runs", work]

    def prepare() -> None:
        subprocess.run([*command, "--small"], cwd=ROOT, env=environment, check=True, capture_output=True)

    # Once on few bars: compiles the kernel, and the functions that all kernels share.
    prepare()
    if work == "never seen":
        environment["GRN_CACHE"] = str(folder / "never")
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{work} failed:\n{ran.stderr}")
    numbers: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return numbers


if __name__ == "__main__":
    raise SystemExit(main())
