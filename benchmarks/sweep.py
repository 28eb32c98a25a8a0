"""The sweep of vectorbt's README against vectorbt: equal numbers first, then the clock.

``python -m benchmarks.sweep`` takes some minutes, ``--quick`` a minute.  Runs take turns in fresh processes
(ours, theirs, ours, ...), medians are reported.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparisons import TIMED, TOLERANCE, agree, largest_differences
from benchmarks.floor import BYTES_PER_BAR_COMBINATION, OPERATIONS_IN_THE_MARKET, measure_floor
from benchmarks.measure import Measured, describe_code, describe_machine, median, run_child, write_result

BARS = 3_000
QUICK_STRIDE = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when the numbers differ and nothing was timed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--comparison", choices=TIMED, default="readme", help="the rules (default: readme)")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds (default: 3)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the windows, one round")
    parser.add_argument("--save", metavar="NAME", default="sweep.local", help="results/NAME.json")
    chosen = parser.parse_args(arguments)
    stride, rounds = (QUICK_STRIDE, 1) if chosen.quick else (1, chosen.rounds)
    command = "python -m benchmarks.sweep " + shlex.join(
        ["--comparison", chosen.comparison, "--rounds", str(rounds), *(["--quick"] if chosen.quick else [])]
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kernels = folder / "kernels"

        def child(who: str, *, cold: bool = False) -> Measured:
            return run_child(who, chosen.comparison, stride, folder, kernels=kernels, cold=cold)

        print(f"{command}\n\nparity gate: {chosen.comparison}")
        cold, theirs = child("ours", cold=True), child("theirs")
        differences = largest_differences(cold.table, theirs.table)
        for metric, (absolute, relative) in differences.items():
            print(f"  {metric:<14} largest difference {absolute:.1e} absolute, {relative:.1e} relative")
        if not agree(differences):
            print(f"the numbers differ by more than {TOLERANCE:g}: nothing is timed")
            return 1
        child("ours")  # fills the folder of kernels
        timed: dict[str, list[Measured]] = {"ours": [], "theirs": []}
        for _ in range(rounds):
            for who, found in timed.items():
                found.append(child(who))
    combinations = cold.table["trades"].size
    result = summarise(timed, cold, combinations)
    result = {
        "command": command,
        "comparison": chosen.comparison,
        "combinations": combinations,
        "bars": BARS,
        "rounds": rounds,
        "differences": {k: {"absolute": a, "relative": r} for k, (a, r) in differences.items()},
        **result,
        "machine": describe_machine(),
        **describe_code(),
    }
    report(result)
    print(f"written to benchmarks/results/{write_result(chosen.save, result).name}")
    return 0


def summarise(timed: dict[str, list[Measured]], cold: Measured, combinations: int) -> dict[str, object]:
    """Medians, ratios and the distance to the floor."""
    ours, theirs = timed["ours"], timed["theirs"]
    warm = median([m.seconds["warm"] for m in ours])
    peer = median([m.seconds["warm"] for m in theirs])
    machine_floor = measure_floor()
    each = warm * 1e9 / (combinations * BARS)
    return {
        "ours": {
            "cold_s": cold.seconds["first"],
            "new_process_s": median([m.seconds["first"] for m in ours]),
            "warm_s": warm,
            "warm_s_all": [m.seconds["warm"] for m in ours],
            "parts_s": {
                name: median([m.seconds[name] for m in ours]) for name in ("engine", "metrics", "ledger")
            },
            "warm_all_metrics_s": median([m.seconds["warm_all_metrics"] for m in ours]),
            "peak_mib": median([m.peak_mib for m in ours]),
        },
        "vectorbt": {
            "warm_s": peer,
            "warm_s_all": [m.seconds["warm"] for m in theirs],
            "parts_s": {
                name: median([m.seconds[name] for m in theirs])
                for name in ("signals", "simulation", "metrics")
            },
            "import_s": median([m.seconds["import"] for m in theirs]),
            "peak_mib": median([m.peak_mib for m in theirs]),
        },
        "times_faster": peer / warm,
        "times_less_memory": median([m.peak_mib for m in theirs]) / median([m.peak_mib for m in ours]),
        "ns_per_bar_combination": each,
        "floor": {
            "bytes_per_bar_combination": BYTES_PER_BAR_COMBINATION,
            "operations_in_the_market": OPERATIONS_IN_THE_MARKET,
            "measured_ns_one_thread": machine_floor,
        },
    }


def report(result: dict[str, object]) -> None:
    """Print what was measured."""
    ours, theirs, floor, machine = (result[k] for k in ("ours", "vectorbt", "floor", "machine"))
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    assert isinstance(floor, dict)
    assert isinstance(machine, dict)
    bytes_, operations = floor["bytes_per_bar_combination"], floor["operations_in_the_market"]
    each, threads = float(str(result["ns_per_bar_combination"])), machine["cores_usable"] or 1
    print(
        f"""
{result["combinations"]:,} combinations x {result["bars"]:,} bars, four metrics, median of {result["rounds"]}
                     grn        vectorbt
  warm        {ours["warm_s"]:9.3f} s  {theirs["warm_s"]:10.3f} s   {result["times_faster"]:.0f} times faster
    of which  {_parts(ours)}
              {_parts(theirs)} (vectorbt)
  new process {ours["new_process_s"]:9.3f} s               kernels on disk, imports included
  cold        {ours["cold_s"]:9.3f} s               nothing compiled, imports included
  all metrics {ours["warm_all_metrics_s"]:9.3f} s               warm, every one-pass metric instead of four
  peak memory {ours["peak_mib"]:7.0f} MiB  {theirs["peak_mib"]:8.0f} MiB
  grn: from grn.sweep to the frame, ledger included; vectorbt: from prices to metrics, without its import

floor: {bytes_} bytes from cache and {operations} operations a bar and combination
  that arithmetic alone, one thread      {floor["measured_ns_one_thread"]:.2f} ns per bar and combination
  this sweep, wall time x {threads} threads    {each * threads:7.2f} ns ({each:.2f} ns of wall time)
machine: {machine["cpu"]}, {threads} processors, {machine["memory_gib"]} GiB, load {machine["load_1min"]}
commit: {result["commit"]}"""
    )


def _parts(one: dict[str, object]) -> str:
    parts = one["parts_s"]
    assert isinstance(parts, dict)
    return ", ".join(f"{name} {seconds:.3f} s" for name, seconds in parts.items())


if __name__ == "__main__":
    raise SystemExit(main())
