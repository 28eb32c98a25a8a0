"""Packing: is what had to be changed inside, on this repository's own history; and how quick is the index.

    python -m benchmarks.pack [--tasks 40] [--files 5000]

A task is a commit: the question is its message, the folder its parent's ``src``, gold are the Python files
and functions that it changed. Beside it stands BM25 over whole functions, from the same index and with the
same weights, so that only ranking and packing differ. It is one repository with one author's messages, and
no peer: what is claimed against other packers needs their own runs.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from grn.llm.tokens.pack.chunks import cut
from grn.llm.tokens.pack.index import Index, open_index
from grn.llm.tokens.pack.pack import pack
from grn.llm.tokens.pack.words import read_question
from grn.llm.tokens.vocabularies import count_bundled

BUDGETS = (1_000, 4_000, 8_000, 16_000, 32_000)
_MOST_FUNCTIONS = 12  # of a task: what changes everything asks for nothing in particular
_SHORTEST = 25  # letters of a message
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


def weigh(text: str) -> int:
    """Tokens of o200k."""
    return count_bundled(text, "o200k_base")


def git(*arguments: str) -> bytes:
    """Run git in this repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@dataclass(frozen=True)
class Task:
    """A commit as a question."""

    commit: str
    question: str
    files: frozenset[str]
    functions: frozenset[tuple[str, int, int]]
    """Path, first and last line of the functions that were changed, in the parent."""


def tasks(wanted: int) -> list[Task]:
    """Take the newest commits that changed a few functions under src."""
    found: list[Task] = []
    for commit in git("rev-list", "--no-merges", "HEAD", "--", "src").decode().split():
        message = git("log", "-1", "--format=%B", commit).decode().strip()
        changed = git("diff", "-U0", "--no-renames", f"{commit}~1", commit, "--", "src").decode(
            errors="replace"
        )
        functions = _functions(f"{commit}~1", changed)
        if len(message) >= _SHORTEST and 0 < len(functions) <= _MOST_FUNCTIONS:
            found.append(Task(commit, message, frozenset(path for path, _, _ in functions), functions))
        if len(found) == wanted:
            break
    return found


def _functions(parent: str, changed: str) -> frozenset[tuple[str, int, int]]:
    found = set()
    path, lines = "", []
    for line in changed.splitlines():
        if line.startswith("--- "):
            path = line.removeprefix("--- a/") if line.startswith("--- a/") else ""
            if path.endswith(".py"):
                text = git("show", f"{parent}:{path}").decode(errors="replace")
                lines = [chunk.lines for chunk in cut(path, text) if chunk.kind == "function"]
        hunk = _HUNK.match(line)
        if hunk is not None and path.endswith(".py"):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            touched = range(first, first + max(count, 1))
            found |= {(path, one[0], one[-1]) for one in lines if set(touched) & set(one)}
    return frozenset(found)


def shown(text: str) -> dict[str, set[int]]:
    """Read which lines of which files a packed page shows."""
    lines: dict[str, set[int]] = {}
    path = ""
    for line in text.splitlines():
        number = line.partition(" ")[0]
        if number.isdigit():
            lines[path].add(int(number))
        elif line and line != "…":
            path = line
            lines.setdefault(path, set())
    return lines


def by_words(index: Index, question: str, budget: int) -> str:
    """Pack whole functions by BM25 alone, the best first, as long as they fit."""
    out = ""
    for piece, _ in index.search(read_question(question).words, 400):
        if piece.chunk.kind != "function":
            continue
        text = index.text(piece.path)
        body = "\n".join(
            f"{n} {text[n - 1]}" for n in piece.chunk.lines if n <= len(text) and text[n - 1].strip()
        )
        if weigh(more := f"{out}{piece.path}\n{body}\n\n") <= budget:
            out = more
    return out


def recall(task: Task, text: str, blank: Sequence[tuple[str, int]]) -> tuple[float, float]:
    """Share of the gold files that are shown, and of the gold functions that are shown whole."""
    lines = {f"src/{path}": numbers for path, numbers in shown(text).items()}
    files = sum(path in lines for path in task.files) / len(task.files)
    empty = set(blank)
    whole = sum(
        all(n in lines.get(path, ()) or (path, n) in empty for n in range(first, last + 1))
        for path, first, last in task.functions
    )
    return files, whole / len(task.functions)


def measure_recall(wanted: int, folder: Path) -> dict[str, object]:
    """Pack for every task, both ways, at every budget."""
    sums: dict[str, dict[int, list[tuple[float, float]]]] = {"pack": {}, "bm25": {}}
    chosen = tasks(wanted)
    for number, task in enumerate(chosen):
        place = folder / str(number)
        with tarfile.open(fileobj=BytesIO(git("archive", f"{task.commit}~1", "src"))) as archive:
            archive.extractall(place, filter="data")
        with open_index(place / "src", folder / "cache") as index:
            blank = [
                (path, n)
                for path in task.files
                for n, line in enumerate(index.text(path.removeprefix("src/")), 1)
                if not line.strip()
            ]
            for budget in BUDGETS:
                packed = pack(index, task.question, budget, weigh)
                if packed.tokens > budget:
                    raise SystemExit(f"{task.commit}: {packed.tokens} tokens of {budget}")
                sums["pack"].setdefault(budget, []).append(recall(task, packed.text, blank))
                plain = by_words(index, task.question, budget)
                sums["bm25"].setdefault(budget, []).append(recall(task, plain, blank))
    return {
        "tasks": len(chosen),
        "functions": sum(len(task.functions) for task in chosen),
        **{
            name: {
                str(budget): {
                    "file": round(sum(file for file, _ in found) / len(found), 3),
                    "function": round(sum(function for _, function in found) / len(found), 3),
                }
                for budget, found in by_budget.items()
            }
            for name, by_budget in sums.items()
        },
    }


def measure_speed(wanted: int, folder: Path) -> dict[str, object]:
    """Time the index of that many installed files: the first time, and after one file was edited."""
    root = Path(sysconfig.get_paths()["purelib"])
    place = folder / "many"
    n_bytes = 0
    for number, path in enumerate(sorted(root.rglob("*.py"))[:wanted]):
        data = path.read_bytes()
        n_bytes += len(data)
        target = place / f"{number // 100:03}" / f"{number:05}_{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def timed() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        with open_index(place, folder / "cache") as index:
            pack(index, "where are dates of exchanges parsed?", 8_000, weigh)
        return round(time.perf_counter() - wall, 2), round(time.process_time() - cpu, 2)

    weigh("")
    cold = timed()
    (target.parent / "edited.py").write_text("def parse_exchange_dates(text):\n    return text\n")
    edited = timed()
    return {"files": wanted, "mib": round(n_bytes / 2**20, 1), "cold_s": cold[0], "cold_cpu_s": cold[1],
            "after_edit_s": edited[0], "after_edit_cpu_s": edited[1]}  # fmt: skip


def main() -> None:
    """Measure, print, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--files", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure_recall(options.tasks, Path(folder))
        speed = measure_speed(options.files, Path(folder))
    result = {
        "machine": describe_machine(),
        "code": describe_code(),
        "command": f"python -m benchmarks.pack --tasks {options.tasks} --files {options.files}",
        "recall": found,
        "speed": speed,
    }
    print(found, speed, write_result("pack", result), sep="\n")


if __name__ == "__main__":
    main()
