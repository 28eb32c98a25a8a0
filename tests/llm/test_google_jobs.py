"""Large documents and batches at Google: the maker's client against a double of the API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from grn.kit.errors import ProviderError, UsageError
from grn.llm.batch import Result, fetch, state, submit
from grn.llm.calls import Caller, Terms
from grn.llm.port import Wire
from grn.llm.providers import google
from grn.llm.providers.google import Google
from grn.llm.request import File, Message, Request, Text
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import FLASH, asking
from tests.llm.gemini import Gemini
from tests.llm.servers import Server, gemini_stream, gemini_text, plain

Make = Callable[..., Caller]
COUNTED = {"promptTokenCount": 30, "candidatesTokenCount": 4}


@pytest.fixture
def gemini(server: Server, monkeypatch: pytest.MonkeyPatch) -> Gemini:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    monkeypatch.setattr(google, "_INLINE_BYTES", 1000)
    monkeypatch.setattr(google, "_LOOK_S", 0.5)
    return Gemini(server)


def documents(*sizes: int) -> Request:
    files = [File("application/pdf", b"%PDF" + bytes([n]) * size, f"{n}.pdf") for n, size in enumerate(sizes)]
    return Request(FLASH, (Message("user", (*files, Text("sum it up"))),), max_tokens=10)


def test_large_documents_are_uploaded_and_taken_back(gemini: Gemini, caller: Make) -> None:
    """Too large together, they go through the files API, once for count and answer, and are gone after it."""
    gemini.not_yet = 2
    ask = documents(600, 600)
    with closing(Google.connect(5.0)) as provider:
        assert provider.count(ask, FLASH) == 10_000
        gemini.server.answers = [gemini_stream([gemini_text("short", "STOP", COUNTED)])]
        list(provider.complete(ask, FLASH, Wire()))
        _, sent = gemini.server.asked[-1]
        uris = [f"https://example.invalid/v1/files/f{n}" for n in (1, 2)]
        parts = sent["contents"][0]["parts"]
        assert [part["fileData"] for part in parts[:2]] == [
            {"file_uri": uri, "mime_type": "application/pdf"} for uri in uris
        ]
        received = [body for path, body in gemini.server.asked if path.startswith("/v1/send/")]
        assert [body["sha256"] for body in received] == [
            hashlib.sha256(file.data).hexdigest() for file in ask.files()
        ]
    assert gemini.files == {}


def test_small_documents_go_along(gemini: Gemini, caller: Make) -> None:
    """Within the request, and nothing is left anywhere."""
    gemini.server.answers = [gemini_stream([gemini_text("short", "STOP", COUNTED)])]
    list(caller().stream(documents(100, 100)))
    (asked,) = gemini.server.asked
    assert "inlineData" in asked[1]["contents"][0]["parts"][0]


@pytest.mark.parametrize("how", ["FAILED", "PROCESSING"])
def test_a_document_that_cannot_be_read_is_named(gemini: Gemini, caller: Make, book: Book, how: str) -> None:
    """It failed there, or is never ready: said, and nothing is asked or billed."""
    gemini.file_state = how
    made = caller(timeout_s=1.0)
    with pytest.raises(ProviderError, match=r"cannot read 0\.pdf"):
        list(made.stream(documents(2000)))
    assert (book.calls()[0].how, book.calls()[0].cost_pusd) == ("refused", 0)


def test_an_upload_that_breaks_is_not_billed(gemini: Gemini, caller: Make, book: Book) -> None:
    """The question was never asked."""
    gemini.server.otherwise = lambda path, body: plain({})
    with pytest.raises(ProviderError, match="no answer"):
        list(caller().stream(documents(2000)))
    assert (book.calls()[0].how, book.calls()[0].cost_pusd) == ("refused", 0)


def test_a_batch_is_billed_by_its_results(gemini: Gemini, caller: Make, book: Book, tmp_path: Path) -> None:
    """At the price of batches; what has no answer costs nothing, and the request is the caller's words."""
    made = caller()
    asks = [asking("2+2", FLASH, system="be brief"), asking("3+3", FLASH), asking("4+4", FLASH)]
    handed_in = submit(made, asks, tmp_path, Terms(project="thesis"))
    assert (handed_in.id, handed_in.ended, handed_in.word) == ("batches/b1", False, "pending")
    sent = gemini.batches["batches/b1"]["requests"]
    assert sent[0]["request"]["systemInstruction"]["parts"] == [{"text": "be brief"}]
    assert sent[1]["request"] == {
        "contents": [{"role": "user", "parts": [{"text": "3+3"}]}],
        "generationConfig": {"maxOutputTokens": 64},
    }
    (row,) = book.calls()
    assert (row.kind, row.how, row.cost_pusd) == ("batch", "assumed", row.reserved_pusd)
    with pytest.raises(UsageError, match="not ended"):
        fetch(made, "b1", tmp_path)

    error = {"error": {"code": 13, "message": "internal"}}
    gemini.end("batches/b1", [gemini.said("four"), error, gemini.said("eight")])
    assert state(made, "b1", tmp_path).counts == {"succeeded": 2, "failed": 1}
    # Half of Gemini 3.8 Flash's $0.75 and $3.75 per million tokens.
    cost, usage = 30 * 375_000 + 4 * 1_875_000, Usage(input=30, output=4)
    assert fetch(made, "b1", tmp_path) == [
        Result(0, "four", "end", usage, cost),
        Result(1, None, "internal", Usage(), 0),
        Result(2, "eight", "end", usage, cost),
    ]
    (row,) = book.calls()
    assert (row.how, row.cost_pusd, row.project) == ("corrected", 2 * cost, "thesis")
    book.check()


@pytest.mark.parametrize("how", ["FAILED", "EXPIRED", "CANCELLED"])
def test_a_batch_that_fails_as_a_whole(
    gemini: Gemini, caller: Make, book: Book, tmp_path: Path, how: str
) -> None:
    """Each request is told what became of it, and nothing is billed."""
    made = caller()
    submit(made, [asking("2+2", FLASH)] * 2, tmp_path)
    gemini.end("batches/b1", None, how)
    none = Usage()
    assert fetch(made, "batches/b1", tmp_path) == [
        Result(place, None, how.lower(), none, 0) for place in range(2)
    ]
    assert book.calls()[0].cost_pusd == 0
