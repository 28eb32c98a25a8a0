"""Google's models, through the package ``google-genai``."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Self

import httpx2
from google import genai
from google.genai import errors, types

from grn.kit.errors import MissingError, ProviderError, UnsupportedError
from grn.llm.events import Event, Finished, Vectors
from grn.llm.keys import Secret, require_key
from grn.llm.port import BatchState, Billed, Fault, Kept, Wire
from grn.llm.providers.gemini import NAME, Places, body, cut, read_stream
from grn.llm.providers.http import Tap, broken, malformed, refused
from grn.llm.request import Embedding, File, Request, Rerank
from grn.llm.usage import Usage

_ADDRESS = "GOOGLE_GEMINI_BASE_URL"
_ROLES = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}

# A request has at most 20 MB (guides "Document understanding" and "Batch API"), base64 makes four bytes of
# three.
_INLINE_BYTES = 14 << 20
_LOOK_S = 1.0  # between two looks whether an uploaded file is ready
_STATE = "JOB_STATE_"


class Google:
    """The Gemini API."""

    def __init__(self, client: genai.Client, tap: Tap, timeout_s: float) -> None:
        self._client = client
        self._tap = tap
        self._timeout_s = timeout_s
        self._uploaded: dict[bytes, types.File] = {}

    @classmethod
    def connect(cls, timeout_s: float, key: Secret | None = None, version: str | None = None) -> Self:
        """Make a client; the key is looked up when none is given, the API's version is the client's own."""
        logging.getLogger("google_genai").setLevel(logging.ERROR)  # it warns of every answer with a tool
        # An enumeration that is newer than the client is no reason to speak up: the value is handed on as it
        # is.
        warnings.filterwarnings("ignore", r".* is not a valid \w+$", UserWarning, r"google\.genai\.")
        tap = Tap()
        secret = require_key(NAME) if key is None else key
        options = types.HttpOptions(
            base_url=os.environ.get(_ADDRESS) or None,
            api_version=version,
            httpx_client=tap.client(timeout_s),
            timeout=round(timeout_s * 1000),
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        client = genai.Client(api_key=secret.reveal(), vertexai=False, http_options=options)
        return cls(client, tap, timeout_s)

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        """Stream an answer; see :class:`grn.llm.port.Provider`."""
        contents, config = body(ask, self._placed(ask.files()))
        started = False
        try:
            stream = self._client.models.generate_content_stream(
                model=model, contents=contents, config=config
            )
            for event in read_stream(stream, model, wire):
                started = True
                yield event
        except errors.APIError as error:
            if started:
                raise cut(str(error.message)) from error
            raise _status_fault(error) from error
        except httpx2.HTTPError as error:
            raise broken(NAME, error, started=started) from error
        except ValueError as error:
            raise malformed(NAME, str(error)) from error
        finally:
            wire.frames[:] = self._tap.frames()

    def count(self, ask: Request, model: str) -> int | None:
        """Count the prompt's tokens: an endpoint of its own, free of charge.

        The Gemini API counts contents only, so a system prompt is counted as one more turn, and what lies in
        a cache is added as it was counted then.
        """
        contents, _ = body(ask, self._placed(ask.files()))
        if ask.system:
            contents = [types.Content(role="user", parts=[types.Part(text=ask.system)]), *contents]
        with _told():
            counted = self._client.models.count_tokens(model=model, contents=contents).total_tokens
        return counted if counted is None or ask.cached is None else counted + ask.cached.tokens

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        """Turn texts into vectors. The API does not count what it read: it is billed by our own estimate."""
        if isinstance(ask, Rerank):
            raise Fault(
                UnsupportedError("Google does not rerank", seen=model, hint="--model rerank-2.5"), billed="no"
            )
        texts: list[Any] = list(ask.texts)
        config = types.EmbedContentConfig(task_type=_ROLES[ask.role]) if ask.role else None
        try:
            with _told():
                answer = self._client.models.embed_content(model=model, contents=texts, config=config)
        finally:
            wire.frames[:] = self._tap.frames()
        vectors = tuple(tuple(found.values or ()) for found in answer.embeddings or ())
        if len(vectors) != len(ask.texts):
            raise malformed(NAME, f"{len(vectors)} vectors for {len(ask.texts)} texts")
        yield Vectors(vectors)
        yield Finished("end", model, Usage(input=-(-ask.text_bytes() // 3)))

    def submit(self, asks: Sequence[Request], model: str) -> BatchState:
        """Hand a batch in; see :class:`grn.llm.port.Batches`."""
        places = self._placed([file for ask in asks for file in ask.files()])
        requests = []
        for place, ask in enumerate(asks):
            contents, config = body(ask, places)
            requests.append(
                types.InlinedRequest(contents=contents, config=config, metadata={"place": str(place)})
            )
        with _told():
            return _batch_state(self._client.batches.create(model=model, src=requests))

    def state(self, batch: str) -> BatchState:
        """Ask how a batch stands."""
        with _told():
            return _batch_state(self._client.batches.get(name=batch))

    def results(self, batch: str) -> Iterator[tuple[int, Sequence[Event] | str]]:
        """Give what became of each request of a batch that has ended."""
        with _told():
            job = self._client.batches.get(name=batch)
        for number, found in enumerate(_responses(job)):
            place = int((found.metadata or {}).get("place", number))
            if found.response is None:
                words = None if found.error is None else found.error.message
                yield place, words or "failed"
                continue
            try:
                yield place, list(read_stream(iter([found.response]), job.model or batch, Wire()))
            except Fault as fault:
                yield place, str(fault.error)

    def keep(self, ask: Request, model: str, ttl_s: int) -> Kept:
        """Lay a prompt into the provider's cache; see :class:`grn.llm.port.Caches`."""
        contents, config = body(ask, self._placed(ask.files()))
        wanted = types.CreateCachedContentConfig(
            contents=contents, system_instruction=config.system_instruction, ttl=f"{ttl_s}s"
        )
        with _told():
            made = self._client.caches.create(model=model, config=wanted)
        # Files that a cache was made of stay: Google does not say whether it needs them. They end after two
        # days.
        for file in ask.files():
            self._uploaded.pop(file.data, None)
        counted = made.usage_metadata and made.usage_metadata.total_token_count
        if made.name is None or made.expire_time is None or not counted:
            raise malformed(NAME, "a cache without a name, an end or a count of tokens")
        return Kept(made.name, counted, round(made.expire_time.timestamp()) * 10**9)

    def forget(self, name: str) -> None:
        """Take a prompt out of the provider's cache; one that is gone already is no error."""
        try:
            with _told():
                self._client.caches.delete(name=name)
        except Fault as fault:
            if not isinstance(fault.__cause__, errors.APIError) or fault.__cause__.code not in (403, 404):
                raise

    def close(self) -> None:
        """Take back what was uploaded, and close the connections."""
        for file in self._uploaded.values():
            with contextlib.suppress(errors.APIError, httpx2.HTTPError, ValueError):
                self._client.files.delete(name=file.name or "")
        self._uploaded.clear()
        self._client.close()
        self._tap.close()

    def _placed(self, files: Iterator[File] | Sequence[File]) -> Places:
        """Upload attachments that are too large, together, to be sent within a request."""
        files = list(files)
        if sum(len(file.data) for file in files) <= _INLINE_BYTES:
            return {}
        for file in files:
            if file.data not in self._uploaded:
                with _told(billed="no"):
                    self._uploaded[file.data] = self._upload(file)
        return {file.data: self._uploaded[file.data].uri or "" for file in files}

    def _upload(self, file: File) -> types.File:
        config = types.UploadFileConfig(mime_type=file.media_type)
        sent = self._client.files.upload(file=io.BytesIO(file.data), config=config)
        waited_s = 0.0
        while sent.state == types.FileState.PROCESSING and waited_s < self._timeout_s:
            time.sleep(_LOOK_S)
            waited_s += _LOOK_S
            sent = self._client.files.get(name=sent.name or "")
        if sent.state != types.FileState.ACTIVE or not sent.uri:
            state = None if sent.state is None else sent.state.value
            raise Fault(
                ProviderError(f"{NAME} cannot read {file.name}", seen=state, hint="a smaller file"),
                billed="no",
            )
        return sent


@contextlib.contextmanager
def _told(billed: Billed = "unknown") -> Iterator[None]:
    """Turn the errors of a single request and its answer into faults."""
    try:
        yield
    except errors.APIError as error:
        raise _status_fault(error) from error
    except httpx2.HTTPError as error:
        fault = broken(NAME, error, started=False)
        if billed == "no":
            fault.billed = "no"
        raise fault from error
    except (KeyError, ValueError) as error:
        fault = malformed(NAME, str(error))
        if billed == "no":
            fault.billed = "no"
        raise fault from error


def _responses(job: types.BatchJob) -> list[types.InlinedResponse]:
    return (job.dest and job.dest.inlined_responses) or []


def _batch_state(job: types.BatchJob) -> BatchState:
    counts: dict[str, int] = {}
    for found in _responses(job):
        what = "failed" if found.response is None else "succeeded"
        counts[what] = counts.get(what, 0) + 1
    word = "unknown" if job.state is None else job.state.value.removeprefix(_STATE).lower()
    return BatchState(job.name or "", job.done, counts, word)


def _status_fault(error: errors.APIError) -> Fault:
    if error.code in (403, 404) and "CachedContent" in (error.message or ""):
        # The words of the API; its status alone would say that the key is not accepted.
        gone = MissingError(
            f"{NAME} keeps no such prompt any more", seen=error.message, hint="grn llm cache add"
        )
        return Fault(gone, billed="no")
    headers = getattr(error.response, "headers", None) or {}
    return refused(NAME, error.code, error.message or error.status or "", headers.get, None, time.time())
