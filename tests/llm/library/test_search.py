from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.errors import BudgetError, UsageError
from grn.llm.calls import Caller, Terms
from grn.llm.library import vectors
from grn.llm.library.follow import follow
from grn.llm.library.index import Index, open_index
from grn.llm.library.retrieve import retrieve
from grn.llm.library.search import by_vectors, fuse, search
from grn.llm.library.vectors import Asked, Here, embed, encoder_of, told
from grn.llm.spend import Book
from tests.llm.conftest import Said
from tests.llm.library.papers import write_papers
from tests.llm.servers import Answer, Body, Server, plain

Make = Callable[..., Caller]
SCORES = st.dictionaries(st.integers(0, 30), st.floats(-5, 5, allow_nan=False), min_size=1)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """A small library, read."""
    write_papers(tmp_path / "papers")
    with open_index("docs", tmp_path / "indexes") as opened:
        opened.add(tmp_path / "papers")
        follow(opened)
        yield opened


def test_answers_by_words_and_by_meaning(index: Index) -> None:
    """A word that is there is found by words, another word for it by vectors; the same each time."""
    encoder = Here("local")
    assert embed(index, encoder) == 10
    assert embed(index, encoder) == 0
    asked = {
        "standard error of the ratio": "lo2002 p. 1",
        "transfer cash between accounts": "papers/money.py:1",
        "inverted term structure of interest rates": "papers/page.html:3",
        "momentum in a rebound": "crash2021 p. 1",
    }
    for question, cite in asked.items():
        vector = encoder.query(question)
        found = search(index, question, vector, "local")
        assert found[0].placed.cite == cite, question
        assert search(index, question, vector, "local") == found
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    found = search(index, "transfer cash", encoder.query("transfer cash"), "local", way="words")
    assert found == []
    (best, *_) = search(index, "prices", None, None)
    assert (best.placed.cite, best.by_words, best.by_vectors) == ("papers/work.ipynb cell 2", 1, None)


def test_vectors_depend_on_their_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of threads and the texts beside it, bit for bit; a long one is cut."""
    encoder = Here("local")
    texts = [f"{word} " * times for word in ("money", "moves") for times in (1, 30, 900)] * 3
    monkeypatch.setattr(vectors, "default_threads", lambda: 4)
    found = [vector for some in encoder.documents(texts) for vector in some]
    assert found == [encoder.query(text) for text in texts]


def test_all_vectors_are_looked_at(index: Index) -> None:
    """The best by cosine, whatever the lengths; equal ones in order of their place."""
    content = [content for content, _ in index.missing("m")]
    index.keep("m", [(one, [2.0 * (at == 3), 1.0]) for at, one in enumerate(content)])
    scores = by_vectors(index, [1.0, 0.0], "m")
    assert list(scores) == [4, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert scores[4] == pytest.approx(2 / 5**0.5, abs=1e-5)
    assert by_vectors(index, [1.0, 0.0], "another") == {}


@given(SCORES, SCORES)
def test_scores_are_fused(lexical: dict[int, float], semantic: dict[int, float]) -> None:
    """What is best in both is best; nothing is lost; scale and shift of either do not matter."""
    fused = fuse(lexical, semantic)
    assert set(fused) == {*lexical, *semantic}
    assert all(0 <= score <= 1 for score in fused.values())
    both = max(lexical, key=lexical.__getitem__)
    if semantic.get(both) == max(semantic.values()):
        assert fused[both] == max(fused.values())
    moved = fuse({ident: 4 * score + 8 for ident, score in lexical.items()}, semantic)
    assert all(abs(moved[ident] - score) < 1e-6 for ident, score in fused.items())


def test_code_is_told_in_words(index: Index) -> None:
    """Identifiers are taken apart for an encoder of prose; a heading is not said twice."""
    every = {placed.cite: told(placed) for placed in index.passages(range(1, 11)).values()}
    assert every["papers/money.py:1"].startswith("money move money\ndef move money(amount):")
    assert every["papers/notes.md:1"] == "# Money\n\nMoney moves in one place."


def voyage(path: str, body: Body) -> Answer:
    """A double of Voyage's API: vectors from lengths of texts, the last document is the best."""
    if path.endswith("/rerank"):
        found = [{"index": at, "relevance_score": 0.5 + at / 100} for at in range(len(body["documents"]))]
        return plain(
            {"object": "list", "data": found[::-1], "model": body["model"], "usage": {"total_tokens": 9}}
        )
    data = [{"object": "embedding", "embedding": [float(len(text)), 1.0], "index": at}
            for at, text in enumerate(body["input"])]  # fmt: skip
    return plain({"object": "list", "data": data, "model": body["model"], "usage": {"total_tokens": 50}})


def test_a_paid_model_makes_the_vectors(
    index: Index, server: Server, caller: Make, book: Book, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Priced before, billed, its query has its role, reranked on request, replayed from a tape."""
    monkeypatch.setenv("VOYAGE_BASE_URL", f"{server.url}/v1")
    server.otherwise = voyage
    made = caller("t", "record")
    encoder = encoder_of("voyage-code-4", made, Terms(project="thesis"))
    assert isinstance(encoder, Asked)
    assert encoder.price_pusd(["one", "two"]) > 0
    with pytest.raises(BudgetError, match="the index may cost"):
        embed(index, encoder_of("voyage-code-4", made, Terms(max_cost_pusd=1)))
    assert server.asked == []
    assert embed(index, encoder) == 10
    assert [body["input_type"] for _, body in server.asked] == ["document"]
    index.put("model", "voyage-code-4")
    folder = tmp_path / "indexes"
    found = retrieve(made, "ratio", "docs", folder, rerank="rerank-2.5", limit=3)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert [(row.kind, row.project) for row in reversed(book.calls())] == [
        ("embed", "thesis"), ("embed", ""), ("rerank", ""),
    ]  # fmt: skip
    sent = len(server.asked)
    replayed = caller("t", "replay")
    assert retrieve(replayed, "ratio", "docs", folder, rerank="rerank-2.5", limit=3) == found
    assert len(server.asked) == sent


def test_missing_vectors_are_said(index: Index, server: Server, caller: Make, said: Said, tmp_path: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A paid model makes none on the way to an answer; an index without vectors is searched by words."""
    monkeypatch.setenv("VOYAGE_BASE_URL", f"{server.url}/v1")
    server.otherwise = voyage
    folder = tmp_path / "indexes"
    index.put("model", "voyage-code-4")
    found = retrieve(caller(), "ratio", "docs", folder, notify=said.append)
    assert found[0].by_vectors is None
    assert said == ["10 passages have no vectors yet and are found by words: grn llm index"]
    index.put("model", "none")
    assert retrieve(caller(), "ratio", "docs", folder)[0].placed.key == "lo2002"
    with pytest.raises(UsageError, match="no vectors"):
        retrieve(caller(), "ratio", "docs", folder, way="vectors")
    for question, name in ((" ", "docs"), ("ratio", "other")):
        with pytest.raises(UsageError):
            retrieve(caller(), question, name, folder)
