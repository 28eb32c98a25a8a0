from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from grn.cli.main import main
from grn.maths.implement.build import implement
from grn.maths.implement.module import module_source
from grn.maths.trace import chain
from tests.maths.documents import EXAMPLES, derive_notebook
from tests.maths.sandboxes import no_sandbox

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))


QUICK = {
    "black_scholes": (),
    "kalman": ("M",),
    "ornstein_uhlenbeck": ("v",),
    "runge_kutta": ("k_1",),
}
"""Functions of each notebook that go through the gate in CI: matrices, numbers, a function as argument."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Verdicts of all notebooks, each decided once."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", QUICK)
def test_an_example_goes_through_the_whole_chain(
    name: str,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Read, checked, implemented, tested, traced: every step proved, at least 85 % of the mutants killed.

    85 % is the bar of `benchmarks.maths_gate`, which runs all; here some functions of each, all nightly.
    """
    if reason := no_sandbox():
        pytest.skip(reason)
    monkeypatch.setenv("GRN_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    notebook = shutil.copy(EXAMPLES / f"{name}.ipynb", tmp_path)
    assert main(["maths", "check", notebook, "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert set(counts) == {"proved", "assumed"}
    if not QUICK[name] and not NIGHTLY:
        return
    chosen = [] if NIGHTLY else [part for key in QUICK[name] for part in ("--name", key)]
    assert main(["maths", "implement", notebook, "-o", f"{name}.py", *chosen]) == 0
    capsys.readouterr()
    assert main(["maths", "tests", f"{name}.py", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["score"] >= 0.85
    assert main(["maths", "trace", f"{name}.py"]) == 0
    links = chain(Path(f"{name}.py"))
    assert links
    assert all(link.whole and link.step and link.killed <= link.mutants for link in links)


def run_cells(
    name: str, results: tuple[str, ...], cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What the code of a notebook computes, run on the module that is written from its formulas."""
    derivation = derive_notebook(name, cache / "maths")
    made = implement(derivation, {key: key for key in results}, points=0)
    (folder / f"{name}.py").write_text(module_source(made), encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    cells = json.loads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    room: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), room)  # noqa: S102 the example under test
    return room


def test_the_order_that_is_measured_is_the_one_that_is_proved(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Local errors of order 5 add up to order 4: Hairer, Norsett, Wanner, Solving ODEs I, theorem II.3.4."""
    room = run_cells("runge_kutta", ("z",), cache, tmp_path, monkeypatch)
    assert room["orders"] == pytest.approx([4, 4, 4], abs=0.05)


def test_joseph_form_feels_the_square_of_an_error(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gain that is wrong by 6e-8 of it: the short form is as wrong, Joseph's by no more than rounding."""
    lost = run_cells("kalman", ("J", "K", "M"), cache, tmp_path, monkeypatch)["lost"]
    assert lost["joseph"] < 1e-14
    assert 1e-9 < lost["short"] < 1e-7


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
