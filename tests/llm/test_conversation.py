from __future__ import annotations

from pathlib import Path

import pytest

from grn.kit.errors import MissingError, UsageError
from grn.llm.conversation import load_last, save_last
from grn.llm.request import File, Message, Request, Text, ToolCall, ToolResult
from grn.llm.template import Template, load_template

ASK = Request(
    "haiku",
    (
        Message("user", (File("application/pdf", b"%PDF-1", "r.pdf"), Text("what is it?"))),
        Message("assistant", (ToolCall("1", "look", "{}"),)),
        Message("user", (ToolResult("1", "a report", True),)),
    ),
    system="be brief",
)
ANSWER = Message("assistant", (Text("A report."),))


def test_a_conversation_goes_on_where_it_was(tmp_path: Path) -> None:
    """Every turn with its parts, attachments included, whatever has become of the files."""
    save_last(tmp_path, ASK, ANSWER)
    found = load_last(tmp_path)
    assert (found.model, found.system) == ("haiku", "be brief")
    assert found.messages == (*ASK.messages, ANSWER)


def test_the_last_one_holds(tmp_path: Path) -> None:
    """A new question begins a new conversation."""
    save_last(tmp_path, ASK, ANSWER)
    save_last(tmp_path, Request("flash", (Message("user", (Text("new"),)),)), ANSWER)
    assert load_last(tmp_path).model == "flash"


def test_without_one_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    """Nothing there is exit code 3; a damaged file is an error."""
    with pytest.raises(MissingError):
        load_last(tmp_path)
    (tmp_path / "last.json").write_text('{"model": 1}')
    with pytest.raises(UsageError, match="no conversation"):
        load_last(tmp_path)


def test_a_template_sets_what_it_says(tmp_path: Path) -> None:
    """What is asked stands where {input} is, or after the prompt."""
    (tmp_path / "review.toml").write_text('system = "s"\nprompt = "Look: {input}!"\nmax_tokens = 7\n')
    template = load_template(tmp_path, "review")
    assert template == Template("s", "Look: {input}!", None, 7)
    assert template.fill("here") == "Look: here!"
    assert Template(prompt="Review").fill("this") == "Review\n\nthis"
    assert Template(prompt="Review").fill("") == "Review"
    assert Template().fill("this") == "this"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("sytem = 's'", "unknown entry"),
        ("max_tokens = true", "must be int"),
        ("prompt = 1", "must be str"),
        ("=", "is no template"),
    ],
)
def test_a_template_that_is_none_is_refused(tmp_path: Path, text: str, match: str) -> None:
    """Entry and value are named."""
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(UsageError, match=match):
        load_template(tmp_path, "x")


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    """Those that are, are listed."""
    (tmp_path / "review.toml").write_text("")
    with pytest.raises(MissingError) as caught:
        load_template(tmp_path, "revue")
    assert "there are: review" in (caught.value.hint or "")
