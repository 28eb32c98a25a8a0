"""Calls whose marks are planned: the maker's client against a double of the Messages API, and tapes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grn.kit.clock import FixedClock
from grn.kit.errors import GrnError, UnsupportedError
from grn.llm.calls import Caller, Terms
from grn.llm.plan.placement import Placer
from grn.llm.plan.requests import prompt_of, read_tape
from grn.llm.providers.anthropic import body
from grn.llm.request import File, Message, Request, Text, Tool, canonical, key_of
from grn.llm.tape import Tape
from tests.llm.asks import HAIKU, asking, text
from tests.llm.conftest import NOW_NS, Said
from tests.llm.servers import Answer, Server, anthropic_stream, refusal

Make = Callable[..., Caller]
Body = dict[str, Any]
MARK = {"type": "ephemeral", "ttl": "5m"}
BOOK = Text("It was a dark and stormy night. " * 1000)
TOOL = Tool("add", "adds", {"type": "object"})


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    server.otherwise = lambda path, sent: anthropic_stream(["answer"])


def about(words: str, **fields: Any) -> Request:
    """Ask about the book; 32,000 bytes are about 8,000 tokens, twice the shortest length of Haiku 5.5."""
    message = Message("user", (BOOK, Text(words)))
    return Request(HAIKU, (message,), **{"max_tokens": 64, "cache": "plan", **fields})


def placing(folder: Path) -> Callable[[], Placer]:
    return lambda: Placer(folder / "plan.json", FixedClock(NOW_NS))


def bare(sent: Body) -> Body:
    """Leave the marks out, and the one other thing that they change: how a system prompt is written."""
    found = copy.deepcopy(sent)
    for message in found["messages"]:
        for block in message["content"]:
            block.pop("cache_control", None)
    for tool in found.get("tools", ()):
        tool.pop("cache_control", None)
    if isinstance(found.get("system"), list):
        found["system"] = found["system"][0]["text"]
    return found


def test_marks_stand_where_they_are_planned(server: Server, caller: Make, tmp_path: Path, said: Said) -> None:
    """Behind the material, for the next question; what is sent is otherwise what was said, and it is told."""
    make = partial(caller, placer=placing(tmp_path))
    for words in ("who?", "when?", "why?"):
        list(make().stream(about(words)))
    for _, sent in server.asked:
        book, _ = sent["messages"][0]["content"]
        assert book["cache_control"] == MARK
        assert "cache_control" not in sent
        assert bare(sent) == {**body(about("", cache=None), HAIKU), "stream": True} | {
            "messages": bare(sent)["messages"]
        }
    assert [block["text"] for block in bare(server.asked[-1][1])["messages"][0]["content"]] == [
        BOOK.text,
        "why?",
    ]
    assert said[0].startswith("cache: about 0 tokens read, 8,0")
    assert "cache: about 8,000 tokens read" in said[1]
    assert "the end of the material (5m)" in said[1]
    # This double keeps nothing, and says so in its count.
    assert said[2] == "cache: nothing was read, though about 8,000 tokens should have been kept"


def test_what_is_read_as_planned_needs_no_word(
    server: Server, caller: Make, tmp_path: Path, said: Said
) -> None:
    """One line a call where the provider's count agrees."""
    make = partial(caller, placer=placing(tmp_path))
    list(make().stream(about("who?")))
    server.answers = [anthropic_stream(["x"], first={"input_tokens": 5, "cache_read_input_tokens": 8400})]
    list(make().stream(about("when?")))
    assert [line[:12] for line in said] == ["cache: about", "cache: about"]


def test_every_level_can_be_marked() -> None:
    """Tools, system prompt, files and words, each by its place; the system prompt becomes a block."""
    picture = File("image/png", b"p", "p.png")
    ask = Request(
        HAIKU, (Message("user", (picture, Text("?"))), Message("assistant", (Text("!"),))), "be brief",
        tools=(TOOL,), cache="plan", marks=((0, "1h"), (1, "1h"), (2, "5m"), (4, "5m")),
    )  # fmt: skip
    sent = body(ask, HAIKU)
    assert sent["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert sent["system"] == [
        {"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    assert [block.get("cache_control") for message in sent["messages"] for block in message["content"]] == [
        MARK, None, MARK,
    ]  # fmt: skip
    assert bare(sent) == body(Request(HAIKU, ask.messages, "be brief", tools=(TOOL,)), HAIKU)
    # The prompt as the planner sees it has its blocks at the same places.
    prompt = prompt_of(ask, HAIKU, 0, lambda _, words: len(words))
    assert [(block.level, block.kind) for block in prompt.blocks] == [
        ("tools", "tool"), ("system", "text"), ("messages", "document"), ("messages", "text"),
        ("messages", "text"),
    ]  # fmt: skip


def test_a_plan_is_no_part_of_what_is_asked(server: Server, caller: Make, tmp_path: Path) -> None:
    """Recorded with a plan, an answer is found with it and without; and the tape knows the marks."""
    make = partial(caller, placer=placing(tmp_path))
    events = list(make("t", "record").stream(about("who?")))
    assert list(make("t", "replay").stream(about("who?"))) == events
    assert list(caller("t", "replay").stream(about("who?", cache=None))) == events
    assert len(server.asked) == 1
    assert key_of(canonical("anthropic", about("who?"))) == key_of(
        canonical("anthropic", about("who?", cache=None))
    )
    (record,) = Tape(tmp_path / "tapes", "t").records()
    assert record.marks == ((0, "5m"), (1, "5m"))
    (read,) = read_tape([record], lambda _, words: len(words))
    assert read.marks == record.marks


def test_a_conversation_is_marked_at_its_ends(server: Server, caller: Make, tmp_path: Path) -> None:
    """A turn later the end of the last prompt is marked again, where it is kept, and so is the new end."""
    make = partial(caller, placer=placing(tmp_path))
    first = about("who?")
    list(make().stream(first))
    said = (*first.messages, Message("assistant", (Text("answer"),)), Message("user", (Text("why?"),)))
    list(make().stream(Request(HAIKU, said, max_tokens=64, cache="plan")))
    marked = [
        block["text"][:9]
        for message in server.asked[-1][1]["messages"]
        for block in message["content"]
        if "cache_control" in block
    ]
    assert marked[-2:] == ["who?", "why?"]


def test_what_is_private_teaches_nothing(caller: Make, tmp_path: Path) -> None:
    """Marks are placed by what is known, and not even a hash of it is kept."""
    list(caller(placer=placing(tmp_path)).stream(about("who?"), Terms(private=True)))
    assert not (tmp_path / "plan.json").exists()


def test_a_call_does_not_need_the_memory(server: Server, caller: Make, tmp_path: Path, said: Said) -> None:
    """Where it cannot be written the call is made all the same, marked as one without a past."""
    (tmp_path / "file").write_text("")
    assert text(list(caller(placer=placing(tmp_path / "file")).stream(about("who?")))) == "answer"
    assert "is not kept" in said[-1]
    assert "cache_control" in server.asked[0][1]["messages"][0]["content"][0]


@pytest.mark.parametrize("answer", [refusal(400), Answer(chunks=[b"x"], cut=True)])
def test_a_call_that_fails_has_written_nothing(
    answer: Answer, server: Server, caller: Make, tmp_path: Path
) -> None:
    """Nothing is remembered of what no answer began to: the next call is planned as the first one."""
    server.otherwise = lambda path, sent: answer
    with pytest.raises(GrnError):
        list(caller(placer=placing(tmp_path)).stream(about("who?")))
    assert not (tmp_path / "plan.json").exists()


def test_without_a_planner_nothing_is_marked(server: Server, caller: Make) -> None:
    """A caller that was given none sends the words alone."""
    list(caller().stream(about("who?")))
    assert bare(server.asked[0][1]) == server.asked[0][1]
    assert caller().placed(about("who?")) is None


def test_short_prompts_and_other_makers(caller: Make, tmp_path: Path, said: Said) -> None:
    """Too short is told with the length; another maker's model has no such plan."""
    make = partial(caller, placer=placing(tmp_path))
    list(make().stream(asking("hi", cache="plan")))
    assert said == ["cache: no marks: about 1 tokens, and fewer than 4,096 are not kept"]
    with pytest.raises(UnsupportedError, match="rules of the cache are Anthropic's"):
        make().placed(asking("hi", "gemini-3.8-flash", cache="plan"))


def test_a_schema_or_an_effort_begins_anew(tmp_path: Path) -> None:
    """A schema changes all from the system prompt on, how hard to think the messages: other prefixes."""

    def prefixes(**fields: Any) -> tuple[str, ...]:
        return prompt_of(about("?", system="s", tools=(TOOL,), **fields), HAIKU, 0, lambda *_: 1).prefixes

    plain, schema, effort = prefixes(), prefixes(schema={"type": "object"}), prefixes(effort="low")
    assert [one == other for one, other in zip(plain, schema, strict=True)] == [True, False, False, False]
    assert [one == other for one, other in zip(plain, effort, strict=True)] == [True, True, False, False]
