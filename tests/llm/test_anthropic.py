"""The maker's client against a double of the Messages API, and against llama.cpp, which speaks it too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction

import pytest

from grn.kit.errors import UsageError
from grn.llm.calls import Caller
from grn.llm.events import Finished, Started, TextDelta, ThinkingDelta, ToolAsked
from grn.llm.local.engine import Engine
from grn.llm.money import PICO
from grn.llm.providers.anthropic import Anthropic
from grn.llm.request import File, Message, Request, Text, Tool, ToolCall, ToolResult
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import HAIKU, asking
from tests.llm.conftest import Said
from tests.llm.servers import Server, anthropic_stream, plain, sse

Make = Callable[..., Caller]
PDF = File("application/pdf", b"%PDF-1.4", "r.pdf")
PICTURE = File("image/png", b"p", "p.png")


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)


def test_an_answer_streams_and_is_billed_by_its_classes(server: Server, caller: Make, book: Book) -> None:
    """Events as they come; tokens written for five minutes and an hour, read and fresh are billed apart."""
    first = {
        "input_tokens": 10, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    }  # fmt: skip
    server.answers = [anthropic_stream(["Hel", "lo"], first=first)]
    events = list(caller().stream(asking()))
    assert [type(event) for event in events] == [Started, TextDelta, TextDelta, Finished]
    usage = Usage(input=10, cache_write_5m=100, cache_write_1h=200, cache_read=400, output=2)
    assert events[-1] == Finished("end", HAIKU, usage)
    (row,) = book.calls()
    # Claude Haiku 5.5, dollars per million tokens: 0.10 in, 0.125 and 0.20 written, 0.01 read, 0.50 out.
    usd = (
        10 * Fraction("0.1") + 100 * Fraction("0.125") + 200 * Fraction("0.2") + 400 * Fraction("0.01") + 1
    ) / 10**6
    assert row.cost_pusd == usd * PICO
    assert (row.how, row.request_id, row.served, row.attempts) == ("reported", "req_011", HAIKU, 1)


def test_nothing_is_sent_but_what_was_said(server: Server, caller: Make) -> None:
    """No system prompt, no tools, no preamble: the request is the caller's words and the model's name."""
    server.answers = [anthropic_stream(["x"])]
    list(caller().stream(asking("why?")))
    assert server.asked == [
        (
            "/v1/messages",
            {
                "model": HAIKU,
                "max_tokens": 64,
                "stream": True,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "why?"}]}],
            },
        )
    ]


def test_everything_that_can_be_said_is_sent(server: Server, caller: Make) -> None:
    """System prompt, temperature, schema, tools, effort, cache time, files and tool results, in its words."""
    server.answers = [anthropic_stream(["{}"])]
    ask = Request(
        model=HAIKU,
        messages=(
            Message("user", (PDF, PICTURE, Text("?"))),
            Message("assistant", (ToolCall("t1", "add", '{"a": 1}'),)),
            Message("user", (ToolResult("t1", "2"),)),
        ),
        system="be brief",
        temperature=0.5,
        schema={"type": "object"},
        tools=(Tool("add", "adds", {"type": "object"}),),
        effort="low",
        cache="1h",
    )
    list(caller().stream(ask))
    (_, sent) = server.asked[0]
    assert sent["system"] == "be brief"
    assert sent["temperature"] == 0.5
    assert sent["output_config"] == {
        "format": {"type": "json_schema", "schema": {"type": "object"}},
        "effort": "low",
    }
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert sent["tools"] == [{"name": "add", "description": "adds", "input_schema": {"type": "object"}}]
    assert [block["type"] for block in sent["messages"][0]["content"]] == ["document", "image", "text"]
    assert sent["messages"][1]["content"][0]["input"] == {"a": 1}
    assert sent["messages"][2]["content"][0]["tool_use_id"] == "t1"


def block_start(index: int, block: dict[str, object]) -> bytes:
    return sse("content_block_start", {"index": index, "content_block": block})


def block_delta(index: int, delta: dict[str, str]) -> bytes:
    return sse("content_block_delta", {"index": index, "delta": delta})


def test_thinking_and_tools_come_as_events(server: Server, caller: Make) -> None:
    """Thinking is told apart and counted; a tool's arguments are put together from their pieces."""
    thought = {"type": "thinking", "thinking": "", "signature": ""}
    tool = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
    blocks = [
        block_start(0, thought),
        block_delta(0, {"type": "thinking_delta", "thinking": "hm"}),
        sse("content_block_stop", {"index": 0}),
        block_start(1, tool),
        block_delta(1, {"type": "input_json_delta", "partial_json": '{"a"'}),
        block_delta(1, {"type": "input_json_delta", "partial_json": ": 1}"}),
        sse("content_block_stop", {"index": 1}),
    ]
    last = {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 12}}
    server.answers = [anthropic_stream([], blocks=blocks, last=last, reason="tool_use")]
    events = list(caller().stream(asking()))
    assert events[1:3] == [ThinkingDelta("hm"), ToolAsked("t1", "add", '{"a": 1}')]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "tool"
    assert (events[-1].usage.output, events[-1].usage.thinking) == (30, 12)


def test_a_retired_name_is_never_sent(server: Server, caller: Make, book: Book, said: Said) -> None:
    """The successor is, and the notice and the book say so."""
    server.answers = [anthropic_stream(["x"], model="claude-sonnet-4-6")]
    list(caller().stream(asking(model="claude-3-5-sonnet-20241022")))
    assert server.asked[0][1]["model"] == "claude-sonnet-4-6"
    assert "retired on 2025-10-28: sending claude-sonnet-4-6" in said[0]
    (row,) = book.calls()
    assert (row.asked, row.sent) == ("claude-3-5-sonnet-20241022", "claude-sonnet-4-6")


def test_another_model_s_answer_is_an_alarm(server: Server, caller: Make, book: Book, said: Said) -> None:
    """It is billed at the price of the model that answered; a dated snapshot of the same one is no other."""
    server.answers = [
        anthropic_stream(["x"], model="claude-opus-5-5"),
        anthropic_stream(["x"], model="claude-haiku-5-5-20261001"),
    ]
    list(caller().stream(asking()))
    assert said[0].startswith("claude-haiku-5-5 was asked and claude-opus-5-5 answered")
    (row,) = book.calls()
    assert row.cost_pusd == 12 * 4_000_000 + 1 * 20_000_000
    assert row.note == said[0]
    list(caller().stream(asking()))
    assert len(said) == 1
    assert book.calls()[0].note is None


def test_tokens_are_counted_by_the_provider(server: Server) -> None:
    """The endpoint for counting is asked without what it does not take."""
    server.answers = [plain({"input_tokens": 77})]
    with closing(Anthropic.connect(5.0)) as provider:
        assert provider.count(asking("x", temperature=0.0), HAIKU) == 77
    path, sent = server.asked[0]
    assert path == "/v1/messages/count_tokens"
    assert "max_tokens" not in sent


def test_attachments_are_bounded(caller: Make, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a request may have is said before it is sent."""
    monkeypatch.setattr("grn.llm.providers.anthropic._MAX_BYTES", 8)
    file = File("application/pdf", b"%PDF-1.4 and more", "r.pdf")
    with pytest.raises(UsageError, match="too large for Anthropic"):
        list(caller().stream(Request(HAIKU, (Message("user", (file,)),))))
    assert server.asked == []


def test_llama_cpp_answers_the_same_client(
    engine: Engine, caller: Make, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server of the wire format: stream, usage and counting through the maker's client."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", engine.address)
    monkeypatch.setenv("ANTHROPIC_API_KEY", engine.key)
    made = caller(timeout_s=60.0)
    events = list(made.stream(asking("one two three four five", temperature=0.0, max_tokens=8)))
    assert [type(event) for event in events[:2]] == [Started, TextDelta]
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.output) == ("length", 8)
    counted = made.provider("anthropic").count(asking("one two three four five"), HAIKU)
    assert counted == end.usage.prompt
    (row,) = book.calls()
    # The name that it answers with would be free on this machine: here it is billed as what was asked.
    assert "whose price is not known" in (row.note or "")
    assert row.cost_pusd == end.usage.input * 100_000 + end.usage.cache_read * 10_000 + 8 * 500_000
