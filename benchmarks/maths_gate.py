"""Suites that derivations propose: how many mutants they kill, by our operators and by mutmut's own run.

    python -m benchmarks.maths_gate --peers /tmp/peers --save maths_gate
    python -m benchmarks.maths_gate --only heat

Each document goes through read, check, implement and the gate; no model proposes anything. ``--peers`` names
a folder for environments with mutmut and Pynguin: mutmut makes its own mutants and runs the accepted suite,
Pynguin writes a suite of its own, and mutmut runs that as well. A second run takes what the folder has.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.maths_gate_peers import (
    MUTMUT,
    PYNGUIN,
    SEARCH_S,
    make_environment,
    run_mutmut,
    run_pynguin,
)
from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from grn.kit.files import sha256_hex, write_atomic
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
FILES = ("check", "documents", "plain", "sizes", "symbols", "syntax", "verdict", "worker")
BEHIND = (*(f"{name}.py" for name in FILES), "reader/*.py", "deciders/*.py", "implement/*.py", "gate/*.py")
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


def run_kept(page: Path, folder: Path, peers: Path) -> dict[str, Any]:
    """What :func:`run` gives, or gave when the document and all code behind it were the same."""
    house = ROOT / "src" / "grn" / "maths"
    sources = [path for place in BEHIND for path in sorted(house.glob(place))]
    told = sha256_hex(b"".join(path.read_bytes() for path in (page, *sources)))
    kept = peers / "rows" / f"{page.stem}-{told[:16]}.json"
    names = (f"{page.stem}.py", f"test_{page.stem}_gate.py")
    if not kept.exists():
        row = run(page, folder)
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in names}
        write_atomic(kept, json.dumps({"row": row, "texts": texts}), make_parents=True)
    found = json.loads(kept.read_text(encoding="utf-8"))
    for name in names:
        (folder / name).write_text(found["texts"][name], encoding="utf-8")
    return dict(found["row"])


def run_peers(page: Path, folder: Path, peers: Path) -> dict[str, Any]:
    """Mutmut on the suite that was kept, and Pynguin's own suite; what was measured before is read again."""
    module, suite = folder / f"{page.stem}.py", folder / f"test_{page.stem}_gate.py"
    texts = [path.read_text(encoding="utf-8") for path in (module, suite)]
    told = json.dumps([*texts, MUTMUT, PYNGUIN, SEARCH_S])
    kept = peers / "rows" / f"{page.stem}-{sha256_hex(told.encode())[:16]}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    mutmut = make_environment(peers / "mutmut", MUTMUT)
    pynguin = make_environment(peers / "pynguin", PYNGUIN)
    row = {
        "mutmut": run_mutmut(module, suite, peers / "work" / f"{page.stem}_mutmut", mutmut),
        "pynguin": run_pynguin(module, peers / "work" / f"{page.stem}_pynguin", pynguin, mutmut),
    }
    write_atomic(kept, json.dumps(row), make_parents=True)
    return row


def _totals(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Both tools over all documents; survivors by whether a reason is known why no test can tell them."""
    total: dict[str, Any] = {"mutmut": MUTMUT, "pynguin": f"{PYNGUIN}, {SEARCH_S} s a module"}
    for tool in ("mutmut", "pynguin"):
        made = sum(row["mutmut"]["mutants"] for row in rows)  # where there is no suite nothing is killed
        killed = sum(row[tool]["killed"] for row in rows)
        total |= {f"{tool}_mutants": made, f"{tool}_killed": killed, f"{tool}_score": round(killed / made, 3)}
    left = [survivor for row in rows for survivor in row["mutmut"]["survivors"]]
    total["equivalent"] = sum(bool(survivor["reason"]) for survivor in left)
    total["mutmut_lowest"] = round(min(r["mutmut"]["killed"] / r["mutmut"]["mutants"] for r in rows), 3)
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every document; 1 when one is below the bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maths_gate", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this document; repeatable")
    parser.add_argument("--peers", metavar="FOLDER", type=Path, help="run mutmut and Pynguin too")
    parser.add_argument("--save", metavar="NAME", help="write results/NAME.json")
    chosen = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for page in PAGES:
            if chosen.only and page.stem not in chosen.only:
                continue
            if chosen.peers:
                row = run_kept(page, Path(name), chosen.peers.resolve())
                row |= run_peers(page, Path(name), chosen.peers.resolve())
            else:
                row = run(page, Path(name))
            rows.append(row)
            shown = {key: value for key, value in row.items() if key not in ("alive", "mutmut", "pynguin")}
            for tool in ("mutmut", "pynguin"):
                if tool in row:
                    shown[tool] = f"{row[tool]['killed']}/{row[tool]['mutants']}"
            print("  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
            for line in row["alive"]:
                print(f"    alive: {line}")
    below = [row["document"] for row in rows if row["score"] < BAR]
    mutants, killed = (sum(row[key] for row in rows) for key in ("mutants", "killed"))
    print(
        f"{killed} of {mutants} mutants killed ({killed / mutants:.1%}); below {BAR:.0%}: {below or 'none'}"
    )
    told = {"command": "python -m benchmarks.maths_gate", "bar": BAR, "killed": killed, "mutants": mutants}
    if chosen.peers:
        told["command"] = "python -m benchmarks.maths_gate --peers FOLDER"
        told["peers"] = _totals(rows)
        print(told["peers"])
    if chosen.save:
        told |= {"rows": rows, "machine": describe_machine(), **describe_code()}
        print(write_result(chosen.save, told).name)
    return int(bool(below))


if __name__ == "__main__":
    raise SystemExit(main())
