"""Measuring in child processes, and what has to stand beside a measured number: machine, commit, command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.comparisons import METRICS, Table
from grn.hw.probe import probe
from grn.kit.versions import package_version, versions

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Measured:
    """One child process: seconds by name, its peak memory, and the numbers it found."""

    seconds: dict[str, float]
    peak_mib: float
    table: Table


def run_child(
    who: str, comparison: str, stride: int, folder: Path, *, kernels: Path, cold: bool = False
) -> Measured:
    """Run `benchmarks.runs` in a fresh process.

    Parameters
    ----------
    kernels : folder of compiled code; `cold` gives the child an empty one instead.
    """
    place = folder / "cold" if cold else kernels
    place.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GRN_CACHE": str(place / "grn"), "GRN_HOME": str(folder / "home")}
    if cold or who == "ours":
        environment["NUMBA_CACHE_DIR"] = str(place / "numba")
    table = folder / f"{who}.npz"
    command = ["-m", "benchmarks.runs", who, comparison, "--stride", str(stride), "--table", str(table)]
    ran = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise SystemExit(f"{who} failed:\n{ran.stderr}")
    found = json.loads(ran.stdout.splitlines()[-1])
    with np.load(table) as arrays:
        return Measured(found["seconds"], found["peak_mib"], {name: arrays[name] for name in METRICS})


def median(values: Sequence[float]) -> float:
    """Median of a few timings."""
    return float(np.median(values))


def describe_machine() -> dict[str, object]:
    """What the numbers were measured on."""
    machine = probe()
    return {
        "cpu": machine.cpu_model,
        "cores_usable": machine.cores_usable,
        "memory_gib": machine.mem_gib_total and round(machine.mem_gib_total, 1),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def describe_code() -> dict[str, object]:
    """Commit (with a mark when files differ from it) and versions."""

    def git(*arguments: str) -> str:
        ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return ran.stdout.strip()

    changed = bool(git("status", "--porcelain", "--", "src", "benchmarks"))
    commit = (git("rev-parse", "HEAD") or "unknown") + ("+changes" if changed else "")
    return {"commit": commit, "versions": {**versions(), "vectorbt": package_version("vectorbt")}}


def write_result(name: str, result: dict[str, object]) -> Path:
    """Write ``benchmarks/results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path
