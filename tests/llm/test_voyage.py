"""The maker's client against a double of Voyage's API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from grn.kit.errors import AccessError, ProviderError, UnreachableError, UnsupportedError
from grn.llm.calls import Caller
from grn.llm.events import Finished, Ranking, Vectors
from grn.llm.request import Embedding, Rerank
from grn.llm.spend import Book
from grn.llm.usage import Usage
from tests.llm.asks import asking
from tests.llm.conftest import Said
from tests.llm.servers import Answer, Server, plain

Make = Callable[..., Caller]


@pytest.fixture(autouse=True)
def _address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOYAGE_BASE_URL", f"{server.url}/v1")


def embedded(*vectors: list[float], tokens: int = 7) -> Answer:
    data = [{"object": "embedding", "embedding": v, "index": i} for i, v in enumerate(vectors)]
    return plain({"object": "list", "data": data, "model": "voyage-4", "usage": {"total_tokens": tokens}})


def test_texts_become_vectors(server: Server, caller: Make, book: Book) -> None:
    """In order, with the role that was asked for, billed by the provider's count."""
    server.answers = [embedded([0.5, 1.0], [0.25, -2.0])]
    events = list(caller().stream(Embedding("voyage-4", ("a", "b"), "document")))
    assert events == [Vectors(((0.5, 1.0), (0.25, -2.0))), Finished("end", "voyage-4", Usage(input=7))]
    path, sent = server.asked[0]
    assert path == "/v1/embeddings"
    assert (sent["input"], sent["model"], sent["input_type"]) == (["a", "b"], "voyage-4", "document")
    assert sent["truncation"] is False
    assert book.calls()[0].cost_pusd == 7 * 60_000  # $0.06 per million tokens


def test_the_specification_s_model_has_a_successor(server: Server, caller: Make, said: Said) -> None:
    """`voyage-code-2` is not sent: its successor is, with a notice."""
    server.answers = [embedded([1.0])]
    list(caller().stream(Embedding("voyage-code-2", ("a",))))
    assert server.asked[0][1]["model"] == "voyage-code-4"
    assert said == ["voyage-code-2 is a legacy model: sending voyage-code-4 instead"]


def test_documents_are_ordered(server: Server, caller: Make, book: Book) -> None:
    """The best first, by index and score; the query is billed once a document."""
    found = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    server.answers = [
        plain({"object": "list", "data": found, "model": "rerank-2.5", "usage": {"total_tokens": 9}})
    ]
    events = list(caller().stream(Rerank("rerank-2.5", "q", ("x", "y"))))
    assert events[0] == Ranking(((1, 0.9), (0, 0.1)))
    assert (book.calls()[0].kind, book.calls()[0].cost_pusd) == ("rerank", 9 * 50_000)


def test_too_few_vectors_are_an_error(server: Server, caller: Make) -> None:
    """A vector for each text, or none at all."""
    server.answers = [embedded([1.0])]
    with pytest.raises(ProviderError, match="no answer"):
        list(caller().stream(Embedding("voyage-4", ("a", "b"))))


def test_errors_have_their_kind(
    server: Server, caller: Make, book: Book, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad key, a limit that is waited for, a server that is not there; none of them is billed."""
    made = caller()
    server.answers = [
        Answer(401, chunks=[b'{"detail": "Provided API key is invalid."}']),
        Answer(429, {"Retry-After": "3"}, [b'{"detail": "slow down"}']),
        embedded([1.0]),
    ]
    with pytest.raises(AccessError, match="does not accept the key"):
        list(made.stream(Embedding("voyage-4", ("a",))))
    list(made.stream(Embedding("voyage-4", ("a",))))
    assert said.slept == [3.0]
    monkeypatch.setenv("VOYAGE_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(UnreachableError):
        list(caller().stream(Embedding("voyage-4", ("a",))))
    assert [row.how for row in book.calls()] == ["refused", "reported", "refused"]


def test_it_does_not_talk(caller: Make) -> None:
    """A question to an embedding model is refused before anything is sent."""
    with pytest.raises(UnsupportedError):
        list(caller().stream(asking(model="voyage-4")))
