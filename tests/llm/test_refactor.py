from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.kit.errors import ProviderError, UsageError
from grn.llm.calls import Caller
from grn.llm.refactor import apply_edits, patch_of, propose
from tests.llm.servers import Server, anthropic_stream

Make = Callable[..., Caller]
CHECK = [sys.executable, "-c", "import area; assert area.area(2, 3) == 6; print('ok')"]


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "area.py").write_text("def area(a, b):\n    return a + b\n")
    (root / "other.py").write_text("x = 1\n")
    subprocess.run(["git", "init", "-q", root], check=True)
    return root


def edits(*changes: tuple[str, str, str]) -> str:
    return json.dumps({"edits": [{"file": f, "old": old, "new": new} for f, old, new in changes]})


GOOD = edits(("area.py", "a + b", "a * b"))
BAD = edits(("area.py", "a + b", "a - b"))


def test_a_change_that_passes_becomes_a_patch(server: Server, caller: Make, tree: Path) -> None:
    """Tried on a copy, the tree as it was; `git apply` takes the patch; the model saw that file only."""
    server.answers = [anthropic_stream([GOOD])]
    found = propose(caller(), tree, [tree / "area.py"], "multiply", CHECK, model="haiku")
    assert (found.passed, found.said) == (True, "ok\n")
    assert (tree / "area.py").read_text() == "def area(a, b):\n    return a + b\n"
    subprocess.run(["git", "-C", tree, "apply"], input=found.patch.encode(), check=True)
    assert (tree / "area.py").read_text() == "def area(a, b):\n    return a * b\n"
    sent = json.dumps(server.asked[0][1])
    assert "area.py" in sent
    assert "other.py" not in sent


def test_a_change_that_fails_is_tried_again(server: Server, caller: Make, tree: Path) -> None:
    """The model is told what the check said; the second try passes."""
    server.answers = [anthropic_stream([BAD]), anthropic_stream([GOOD])]
    found = propose(caller(), tree, [tree / "area.py"], "multiply", CHECK, model="haiku", attempts=2)
    assert found.passed
    last = server.asked[1][1]["messages"]
    assert [turn["role"] for turn in last] == ["user", "assistant", "user"]
    assert "AssertionError" in last[2]["content"][0]["text"]


def test_a_change_that_never_passes_is_not_proposed(server: Server, caller: Make, tree: Path) -> None:
    """Failing, endless, or edits that do not fit: no, and why."""
    area = [tree / "area.py"]
    server.answers = [anthropic_stream([BAD]), anthropic_stream([GOOD]), anthropic_stream(["no JSON"])]
    assert "AssertionError" in propose(caller(), tree, area, "x", CHECK, model="haiku").said
    slow = [sys.executable, "-c", "import time; time.sleep(9)"]
    found = propose(caller(), tree, area, "x", slow, model="haiku", check_s=0.2)
    assert (found.passed, found.said) == (False, "the check took more than 0.2 s")
    assert "did not answer with edits" in propose(caller(), tree, area, "x", CHECK, model="haiku").said


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (edits(("b.py", "x", "y")), "not given"),
        (edits(("a.py", "nowhere", "y")), "occurs 0 times"),
        (edits(("a.py", "x", "y")), "occurs 2 times"),
        (edits(("a.py", "", "y")), "occurs 0 times"),
        ("[]", "did not answer with edits"),
    ],
)
def test_edits_that_do_not_fit_are_refused(answer: str, match: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ProviderError, match=match):
        apply_edits({"a.py": "x x"}, answer)


def test_a_patch_keeps_a_missing_last_line_break() -> None:
    """As diff writes it."""
    assert patch_of({"a": "x"}, {"a": "y"}) == (
        "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n"
    )
    assert patch_of({"a": "x"}, {"a": "x"}) == ""


def test_the_check_is_told_no_key(server: Server, tree: Path, caller: Make) -> None:
    """Code that a model has written runs without the providers' keys in its environment."""
    server.answers = [anthropic_stream([GOOD])]
    looks = "import os; assert 'HOME' in os.environ and not any('API_KEY' in name for name in os.environ)"
    found = propose(caller(), tree, [tree / "area.py"], "x", [sys.executable, "-c", looks], model="haiku")
    assert found.passed, found.said


def test_files_have_to_be_below_the_root(caller: Make, tree: Path, tmp_path: Path) -> None:
    """What is outside is neither read nor changed."""
    (tmp_path / "out.py").write_text("x")
    with pytest.raises(UsageError, match="not below"):
        propose(caller(), tree, [tmp_path / "out.py"], "x", CHECK, model="haiku")


def test_from_the_command_line(
    server: Server, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The patch alone is on stdout; a failed check is code 1, its words on stderr; a tape replays it."""
    monkeypatch.chdir(tree)
    check = f"{sys.executable} -c 'import area; assert area.area(2, 3) == 6'"
    command = ["llm", "refactor", "multiply", "area.py", "--check", check, "-m", "haiku"]
    server.answers = [anthropic_stream([GOOD]), anthropic_stream([BAD])]
    assert main([*command, "--record", "t"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("--- a/area.py\n+++ b/area.py\n")
    assert main([*command, "--replay", "t"]) == 0
    assert capsys.readouterr().out == first
    assert main(command) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the check failed: nothing is proposed" in captured.err
    for wrong in ("", "'open", "no-such-program x", "./no-such-script"):
        assert main(["llm", "refactor", "multiply", "area.py", "--check", wrong, "-m", "haiku"]) == 2
        assert "check" in capsys.readouterr().err
    assert len(server.asked) == 2
    server.answers = [anthropic_stream(["no edits"])]
    assert main(command) == 1
    assert "no change passed the check: nothing is proposed" in capsys.readouterr().err
