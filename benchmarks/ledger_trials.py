"""How long one million trials take to enter and to count.

``python -m benchmarks.ledger_trials``: one row and one blob, as a sweep of one symbol makes, into a fresh
ledger on the disk, flushed when the method returns; the median of several rounds.  It may take half a second.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import zstandard

from benchmarks.measure import describe_code, describe_machine, median, write_result
from grn.kit.files import sha256_hex, write_atomic
from grn.ledger import Ledger
from grn.ledger.trials import encode_trials

TRIALS: Final = 10**6
BAR_S: Final = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 when entering takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_trials", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="fresh ledgers (default: 7)")
    parser.add_argument("--save", metavar="NAME", default="ledger_trials.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    rng = np.random.default_rng(20261123)
    keys = rng.integers(0, 1 << 64, TRIALS, dtype=np.uint64)
    sharpes = rng.normal(0.0, 0.03, TRIALS)
    entered, counted = [], []
    with tempfile.TemporaryDirectory() as name:
        for k in range(chosen.rounds):
            with Ledger.open(Path(name) / str(k)) as ledger:
                run = ledger.begin("benchmark", {"round": k})
                began = time.perf_counter()
                ledger.record_trials(run, data_id="data", strategy_key="one", keys=keys, sharpes=sharpes)
                entered.append(time.perf_counter() - began)
                began = time.perf_counter()
                found = ledger.count_trials(["data"]).n
                counted.append(time.perf_counter() - began)
                assert found == TRIALS
        blob = encode_trials(keys, sharpes)
        packed = zstandard.ZstdCompressor(level=1).compress(blob)
        parts = {
            "encode": timed(lambda: encode_trials(keys, sharpes)),
            "hash": timed(lambda: sha256_hex(blob)),
            "compress": timed(lambda: zstandard.ZstdCompressor(level=1).compress(blob)),
            "write": timed(lambda: write_atomic(Path(name) / "blob", packed)),
        }
    print(f"  {TRIALS:,} trials: entered in {median(entered):.3f} s, counted in {median(counted):.3f} s")
    print("  of which " + ", ".join(f"{part} {seconds:.3f} s" for part, seconds in parts.items()))
    result = {
        "command": f"python -m benchmarks.ledger_trials --rounds {chosen.rounds}",
        "trials": TRIALS,
        "bar_s": BAR_S,
        "enter_s": {"median": median(entered), "all": entered},
        "count_s": {"median": median(counted), "all": counted},
        "parts_s": parts,
        "blob_mib": len(packed) / 2**20,
        "machine": describe_machine(),
        **describe_code(),
    }
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0 if median(entered) <= BAR_S else 1


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
