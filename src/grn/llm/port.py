"""What a provider has to be able to do, and how it says what went wrong.

A provider is one module in ``grn.llm.providers``. It turns our request into its client's call and its
client's stream into our events; prices, budgets, retries, tapes and the book of calls are none of its
business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from grn.kit.errors import GrnError
from grn.llm.events import Event
from grn.llm.request import Embedding, Request, Rerank


@dataclass
class Wire:
    """What a call leaves behind besides its events; a provider fills it while the events are drawn.

    Attributes
    ----------
    frames
        The answer as it came, split where the protocol splits it.
    request_id
        The provider's name for the call.
    """

    frames: list[str] = field(default_factory=list)
    request_id: str | None = None


Billed = Literal["no", "unknown"]


class Fault(Exception):
    """A call that failed inside a provider; never leaves ``grn.llm``.

    Parameters
    ----------
    error
        What a person is told in the end.
    again
        Whether the same request may succeed later.
    after_s
        How long the provider asks to wait (``Retry-After``), seconds.
    billed
        ``no`` when the provider certainly charged nothing: it refused, or was never reached.
    request_id
        The provider's name for the call.
    """

    def __init__(
        self,
        error: GrnError,
        *,
        again: bool = False,
        after_s: float | None = None,
        billed: Billed = "unknown",
        request_id: str | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again
        self.after_s = after_s
        self.billed = billed
        self.request_id = request_id


class Provider(Protocol):
    """A server of models. Every method raises :class:`Fault` and nothing else on purpose."""

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        """Stream an answer: ``Started``, deltas, ``Finished``. Closing the iterator ends the call."""
        ...

    def count(self, ask: Request, model: str) -> int | None:
        """Count the prompt's tokens, free of charge; ``None`` where the provider cannot."""
        ...

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        """Turn texts into vectors, or order documents: ``Vectors`` or ``Ranking``, then ``Finished``."""
        ...

    def close(self) -> None:
        """Close its connections; it is not used any more."""
        ...


@dataclass(frozen=True)
class BatchState:
    """How a batch stands.

    Attributes
    ----------
    id
        The provider's name for it.
    ended
        Whether results can be fetched.
    counts
        Requests by what became of them, in the provider's own words; empty while it does not say.
    word
        Its state, in the provider's own word.
    """

    id: str
    ended: bool
    counts: dict[str, int]
    word: str


class Batches(Protocol):
    """A provider that takes many requests at once and answers within a day, at a lower price."""

    def submit(self, asks: Sequence[Request], model: str) -> BatchState:
        """Hand in requests for one model; they are told apart by their place."""
        ...

    def state(self, batch: str) -> BatchState:
        """Ask how a batch stands."""
        ...

    def results(self, batch: str) -> Iterator[tuple[int, Sequence[Event] | str]]:
        """Give each request's place and its events, or in words why it has none."""
        ...


@dataclass(frozen=True)
class Kept:
    """A prompt in a provider's cache: the provider's name for it, its tokens, its end (Unix time, ns)."""

    name: str
    tokens: int
    expires_ns: int


class Caches(Protocol):
    """A provider that keeps the beginning of a prompt for a time, on request and for a rent."""

    def keep(self, ask: Request, model: str, ttl_s: int) -> Kept:
        """Lay system prompt and messages of a request into the cache, for that many seconds."""
        ...

    def forget(self, name: str) -> None:
        """Take it out."""
        ...
