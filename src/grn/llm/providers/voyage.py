"""Voyage AI's embeddings and rerankers, through the package ``voyageai``."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import requests
import voyageai
from voyageai import error as errors
from voyageai.api_resources import api_requestor
from voyageai.client import Client

from grn.kit.errors import ProviderError, UnreachableError, UnsupportedError
from grn.llm.events import Event, Finished, Ranking, Vectors
from grn.llm.keys import Secret, mask, require_key
from grn.llm.port import Fault, Wire
from grn.llm.providers.http import malformed, refused
from grn.llm.request import Embedding, Request, Rerank
from grn.llm.usage import Usage

NAME = "voyage"
_ADDRESS = "VOYAGE_BASE_URL"


class Voyage:
    """Embeddings and reranking."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def connect(cls, timeout_s: float, key: Secret | None = None) -> Self:
        """Make a client; the key is looked up when none is given."""
        secret = require_key(NAME) if key is None else key
        # The client takes its sessions from this global, one a thread.
        voyageai.requestssession = _session
        return cls(
            Client(
                api_key=secret.reveal(),
                max_retries=0,
                timeout=timeout_s,
                base_url=os.environ.get(_ADDRESS) or None,
            )
        )

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        """Refuse: Voyage's models do not talk."""
        raise Fault(
            UnsupportedError("Voyage's models make vectors, not answers", seen=model, hint="--model sonnet"),
            billed="no",
        )

    def count(self, ask: Request, model: str) -> int | None:
        """Give ``None``: the client's own tokenizers would be downloaded from a hub."""
        return None

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        """Turn texts into vectors, or order documents; see :class:`grn.llm.port.Provider`."""
        _SEEN.bodies = []
        try:
            if isinstance(ask, Rerank):
                ranked: Any = self._client.rerank(ask.query, list(ask.documents), model, truncation=False)
                events: list[Event] = [Ranking(tuple((r.index, r.relevance_score) for r in ranked.results))]
                tokens = ranked.total_tokens
            else:
                found: Any = self._client.embed(list(ask.texts), model, ask.role, truncation=False)
                if len(found.embeddings) != len(ask.texts):
                    raise malformed(NAME, f"{len(found.embeddings)} vectors for {len(ask.texts)} texts")
                events = [Vectors(tuple(tuple(vector) for vector in found.embeddings))]
                tokens = found.total_tokens
        except errors.VoyageError as error:
            raise _fault(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise malformed(NAME, str(error)) from error
        finally:
            wire.frames[:] = _SEEN.bodies
        yield from events
        yield Finished("end", model, Usage(input=int(tokens)))

    def close(self) -> None:
        """Close this thread's session."""
        session = getattr(api_requestor._thread_context, "session", None)
        if session is not None:
            session.close()
            del api_requestor._thread_context.session


class _Seen(threading.local):
    bodies: list[str]

    def __init__(self) -> None:
        self.bodies = []


_SEEN = _Seen()


def _session() -> requests.Session:
    session = requests.Session()

    def keep(response: requests.Response, *args: Any, **fields: Any) -> None:
        _SEEN.bodies.append(response.text)

    session.hooks["response"].append(keep)
    return session


def _fault(error: errors.VoyageError) -> Fault:
    headers: Mapping[str, str] = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.http_status is not None and error.http_status >= 400:
        return refused(
            NAME, error.http_status, str(error.user_message), headers.get, error.request_id, time.time()
        )
    if isinstance(error, errors.APIConnectionError):
        cause = error.__cause__ or error.__context__
        never_sent = isinstance(cause, requests.exceptions.ConnectTimeout) or _refused_connection(cause)
        if never_sent:
            unreachable = UnreachableError(
                f"cannot reach {NAME}", seen=mask(str(cause)), hint="check the network"
            )
            return Fault(unreachable, again=True, billed="no")
    if isinstance(error, errors.Timeout):
        slow = ProviderError(f"{NAME} kept silent for too long", hint="a longer --timeout, or try again")
        return Fault(slow)
    return malformed(NAME, str(error.user_message))


def _refused_connection(cause: BaseException | None) -> bool:
    """Whether a connection was never made: requests wraps that in urllib3's errors."""
    reason = getattr(cause.args[0] if cause is not None and cause.args else None, "reason", None)
    return type(reason).__name__ in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}
