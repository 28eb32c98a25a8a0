from __future__ import annotations

import json
from pathlib import Path

import pytest

from grn.cli.main import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts are kept in a folder of the test."""
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))


def test_check_ends_with_one_where_a_step_is_refuted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON on stdout with every step and its verdict, counts on stderr, exit code 1 for a refuted step."""
    page = tmp_path / "page.tex"
    page.write_text("Let $a > 0$.\n\\[ \\sqrt{a^2} = a \\]\n\\[ (a+1)^2 = a^2 + 1 \\]\n", encoding="utf-8")
    marks = tmp_path / "marked.tex"
    assert main(["maths", "check", str(page), "--json", "--marks", str(marks)]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["counts"] == {"proved": 1, "refuted": 1, "assumed": 1}
    assert [step["formula"]["line"] for step in told["steps"]] == [1, 2, 3]
    assert "1 refuted" in err
    assert "% ✗ 3: refuted" in marks.read_text(encoding="utf-8")
    page.write_text("\\[ (a+1)^2 = a^2 + 2a + 1 \\]\n", encoding="utf-8")
    assert main(["maths", "check", str(page), "--given", "a > 0"]) == 0
    assert "proved by" in capsys.readouterr().out


def test_read_shows_the_reading_or_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    """A formula is printed back; one with two readings is marked where they part, with exit code 1."""
    assert main(["maths", "read", "r(1+g)", "--given", "r > 0"]) == 0
    assert capsys.readouterr().out == "r*(1 + g)\n"
    assert main(["maths", "read", "1/2x"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["1/2x", "   ^ unparsed: is this factor below the stroke?"]
    assert main(["maths", "read", "1/2x", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["start"] == 3


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is exit code 3."""
    assert main(["maths", "check", "none.md"]) == 3
    assert "no such file" in capsys.readouterr().err
