"""What clients on top of httpx2 share: an answer's bytes kept as they pass, and statuses in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import httpx2

from grn.kit.errors import AccessError, GrnError, ProviderError, UnreachableError
from grn.llm.keys import VARIABLES, mask
from grn.llm.port import Fault

_CONNECT_S = 10.0
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_WORTH_WAITING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class Tap:
    """Keeps the bytes of the newest answer, as they came."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self._client: httpx2.Client | None = None

    def client(self, timeout_s: float) -> httpx2.Client:
        """Make a client whose answers pass through here."""
        self._client = httpx2.Client(
            transport=_Tapped(httpx2.HTTPTransport(), self),
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
            # What passes is what was meant: no compression to undo later.
            headers={"accept-encoding": "identity"},
        )
        return self._client

    def close(self) -> None:
        """Close the client, if one was made: not every maker's client closes what it was given."""
        if self._client is not None:
            self._client.close()

    def frames(self) -> list[str]:
        """Split what came at the blank lines between server-sent events; a body without any is one frame."""
        text = b"".join(self.chunks).decode("utf-8", "replace")
        return [frame for frame in re.split(r"(?<=\n\n)|(?<=\r\n\r\n)", text) if frame.strip()]


class _Tapped(httpx2.BaseTransport):
    def __init__(self, inner: httpx2.BaseTransport, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._tap.chunks = []
        response = self._inner.handle_request(request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Copied(response.stream, self._tap.chunks)
        return response

    def close(self) -> None:
        self._inner.close()


class _Copied(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, chunks: list[bytes]) -> None:
        self._stream = stream
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._chunks.append(chunk)
            yield chunk

    def close(self) -> None:
        self._stream.close()


def refused(
    provider: str,
    status: int,
    said: str,
    header: Callable[[str], str | None],
    request_id: str | None,
    now_s: float,
) -> Fault:
    """Turn a status that is an error into a fault: nothing was billed.

    Parameters
    ----------
    provider
        Who refused.
    status
        HTTP status.
    said
        The provider's own words; keys in them are masked.
    header
        Looks a response header up.
    request_id
        The provider's name for the call.
    now_s
        Seconds since 1970, for a ``Retry-After`` that is a date.
    """
    words = mask(" ".join(said.split()))
    named = f" (request {request_id})" if request_id else ""
    error: GrnError
    if status in (401, 403):
        error = AccessError(
            f"{provider} does not accept the key{named}: HTTP {status}",
            seen=words,
            hint=f"check {VARIABLES[provider][0]}, or grn llm keys set {provider}",
        )
    else:
        hint = "try again later" if status in _WORTH_WAITING else "correct what the provider names"
        error = ProviderError(f"{provider} refused the call{named}: HTTP {status}", seen=words, hint=hint)
    return Fault(
        error,
        again=status in _WORTH_WAITING,
        after_s=_retry_after_s(header("retry-after"), now_s),
        billed="no",
        request_id=request_id,
    )


def broken(provider: str, error: Exception, *, started: bool) -> Fault:
    """Turn a failure of the connection into a fault.

    Before the request was out, nothing can have been billed. After that nobody knows, so it is not sent
    again.
    """
    cause: BaseException = error
    while not isinstance(cause, httpx2.HTTPError) and cause.__cause__ is not None:
        cause = cause.__cause__
    words = mask(str(cause) or type(cause).__name__)
    if not started and isinstance(cause, _NEVER_SENT):
        unreachable = UnreachableError(
            f"cannot reach {provider}", seen=words, hint="check the network; or --model local"
        )
        return Fault(unreachable, again=True, billed="no")
    slow = isinstance(cause, httpx2.TimeoutException)
    what = "kept silent for too long" if slow else "broke off"
    hint = "a longer --timeout, or try again" if slow else "try again: what came so far is billed"
    return Fault(ProviderError(f"{provider} {what}", seen=words, hint=hint))


def malformed(provider: str, seen: str) -> Fault:
    """Turn an answer that is none into a fault."""
    return Fault(
        ProviderError(
            f"{provider} sent what is no answer",
            seen=mask(seen),
            hint="check the address it was sent to; a proxy may answer instead of the provider",
        )
    )


def _retry_after_s(value: str | None, now_s: float) -> float | None:
    """Read ``Retry-After``: seconds or a date (RFC 9110, 10.2.3); what cannot be read asks for nothing."""
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - now_s, 0.0)
    except (ValueError, TypeError):
        return None
