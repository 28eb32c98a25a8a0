"""What every file of the project keeps to."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
LONGEST_MODULE = 500


def tracked(*patterns: str) -> list[Path]:
    """List the project's text files that Git knows; in a tree without Git, all that match."""
    ran = subprocess.run(
        ["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ran.returncode == 0:
        found = [ROOT / name for name in ran.stdout.splitlines()]
    else:
        found = [
            path
            for pattern in patterns or ("*",)
            for path in ROOT.rglob(pattern)
            if ".venv" not in path.parts
        ]
    return [path for path in found if path.is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_the_changelog_has_the_version() -> None:
    """The version of pyproject.toml has its section, on top."""
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == VERSION


def test_the_licence_is_there() -> None:
    """The MIT licence with its holder, named in pyproject.toml."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")
    assert "the alpha-metaphorica authors" in text


def test_no_path_of_a_machine() -> None:
    """No file names the place of this checkout, or of anybody's home."""
    places = re.compile(
        "|".join([re.escape(f"{ROOT}/"), re.escape(f"{Path.home()}/"), r"/(?:home|Users)/\w+/"])
    )
    found = [f"{path.name}: {hit[0]}" for path, text in texts() for hit in places.finditer(text)]
    assert not found


def test_no_address_of_an_index() -> None:
    """Where packages come from is the installer's setting: no file points to an index or a wheel."""
    address = re.compile(r"\w+://\S*(?:/simple\b|\.whl\b)|--(?:extra-)?index-url[ =]\w|--find-links[ =]\w")
    found = [f"{path.name}: {hit[0]}" for path, text in texts() for hit in address.finditer(text)]
    assert not found


def test_modules_stay_short() -> None:
    """No module passes 500 lines, and none is a drawer called utils, helpers or misc."""
    for path in tracked("src/*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE, path.name
        assert path.stem.strip("_") not in {"utils", "util", "helpers", "misc", "common"}, path


def test_exemptions_give_their_reason() -> None:
    """In the package a silenced warning names its rule, and `noqa` says why, on the line or above it."""
    for path in tracked("src/*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if "# type: ignore" in line:
                assert re.search(r"# type: ignore\[[\w, -]+\]", line), f"{path.name}:{number + 1}"
            if "# noqa" in line:
                above = lines[number - 1].strip() if number else ""
                reasoned = re.search(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* +\S", line) or above.startswith("#")
                assert reasoned, f"{path.name}:{number + 1}"


def test_every_test_says_what_must_hold() -> None:
    """Each test has a docstring."""
    silent = []
    for path in tracked("tests/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.FunctionDef)
                and node.name.startswith("test_")
                and not ast.get_docstring(node)
            ):
                silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not silent


@pytest.mark.parametrize(
    "target", ["demo", "test", "check", "bench", "nightly", "fix", "docs", "clean", "help"]
)
def test_make_explains_itself(target: str) -> None:
    """Every target that people type has its line in `make help`."""
    ran = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(rf"^make {target} +\w", ran.stdout, re.MULTILINE)


def test_the_errata_are_complete() -> None:
    """Fifteen points, each with what is said, what is wrong and what is done instead; the page is dated."""
    page = (ROOT / "docs" / "errata.md").read_text(encoding="utf-8")
    assert "2026-11-23" in page
    points = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert [point.partition(".")[0] for point in points] == [str(n) for n in range(1, 16)]
    for point in points:
        for part in ("**It says:**", "**What is wrong:**", "**Instead:**"):
            assert point.count(part) == 1, point.splitlines()[0]
