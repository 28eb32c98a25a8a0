"""Texts as vectors on this machine: the same bits every time, and the numbers that the makers publish."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grn.kit.errors import DataError, MissingExtraError, ProviderError, UnsupportedError, UsageError
from grn.llm.calls import Caller
from grn.llm.events import Finished, Vectors
from grn.llm.local import encoder
from grn.llm.local.encoder import MOST_TOKENS, MiniLM, load_encoder
from grn.llm.local.weights import embedded, names_pooling
from grn.llm.request import Embedding, Rerank
from grn.llm.spend import Book
from grn.llm.usage import Usage

Make = Callable[..., Caller]
TEXTS = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


def similarity(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def test_similarities_are_the_published_ones(minilm: MiniLM) -> None:
    """all-MiniLM-L6-v2 in float32: 0.6660, 0.1046, 0.1411, from the quickstart of Sentence Transformers 5.

    Eight bits move them by less than 0.005.
    """
    a, b, c = (minilm.encode(text).vector for text in TEXTS)
    assert len(a) == 384
    assert similarity(a, a) == pytest.approx(1.0, abs=1e-12)
    assert similarity(a, b) == pytest.approx(0.6660, abs=5e-3)
    assert similarity(a, c) == pytest.approx(0.1046, abs=5e-3)
    assert similarity(b, c) == pytest.approx(0.1411, abs=5e-3)


def test_a_vector_depends_on_its_text_alone(minilm: MiniLM) -> None:
    """Loaded anew, again, and beside other texts: the same bits."""
    first = minilm.encode(TEXTS[0])
    assert minilm.encode(TEXTS[0]) == first
    assert MiniLM().encode(TEXTS[0]) == first
    assert first.tokens == 8  # [CLS] the weather is lovely today . [SEP]


def test_vectors_come_through_the_port(caller: Make, book: Book) -> None:
    """As from any provider: in order, counted, in the book, free; and again from a tape."""
    ask = Embedding("local", TEXTS)
    events = list(caller("t", "record").stream(ask))
    assert isinstance(events[0], Vectors)
    assert events[0].vectors == tuple(load_encoder("local").encode(text).vector for text in TEXTS)
    assert events[1] == Finished("end", "local", Usage(input=25))
    (row,) = book.calls()
    assert (row.provider, row.kind, row.cost_pusd, row.how) == ("local", "embed", 0, "reported")
    assert list(caller("t", "replay").stream(ask)) == events


def test_a_text_is_read_whole_or_not_at_all(caller: Make) -> None:
    """What the model would cut off is refused, with its length; an empty text is one."""
    with pytest.raises(UsageError, match=f"reads {MOST_TOKENS} tokens, and a text has 302"):
        list(caller().stream(Embedding("local", ("ok", "word " * 300))))
    assert len(load_encoder("local").encode("").vector) == 384
    with pytest.raises(UnsupportedError, match="does not rerank"):
        list(caller().stream(Rerank("local", "q", ("a",))))


def test_any_gguf_makes_vectors(caller: Make) -> None:
    """Through llama.cpp, pooled over all tokens where the file says nothing; too long a text is refused."""
    path = embedded()
    assert not names_pooling(path)
    events = list(caller().stream(Embedding(str(path), ("hello world", "x", "hello world"))))
    assert isinstance(events[0], Vectors)
    one, other, again = events[0].vectors
    assert len(one) == 640  # the width of Gemma 3 270M
    assert one == again
    assert one != other
    assert similarity(one, one) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ProviderError, match="refused the text"):
        list(caller().stream(Embedding(str(path), ("hello " * 3000,))))


def test_a_file_names_its_pooling(tmp_path: Path) -> None:
    """As those do that were trained to make vectors."""
    (tmp_path / "bert.gguf").write_bytes(b"GGUF bert.pooling_type GGUF")
    assert names_pooling(tmp_path / "bert.gguf")


def test_what_is_missing_or_changed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the extra, or a file that is not the one that was tested."""
    monkeypatch.setattr(encoder, "_WEIGHTS", (*encoder._WEIGHTS[:2], "0" * 64))
    with pytest.raises(DataError, match="not the file that was tested"):
        MiniLM()
    monkeypatch.setattr(encoder, "_WEIGHTS", ("no-such-distribution", "x", ""))
    with pytest.raises(MissingExtraError, match="no-such-distribution"):
        MiniLM()
    nothing: Any = None
    monkeypatch.setitem(sys.modules, "onnxruntime", nothing)
    with pytest.raises(MissingExtraError) as caught:
        MiniLM()
    assert "[local]" in (caught.value.hint or "")
