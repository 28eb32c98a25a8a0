from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.kit.files import sha256_hex
from grn.maths.document.insert import insert
from grn.maths.document.judge import Documented, judge
from grn.maths.document.proposals import Proposal
from grn.maths.document.signature import faults
from grn.maths.document.steps import Steps
from tests.maths.sandboxes import no_sandbox

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
MODULE = b'''"""Shapes."""

import math


def area(radius: float) -> float:
    if radius < 0:
        raise ValueError("negative")
    return math.pi * radius**2


def side(area: float) -> float:
    return math.sqrt(area)


def turn(angle: float) -> float:
    return -angle


def half(angle: float) -> float:
    return angle / 2


class Box:
    def __init__(self, edge: float) -> None:
        self.edge = edge

    def volume(self) -> float:
        return self.edge**3
'''
AREA = """Area of a circle.

Parameters
----------
radius
    Not negative.

Returns
-------
float
    Its area.

Raises
------
ValueError
    The radius is negative.

Examples
--------
>>> area(0.0)
0.0
"""


def plain(name: str, more: str = "") -> str:
    parameters = f"Parameters\n----------\n{name}\n    A number."
    return f"Give one.\n\n{more}\n\n{parameters}\n\nReturns\n-------\nfloat\n    One."


def judged(module: Path, *proposals: tuple[str, str]) -> Documented:
    module.write_bytes(MODULE)
    if reason := no_sandbox():
        pytest.skip(reason)
    return judge(module, [Proposal(name, text, "a test") for name, text in proposals], Steps("shapes"))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (AREA, ""),
        (AREA.replace("radius\n", "diameter\n"), "DOC103"),
        (AREA.replace("radius\n    Not negative.", "radius\n    Not negative.\nunit\n    None."), "DOC102"),
        (AREA.replace("ValueError", "KeyError"), "DOC503"),
        (AREA.partition("Raises")[0], "DOC501"),
        (AREA.replace("Returns\n-------", "Yields\n------"), "DOC201"),
        ("Area.", "DOC101"),
    ],
)
def test_a_docstring_says_what_the_signature_says(text: str, rule: str) -> None:
    """Parameters, results and exceptions are those of the code; pydoclint's rule is named."""
    told = " ".join(faults(insert(MODULE, {"area": text}), "area"))
    assert rule in told
    assert bool(told) == bool(rule)


def test_each_fault_is_its_reason(tmp_path: Path) -> None:
    """Examples that fail, markup that breaks, references to nothing and equations of nowhere are rejected.

    What is right stays, and of two proposals for one name the first that holds.
    """
    made = judged(
        tmp_path / "shapes.py",
        ("area", AREA.replace("\n0.0\n", "\n1.0\n")),
        ("area", AREA),
        ("area", AREA),
        ("side", plain("area", "*open")),
        ("turn", plain("angle", ":func:`nowhere`")),
        ("half", plain("angle", ".. math::\n\n   half = angle")),
        ("Box", plain("edge").partition("Returns")[0]),
        ("Box.volume", "Volume.\n\nReturns\n-------\nfloat\n    Cubed.\n\n>>> import os; os._exit(0)"),
        ("missing", "Nothing."),
        ("", "Shapes\x07."),
    )
    told = {(r.name, r.accepted, r.sha256): r.reason for r in made.receipts}
    reasons = {f"{name} {'kept' if kept else '-'}": reason for (name, kept, _), reason in told.items()}
    assert (
        "Expected: 1.0 Got: 0.0"
        in told["area", False, sha256_hex(AREA.replace("\n0.0\n", "\n1.0\n").encode())]
    )
    assert told["area", True, sha256_hex(AREA.encode())] == "holds"
    assert "markup: Inline emphasis" in reasons["side -"]
    assert "reference target not found: nowhere" in reasons["turn -"]
    assert "no proved or assumed step says half = angle" in reasons["half -"]
    assert "it ended its process" in reasons["Box.volume -"]
    assert "no function" in reasons["missing -"]
    assert "cannot be printed" in reasons[" -"]
    assert set(made.kept) == {"area", "Box"}
    assert sum(r.reason == "another one was kept" for r in made.receipts) == 1


PAGE = r"""
Let $\theta > 0$, $\sigma > 0$ and $h > 0$.
$$ v := \frac{\sigma^2}{2 \theta} (1 - e^{-2 \theta h}) $$
$$ \frac{\partial v}{\partial h} = \sigma^2 - 2 \theta v $$
"""
CODE = '''"""Computed from variance.md, whose steps are checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def v(theta: ArrayLike, sigma: ArrayLike, h: ArrayLike) -> Array:
    theta, sigma, h = (np.asarray(x, dtype=np.float64) for x in (theta, sigma, h))
    value: Array = -(sigma**2) / (2 * theta) * np.expm1(-2 * theta * h)
    return value
'''
TRACED = {
    "name": "v", "of": "v", "step": 4, "latex": r"v := \frac{\sigma^2}{2 \theta} (1 - e^{-2 \theta h})",
    "verdict": "assumed", "rule": "", "rewritten": ["expm1 (equal by the same expression)"],
    "error_units": 1.5,
}  # fmt: skip


def test_a_derivation_documents_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a model: equation, step, domains; equations link to their steps on the page that Sphinx builds.

    Receipts of tests move to the new digest: the code under test is the same.
    """
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    page, module = tmp_path / "variance.md", tmp_path / "variance.py"
    page.write_text(PAGE)
    module.write_text(CODE)
    trace = {"document": page.name, "document_sha256": sha256_hex(page.read_bytes()), "module": module.name}
    (tmp_path / "variance.trace.json").write_text(json.dumps({**trace, "functions": [TRACED]}))
    (tmp_path / "variance.receipts.json").write_text(json.dumps({"module_sha256": sha256_hex(CODE.encode())}))
    if reason := no_sandbox():
        pytest.skip(reason)
    code = main(["maths", "document", "variance.py", "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    (receipt,) = json.loads(said.out)["receipts"]
    assert (receipt["source"], receipt["accepted"], receipt["steps"]) == ("derivation", True, [4])
    text = module.read_text()
    assert ":eq:`variance-step-4`: the definition." in text
    assert "Proved of it: :eq:`variance-step-5`." in text
    assert "    ``h`` > 0." not in text
    assert "0 < ``h``." in text
    assert ":label: variance-step-5" in (tmp_path / "variance.rst").read_text()
    receipts = json.loads((tmp_path / "variance.receipts.json").read_text())
    assert receipts["module_sha256"] == sha256_hex(module.read_bytes())
    if not NIGHTLY:
        return
    # By hand, as a project that takes the page in: the link leads to the step.
    (tmp_path / "index.rst").write_text((tmp_path / "variance.rst").read_text())
    (tmp_path / "conf.py").write_text(
        "import sys\nsys.path.insert(0, '.')\nautodoc_typehints = 'none'\n"
        "extensions = ['sphinx.ext.autodoc', 'sphinx.ext.napoleon']\n"
        "nitpick_ignore = [('py:class', 'Array')]\n"
        "exclude_patterns = ['variance.rst', 'variance.md', 'built']\n"
    )
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-b", "html", ".", "built"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert 'href="#equation-variance-step-4"' in Path("built/index.html").read_text()


def test_nobody_who_proposes_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A module without a derivation, a file and a model: the error names all three; a folder is no module."""
    module = tmp_path / "shapes.py"
    module.write_bytes(MODULE)
    assert main(["maths", "document", str(module)]) == 2
    assert "--proposals FILE" in capsys.readouterr().err
    assert main(["maths", "document", str(tmp_path)]) == 2
    (tmp_path / "asked.json").write_text("[]")
    assert main(["maths", "document", str(module), "--proposals", str(tmp_path / "asked.json")]) == 2
    assert "these are no docstrings" in capsys.readouterr().err
    assert module.read_bytes() == MODULE
