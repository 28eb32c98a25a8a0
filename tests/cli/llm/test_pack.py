from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small folder of code, and an index of nobody else's."""
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRN_MODEL", raising=False)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "money.py").write_text(
        "def move_money(amount):\n    check(amount)\n\n\ndef check(amount):\n    pass\n"
    )
    return folder


def test_a_question_is_packed(capsys: pytest.CaptureFixture[str], code: Path) -> None:
    """Files, numbers and lines on stdout, what was done on stderr; for Claude by its upper estimate."""
    assert main(["llm", "pack", "where is money moved?", str(code), "--budget", "1k", "--stats"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:3] == ["money.py", "1 def move_money(amount):", "2     check(amount)"]
    assert "of 1,000 tokens for claude-sonnet-5-5" in captured.err
    assert main(["llm", "pack", "move_money", str(code), "-m", "o200k", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == ["money.py"]
    assert 0 < found["tokens_most"] <= found["budget"] == 8000


def test_no_answer_is_a_clean_no(capsys: pytest.CaptureFixture[str], code: Path) -> None:
    """Exit code 1 where nothing answers; what makes no sense is an error."""
    assert main(["llm", "pack", "xyzzy", str(code)]) == 1
    assert capsys.readouterr().out == ""
    wrong = (
        ["money", str(code), "--budget", "many"],
        ["money", str(code), "--budget", "2"],
        ["money", str(code / "none")],
        [" ", str(code)],
    )
    for arguments in wrong:
        assert main(["llm", "pack", *arguments]) == 2
        assert capsys.readouterr().err.startswith("error:")
