"""Packing: is what a fix had to change inside, against other packers; and how quick is the index.

    python -m benchmarks.pack recall [--packages flask …] [--peers 1] [--meaning 3]
    python -m benchmarks.pack speed [--files 5000] [--peers 1]

Records are benchmarks/results/pack.json and benchmarks/results/pack_speed.json.

Tasks are those of :mod:`benchmarks.pack_cases`. Recall of a task is the share of its gold files of which some
line is shown, and of its gold functions of which every line is shown, blank ones apart. Weights were found on
the packages of ``TUNE``; those of ``HELD`` were looked at for the report alone. Tokens are those of o200k.

Beside it, on the same tasks: BM25 over whole functions, with tests and without, from the same index (so that
only ranking and packing differ); and the most there is to be had: the gold functions themselves, the shortest
first. On the newest tasks of each package of ``HELD``, at 8,000 tokens: aider's repository map, which shows
heads and no bodies, so that a function counts for it when its head is shown; and repomix, which takes no
question and is cut off at the budget.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, describe_code, describe_machine, write_result
from benchmarks.pack_cases import DATA, PACKAGES, Task, tasks
from grn.llm.lifecycle import LOCAL
from grn.llm.local.encoder import load_encoder
from grn.llm.tokens.pack.index import Hit, Index, Side, open_index
from grn.llm.tokens.pack.pack import lay_out, pack
from grn.llm.tokens.pack.rank import rank
from grn.llm.tokens.pack.words import read_question
from grn.llm.tokens.vocabularies import count_bundled

BUDGETS = (1_000, 4_000, 8_000, 16_000, 32_000)
TUNE = ("aiohttp", "celery", "coverage", "fonttools", "pandas", "pylint", "scrapy", "sphinx", "werkzeug")
HELD = tuple(sorted(set(PACKAGES) - set(TUNE)))
_FEW = 5  # changed functions: such releases are reported by themselves
_AIDER = ("aider-chat==0.86.2", "bpe-openai")
_REPOMIX = "repomix@1.18.1"

_AT = 8_000
_CODE = ROOT / "src" / "grn" / "llm" / "tokens" / "pack"
_RANKING = ("chunks", "words", "rank", "meaning", "pack")
_BM25: dict[str, tuple[Side, ...]] = {"bm25": ("code", "test", "text"), "bm25_code": ("code",)}
_QUESTION = "where are dates of exchanges parsed?"

Recall = tuple[float, float]


@lru_cache(1 << 15)  # the same pieces at every budget
def weigh(text: str) -> int:
    """Tokens of o200k."""
    return count_bundled(text, "o200k_base")


def encode(text: str) -> Sequence[float]:
    """Turn a text into a vector, by the local encoder."""
    return load_encoder(LOCAL).encode(text).vector


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


def recall(task: Task, text: str) -> Recall:
    """Share of the gold files that are shown, and of the gold functions that are shown whole."""
    lines = shown(text)
    whole = sum(needed(task, one) <= lines.get(one[0], set()) for one in task.functions)
    return sum(path in lines for path in task.files) / len(task.files), whole / len(task.functions)


def needed(task: Task, function: tuple[str, int, int]) -> set[int]:
    """Lines of a function that are not blank."""
    path, first, last = function
    text = lines_of(task.folder / path)
    return {number for number in range(first, last + 1) if text[number - 1].strip()}


@lru_cache(1 << 10)  # a release is looked at by every packer and budget
def lines_of(file: Path) -> list[str]:
    """Read the lines of a file."""
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def by_words(index: Index, question: str, sides: Sequence[Side]) -> Iterator[str]:
    """Give whole functions by BM25 alone, the best first."""
    words = read_question(question).words
    hits: list[Hit] = [hit for side in sides for hit in index.search(words, side, 400)]
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if hit.piece.chunk.kind == "function":
            path = hit.piece.path
            yield f"{path}\n{numbered(index.text(path), hit.piece.chunk.lines)}\n\n"


def fill(blocks: Sequence[tuple[str, int]], budget: int) -> str:
    """Put blocks of known weight together as long as they fit."""
    out, spent = [], 0
    for block, weight in blocks:
        if spent + weight <= budget:
            out.append(block)
            spent += weight
    return "".join(out)


def numbered(text: Sequence[str], lines: Sequence[int]) -> str:
    """Lines with their numbers, without blank ones."""
    return "\n".join(f"{n} {text[n - 1]}" for n in lines if n <= len(text) and text[n - 1].strip())


def oracle(index: Index, task: Task) -> Iterator[str]:
    """Give what is gold, the shortest functions first, then a line of each other gold file."""
    for path, first, last in sorted(task.functions, key=lambda one: (one[2] - one[1], one)):
        yield f"{path}\n{numbered(index.text(path), range(first, last + 1))}\n\n"
    yield from (f"{path}\n1 x\n\n" for path in sorted(task.files))


def mirror(folder: Path, place: Path) -> None:
    """Make a folder like another one, leaving alone what is the same: an index of it follows quickly.

    What aider keeps there of its own stays too.
    """
    wanted = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    for path in [path for path in place.rglob("*") if path.is_file()]:
        below = path.relative_to(place)
        if below not in wanted and not below.parts[0].startswith(".aider"):
            path.unlink()
    for path in wanted:
        source, target = folder / path, place / path
        if not target.is_file() or not _are_same(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _are_same(one: Path, other: Path) -> bool:
    # In some archives all files have the time of the release: then the content decides.
    first, second = one.stat(), other.stat()
    if first.st_size != second.st_size:
        return False
    return int(first.st_mtime) == int(second.st_mtime) or one.read_bytes() == other.read_bytes()


class Aider:
    """Aider's repository map, in an environment of its own."""

    def __init__(self, cache: Path) -> None:
        python = cache / "aider" / "bin" / "python"
        uv = Path(sys.executable).parent / "uv"
        if not python.exists():
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, cache / "aider"], check=True)
            subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *_AIDER], check=True)
        self._running = subprocess.Popen(
            [python, ROOT / "benchmarks" / "peer_aider.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def maps(self, folder: Path, question: str, budgets: Sequence[int]) -> dict[str, dict[str, str]]:
        """Make maps; also says how long each took."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        print(
            json.dumps({"folder": str(folder), "question": question, "budgets": budgets}),
            file=self._running.stdin,
            flush=True,
        )
        answer: dict[str, dict[str, str]] = json.loads(self._running.stdout.readline())
        return answer

    def close(self) -> None:
        """End it."""
        assert self._running.stdin is not None
        self._running.stdin.close()
        self._running.wait()


def recall_of_map(task: Task, text: str) -> Recall:
    """Share of the gold files in a map of aider's, and of the gold functions whose head is in it."""
    lines: dict[str, set[str]] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("│"):
            lines.setdefault(path, set()).add(line[1:].strip())
        elif line and not line.startswith("⋮"):
            path = line.removesuffix(":")
            lines.setdefault(path, set())
    heads = 0
    for name, first, last in task.functions:
        source = (task.folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
        head = next(line.strip() for line in source[first - 1 : last] if "def " in line)
        heads += head in lines.get(name, set())
    return sum(one in lines for one in task.files) / len(task.files), heads / len(task.functions)


def repomix(cache: Path, folder: Path, out: Path) -> None:
    """Pack a folder with repomix, without its preface and tree: they would take all of a small budget."""
    program = cache / "repomix" / "node_modules" / ".bin" / "repomix"
    if not program.exists():
        subprocess.run(["npm", "install", "--silent", "--prefix", cache / "repomix", _REPOMIX], check=True)
    subprocess.run(
        [program, folder, "--style", "plain", "--no-security-check", "--no-file-summary",
         "--no-directory-structure", "--ignore", ".aider*", "--quiet", "-o", out],
        check=True, capture_output=True,
    )  # fmt: skip


def recall_of_repomix(task: Task, text: str, budget: int) -> Recall:
    """Share of the gold in the beginning of a page of repomix's."""
    low, high = 0, min(len(text), budget * 8)
    while high - low > 16:
        middle = (low + high) // 2
        low, high = (middle, high) if weigh(text[:middle]) <= budget else (low, middle)
    blocks = text[:low].split("================\nFile: ")[1:]
    bodies = {name: body for name, _, body in (block.partition("\n") for block in blocks)}
    whole = 0
    for path, first, last in task.functions:
        source = (task.folder / path).read_text(encoding="utf-8", errors="replace").splitlines()
        whole += "\n".join(source[first - 1 : last]) in bodies.get(path, "")
    return sum(path in bodies for path in task.files) / len(task.files), whole / len(task.functions)


Measure = Callable[[Task, Path, Path], dict[str, dict[int, Recall]]]


def measure_recall(
    package: str, cache: Path, measured: Measure, newest: int = 0, *, only_kept: bool = False
) -> list[dict[str, Any]]:
    """Pack for every task of a package, or for its newest ones.

    What is done is kept by the code that did it: a run that was stopped goes on, or gives what there is.
    """
    code = b"".join((_CODE / f"{name}.py").read_bytes() for name in _RANKING) + DATA.read_bytes()
    by = f"{measured.__name__}-{sha256(code).hexdigest()[:16]}"
    (cache / "rows").mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    for task in list(tasks(cache / "sdists", (package,)))[-newest:]:
        kept = cache / "rows" / f"{package}-{task.version}-{by}.json"
        if only_kept and not kept.is_file():
            continue
        if not kept.is_file():
            kept.write_text(json.dumps(_measure(task, cache, measured)))
        rows.append(json.loads(kept.read_text()))
    return rows


def _measure(task: Task, cache: Path, measured: Measure) -> dict[str, Any]:
    place = cache / "mirror" / task.package
    place.mkdir(parents=True, exist_ok=True)
    mirror(task.folder, place)
    found = measured(task, place, cache)
    by_name = {name: {str(at): pair for at, pair in ways.items()} for name, ways in found.items()}
    shares = {name: ways[str(_AT)] for name, ways in by_name.items()}
    print(task.package, task.version, len(task.functions), shares, flush=True)
    sizes = {"functions": len(task.functions), "files": len(task.files)}
    return {"package": task.package, "version": task.version, **sizes, "found": by_name}


def pack_task(task: Task, place: Path, cache: Path) -> dict[str, dict[int, Recall]]:
    """Recall of ours, of BM25 and of what is gold."""
    found: dict[str, dict[int, Recall]] = {"pack": {}, "bm25": {}, "bm25_code": {}, "oracle": {}}
    with open_index(place, cache / "indexes") as index:
        ranked = rank(index, task.question)
        others = {name: list(by_words(index, task.question, sides)) for name, sides in _BM25.items()}
        others["oracle"] = list(oracle(index, task))
        weighed = {name: [(block, weigh(block)) for block in blocks] for name, blocks in others.items()}
        for budget in BUDGETS:
            packed = lay_out(index, ranked, budget, weigh)
            if weigh(packed.text) > budget:
                raise SystemExit(f"{task.package} {task.version}: {packed.tokens} tokens of {budget}")
            found["pack"][budget] = recall(task, packed.text)
            for name, blocks in weighed.items():
                found[name][budget] = recall(task, fill(blocks, budget))
    return found


def meaning_task(task: Task, place: Path, cache: Path) -> dict[str, dict[int, Recall]]:
    """Recall of ours with the best put in order by meaning, at one budget."""
    with open_index(place, cache / "indexes") as index:
        return {"pack_meaning": {_AT: recall(task, pack(index, task.question, _AT, weigh, encode).text)}}


def peers_task(task: Task, place: Path, cache: Path) -> dict[str, dict[int, Recall]]:
    """Recall of aider's map and of repomix, at one budget."""
    aider = Aider(cache)
    text = aider.maps(place, task.question, [_AT])["maps"][str(_AT)]
    aider.close()
    out = cache / "repomix.txt"
    repomix(cache, place, out)
    page = out.read_text(encoding="utf-8", errors="replace")
    return {
        "aider": {_AT: recall_of_map(task, text)},
        "repomix": {_AT: recall_of_repomix(task, page, _AT)},
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean recall over tasks, by packer and budget."""
    means: dict[str, Any] = {"tasks": len(rows), "functions": sum(row["functions"] for row in rows)}
    for name in dict.fromkeys(name for row in rows for name in row["found"]):
        some = [row["found"][name] for row in rows if name in row["found"]]
        means[name] = {"tasks": len(some)} | {
            budget: {
                "file": round(sum(one[budget][0] for one in some) / len(some), 3),
                "function": round(sum(one[budget][1] for one in some) / len(some), 3),
            }
            for budget in some[0]
        }
    return means


def measure_speed(wanted: int, cache: Path, processes: int, *, peers: bool) -> dict[str, object]:
    """Time the index of that many files, the first time and after an edit, and peers on the same files."""
    place = cache / "many"
    shutil.rmtree(place, ignore_errors=True)
    n_bytes = 0
    found = sorted((cache / "sdists").glob("[!.]*/**/*.py"))
    for number, path in enumerate(found[:: max(len(found) // wanted, 1)][:wanted]):
        data = path.read_bytes()
        n_bytes += len(data)
        target = place / f"{number // 100:03}" / f"{number:05}_{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    weigh("")
    with tempfile.TemporaryDirectory() as kept:

        def ours() -> None:
            with open_index(place, Path(kept), processes) as index:
                pack(index, _QUESTION, _AT, weigh)

        times = {"cold": timed(ours)}
        edited = place / "000" / "edited.py"
        edited.write_text("def parse_exchange_dates(text):\n    return text\n")
        times["after_edit"] = timed(ours)
        if peers:
            aider = Aider(cache)
            times["aider_cold"] = timed(lambda: aider.maps(place, _QUESTION, [_AT]))
            times["aider_after_edit"] = timed(lambda: aider.maps(place, _QUESTION, [_AT]))
            aider.close()
            times["repomix"] = timed(lambda: repomix(cache, place, Path(kept) / "repomix.txt"))
    shutil.rmtree(place)
    return {"files": wanted, "mib": round(n_bytes / 2**20, 1), "processes": processes, "seconds": times}


def timed(what: Callable[[], object]) -> dict[str, float]:
    """Seconds by the clock, and of processor time with ended children."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    what()
    wall = time.perf_counter() - started
    used = 0.0
    for who, was in ((resource.RUSAGE_SELF, before), (resource.RUSAGE_CHILDREN, children)):
        now = resource.getrusage(who)
        used += now.ru_utime + now.ru_stime - was.ru_utime - was.ru_stime
    return {"wall": round(wall, 2), "processor": round(used, 2)}


def main() -> None:
    """Measure, print, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["recall", "speed"])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "grn-pack")
    parser.add_argument("--packages", nargs="+", choices=list(PACKAGES), default=list(PACKAGES))
    parser.add_argument("--peers", type=int, default=1, help="newest tasks that peers pack too; 0: no peers")
    parser.add_argument("--meaning", type=int, default=3, help="newest tasks that are packed by meaning too")
    parser.add_argument("--kept", action="store_true", help="only tasks that earlier runs have packed")
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--processes", type=int, default=2, help="that cut files, besides the one that asks")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    result: dict[str, object] = {
        "machine": describe_machine(),
        "code": describe_code(),
        "command": " ".join(["python -m benchmarks.pack", *_said(sys.argv[1:])]),
    }
    if options.what == "speed":
        result |= measure_speed(options.files, options.cache, options.processes, peers=options.peers > 0)
        print(result, write_result("pack_speed", result), sep="\n")
    else:
        result |= measure_halves(
            options.packages, options.cache, options.peers, options.meaning, only_kept=options.kept
        )
        print(write_result("pack", result))


def _said(arguments: Sequence[str]) -> list[str]:
    """Leave out where the cache is: that is nobody else's."""
    at = arguments.index("--cache") if "--cache" in arguments else len(arguments)
    return [*arguments[:at], *arguments[at + 2 :]]


def beside(rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put beside others what was found of the same tasks at the same budget."""
    known = {(row["package"], row["version"]): row["found"] for row in rows}
    joined = []
    for one in (one for one in others if (one["package"], one["version"]) in known):
        ours = known[one["package"], one["version"]]
        at = {name: {str(_AT): ways[str(_AT)]} for name, ways in ours.items()}
        joined.append({**one, "found": at | one["found"]})
    return joined


def measure_halves(
    packages: Sequence[str], cache: Path, n_peers: int, n_meaning: int, *, only_kept: bool
) -> dict[str, object]:
    """Recall on the half that was reported, and on the half on which weights were found."""
    held, tune = ([one for one in half if one in packages] for half in (HELD, TUNE))

    def every(some: Sequence[str], measured: Measure, newest: int) -> list[dict[str, Any]]:
        each = (measure_recall(one, cache, measured, newest, only_kept=only_kept) for one in some)
        return [row for rows in each for row in rows]

    rows = every((*held, *tune), pack_task, 0)
    by_peers = every(held if n_peers else (), peers_task, n_peers)
    by_meaning = every(held if n_meaning else (), meaning_task, n_meaning)
    few = [row for row in rows if row["functions"] <= _FEW]
    return {
        "held": summary([row for row in rows if row["package"] in held]),
        "tuned": summary([row for row in rows if row["package"] in tune]),
        "held_of_few_functions": summary([row for row in few if row["package"] in held]),
        "with_peers": summary(beside(rows, by_peers)),
        "with_meaning": summary(beside(rows, by_meaning)),
        "tasks": [
            {name: row[name] for name in ("package", "version", "functions", "files")}
            | {name: row["found"][name][str(_AT)] for name in ("pack", "bm25")}
            for row in rows
        ],
    }


if __name__ == "__main__":
    main()
