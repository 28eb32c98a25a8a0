"""What is left of tools' outputs: tokens saved, and lines kept that bear a load by the tools' own records.

    python -m benchmarks.squeeze [--show NAME]

See ``benchmarks/squeeze_cases.py`` for the outputs. Tokens are o200k's. The lossless mode is decoded, and has
to be equal to the letter; of JSON every value has to be there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import describe_code, describe_machine, median, write_result
from benchmarks.squeeze_cases import Case, cases
from grn.llm.tokens.squeeze import data
from grn.llm.tokens.squeeze.coding import decode
from grn.llm.tokens.squeeze.lossless import squeeze_lossless, unsqueeze
from grn.llm.tokens.squeeze.squeeze import Squeezed, squeeze
from grn.llm.tokens.vocabularies import count_bundled

ORIGINAL = "grn llm squeeze --original 0123abcd"


def weigh(text: str) -> int:
    """Tokens of o200k."""
    return count_bundled(text, "o200k_base")


def lost(case: Case, out: Squeezed) -> list[str]:
    """Find what bears a load and is in no line of what is left."""
    if case.kind == "json":
        return []
    shown = [" ".join(line.split()) for line in decode(out.text).split("\n")]
    whole = "\n".join(shown)
    return [piece for piece in case.load if " ".join(piece.split()) not in whole]


def same_values(case: Case, out: Squeezed) -> bool:
    """Whether JSON has all its values."""
    body = out.text.partition("\n")[2] if out.text.startswith("§") else out.text
    return bool(data.from_table(data.parse(body)) == data.parse(case.text))


def measure(case: Case) -> tuple[dict[str, object], list[str]]:
    """Squeeze one output, both ways."""
    out = squeeze(case.text, weigh, ORIGINAL)
    exact = squeeze_lossless(case.text, weigh)
    if unsqueeze(exact) != case.text:
        raise SystemExit(f"{case.name}: not decoded")
    if case.kind == "json" and not same_values(case, out):
        raise SystemExit(f"{case.name}: values differ")
    missing = lost(case, out)
    return {
        "name": case.name,
        "kind": case.kind,
        "taken_for": out.kind,
        "lines": case.text.count("\n"),
        "tokens": out.before,
        "left": out.after,
        "saved": round(1 - out.after / out.before, 4) if out.before else 0.0,
        "lossless_left": weigh(exact),
        "load": len(case.load),
        "load_lost": len(missing),
    }, missing


def total(rows: Iterable[dict[str, object]], name: str) -> int:
    """Add a column up."""
    return sum(int(str(row[name])) for row in rows)


def main() -> None:
    """Make, squeeze, compare, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--show", default="", help="print what is left of the cases of that name, and what is lost"
    )
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            row, missing = measure(case)
            rows.append(row)
            saved = f"{row['tokens']:>8}{row['left']:>8}{row['saved']:>8.0%}"
            load = f"load {row['load']}, lost {row['load_lost']}; lossless {row['lossless_left']}"
            print(f"{case.name[:44]:46}{row['taken_for']:10}{saved}  {load}")
            if options.show and options.show in case.name:
                print(
                    squeeze(case.text, weigh, ORIGINAL).text,
                    *("LOST " + piece for piece in missing),
                    sep="\n",
                )
    kinds = {
        kind: {
            "outputs": len(chosen),
            "tokens": total(chosen, "tokens"),
            "saved": round(1 - total(chosen, "left") / total(chosen, "tokens"), 4),
            "saved_lossless": round(1 - total(chosen, "lossless_left") / total(chosen, "tokens"), 4),
            "load": total(chosen, "load"),
            "lost": total(chosen, "load_lost"),
        }
        for kind in sorted({str(row["kind"]) for row in rows})
        if (chosen := [row for row in rows if row["kind"] == kind])
    }
    result = {
        "machine": describe_machine(),
        "code": describe_code(),
        "command": "python -m benchmarks.squeeze",
        "outputs": len(rows),
        "tokens": total(rows, "tokens"),
        "saved": round(1 - total(rows, "left") / total(rows, "tokens"), 4),
        "saved_median": round(median([float(str(row["saved"])) for row in rows]), 4),
        "saved_lossless": round(1 - total(rows, "lossless_left") / total(rows, "tokens"), 4),
        "load": total(rows, "load"),
        "load_kept": round(1 - total(rows, "load_lost") / total(rows, "load"), 5),
        "wrong_kind": [str(row["name"]) for row in rows if row["kind"] != row["taken_for"]],
        "kinds": kinds,
        "cases": rows,
    }
    print(
        {
            name: result[name]
            for name in (
                "outputs",
                "saved",
                "saved_median",
                "saved_lossless",
                "load",
                "load_kept",
                "wrong_kind",
            )
        }
    )
    for kind, found in kinds.items():
        print(kind, found)
    print(write_result("squeeze", result))


if __name__ == "__main__":
    main()
