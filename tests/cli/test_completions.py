from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from grn.cli.main import main


def complete(words: str, index: int) -> list[str]:
    """What bash gets to choose from after those words."""
    code = (
        "import os, sys; from grn.cli.main import main\n"
        f"os.environ.update(_GRN_COMPLETE='bash_complete', COMP_WORDS={words!r}, COMP_CWORD='{index}')\n"
        "code = main([])\n"
        "heavy = {'numpy', 'polars', 'numba', 'sqlite3', 'grn.cli.quant'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_areas_are_completed_without_importing_them() -> None:
    """From the table: completion has to answer while a person is typing."""
    assert complete("grn le", 1) == ["ledger"]
    assert set(complete("grn ", 1)) >= {"quant", "demo", "ledger", "hw", "completions"}


def test_verbs_and_options_are_completed() -> None:
    """Below an area click's own completion works on."""
    assert complete("grn ledger s", 2) == ["show"]
    assert complete("grn ledger --l", 2) == ["--limit"]


def test_the_help_has_a_line_for_each_shell(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines can be copied: they are not run together, and no mark of the formatter is left in them."""
    assert main(["completions", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for shell in ("bash", "zsh", "fish"):
        assert sum(line.startswith(f"  {shell}: ") for line in lines) == 1
    assert not any("\\b" in line or "\b" in line for line in lines)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each script calls grn back with the variable that main listens to."""
    assert main(["completions", shell]) == 0
    out = capsys.readouterr().out
    assert f"_GRN_COMPLETE={shell}_complete" in out
    assert out.endswith("\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_that_is_there_accepts_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The shell itself parses it (-n: without running it)."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    main(["completions", shell])
    script = capsys.readouterr().out
    done = subprocess.run([program, "-n"], input=script, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
