"""Real clients against a double of Anthropic's API: the cheapest answer that passes a check."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grn.kit.errors import BudgetError, ProviderError, UsageError
from grn.llm.calls import Caller, Terms
from grn.llm.cascade import climb, note, noted
from grn.llm.checks import all_of, by_command, by_schema, by_suite, without_fence
from grn.llm.spend import Book
from tests.llm.asks import asking
from tests.llm.conftest import KEY
from tests.llm.servers import Server, anthropic_stream, refusal

Make = Callable[..., Caller]
MODELS = ("haiku", "sonnet", "opus")
SCHEMA = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
YEAR = by_command([sys.executable, "-c", "import sys; sys.exit(sys.stdin.read().strip() != '2002')"])


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


def test_it_goes_on_until_an_answer_passes(server: Server, caller: Make, book: Book) -> None:
    """All are asked the same, each call is in the book, the last one's price is told without asking it."""
    server.answers = [anthropic_stream(["no idea"]), anthropic_stream(["2002"], model="claude-sonnet-5-5")]
    found = climb(caller(), asking("when?", model=""), MODELS, YEAR, Terms(project="thesis"))
    assert (found.answer, found.passed) == ("2002", True)
    assert [(step.model, step.passed) for step in found.steps] == [("haiku", False), ("sonnet", True)]
    sent = [body for _, body in server.asked]
    assert [body["model"] for body in sent] == ["claude-haiku-5-5", "claude-sonnet-5-5"]
    assert sent[0]["messages"] == sent[1]["messages"]
    rows = book.calls()
    assert found.cost_pusd == sum(row.cost_pusd or 0 for row in rows) > 0
    assert {row.project for row in rows} == {"thesis"}
    # 12 tokens in and 1 out, as the double says, at Claude Opus 5.5's price of that day.
    price = caller().catalogue.find("claude-opus-5-5").price
    assert found.alone_pusd == price.cost_pusd(found.steps[1].usage)
    assert not found.alone_known


def test_a_replay_is_the_same(server: Server, caller: Make, book: Book) -> None:
    """From the tape, to the byte, costs included, without a call; the check runs again."""
    server.answers = [anthropic_stream(["1"]), anthropic_stream(["2"]), anthropic_stream(["2002"])]
    made = climb(caller("t", "record"), asking(model=""), MODELS, YEAR)
    assert made.alone_known
    assert made.alone_pusd == made.steps[2].cost_pusd
    calls = len(book.calls())
    again = climb(caller("t", "replay"), asking(model=""), MODELS, YEAR)
    assert again == made
    assert json.dumps(again.plain()) == json.dumps(made.plain())
    short = climb(caller("t", "replay"), asking(model=""), MODELS, by_command(["true"]))
    assert [step.model for step in short.steps] == ["haiku"]
    assert (len(server.asked), len(book.calls())) == (3, calls)


def test_a_refusal_does_not_pass(server: Server, caller: Make) -> None:
    """Whatever the check would say; of what was cut it decides; if none passes, the last answer is given."""
    server.answers = [
        anthropic_stream(["2002"], reason="refusal"),
        anthropic_stream(["20"], reason="max_tokens"),
        anthropic_stream(["1999"]),
    ]
    found = climb(caller(), asking(model=""), MODELS, YEAR)
    assert [step.reason for step in found.steps] == ["refused", "length", "end"]
    assert found.steps[0].said == "the answer ended by: refused"
    assert (found.answer, found.passed, found.plain()["answered"]) == ("1999", False, None)


def test_errors_end_it(server: Server, caller: Make, book: Book) -> None:
    """A fault of the provider is no failed check; --max-cost holds for all steps; models are needed."""
    server.answers = [anthropic_stream(["no"]), refusal(400, "too long")]
    with pytest.raises(ProviderError, match="too long"):
        climb(caller(), asking(model=""), MODELS, YEAR)
    assert [row.how for row in book.calls()] == ["refused", "reported"]
    server.answers = [anthropic_stream(["no"], last={"output_tokens": 60})]
    with pytest.raises(BudgetError):
        climb(caller(), asking(model=""), ("haiku", "haiku", "opus"), YEAR, Terms(max_cost_pusd=60_000_000))
    with pytest.raises(UsageError, match="needs models"):
        climb(caller(), asking(model=""), (), YEAR)


def test_cascades_are_noted(server: Server, caller: Make, tmp_path: Path) -> None:
    """A line each, without a word of what was asked; what a killed process left of a line is passed over."""
    server.answers = [anthropic_stream(["2002"])]
    found = climb(caller(), asking("secret", model=""), MODELS, YEAR)
    file = tmp_path / "llm" / "cascades.jsonl"
    assert list(noted(file)) == []
    note(file, found, "thesis", 5)
    with file.open("ab") as stream:
        stream.write(b'{"made_ns": 6, "pro')
    (line,) = noted(file)
    assert (line["answered"], line["project"], line["made_ns"]) == ("haiku", "thesis", 5)
    assert b"secret" not in file.read_bytes()


def test_answers_are_held_against_a_schema() -> None:
    """Inside a fence or not; every fault is told by its place."""
    check = by_schema(SCHEMA)
    assert check('```json\n{"year": 2002}\n```').passed
    assert check('{"year": 2002}').passed
    assert "$.year: '2002' is not of type 'integer'" in check('{"year": "2002"}').said
    assert "not JSON" in check("the year 2002").said
    assert not all_of([check, YEAR])('{"year": 2002}').passed
    with pytest.raises(UsageError, match="no JSON Schema"):
        by_schema({"type": "number or so"})


def test_answers_are_held_against_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a copy: the tree stays as it is; no key is in the check's environment; a check that hangs fails."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    (tmp_path / "try.py").write_text(
        "import os, add\nassert 'ANTHROPIC_API_KEY' not in os.environ\nassert add.add(2, 3) == 5\n"
    )
    (tmp_path / "add.py").write_text("old\n")
    check = by_suite([sys.executable, "try.py"], tmp_path, "add.py", timeout_s=20)
    assert check("```python\ndef add(a, b):\n    return a + b\n```").passed
    failed = check("def add(a, b):\n    return a - b\n")
    assert not failed.passed
    assert "AssertionError" in failed.said
    assert (tmp_path / "add.py").read_text() == "old\n"
    slow = by_command([sys.executable, "-c", "import time; time.sleep(9)"], timeout_s=0.1)
    assert slow("").said == "the check took more than 0.1 s"
    with pytest.raises(UsageError, match="lie in the tree"):
        by_suite(["true"], tmp_path, "../x.py")
    with pytest.raises(UsageError, match="cannot be run"):
        by_command(["no-such-program-of-ours"])("x")
    two = "```a\nx\n```\nand\n```b\ny\n```"
    assert without_fence(two) == two
