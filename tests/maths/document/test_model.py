from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.kit.errors import ProviderError
from grn.maths.document.proposals import question, read_answer
from tests.llm.servers import anthropic_stream, serve
from tests.maths.sandboxes import no_sandbox

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
MODULE = "def twice(x: float) -> float:\n    return 2 * x\n"
SAID = "Twice.\n\nParameters\n----------\n{name}\n    A number.\n\nReturns\n-------\nfloat\n    Two of it.\n"


def answer(name: str) -> str:
    rows = [{"name": "", "docstring": "Multiples."}, {"name": "twice", "docstring": SAID.format(name=name)}]
    return json.dumps({"docstrings": rows})


def test_a_model_proposes_and_a_tape_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its maker's client against a loopback server: what does not hold is rejected; a tape says the same."""
    if reason := no_sandbox():
        pytest.skip(reason)
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-planted-secret-planted-secret")
    module, copy = tmp_path / "multiples.py", tmp_path / "copy.py"
    module.write_text(MODULE)
    asked = ["maths", "document", str(module), "-o", str(copy), "--model", "haiku"]
    with serve() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        server.answers = [anthropic_stream([answer("y")])]
        assert main([*asked, "--record", "docs"]) == 1
        (sent,) = [body for _, body in server.asked]
    assert "def twice(x: float)" in json.dumps(sent)
    said = capsys.readouterr()
    assert "DOC103" in said.out
    assert "without a docstring: twice" in said.err
    assert '"""Multiples."""' in copy.read_text()
    if not NIGHTLY:
        return
    first = copy.read_bytes()
    copy.unlink()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    assert main([*asked, "--replay", "docs"]) == 1
    assert copy.read_bytes() == first
    assert module.read_text() == MODULE


def test_what_a_model_is_asked_and_how_it_answers() -> None:
    """The module and its equations; an answer of another form is the provider's error."""
    assert "Equations:\nnone" in question(MODULE, None)
    assert [one.name for one in read_answer(answer("x"), "m")] == ["", "twice"]
    for wrong in ("no JSON", "[]", '{"docstrings": [{"name": "f"}]}'):
        with pytest.raises(ProviderError, match="did not answer with docstrings"):
            read_answer(wrong, "m")
