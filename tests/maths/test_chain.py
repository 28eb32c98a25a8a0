from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.maths.trace import chain
from tests.maths.documents import EXAMPLES
from tests.maths.sandboxes import no_sandbox

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))


@pytest.mark.parametrize("name", ["ornstein_uhlenbeck", *(["black_scholes"] if NIGHTLY else [])])
def test_an_example_goes_through_the_whole_chain(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read, checked, implemented, tested, traced: every step proved, at least 85 % of the mutants killed.

    85 % is the bar of `benchmarks.maths_gate`, which runs twelve; here two functions, all of them nightly.
    """
    if reason := no_sandbox():
        pytest.skip(reason)
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    notebook = shutil.copy(EXAMPLES / f"{name}.ipynb", tmp_path)
    assert main(["maths", "check", notebook, "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert set(counts) == {"proved", "assumed"}
    chosen = [] if NIGHTLY else ["--name", "m", "--name", "v"]
    assert main(["maths", "implement", notebook, "-o", f"{name}.py", *chosen]) == 0
    capsys.readouterr()
    assert main(["maths", "tests", f"{name}.py", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["score"] >= 0.85
    assert main(["maths", "trace", f"{name}.py"]) == 0
    links = chain(Path(f"{name}.py"))
    assert links
    assert all(link.whole and link.step and link.killed <= link.mutants for link in links)


def test_a_chain_with_a_gap_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No trace, no receipts, a module that was changed: an error that says what to run."""
    module = tmp_path / "m.py"
    module.write_text("x = 1\n")
    assert main(["maths", "trace", str(module)]) == 3
    assert "grn maths implement" in capsys.readouterr().err
    functions = [
        {"name": "f", "step": 1, "latex": "f := 1", "verdict": "assumed", "rule": "", "rewritten": []}
    ]
    (tmp_path / "m.trace.json").write_text(json.dumps({"functions": functions}))
    assert main(["maths", "trace", str(module)]) == 3
    assert "grn maths tests" in capsys.readouterr().err
    (tmp_path / "m.receipts.json").write_text(
        json.dumps({"module_sha256": "0", "functions": [], "receipts": []})
    )
    assert main(["maths", "trace", str(module)]) == 2
    assert "has changed" in capsys.readouterr().err


def test_a_refuted_step_is_not_implemented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written from a document in which a step is wrong."""
    page = tmp_path / "page.md"
    page.write_text("Let $x > 0$. $$ a := x^2 $$ $$ a = x^3 $$")
    assert main(["maths", "implement", str(page), "-o", str(tmp_path / "m.py")]) == 2
    assert "a step is refuted" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.md"]
