from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grn.cli.main import main
from grn.kit.errors import MissingError, UsageError
from grn.kit.files import sha256_hex
from grn.maths.trace import chain

CODE = "def v(x):\n    return x\n"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module with everything that the chain leaves beside it, written by hand."""
    place = tmp_path / "variance.py"
    place.write_text(CODE)
    row = {"name": "v", "step": 4, "latex": "v := x", "verdict": "assumed", "rule": "", "rewritten": []}
    test = {"name": "test_v", "accepted": True, "killed": [1, 2]}
    kept = {"name": "v", "source": "derivation", "accepted": True}
    scenes = [{"panel": 1, "step": 4}, {"panel": 2, "step": 5}, {"panel": 3, "step": 4}]
    beside: dict[str, Any] = {
        "variance.trace.json": {"document_sha256": "d", "functions": [row]},
        "variance.receipts.json": {
            "module_sha256": sha256_hex(CODE.encode()),
            "functions": [{"function": "v", "mutants": [1, 2, 3]}],
            "receipts": [test],
        },
        "variance.docs.json": {"module_sha256": sha256_hex(CODE.encode()), "receipts": [kept]},
        "short.film.json": {"document_sha256": "d", "scenes": scenes},
        "other.film.json": {"document_sha256": "e", "scenes": scenes},
    }
    for name, told in beside.items():
        (tmp_path / name).write_text(json.dumps(told))
    return place


def test_a_chain_reaches_docstring_and_scene(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Step, code, tests, who proposed the docstring, and every panel that shows the step."""
    film = module.with_name("short.mp4")
    (link,) = chain(module, [film])
    assert (link.tests, link.docstring, link.scenes) == ({"test_v": 2}, "derivation", ("short 1", "short 3"))
    assert main(["maths", "trace", str(module), "--film", str(film)]) == 0
    assert "derivation  short 1, short 3" in capsys.readouterr().out
    assert chain(module)[0].scenes == ()


def test_what_belongs_to_another_state_is_no_link(module: Path) -> None:
    """A docstring of another text is not named; a film of another derivation, or without receipt, fails."""
    with pytest.raises(UsageError, match="another derivation"):
        chain(module, [module.with_name("other.mp4")])
    with pytest.raises(MissingError, match="no receipt beside the film"):
        chain(module, [module.with_name("none.mp4")])
    told = json.loads(module.with_name("variance.docs.json").read_text())
    module.with_name("variance.docs.json").write_text(json.dumps({**told, "module_sha256": "0"}))
    assert chain(module)[0].docstring == ""
