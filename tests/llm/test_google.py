"""The maker's client against a double of the Gemini API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from grn.kit.errors import ProviderError, UnsupportedError
from grn.llm.calls import Caller
from grn.llm.events import Finished, Started, TextDelta, ThinkingDelta, ToolAsked, Vectors
from grn.llm.providers.google import Google
from grn.llm.request import Embedding, File, Message, Request, Text, Tool, ToolCall, ToolResult
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import FLASH, asking, text
from tests.llm.conftest import Said
from tests.llm.servers import Server, gemini_stream, gemini_text, plain

Make = Callable[..., Caller]
COUNTED = {
    "promptTokenCount": 1_000,
    "cachedContentTokenCount": 900,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 1_050,
}


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)


def test_an_answer_streams_and_nothing_is_billed_twice(server: Server, caller: Make, book: Book) -> None:
    """Its prompt includes what the cache gave, its answer leaves thinking out: both are put right."""
    server.answers = [
        gemini_stream(
            [gemini_text("hm", thought=True), gemini_text("Hel"), gemini_text("lo", "STOP", COUNTED)]
        )
    ]
    events = list(caller().stream(asking(model=FLASH)))
    assert [type(event) for event in events] == [Started, ThinkingDelta, TextDelta, TextDelta, Finished]
    usage = Usage(input=100, cache_read=900, output=50, thinking=30)
    assert events[-1] == Finished("end", FLASH, usage)
    (row,) = book.calls()
    # Gemini 3.8 Flash until 2026-12-31: $0.75 in, $0.075 from the cache, $3.75 out, per million tokens.
    assert row.cost_pusd == 100 * 750_000 + 900 * 75_000 + 50 * 3_750_000
    assert (row.request_id, row.how) == ("resp-1", "reported")


def test_nothing_is_sent_but_what_was_said(server: Server, caller: Make) -> None:
    """The request is the caller's words and the bound on the answer."""
    server.answers = [gemini_stream([gemini_text("x", "STOP", COUNTED)])]
    list(caller().stream(asking("why?", model=FLASH)))
    path, sent = server.asked[0]
    assert path == f"/v1/models/{FLASH}:streamGenerateContent?alt=sse"
    assert sent == {
        "contents": [{"role": "user", "parts": [{"text": "why?"}]}],
        "generationConfig": {"maxOutputTokens": 64},
    }


def test_everything_that_can_be_said_is_sent(server: Server, caller: Make) -> None:
    """System prompt, temperature, schema, tools, effort, files and tool results, in its words."""
    call = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "add", "args": {"a": 1}}}]},
                            "finishReason": "STOP"}], "usageMetadata": COUNTED}  # fmt: skip
    server.answers = [gemini_stream([call])]
    ask = Request(
        model=FLASH,
        messages=(
            Message("user", (File("application/pdf", b"%PDF-1.4", "r.pdf"), Text("?"))),
            Message("assistant", (ToolCall("t1", "add", '{"a": 1}'),)),
            Message("user", (ToolResult("t1", "2"),)),
        ),
        system="be brief",
        temperature=0.0,
        schema={"type": "object"},
        tools=(Tool("add", "adds", {"type": "object"}),),
        effort="high",
    )
    events = list(caller().stream(ask))
    assert ToolAsked("add-0", "add", '{"a": 1}') in events
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "tool"
    _, sent = server.asked[0]
    assert sent["systemInstruction"]["parts"] == [{"text": "be brief"}]
    assert sent["generationConfig"]["temperature"] == 0.0
    assert sent["generationConfig"]["responseJsonSchema"] == {"type": "object"}
    thinking = sent["generationConfig"]["thinkingConfig"]  # the client writes it as Protobuf's JSON may be
    assert thinking == {"thinking_level": "HIGH", "include_thoughts": True}
    assert sent["tools"][0]["functionDeclarations"][0]["name"] == "add"
    assert sent["contents"][0]["parts"][0]["inlineData"]["mime_type"] == "application/pdf"
    assert sent["contents"][2]["parts"][0]["functionResponse"]["name"] == "add"


def test_a_refusal_is_told_as_one(server: Server, caller: Make) -> None:
    """A blocked prompt has no candidates and is an answer all the same: it was billed for."""
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}
    server.answers = [gemini_stream([blocked])]
    events = list(caller().stream(asking(model=FLASH)))
    assert events[-1] == Finished("refused", FLASH, Usage(input=5))


def test_google_serves_another_model_from_december_on(
    server: Server, caller: Make, book: Book, said: Said
) -> None:
    """Announced: from 2026-12-01 requests for Gemini 2.5 Pro are answered, and billed, as another model."""
    server.answers = [gemini_stream([gemini_text("x", "STOP", COUNTED)], model=FLASH)]
    list(caller().stream(asking(model="gemini-2.5-pro")))
    assert said[0] == "gemini-2.5-pro ends on 2026-12-01; its successor is gemini-3.8-flash"
    assert said[1].startswith("gemini-2.5-pro was asked and gemini-3.8-flash answered")
    assert book.calls()[0].cost_pusd == 100 * 750_000 + 900 * 75_000 + 50 * 3_750_000


def test_tokens_are_counted_by_the_provider(server: Server) -> None:
    """A system prompt is counted with the rest."""
    server.answers = [plain({"totalTokens": 42})]
    with closing(Google.connect(5.0)) as provider:
        assert provider.count(asking("x", model=FLASH, system="s"), FLASH) == 42
    path, sent = server.asked[0]
    assert path.endswith(":countTokens")
    assert [part["parts"][0]["text"] for part in sent["contents"]] == ["s", "x"]


def test_texts_become_vectors(server: Server, caller: Make, book: Book) -> None:
    """One vector a text; the provider counts nothing, so our own estimate is billed."""
    server.answers = [plain({"embeddings": [{"values": [0.5, -1.0]}, {"values": [0.25, 2.0]}]})]
    ask = Embedding("gemini-embedding-001", ("one", "two"), "query")
    events = list(caller().stream(ask))
    assert events[0] == Vectors(((0.5, -1.0), (0.25, 2.0)))
    assert server.asked[0][1]["requests"][0]["taskType"] == "RETRIEVAL_QUERY"
    assert book.calls()[0].kind == "embed"


def test_a_mark_for_the_cache_is_refused(caller: Make) -> None:
    """Google caches by itself; a mark that would do nothing is not swallowed."""
    with pytest.raises(UnsupportedError, match="by itself"):
        list(caller().stream(asking(model=FLASH, cache="5m")))


def test_a_stream_that_stops_early_is_an_error(server: Server, caller: Make, book: Book) -> None:
    """No reason to stop was given: what came is billed by estimate."""
    server.answers = [gemini_stream([gemini_text("half of", None, {"promptTokenCount": 10})])]
    events = []
    with pytest.raises(ProviderError, match="in the middle"):
        events += [event for event in caller().stream(asking(model=FLASH)) if events is not None]
    (row,) = book.calls()
    assert (row.how, row.usage) == ("estimated", Usage(input=10, output=3))
    assert text(events) == ""
