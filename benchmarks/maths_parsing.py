"""Reading LaTeX: our reader and its peers on one table of lines with their meanings.

    python -m benchmarks.maths_parsing
    python -m benchmarks.maths_parsing --half development --show

A line is *right* when its meaning is the table's, *refused* when the reader says that it cannot read it, and
*silently wrong* when it reads something else. Lines with two usual readings must be refused: whatever is read
there is a guess, and counted apart.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.maths_meaning import Form, Line, from_statement, from_text, table
from benchmarks.measure import describe_code, describe_machine, write_result
from grn.maths.reader.grammar import read_line
from grn.maths.reader.tokens import UnparsedError
from grn.maths.reader.words import declare
from grn.maths.symbols import Symbols


def read_ours(line: Line) -> Form | None:
    """Our reading of a line in normal form; None where it is refused."""
    symbols = Symbols()
    for given in line.given:
        declare(given, symbols)
    try:
        return from_statement(read_line(line.latex, symbols))
    except UnparsedError:
        return None


def judge(line: Line, got: Form | None) -> str:
    """One of right, refused, wrong; for lines that must be refused: refused rightly, or guessed."""
    if line.meaning == "?":
        return "refused rightly" if got is None else "guessed"
    if got is None:
        return "refused"
    return "right" if got == from_text(line.meaning) else "wrong"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read every line with every reader; 1 when ours is silently wrong anywhere."""
    from benchmarks.maths_peers import PEERS, judge_peer

    parser = argparse.ArgumentParser(prog="python -m benchmarks.maths_parsing", description=__doc__)
    parser.add_argument("--half", choices=("all", "development", "held back"), default="all")
    parser.add_argument("--show", action="store_true", help="show what ours does not read right")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--save", metavar="NAME", help="write results/NAME.json")
    chosen = parser.parse_args(arguments)
    lines = [
        line for line in table() if chosen.half == "all" or line.held_back is (chosen.half == "held back")
    ]
    readers: dict[str, Callable[[Line], str]] = {"grn": lambda line: judge(line, read_ours(line))}
    if not chosen.no_peers:
        readers |= {peer: (lambda line, p=peer: judge_peer(line, p)) for peer in PEERS}
    found: dict[str, dict[str, object]] = {}
    for reader, verdict in readers.items():
        began = time.perf_counter()
        verdicts = [verdict(line) for line in lines]
        wall = time.perf_counter() - began
        if reader == "grn" and chosen.show:
            for line, what in zip(lines, verdicts, strict=True):
                if what not in ("right", "refused rightly"):
                    print(f"  {what:8} {line.latex}  =>  {line.meaning}")
        counts = Counter(verdicts)
        readable = len([line for line in lines if line.meaning != "?"])
        found[reader] = {**counts, "lines": len(lines), "readable": readable, "wall_s": round(wall, 3)}
        print(
            f"{reader:24} right {counts['right']:4} of {readable}, refused {counts['refused']:4}, "
            f"silently wrong {counts['wrong']:4}; of {len(lines) - readable} to refuse guessed "
            f"{counts['guessed']:3}; {wall:.2f} s"
        )
    if chosen.save:
        command = f"python -m benchmarks.maths_parsing --half '{chosen.half}'"
        machine = {"machine": describe_machine(), **describe_code()}
        print(write_result(chosen.save, {"command": command, "readers": found, **machine}).name)
    ours = found["grn"]
    return 1 if ours.get("wrong") or ours.get("guessed") else 0


if __name__ == "__main__":
    raise SystemExit(main())
