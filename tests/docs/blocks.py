"""Running the code blocks of a Markdown page, in order, as a reader would."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import SkipTest

from sybil import Document, Example
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.maths.sandboxes import no_sandbox

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```+[ \t]*([^\s`]*)", re.MULTILINE)

RUN = {"python", "console"}
"""Languages that are executed: Python in one namespace per page, console as ``$ grn …`` and its output."""
READ = {"toml", "json", "sh", "text", "bibtex", ""}
"""Languages that are not executed: the first two are parsed, ``make`` targets named in ``sh`` must exist."""


def pages() -> list[Path]:
    """List the Markdown pages of the documentation and those in the root folder."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if "_build" not in page.parts)


def languages(page: Path) -> Iterator[tuple[int, str]]:
    """Yield line and language of every block that a page opens; directives of Sphinx are left out."""
    opened = False
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        opened = not opened
        if opened and not fence[1].startswith("{"):
            yield text.count("\n", 0, fence.start()) + 1, fence[1]


def run_page(page: Path) -> None:
    """Run the blocks of a page in the current folder.

    Raises
    ------
    AssertionError
        With page and line, when a block raises, or a command prints something else than the page says.
    """
    document = Document.parse(
        str(page),
        PythonCodeBlockParser(),
        CodeBlockParser("console", _run_console),
        CodeBlockParser("toml", lambda block: (tomllib.loads(block.parsed), None)[1]),
        CodeBlockParser("json", lambda block: (json.loads(block.parsed), None)[1]),
        CodeBlockParser("sh", _check_targets),
        SkipParser(),
        encoding="utf-8",
    )
    document.namespace["__name__"] = page.stem
    document.namespace["no_sandbox"] = no_sandbox  # a page says where a block cannot run
    for example in document.examples():
        try:
            with contextlib.suppress(SkipTest):  # what `% skip: next "reason"` raises
                example.evaluate()
        except Exception as error:
            raise AssertionError(f"{page.name}, line {example.line}: {error}") from error


def _run_console(block: Example) -> None:
    """Run each ``$`` line of a block and compare what follows it; ``...`` stands for anything."""
    checker = doctest.OutputChecker()
    for command, expected in _commands(block.parsed):
        code, got = run_command(command)
        got = "".join(f"{line.rstrip()}\n" for line in got.splitlines())
        if not expected:
            assert code == 0, f"`{command}` ended with {code}:\n{got}"
        elif not checker.check_output(expected, got, doctest.ELLIPSIS):
            raise AssertionError(f"`{command}` printed\n{got}\nbut the page says\n{expected}")


def _commands(text: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)
    assert not parts[0].strip(), "a console block begins with a command: `$ grn …`"
    for part in parts[1:]:
        command, _, expected = part.partition("\n")
        yield command.strip(), "".join(f"{line.rstrip()}\n" for line in expected.strip("\n").splitlines())


def run_command(command: str) -> tuple[int, str]:
    """Run one line; returns exit status and what it printed, stdout and stderr as a terminal mixes them."""
    if re.search(r"[|<>;&*]|\$", command):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-c", command],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout
    from grn.cli.main import main

    program, *arguments = shlex.split(command)
    assert program == "grn", f"a console block runs grn only, put `{command}` into a block of sh"
    # In this process: compiled kernels are shared, and the command line costs no second start.
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = main(arguments)
    return code, output.getvalue()


def _check_targets(block: Example) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in re.findall(r"^(?:\$ )?make ([a-z]+)", block.parsed, re.MULTILINE):
        assert target in known, f"there is no `make {target}`"
