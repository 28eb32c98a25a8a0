"""The checker on the frozen benchmark of steps: false accepts, false alarms, what stays undecided, and time.

    python -m benchmarks.maths_steps --half development --show
    python -m benchmarks.maths_steps --save maths_steps

Steps are decided one after the other by the process that `grn maths check` uses, from LaTeX to verdict;
nothing is cached. A step is *accepted* as proved or supported; an *alarm* is a true step that is refuted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.maths_cases import FROZEN, Case, digest, draw_cases
from benchmarks.measure import describe_code, describe_machine, write_result
from grn.maths.verdict import Verdict
from grn.maths.worker import Worker


def check(case: Case, worker: Worker) -> tuple[Verdict, float]:
    """Verdict and seconds of one core that a step took."""
    verdict = worker.decide(case.latex, case.given)
    return verdict, worker.cpu_s


def load_cases(file: Path | None) -> list[Case]:
    """All steps: drawn anew, or from a file that an earlier run kept; their digest must be the frozen one."""
    if file and file.exists():
        rows = json.loads(file.read_text(encoding="utf-8"))
        cases = [Case(**{**row, "given": tuple(row["given"])}) for row in rows]
    else:
        cases = list(draw_cases())
        if file:
            file.write_text(json.dumps([case.__dict__ for case in cases]), encoding="utf-8")
    if digest(cases) != FROZEN:
        raise SystemExit("these are not the frozen steps")
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Check every step; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maths_steps", description=__doc__)
    parser.add_argument("--half", choices=("all", "development", "held back"), default="all")
    parser.add_argument("--area", help="steps of this area only")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep the steps drawn, or take them from there"
    )
    parser.add_argument("--show", action="store_true", help="show what is not as it should be")
    parser.add_argument("--save", metavar="NAME", help="write results/NAME.json")
    chosen = parser.parse_args(arguments)
    cases = [
        case
        for case in load_cases(chosen.keep)
        if (chosen.half == "all" or case.held_back is (chosen.half == "held back"))
        and (chosen.area is None or case.area == chosen.area)
    ]
    worker = Worker()
    check(cases[0], worker)  # the start of the process is not part of a step
    verdicts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    seconds = []
    began = time.perf_counter()
    for case in cases:
        verdict, cpu = check(case, worker)
        seconds.append(cpu)
        verdicts[case.true][verdict.kind] += 1
        wrong = verdict.kind != ("proved" if case.true else "refuted")
        if chosen.show and (wrong or cpu > 1):
            print(f"{case.true!s:5} {verdict.kind:9} {cpu:5.2f} s {case.family}: {case.latex}", flush=True)
            print(f"      {verdict.rule} {verdict.detail[:150]}")
    worker.end()
    figures = {**summarise(verdicts, seconds), "wall_s": round(time.perf_counter() - began, 1)}
    for name, value in figures.items():
        print(f"{name:32} {value}")
    if chosen.save:
        told = {
            "command": f"python -m benchmarks.maths_steps --half '{chosen.half}'",
            "digest": FROZEN,
            **figures,
        }
        print(write_result(chosen.save, {**told, "machine": describe_machine(), **describe_code()}).name)
    bars = (
        (figures["false_accepts_proved"], 0),
        (figures["false_accepts_percent"], 0.4),
        (figures["false_alarms_percent"], 1),
        (figures["undecided_percent"], 10),
        (figures["p95_cpu_s"], 1),
    )
    return int(any(float(str(value)) > bar for value, bar in bars))


def summarise(verdicts: dict[bool, Counter[str]], seconds: list[float]) -> dict[str, object]:
    """Rates by the definitions of the page on the checker."""
    true, false = sum(verdicts[True].values()), sum(verdicts[False].values())
    open_kinds = ("undecided", "unparsed", "timeout")
    undecided = sum(verdicts[which][kind] for which in (True, False) for kind in open_kinds)
    accepted = verdicts[False]["proved"] + verdicts[False]["supported"]
    return {
        "true_steps": true,
        "corrupted_steps": false,
        "of_true": dict(verdicts[True]),
        "of_corrupted": dict(verdicts[False]),
        "false_accepts_proved": verdicts[False]["proved"],
        "false_accepts_percent": round(100 * accepted / max(1, false), 3),
        "false_alarms_percent": round(100 * verdicts[True]["refuted"] / max(1, true), 3),
        "undecided_percent": round(100 * undecided / max(1, true + false), 3),
        "median_cpu_s": round(float(np.median(seconds)), 4),
        "p95_cpu_s": round(float(np.quantile(seconds, 0.95)), 4),
        "slowest_cpu_s": round(max(seconds), 3),
    }


if __name__ == "__main__":
    raise SystemExit(main())
