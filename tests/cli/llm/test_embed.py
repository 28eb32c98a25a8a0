from __future__ import annotations

import io
import json

import pytest

from grn.cli.main import main


def test_lines_become_vectors(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From stdin or as arguments, one JSON object a text, the same numbers; recorded, they come again."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a cat\n\nthe yield curve\n")))
    assert main(["llm", "embed", "--record", "t"]) == 0
    lines = capsys.readouterr().out
    found = [json.loads(line) for line in lines.splitlines()]
    assert [one["text"] for one in found] == ["a cat", "the yield curve"]
    assert {len(one["vector"]) for one in found} == {384}
    assert main(["llm", "embed", "a cat", "the yield curve", "--replay", "t"]) == 0
    assert capsys.readouterr().out == lines


def test_what_cannot_be_embedded_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing, and two tapes."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b" \n")))
    assert main(["llm", "embed"]) == 2
    assert "nothing to embed" in capsys.readouterr().err
    assert main(["llm", "embed", "x", "--record", "a", "--replay", "b"]) == 2
    assert "one tape" in capsys.readouterr().err
