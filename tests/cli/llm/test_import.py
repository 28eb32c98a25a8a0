from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main
from tests.llm.history import transcripts


def test_the_first_report_covers_last_month(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Transcripts and an export in one go; what they cost is in `spend --imported` and in no budget."""
    paths = [
        transcripts.claude_code(tmp_path / "c"),
        transcripts.codex(tmp_path / "x"),
        transcripts.export(tmp_path),
    ]
    assert main(["llm", "import", *map(str, paths)]) == 0
    captured = capsys.readouterr()
    assert captured.err == "files with calls: 4; new calls: 7, known: 0; damaged lines: 1\n"
    assert "claude-code           3  2026-10-05" in captured.out
    assert main(["llm", "import", *map(str, paths), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["new"], found["known"], found["damaged_lines"]) == (0, 7, 1)
    assert main(["llm", "spend", "--imported", "--by", "month", "--json"]) == 0
    (month,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (month["month"], month["calls"]) == ("2026-10", 7)
    assert main(["llm", "budget"]) == 0
    assert "$0.000000" in capsys.readouterr().out


def test_nothing_to_import(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without transcripts in their places it says where it looked; a file of another kind is refused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["llm", "import"]) == 3
    assert "~/.claude/projects" in capsys.readouterr().err
    (tmp_path / "a.json").write_text("[]")
    assert main(["llm", "import", str(tmp_path / "a.json")]) == 2
    assert main(["llm", "spend", "--imported"]) == 0
    assert "grn llm import" in capsys.readouterr().err
