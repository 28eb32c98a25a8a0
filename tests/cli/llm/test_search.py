from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.llm.request import Text
from tests.cli.llm.test_ask import Capture, Echo, echo, keys  # noqa: F401 - fixtures
from tests.llm.library.papers import write_papers


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small library in the current folder, not indexed yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    write_papers(tmp_path / "papers")
    return tmp_path / "papers"


@pytest.mark.usefixtures("keys")
def test_a_library_is_indexed_and_searched(papers: Path, capsys: Capture) -> None:
    """Files and lines or pages, papers with their keys; changes are read anew; nothing found is code 1."""
    assert main(["llm", "index", str(papers)]) == 0
    out = capsys.readouterr().out
    assert "papers    2 with a cite key" in out
    assert "vectors   local, 10 made now" in out
    assert main(["llm", "search", "standard error of the ratio", "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "[lo2002 p. 1] papers/sharpe.pdf p. 1"
    (papers / "notes.md").write_text("# Wizards\n\nMerlin lives in a wood.\n")
    assert main(["llm", "search", "Merlin", "--by", "words", "--full"]) == 0
    assert (
        capsys.readouterr().out
        == "papers/notes.md:1  Wizards\n    # Wizards\n\n    Merlin lives in a wood.\n"
    )
    assert main(["llm", "search", "drift of prices", "-n", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cite"], found["unit"], found["key"]) == ("papers/work.ipynb cell 2", "cell", None)
    assert main(["llm", "search", "xyzzy", "--by", "words"]) == 1
    assert capsys.readouterr() == ("", "nothing there answers that\n")
    assert main(["llm", "index", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sources"], told["files"], told["read"], told["unreadable"]) == ([str(papers)], 7, 0, [])
    assert main(["llm", "index", "--forget", str(papers)]) == 0
    assert main(["llm", "search", "Merlin"]) == 2
    assert "nothing is in this index" in capsys.readouterr().err


@pytest.mark.usefixtures("keys")
def test_what_makes_no_sense_is_said(papers: Path, capsys: Capture) -> None:
    """No index, no folder, no model, an empty question; a PDF that cannot be read is named and no error."""
    wrong = (
        ["index"],
        ["index", "--forget", str(papers)],
        ["search", "x"],
        ["index", "none"],
        ["index", str(papers), "-m", "gpt-9"],
        ["index", "--index", "../x"],
    )
    for arguments in wrong:
        assert main(["llm", *arguments]) == 2
        assert capsys.readouterr().err.startswith("error:")
    assert main(["llm", "search", "x"]) == 2  # none of them has made an index
    assert "make it" in capsys.readouterr().err
    (papers / "scan.pdf").write_bytes(b"%PDF-1.4")
    assert main(["llm", "index", str(papers), "-m", "none"]) == 0
    assert f"not read: {papers / 'scan.pdf'}: no PDF" in capsys.readouterr().err
    assert main(["llm", "search", " "]) == 2
    assert main(["llm", "search", "ratio", "--by", "vectors"]) == 2
    assert main(["llm", "index", "-m", "voyage-code-4", "--dry-run"]) == 0
    assert "10 passages, at most $0.00" in capsys.readouterr().out


def test_passages_go_with_a_question(echo: Echo, papers: Path, capsys: Capture) -> None:  # noqa: F811
    """Before its words, within the budget; a citation of what was not given is flagged."""
    main(["llm", "index", str(papers), "-m", "none"])
    capsys.readouterr()
    question = [
        "ask",
        "error of the ratio [made2020 p. 3]",
        "-m",
        "haiku",
        "--with-docs",
        "--docs-budget",
        "300",
    ]
    assert main(question) == 0
    out, err = capsys.readouterr()
    given, words = (part for part in echo.asked[0][0].messages[0].parts if isinstance(part, Text))
    assert words.text == "error of the ratio [made2020 p. 3]"
    assert "\n\n[lo2002 p. 1]\nThe Statistics of Sharpe Ratios" in given.text
    assert given.text in out
    assert err == "cited, but not among the passages given: [made2020 p. 3]\n"
    assert main([*question, "--json"]) == 0
    cited = json.loads(capsys.readouterr().out)["citations"]
    assert "lo2002 p. 1" in cited["given"]
    assert cited["unknown"] == ["made2020 p. 3"]
    assert echo.asked[0] == echo.asked[1]


def test_a_question_with_passages_is_replayed(echo: Echo, papers: Path, capsys: Capture) -> None:  # noqa: F811
    """The passages are part of the request: the tape has the same bytes, or a document changed."""
    main(["llm", "index", str(papers), "-m", "none"])
    capsys.readouterr()
    asked = ["ask", "error of the ratio", "-m", "haiku", "--with-docs"]
    assert main([*asked, "--record", "t"]) == 0
    first = capsys.readouterr().out
    assert main([*asked, "--replay", "t"]) == 0
    assert capsys.readouterr().out == first
    assert len(echo.asked) == 1
    (papers / "notes.md").write_text("# Error of the ratio\n\nAnother word on the error of the ratio.\n")
    assert main([*asked, "--replay", "t"]) == 3
    assert "not on the tape" in capsys.readouterr().err
    assert main(["ask", "--with-docs", "-m", "haiku", "-a", str(papers / "notes.md")]) == 2
    assert main([*asked, "--docs-budget", "40"]) == 2
    assert main([*asked, "--docs-budget", "few"]) == 2
