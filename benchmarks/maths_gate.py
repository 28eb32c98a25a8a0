"""Suites that derivations propose: how many mutants they kill, by our operators and by mutmut's own run.

    python -m benchmarks.maths_gate --save maths_gate
    python -m benchmarks.maths_gate --only heat --mutmut PYTHON

Each document goes through read, check, implement and the gate; no model proposes anything. ``--mutmut`` names
the Python of an environment with mutmut, NumPy, SciPy, mpmath and pytest: the accepted suite runs there too.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from grn.maths.check import check_document
from grn.maths.documents import load_document
from grn.maths.gate.judge import judge_all, suite_source
from grn.maths.gate.proposals import propose
from grn.maths.gate.sandbox import Sandbox
from grn.maths.implement.accuracy import numeric, run_source
from grn.maths.implement.build import implement
from grn.maths.implement.module import module_source
from grn.maths.implement.results import read_derivation
from grn.maths.worker import Worker

BAR = 0.85
PAGES = (
    *sorted((ROOT / "benchmarks" / "derivations").glob("*.md")),
    *sorted((ROOT / "examples" / "derivations").glob("*.ipynb")),
)


def run(page: Path, folder: Path) -> dict[str, Any]:
    """One document through the chain; its module and suite lie in the folder."""
    with Worker() as worker:
        checked = check_document(load_document(page), worker)
    derivation = read_derivation(checked)
    made = implement(derivation)
    module = folder / f"{page.stem}.py"
    module.write_text(module_source(made), encoding="utf-8")
    room = numeric()
    run_source(module_source(made), room)
    with Sandbox() as sandbox:
        judged = judge_all(module, propose(made, page.stem, room), sandbox)
    (folder / f"test_{page.stem}_gate.py").write_text(suite_source(judged), encoding="utf-8")
    counts = checked.counts()
    return {
        "document": page.stem,
        "proved": counts.get("proved", 0),
        "not_proved": sum(counts.values()) - counts.get("proved", 0) - counts.get("assumed", 0),
        "functions": len(made.functions),
        "rewritten": sum(bool(function.rules) for function in made.functions),
        "worst_error_units": float(f"{max(f.error for f in made.functions):.2g}"),
        "worst_error_as_written": float(f"{max(f.naive_error for f in made.functions):.2g}"),
        "proposed": len(judged.receipts),
        "kept": len(judged.kept),
        "mutants": len(judged.mutants),
        "killed": len(judged.killed),
        "score": round(judged.score, 3),
        "alive": [mutant.change.splitlines()[-1].strip("+ ") for mutant in judged.alive],
    }


def run_mutmut(page: Path, folder: Path, python: str) -> dict[str, Any]:
    """Let mutmut run the accepted suite: killed, of all that it makes."""
    place = folder / f"mutmut_{page.stem}"
    (place / "tests").mkdir(parents=True)
    # mutmut wants sources below a folder of their own.
    (place / "src").mkdir()
    shutil.copy(folder / f"{page.stem}.py", place / "src")
    shutil.copy(folder / f"test_{page.stem}_gate.py", place / "tests")
    (place / "setup.cfg").write_text("[mutmut]\nsource_paths=src\n", encoding="utf-8")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, "-m", "mutmut", "run", "--max-children", "1"]
    subprocess.run(command, cwd=place, env=environment, capture_output=True, check=False)
    told = subprocess.run(
        [python, "-m", "mutmut", "results", "--all", "true"], cwd=place, env=environment, capture_output=True,
        text=True, check=False,
    ).stdout  # fmt: skip
    found = re.findall(r": ([a-z ]+)$", told, re.MULTILINE)
    killed = sum(outcome.strip() in ("killed", "timeout", "suspicious", "segfault") for outcome in found)
    return {"mutmut_mutants": len(found), "mutmut_killed": killed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every document; 1 when one is below the bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maths_gate", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this document; repeatable")
    parser.add_argument("--mutmut", metavar="PYTHON", help="an environment's Python that has mutmut")
    parser.add_argument("--save", metavar="NAME", help="write results/NAME.json")
    chosen = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for page in PAGES:
            if chosen.only and page.stem not in chosen.only:
                continue
            row = run(page, Path(name))
            if chosen.mutmut:
                row |= run_mutmut(page, Path(name), chosen.mutmut)
            rows.append(row)
            shown = {key: value for key, value in row.items() if key != "alive"}
            print("  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
            for line in row["alive"]:
                print(f"    alive: {line}")
    below = [row["document"] for row in rows if row["score"] < BAR]
    mutants, killed = (sum(row[key] for row in rows) for key in ("mutants", "killed"))
    print(
        f"{killed} of {mutants} mutants killed ({killed / mutants:.1%}); below {BAR:.0%}: {below or 'none'}"
    )
    if chosen.save:
        told = {
            "command": "python -m benchmarks.maths_gate",
            "bar": BAR,
            "killed": killed,
            "mutants": mutants,
        }
        told |= {"rows": rows, "machine": describe_machine(), **describe_code()}
        print(write_result(chosen.save, told).name)
    return int(bool(below))


if __name__ == "__main__":
    raise SystemExit(main())
