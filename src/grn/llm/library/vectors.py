"""Passages as vectors: by the encoder on this machine, or by a model that is paid for, under the budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Protocol

from grn.kit.errors import BudgetError, ProviderError, UsageError
from grn.llm import lifecycle
from grn.llm.calls import Caller, Terms
from grn.llm.events import Vectors
from grn.llm.library.index import Index, Placed
from grn.llm.local.encoder import Encoder as LocalEncoder
from grn.llm.local.encoder import MiniLM, load_encoder
from grn.llm.local.engine import default_threads
from grn.llm.money import usd_text
from grn.llm.request import Embedding

_KEPT_AT_ONCE = 32  # passages whose vectors are written together: what a kill can lose
_TEXTS, _BYTES = 100, 300_000  # of one call: Google takes 100 texts, Voyage 1,000 and 120,000 tokens
_LONGEST = 20_000  # letters of a passage that a paid model is sent
_LONGEST_HERE = 1_400  # letters in which the 256 tokens of the local encoder end, spaces left out
_IDENTIFIER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_+")


class Encoder(Protocol):
    """What turns passages and questions into vectors of one kind."""

    @property
    def model(self) -> str:
        """Its full name: vectors of different models are never compared."""
        ...

    def documents(self, texts: Sequence[str]) -> Iterator[Sequence[Sequence[float]]]:
        """Turn texts into vectors, a handful at a time and in order."""
        ...

    def query(self, text: str) -> Sequence[float]:
        """Turn a question into a vector."""
        ...


class Here:
    """The encoder on this machine, see :mod:`grn.llm.local.encoder`: free, and the same bytes each time."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._loaded: LocalEncoder | None = None

    def documents(self, texts: Sequence[str]) -> Iterator[Sequence[Sequence[float]]]:
        """Turn texts into vectors; of one that is too long the beginning is read.

        Each is computed by one thread, alone, so the vectors do not depend on how many there are.
        """
        # llama.cpp takes one text after the other, with threads of its own.
        threads = default_threads() if isinstance(self._encoder(), MiniLM) else 1
        with ThreadPoolExecutor(threads) as pool:
            for at in range(0, len(texts), _KEPT_AT_ONCE):
                yield list(pool.map(self.query, texts[at : at + _KEPT_AT_ONCE]))

    def query(self, text: str) -> Sequence[float]:
        """Turn a text into a vector; of one that is too long the beginning is read."""
        encoder = self._encoder()
        some = text[:_LONGEST_HERE]
        while True:
            try:
                return encoder.encode(some).vector
            except (UsageError, ProviderError):
                if len(some) < 100:
                    raise
                some = some[: len(some) * 9 // 10]

    def _encoder(self) -> LocalEncoder:
        if self._loaded is None:
            self._loaded = load_encoder(self.model)
        return self._loaded


class Asked:
    """A provider's model: every call is priced, reserved, billed, and recorded where there is a tape.

    Raises
    ------
    BudgetError
        All passages together may cost more than the terms allow; nothing was sent.
    """

    def __init__(self, model: str, caller: Caller, terms: Terms) -> None:
        self.model = model
        self._caller, self._terms = caller, terms

    def documents(self, texts: Sequence[str]) -> Iterator[Sequence[Sequence[float]]]:
        """Turn texts into vectors, as many in a call as every provider takes."""
        calls = [Embedding(self.model, some, "document") for some in _in_calls(texts)]
        self._check_price(calls)
        for call in calls:
            yield self._vectors(call)

    def query(self, text: str) -> Sequence[float]:
        """Turn a question into a vector."""
        (vector,) = self._vectors(Embedding(self.model, (text[:_LONGEST],), "query"))
        return vector

    def price_pusd(self, texts: Sequence[str]) -> int:
        """Bound what these passages cost, in picodollars."""
        calls = [Embedding(self.model, some, "document") for some in _in_calls(texts)]
        return sum(self._caller.quote(call).most_pusd for call in calls)

    def _check_price(self, calls: Sequence[Embedding]) -> None:
        limit = self._terms.max_cost_pusd
        if limit is None or self._caller.mode == "replay":
            return
        amount = sum(self._caller.quote(call).most_pusd for call in calls)
        if amount > limit:
            raise BudgetError(
                f"the index may cost up to {usd_text(amount)}, more than --max-cost allows",
                seen=usd_text(limit),
                hint="a smaller folder, a higher --max-cost, or --model local, which is free",
            )

    def _vectors(self, call: Embedding) -> Sequence[Sequence[float]]:
        for event in list(self._caller.stream(call, self._terms)):
            if isinstance(event, Vectors):
                return event.vectors
        raise ProviderError("the provider gave no vectors", seen=self.model)


def encoder_of(model: str, caller: Caller, terms: Terms | None = None) -> Here | Asked:
    """Find what makes the vectors of a model.

    Raises
    ------
    UsageError
        No provider of that model is known.
    """
    name = lifecycle.full_name(model)
    provider = lifecycle.provider_of(name)
    if provider is None:
        raise UsageError("nobody is known to serve this model", seen=model, hint="local, or voyage-code-4")
    return Here(name) if provider == lifecycle.LOCAL else Asked(name, caller, terms or Terms())


def embed(index: Index, encoder: Encoder, tell: Callable[[int, int], None] = lambda _d, _a: None) -> int:
    """Make the vectors that an index lacks; returns how many. What was made is kept, whatever comes then."""
    missing = index.missing(encoder.model)
    texts = [told(placed) for _, placed in missing]
    done = 0
    for vectors in encoder.documents(texts):
        some = [content for content, _ in missing[done : done + len(vectors)]]
        index.keep(encoder.model, list(zip(some, vectors, strict=True)))
        done += len(vectors)
        tell(done, len(missing))
    return done


def told(placed: Placed) -> str:
    """Write a passage as an encoder reads it: what it is called, then what it says.

    Identifiers of code are taken apart: an encoder of prose knows their words and not their spelling.
    """
    passage = placed.passage
    if passage.code:
        named = f"{PurePosixPath(placed.name).stem} {passage.title}".replace(".", " ")
        words = _IDENTIFIER.sub(" ", f"{named}\n{passage.text}")
        return "\n".join(" ".join(line.split()) for line in words.splitlines())
    titled = (
        passage.text
        if passage.text.lstrip("# ").startswith(passage.title)
        else f"{passage.title}\n{passage.text}"
    )
    return titled.strip() or passage.text


def _in_calls(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    some: list[str] = []
    n_bytes = 0
    for text in texts:
        sent = text[:_LONGEST]
        size = len(sent.encode("utf-8", "surrogatepass"))
        if some and (len(some) == _TEXTS or n_bytes + size > _BYTES):
            yield tuple(some)
            some, n_bytes = [], 0
        some.append(sent)
        n_bytes += size
    if some:
        yield tuple(some)
