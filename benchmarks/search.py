"""Search: does a docstring find its function, by words, by vectors and by both; and how quick is it.

    python -m benchmarks.search [--folder FOLDER] [--which held_out|tuned] [--no-speed]

For each installed package its sources are copied without any docstring (module, class and function; line
numbers stay), and indexed as ``grn llm index`` does. A query is the first paragraph of the docstring of a
function or method; gold is that function. Left out are docstrings of fewer than four words, of functions
without another statement, and paragraphs that are said of several functions. Weights were chosen on the
packages ``TUNED``; reported are ``HELD_OUT``. Both were named by their size, before anything was searched in
them. No source or docstring of a package is kept.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import describe_code, describe_machine, write_result
from grn.kit.sqlite import writing
from grn.kit.versions import package_version
from grn.llm.library.follow import follow
from grn.llm.library.index import Index, Placed, open_index
from grn.llm.library.passages import read_text
from grn.llm.library.search import Found, Way, by_vectors, search
from grn.llm.library.vectors import Here, embed

TUNED = ("babel", "dateutil", "fsspec", "httpx", "jinja2", "traitlets", "websockets")
HELD_OUT = ("alembic", "click", "joblib", "pypdf", "rich", "seaborn")
DISTRIBUTIONS = {"dateutil": "python-dateutil"}
Answer = Callable[[], list[int]]
WAYS: tuple[Way, ...] = ("words", "vectors", "hybrid")
_MOST = 250  # queries of a package, drawn with a seed
_FEWEST_WORDS = 4
_SEED = 8


@dataclass(frozen=True)
class Query:
    """The first paragraph of a docstring; the file and lines of its function."""

    text: str
    path: str
    first: int
    last: int

    def is_met_by(self, placed: Placed) -> bool:
        """Whether a passage is the function, or a window of it."""
        here = placed.name == self.path
        return here and self.first <= placed.passage.first and placed.passage.last <= self.last


def sources_of(package: str) -> Path:
    """Find where a package lies."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed: pip install -e '.[dev,peers]' -c constraints.txt")
    return Path(found.origin).parent


def strip(package: str, to: Path) -> list[Query]:
    """Copy a package's sources without docstrings; returns what its docstrings ask for."""
    root = sources_of(package)
    found: list[Query] = []
    for file in sorted(root.rglob("*.py")):
        name = (Path(package) / file.relative_to(root)).as_posix()
        text = file.read_text(encoding="utf-8", errors="replace")
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        lines = text.splitlines()
        found += _queries(tree, name)
        for first, last in _docstrings(tree):
            lines[first - 1 : last] = [""] * (last - first + 1)
        copy = to / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = Counter(query.text for query in found)
    once = [query for query in found if said[query.text] == 1]
    rng = np.random.default_rng(_SEED)
    chosen = sorted(rng.permutation(len(once))[:_MOST].tolist())
    return [once[at] for at in chosen]


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, int]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            if isinstance(node, ast.Module) or first.lineno > node.lineno:
                yield first.lineno, first.end_lineno or first.lineno


def _queries(tree: ast.Module, name: str) -> Iterator[Query]:
    todo: list[ast.Module | ast.ClassDef] = [tree]
    while todo:
        for node in todo.pop().body:
            if isinstance(node, ast.ClassDef):
                todo.append(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = ast.get_docstring(node)
                words = " ".join((said or "").split("\n\n")[0].split())
                if len(words.split()) >= _FEWEST_WORDS and len(node.body) > 1:
                    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    yield Query(words, name, first, node.end_lineno or first)


def evaluate(index: Index, queries: list[Query], encoder: Here) -> dict[str, dict[str, float]]:
    """Recall of the first ten, and the mean reciprocal rank within the first hundred, by each way."""
    ranks: dict[Way, list[int]] = {way: [] for way in WAYS}
    for query in queries:
        vector = encoder.query(query.text)
        for way in WAYS:
            found = search(index, query.text, vector, encoder.model, limit=100, way=way)
            ranks[way].append(_rank(found, query))
    return {
        way: {
            "recall_at_10": round(float(np.mean([0 < rank <= 10 for rank in some])), 4),
            "mrr": round(float(np.mean([1 / rank if rank else 0.0 for rank in some])), 4),
        }
        for way, some in ranks.items()
    }


def _rank(found: list[Found], query: Query) -> int:
    return next((rank for rank, one in enumerate(found, 1) if query.is_met_by(one.placed)), 0)


def run(packages: tuple[str, ...], folder: Path) -> dict[str, object]:
    """Index and ask every package."""
    encoder = Here("local")
    rows: list[dict[str, object]] = []
    for package in packages:
        sources = folder / "sources" / package
        queries = strip(package, sources)
        with open_index(package, folder / "indexes") as index:
            index.add(sources / package)
            follow(index)
            embed(index, encoder)
            found = evaluate(index, queries, encoder)
            passages = index.counts()["passages"]
        version = package_version(DISTRIBUTIONS.get(package, package))
        sizes = {"passages": passages, "queries": len(queries)}
        rows.append({"package": package, "version": version, **sizes, **found})
        print(package, version, passages, "passages", len(queries), "queries", found)
    means = {way: _mean([row[way] for row in rows]) for way in WAYS}  # type: ignore[misc]
    print("mean over packages", means)
    return {"packages": rows, "mean_over_packages": means}


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def speed(n_passages: int = 100_000, n_dimensions: int = 384) -> dict[str, object]:
    """Time a question's vector against many: in an index, in DuckDB, and in sqlite-vec.

    sqlite-vec is an extension that a Python has to be able to load; many are built without that.
    """
    rng = np.random.default_rng(_SEED)
    vectors = rng.standard_normal((n_passages, n_dimensions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = vectors[7]
    found: dict[str, object] = {"passages": n_passages, "dimensions": n_dimensions}
    with tempfile.TemporaryDirectory() as folder, open_index("ours", Path(folder)) as index:
        _fill(index, vectors)

        def ours() -> list[int]:
            return [ident - 1 for ident in list(by_vectors(index, asked.tolist(), "local"))[:10]]

        found["index_cpu_s"] = _median_s(ours)
        for name, make in (("duckdb", _duckdb), ("sqlite_vec", _sqlite_vec)):
            try:
                theirs = make(Path(folder) / name, vectors, asked)
            except (ImportError, AttributeError) as error:
                found[f"{name}_cpu_s"] = f"cannot be used: {error}"
                continue
            found[f"{name}_cpu_s"] = _median_s(theirs)
            found[f"{name}_same_ten"] = theirs() == ours()
    return {**found, **_encoding()}


def _fill(index: Index, vectors: np.ndarray) -> None:
    """Write passages and vectors as they lie in an index."""
    names = [f"{at:064x}" for at in range(1, len(vectors) + 1)]
    with writing(index.connection):
        index.connection.executemany(
            "INSERT INTO passages (path, name, title, text, unit, first, last, code, content)"
            " VALUES ('f.py', 'f.py', '', ?, 'line', 1, 2, 1, ?)",
            (("word " * 160, name) for name in names),
        )
    index.keep("local", list(zip(names, vectors, strict=True)))


def _duckdb(file: Path, vectors: np.ndarray, asked: np.ndarray) -> Answer:
    import duckdb
    import pyarrow as pa

    n, d = vectors.shape
    table = pa.table({"id": np.arange(n), "v": pa.FixedSizeListArray.from_arrays(vectors.ravel(), d)})
    connection = duckdb.connect(str(file))
    connection.register("given", table)
    connection.execute(f"CREATE TABLE vectors AS SELECT id, v::FLOAT[{d}] AS v FROM given")
    query = f"SELECT id FROM vectors ORDER BY array_cosine_similarity(v, $1::FLOAT[{d}]) DESC, id LIMIT 10"
    return lambda: [row[0] for row in connection.execute(query, [asked.tolist()]).fetchall()]


def _sqlite_vec(file: Path, vectors: np.ndarray, asked: np.ndarray) -> Answer:
    import sqlite_vec

    connection = sqlite3.connect(file)
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    size = vectors.shape[1]
    connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(vector float[{size}] distance_metric=cosine)")
    rows = ((at, row.tobytes()) for at, row in enumerate(vectors))
    connection.executemany("INSERT INTO v (rowid, vector) VALUES (?, ?)", rows)
    query = "SELECT rowid FROM v WHERE vector MATCH ? AND k = 10 ORDER BY distance"
    return lambda: [row[0] for row in connection.execute(query, (asked.tobytes(),))]


def _encoding(n_texts: int = 100) -> dict[str, object]:
    """Time the local encoder on functions of the standard library."""
    encoder = Here("local")
    source = (Path(ast.__file__).parent / "argparse.py").read_text(encoding="utf-8")
    texts = [one.text for one in read_text("argparse.py", source)][:n_texts]
    encoder.query(texts[0])
    began = time.process_time()
    for text in texts:
        encoder.query(text)
    return {"encoded_per_cpu_s": round(len(texts) / (time.process_time() - began), 1)}


def _median_s(function: Answer, times: int = 5) -> float:
    """Seconds of processor, all threads: a clock would time what else runs on this machine."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    return round(float(np.median(taken)), 4)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep sources and indexes here, and go on there")
    parser.add_argument("--which", choices=["held_out", "tuned"], default="held_out")
    parser.add_argument("--no-speed", action="store_true")
    options = parser.parse_args()
    packages = HELD_OUT if options.which == "held_out" else TUNED
    with tempfile.TemporaryDirectory() as temporary:
        found = run(packages, options.folder or Path(temporary))
    if options.which == "tuned":
        return
    if not options.no_speed:
        found["speed"] = speed()
        print(found["speed"])
    write_result("search", {"machine": describe_machine(), "code": describe_code(),
                            "command": "python -m benchmarks.search", **found})  # fmt: skip


if __name__ == "__main__":
    main()
