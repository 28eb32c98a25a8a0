from __future__ import annotations

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from grn.kit.errors import UsageError
from grn.maths.notebook import Notebook, _words
from grn.maths.worker import Worker

CELLS = [
    "%load_ext grn.maths.notebook",
    "%%derive growth\nLet $x > 0$.\n$$ a := x^2 $$\n$$ a = x x $$",
    "%%check\n$$ a + 1 = x^2 + 1 $$\n$$ a = x^3 $$\n$$ 1/2x = a $$",
    "%%derive --strict\n$$ a = x^3 $$",
]


def output(cell: Any, kind: str) -> str:
    return "".join(
        str(one["data"][kind]) for one in cell["outputs"] if one["output_type"] == "execute_result"
    )


def test_a_kernel_shows_the_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real IPython kernel: marks in text and HTML, the cell before is what the next one rests on.

    A refuted step is shown; with --strict the cell fails.
    """
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True)
    client.execute()
    _, derived, checked, strict = notebook["cells"]
    said = output(derived, "text/plain").splitlines()
    assert said[-2:] == ["✓ 3  a = x*x", "     proved by the same expression"]
    shown = output(checked, "text/html")
    assert shown.count("<tr class='grn-") == 3
    assert all(f"grn-{kind}" in shown for kind in ("proved", "refuted", "unparsed"))
    assert "<mark>" in shown
    (failed,) = strict["outputs"]
    assert failed["ename"] == "UsageError"
    assert "a step is refuted" in failed["evalue"]


def test_a_cell_that_is_run_again_takes_its_own_place() -> None:
    """By name or by text; what is refuted is not gone on from, and what is only checked neither."""
    with Worker() as worker:
        notebook = Notebook(worker, None)
        assert [step.verdict.kind for step in notebook.derive("Let $x > 0$. $$ a := x $$", "one").steps] == [
            "assumed",
            "assumed",
        ]
        notebook.derive("Let $x > 0$. $$ a := x^2 $$", "one")
        assert notebook.derive("$$ a = x^3 $$").refuted
        assert not notebook.check("$$ a = x x $$").refuted
        assert list(notebook.cells) == ["one"]
        assert repr(notebook.check("Words.")) == "no formulas"


def test_what_a_magic_does_not_know_is_an_error() -> None:
    """Options and names beyond those that it takes."""
    assert _words("one --new", ("--new",), 1) == (["one"], {"--new"})
    with pytest.raises(UsageError, match="does not know"):
        _words("--old", ("--new",), 1)
    with pytest.raises(UsageError, match="does not know"):
        _words("one two", ("--new",), 1)
