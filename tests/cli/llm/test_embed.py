from __future__ import annotations

import io
import json

import pytest

from grn.cli.llm.embed import in_calls
from grn.cli.main import main
from tests.llm.servers import plain, serve


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


def test_many_texts_are_many_calls() -> None:
    """As many as every provider takes at once, in order; what is too long for that goes alone."""
    texts = tuple(str(number) for number in range(250))
    calls = list(in_calls(texts))
    assert [len(some) for some in calls] == [100, 100, 50]
    assert sum(calls, ()) == texts
    long = ("a" * 200_000, "b" * 100_001, "c" * 400_000, "d")
    assert list(in_calls(long)) == [long[:1], long[1:2], long[2:3], long[3:]]


def test_texts_are_ordered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The best first, for people and for programs; the double of Voyage's API answers."""
    monkeypatch.setenv("VOYAGE_API_KEY", "pa-planted-planted-planted-key")
    with serve() as server:
        monkeypatch.setenv("VOYAGE_BASE_URL", f"{server.url}/v1")
        found = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
        answer = {"object": "list", "data": found, "model": "rerank-2.5", "usage": {"total_tokens": 9}}
        server.answers = [plain(answer), plain(answer)]
        assert main(["llm", "rerank", "money", "a cat", "a bond"]) == 0
        assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
            ["SCORE", "PLACE", "TEXT"], ["0.9", "1", "a", "bond"], ["0.1", "0", "a", "cat"],
        ]  # fmt: skip
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a cat\na bond\n")))
        assert main(["llm", "rerank", "money", "--json"]) == 0
        best = json.loads(capsys.readouterr().out.splitlines()[0])
        assert best == {"place": 1, "score": 0.9, "text": "a bond"}
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
        assert main(["llm", "rerank", "money"]) == 2
        assert main(["llm", "rerank", "money", "x", "-m", "local"]) == 2


def test_what_cannot_be_embedded_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing, and two tapes."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b" \n")))
    assert main(["llm", "embed"]) == 2
    assert "nothing to embed" in capsys.readouterr().err
    assert main(["llm", "embed", "x", "--record", "a", "--replay", "b"]) == 2
    assert "one tape" in capsys.readouterr().err
