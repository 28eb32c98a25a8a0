from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main
from tests.llm.history import transcripts


def test_the_whole_bill_with_its_methods(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of imported calls: the cache against input; what is not written down is not guessed."""
    assert main(["llm", "savings"]) == 0
    assert "no calls yet" in capsys.readouterr().err
    assert main(["llm", "import", str(transcripts.claude_code(tmp_path))]) == 0
    capsys.readouterr()
    assert main(["llm", "savings", "--imported"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0].split() == ["LEVER", "CALLS", "SAVED", "OF", "ALL", "METHOD"]
    assert captured.out.splitlines()[1].startswith("cache        3  $0.155820  87.5%   every prompt token")
    assert "not known: a replay writes nothing down" in captured.out
    assert "3 calls cost $0.022286; without these they would have cost $0.178106" in captured.err
    assert main(["llm", "savings", "--imported", "--since", "2026-10-06", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 0
    assert main(["llm", "savings", "--since", "soon"]) == 2
