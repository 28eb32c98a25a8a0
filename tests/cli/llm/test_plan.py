from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Questions about a document, each with the automatic mark that never helps."""
    path = tmp_path / "requests.jsonl"
    lines = []
    for minute in range(5):
        body = {
            "model": "claude-opus-5-5",
            "system": "You answer from the report.",
            "cache_control": {"type": "ephemeral"},
            "messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "data": "revenue rose by a tenth. " * 40}},
                {"type": "text", "text": f"question {minute}?"},
            ]}],
        }  # fmt: skip
        usage = {"input_tokens": 20_000, "output_tokens": 50}
        lines.append(json.dumps({"at": f"2026-11-23T10:0{minute}:00Z", "request": body, "usage": usage}))
    path.write_text("\n".join(lines))
    return path


def test_requests_are_planned_and_misses_explained(
    capsys: pytest.CaptureFixture[str], requests: Path
) -> None:
    """What was sent lost money, the plan saves; why, and what would help."""
    assert main(["llm", "plan", str(requests), "--marks"]) == 0
    captured = capsys.readouterr()
    assert "as sent       $0.505000  -25%" in captured.out
    assert "and no mark stood at or before their end" in captured.out
    assert "put marks where requests part: up to $0.29" in captured.err
    assert main(["llm", "plan", str(requests), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    cost = found["cost_pusd"]
    assert cost["planned"] < cost["uncached"] * 6 // 10 < cost["as sent"]
    assert 1 in [mark["block"] for mark in found["marks"][-1]]
    assert {miss["reason"] for miss in found["misses"]} == {"unmarked"}


def test_what_cannot_be_planned(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Neither or both of file and tape, a missing file or tape, another maker's model."""
    other = tmp_path / "other.jsonl"
    body = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "x"}]}
    other.write_text(json.dumps({"at": 1, "request": body}))
    for arguments, code in (
        ([], 2),
        ([str(other), "--tape", "x"], 2),
        ([str(tmp_path / "none")], 2),
        (["--tape", "none"], 3),
        ([str(other)], 2),
    ):
        assert main(["llm", "plan", *arguments]) == code
        assert capsys.readouterr().err.startswith("error:")
    other.write_text("")
    assert main(["llm", "plan", str(other)]) == 0
