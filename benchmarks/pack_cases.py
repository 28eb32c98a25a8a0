"""Bug fixes as questions: consecutive patch releases of public packages, with what each one changed.

    python -m benchmarks.pack_cases         finds the releases anew and writes benchmarks/data/pack_cases.json

A task is a patch release ``X.Y.Z`` and the one before it, ``X.Y.(Z-1)``. The question is the whole entry of
``X.Y.Z`` in the changelog that the newer source distribution carries; the folder is the older one as it was
published, with its tests and documents. Gold are the functions of the older one, outside tests, documents
and examples, that do something else in the newer one or are gone: their syntax trees differ, without
docstrings and annotations. Gold files are those that hold them, or whose other statements differ. What is new
has no place in the older folder and is no gold; nor are statements of a version.

Entries are not split into bullets, since nothing says which change belongs to which bullet: the question
speaks of all fixes together, and gold has changes in it that the entry does not mention.

Every patch release of the window counts, except that: an entry has at least 25 letters; some function
changed; and of releases of one package that changed the same functions (backports) the newest counts alone.
Committed are names, versions and hashes; sources are fetched into a cache, from the package index of pip.
"""

from __future__ import annotations

import ast
import json
import re
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import InvalidVersion

DATA = Path(__file__).parent / "data" / "pack_cases.json"
WINDOW = ("2025-01-01", "2026-01-01")
"""First day, and the first day after."""
_SHORTEST = 25  # letters of an entry
_FEWEST = 100  # files of a package
# The changelog in the source distribution: {series} is X.Y, {major} is X.
PACKAGES: Mapping[str, str] = {
    "aiohttp": "CHANGES.rst",
    "ansible-core": "changelogs/CHANGELOG-v{series}.rst",
    "celery": "Changelog.rst",
    "coverage": "CHANGES.rst",
    "django": "docs/releases/{version}.txt",
    "dulwich": "NEWS",
    "flask": "CHANGES.rst",
    "fonttools": "NEWS.rst",
    "pandas": "doc/source/whatsnew/v{version}.rst",
    "pip": "NEWS.rst",
    "pylint": "doc/whatsnew/{major}/{series}/index.rst",
    "pytest": "doc/en/changelog.rst",
    "scrapy": "docs/news.rst",
    "setuptools": "NEWS.rst",
    "sphinx": "CHANGES.rst",
    "sqlalchemy": "doc/build/changelog/changelog_20.rst",
    "wagtail": "CHANGELOG.txt",
    "werkzeug": "CHANGES.rst",
}
# Folders and files that are not the package's own source.
_ASIDE = re.compile(
    r"(^|/)(tests?|testing|docs?|examples?|tools|scripts|benchmarks?|lab|ci|_vendor|js_tests|test_[^/]*|[^/]*_tests?\.py"
    r"|conftest\.py|setup\.py|noxfile\.py|tasks\.py|conf\.py)(/|$)"
)


@dataclass(frozen=True)
class Task:
    """A release as a question."""

    package: str
    version: str
    question: str
    folder: Path
    """The release before it, unpacked."""
    files: frozenset[str]
    functions: frozenset[tuple[str, int, int]]
    """Path below the folder, first and last line of each function that was changed."""


def simple_page(package: str) -> list[dict[str, Any]]:
    """Ask the package index for a package's files (its JSON form, PEP 691)."""
    from pip._internal.models.index import PyPI  # the address that pip itself has

    page = urllib.request.Request(
        f"{PyPI.simple_url}/{package}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(page, timeout=120) as answer:
        files: list[dict[str, Any]] = json.load(answer)["files"]
    return files


def releases(package: str) -> dict[tuple[int, ...], dict[str, Any]]:
    """Give the source distributions of a package by version, without pre-releases and what was withdrawn."""
    found: dict[tuple[int, ...], dict[str, Any]] = {}
    for file in simple_page(package):
        try:
            _, version = parse_sdist_filename(file["filename"])
        except (InvalidSdistFilename, InvalidVersion):
            continue
        if not (version.is_prerelease or version.is_postrelease or file.get("yanked")):
            release = version.release + (0,) * (3 - len(version.release))
            if len(release) == 3 and file["filename"].endswith(".tar.gz"):
                found[release] = file
    return found


def pairs(package: str) -> Iterator[dict[str, str]]:
    """Give the patch releases of the window, each with the one before it."""
    known = releases(package)
    for release, file in sorted(known.items()):
        before = (*release[:2], release[2] - 1)
        if before in known and WINDOW[0] <= file["upload-time"] < WINDOW[1]:
            old = known[before]
            yield {
                "package": package,
                "version": ".".join(map(str, release)),
                "old": old["filename"],
                "old_sha256": old["hashes"]["sha256"],
                "new": file["filename"],
                "new_sha256": file["hashes"]["sha256"],
            }


def fetch(package: str, wanted: Mapping[str, str], cache: Path) -> None:
    """Fetch files of a package, by name and hash, that are not there yet."""
    missing = {name: digest for name, digest in wanted.items() if not (cache / name).is_file()}
    if not missing:
        return
    urls = {file["filename"]: file["url"] for file in simple_page(package)}
    for name, digest in sorted(missing.items()):
        with urllib.request.urlopen(urls[name], timeout=300) as answer:
            data = answer.read()
        if sha256(data).hexdigest() != digest:
            raise SystemExit(f"{name} is not the file that was committed")
        (cache / f"{name}.part").write_bytes(data)
        (cache / f"{name}.part").replace(cache / name)


def unpack(archive: Path, place: Path) -> Path:
    """Unpack a source distribution, once; returns its folder."""
    folder = place / archive.name.removesuffix(".tar.gz")
    if not folder.is_dir():
        with tarfile.open(archive) as packed:
            packed.extractall(part := place / f"{archive.name}.part", filter="data")
        (inner,) = part.iterdir()
        inner.rename(folder)
        part.rmdir()
    return folder


def entry(folder: Path, where: str, version: str) -> str:
    """Read what a changelog says of a version: all below its heading, up to the next heading like it."""
    major, minor, _ = version.split(".")
    path = folder / where.format(version=version, series=f"{major}.{minor}", major=major)
    if not path.is_file() and path.with_suffix(".rst").is_file():
        path = path.with_suffix(".rst")
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    if "{version}" in where:
        return text.strip()
    lines = text.splitlines()
    exact = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.]*\d)")
    for at, line in enumerate(lines):
        if exact.search(line) and (style := _heading(lines, at)):
            others = (n for n in range(at + 2, len(lines)) if re.search(r"\d\.\d", lines[n]))
            end = next((n for n in others if _heading(lines, n) == style), len(lines))
            body = lines[at + 1 : end]
            if style.startswith("under") and body:
                body = body[1:]
            return "\n".join(body).strip()
    return ""


def _heading(lines: list[str], at: int) -> str:
    """Name the style of the heading in a line; empty if it is none."""
    line = lines[at]
    if found := re.match(r"#+ ", line):
        return found[0]
    if re.match(r"\s*:version: \d", line):
        return "version"
    if re.match(r"\d+\.\d+\.\d+\s+\d{4}-\d\d-\d\d", line):
        return "dated"
    under = lines[at + 1] if at + 1 < len(lines) else ""
    if line.strip() and re.fullmatch(r"([=\-~^*+#\"'])\1{3,}", under.strip()):
        return f"under{under[0]}"
    return ""


def gold(old: Path, new: Path, versions: tuple[str, str]) -> tuple[set[str], set[tuple[str, int, int]]]:
    """Find the files and functions of a folder that do something else in a newer one."""
    stated = re.compile("|".join(r"\D{1,4}".join(map(re.escape, version.split("."))) for version in versions))
    files: set[str] = set()
    functions: set[tuple[str, int, int]] = set()
    for before in sorted(old.rglob("*.py")):
        path = before.relative_to(old).as_posix()
        if _ASIDE.search(path) or not (new / path).is_file():
            continue
        texts = [place.read_text(encoding="utf-8", errors="replace") for place in (before, new / path)]
        if texts[0] == texts[1]:
            continue
        try:
            was, now = (_Code(ast.parse(text), stated) for text in texts)
        except (SyntaxError, ValueError):
            continue
        changed = {(path, *span) for span, code in was.functions.items() if code not in now.known}
        functions |= changed
        if changed or was.rest != now.rest or len(was.functions) != len(now.functions):
            files.add(path)
    return files, functions


class _Code:
    """What a module does: its functions by first and last line, and all other statements.

    Comments, layout, docstrings and annotations do nothing. Functions inside functions are part of them.
    """

    def __init__(self, tree: ast.Module, stated: re.Pattern[str]) -> None:
        self.functions: dict[tuple[int, int], tuple[str, str]] = {}
        self.rest: list[str] = []
        self._stated = stated
        self._read(tree, "")
        self.known = set(self.functions.values())

    def _read(self, inside: ast.AST, name: str) -> None:
        for node in ast.iter_child_nodes(inside):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                span = (first, node.end_lineno or node.lineno)
                self.functions[span] = (f"{name}.{node.name}", ast.dump(_Bare().visit(node)))
            elif any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) for one in ast.walk(node)):
                self._read(node, f"{name}.{getattr(node, 'name', '')}")
            elif isinstance(node, ast.stmt) and not _is_text(node):
                said = ast.unparse(_Bare().visit(node))
                if not self._stated.search(said):
                    self.rest.append(said)


class _Bare(ast.NodeTransformer):
    """Takes away what does nothing."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [one for one in node.body if not _is_text(one)] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            return ast.Assign([node.target], node.value, lineno=node.lineno)
        return node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def tasks(cache: Path, packages: tuple[str, ...] = ()) -> Iterator[Task]:
    """Make the tasks of the committed releases, package by package."""
    cache.mkdir(parents=True, exist_ok=True)
    committed: list[dict[str, str]] = json.loads(DATA.read_text())["pairs"]
    for package in dict.fromkeys(pair["package"] for pair in committed):
        if packages and package not in packages:
            continue
        mine = [pair for pair in committed if pair["package"] == package]
        digests = {pair[which]: pair[f"{which}_sha256"] for pair in mine for which in ("old", "new")}
        fetch(package, digests, cache)
        # Syntax trees of thousands of files: what was found is kept, by the code that found it.
        made_of = sha256(Path(__file__).read_bytes() + json.dumps(mine).encode()).hexdigest()[:16]
        kept = cache / "gold" / f"{package}-{made_of}.json"
        if not kept.is_file():
            kept.parent.mkdir(exist_ok=True)
            found = [
                {
                    **vars(task),
                    "folder": task.folder.name,
                    "files": sorted(task.files),
                    "functions": sorted(task.functions),
                }
                for task in _tasks(package, mine, cache)
            ]
            kept.write_text(json.dumps(found))
        for one in json.loads(kept.read_text()):
            functions = frozenset((path, first, last) for path, first, last in one["functions"])
            yield Task(package, one["version"], one["question"], cache / one["folder"],
                       frozenset(one["files"]), functions)  # fmt: skip


def _tasks(package: str, mine: list[dict[str, str]], cache: Path) -> list[Task]:
    found: dict[object, Task] = {}
    for pair in mine:
        old, new = (unpack(cache / pair[which], cache) for which in ("old", "new"))
        question = entry(new, PACKAGES[package], pair["version"])
        before = ".".join([*pair["version"].split(".")[:2], str(int(pair["version"].split(".")[2]) - 1)])
        files, functions = gold(old, new, (before, pair["version"]))
        if len(question) < _SHORTEST or not functions:
            continue
        names = frozenset((path, (old / path).read_text("utf-8", "replace").splitlines()[first - 1])
                          for path, first, _ in functions)  # fmt: skip
        found.pop(names, None)
        found[names] = Task(package, pair["version"], question, old, frozenset(files), frozenset(functions))
    return list(found.values())


def main() -> None:
    """Find the releases of the window and write them down."""
    found = [pair for package in sorted(PACKAGES) for pair in pairs(package)]
    DATA.write_text(json.dumps({"window": WINDOW, "pairs": found}, indent=1) + "\n")
    print(f"{len(found)} patch releases of {len({pair['package'] for pair in found})} packages")


if __name__ == "__main__":
    main()
