from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main
from tests.llm.history import transcripts


@pytest.fixture
def past(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was imported before."""
    paths = [transcripts.claude_code(tmp_path / "c"), transcripts.codex(tmp_path / "x")]
    assert main(["llm", "import", *map(str, paths)]) == 0
    capsys.readouterr()


@pytest.mark.usefixtures("past")
def test_conversations_are_priced_anew(capsys: pytest.CaptureFixture[str]) -> None:
    """Every way with its method and what it saves; conversations, the dearest first; what is left out."""
    assert main(["llm", "reprice", "-m", "haiku"]) == 0
    captured = capsys.readouterr()
    ways = [line.split()[0] for line in captured.out.split("\n\n")[0].splitlines()[1:]]
    assert ways == ["recorded", "uncached", "automatic_5m", "automatic_1h", "planned", "batch_uncached",
                    "planned:haiku", "recorded:haiku"]  # fmt: skip
    assert captured.out.split("\n\n")[1].splitlines()[1].startswith("s-1           thesis       2  $0.02")
    assert "2 calls are left out" in captured.err
    assert "1 of 2 conversations cost half of it" in captured.err
    assert main(["llm", "reprice", "--since", "2026-10-05", "--project", "thesis", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # Opus 5.5 and Haiku 5.5, $ per million tokens; see transcripts for the tokens of the three calls.
    opus = (4 + 10) * 4 + (400 + 50) * 5 + 600 * 8 + (20_000 + 21_300) * 0.2 + 320 * 20
    haiku = 4 * 0.1 + 400 * 0.125 + 600 * 0.2 + 20_000 * 0.01 + 300 * 0.5
    assert found["total_pusd"]["recorded"] == round((opus + haiku) * 10**6)
    assert main(["llm", "reprice", "--since", "2027-01-01"]) == 0
    assert "nothing to price anew" in capsys.readouterr().err


def test_without_a_past(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what to do first; a day is a day."""
    assert main(["llm", "reprice"]) == 3
    assert "grn llm import" in capsys.readouterr().err
    assert main(["llm", "import", __file__]) == 2
