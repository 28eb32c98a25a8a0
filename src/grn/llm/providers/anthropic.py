"""Anthropic's models, through the package ``anthropic``."""

from __future__ import annotations

import base64
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Self

import anthropic
import httpx2

from grn.kit.errors import ProviderError, UsageError
from grn.llm.events import Event, Finished, Started, TextDelta, ThinkingDelta, ToolAsked
from grn.llm.keys import Secret, require_key
from grn.llm.port import BatchState, Fault, Wire
from grn.llm.providers.http import Tap, broken, malformed, refused
from grn.llm.request import (
    CacheTime,
    Embedding,
    File,
    Marks,
    Message,
    Part,
    Request,
    Rerank,
    Text,
    ToolCall,
    ToolResult,
)
from grn.llm.usage import NONE, Usage

NAME = "anthropic"
_MAX_BYTES = 24_000_000  # a request has at most 32 MB, base64 makes four bytes of three
_REASONS = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool",
    "refusal": "refused",
}


class Anthropic:
    """The Messages API."""

    def __init__(self, client: anthropic.Anthropic, tap: Tap) -> None:
        self._client = client
        self._tap = tap

    @classmethod
    def connect(cls, timeout_s: float, key: Secret | None = None) -> Self:
        """Make a client; the key is looked up when none is given."""
        tap = Tap()
        secret = require_key(NAME) if key is None else key
        client = anthropic.Anthropic(
            api_key=secret.reveal(), max_retries=0, http_client=tap.client(timeout_s), timeout=timeout_s
        )
        return cls(client, tap)

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        """Stream an answer; see :class:`grn.llm.port.Provider`."""
        started = False
        try:
            # The client warns of models that will be retired; the catalogue has said it already.
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                stream = self._client.messages.create(stream=True, **body(ask, model))
            wire.request_id = stream.response.headers.get("request-id")
            started = True
            with closing(stream):
                yield from read_stream(stream)
        except anthropic.APIStatusError as error:
            raise _status_fault(error, started=started) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise broken(NAME, error, started=started) from error
        except (anthropic.APIError, ValueError) as error:
            raise malformed(NAME, str(error)) from error
        finally:
            wire.frames[:] = self._tap.frames()

    def count(self, ask: Request, model: str) -> int | None:
        """Count the prompt's tokens: an endpoint of its own, free of charge."""
        fields = body(ask, model)
        for name in ("max_tokens", "extra_body"):
            fields.pop(name, None)
        try:
            return self._client.messages.count_tokens(**fields).input_tokens
        except anthropic.APIStatusError as error:
            raise _status_fault(error, started=False) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise broken(NAME, error, started=False) from error

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        """Refuse: Anthropic has no embeddings."""
        raise Fault(
            UsageError("Anthropic has no embeddings", seen=model, hint="--model voyage-4, or --model local"),
            billed="no",
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def submit(self, asks: Sequence[Request], model: str) -> BatchState:
        """Hand a batch in; see :class:`grn.llm.port.Batches`."""
        requests: Any = [
            {"custom_id": f"r{place}", "params": body(ask, model)} for place, ask in enumerate(asks)
        ]
        try:
            return _batch_state(self._client.messages.batches.create(requests=requests))
        except anthropic.APIStatusError as error:
            raise _status_fault(error, started=False) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise broken(NAME, error, started=False) from error

    def state(self, batch: str) -> BatchState:
        """Ask how a batch stands."""
        try:
            return _batch_state(self._client.messages.batches.retrieve(batch))
        except anthropic.APIStatusError as error:
            raise _status_fault(error, started=False) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise broken(NAME, error, started=False) from error

    def results(self, batch: str) -> Iterator[tuple[int, Sequence[Event] | str]]:
        """Give what became of each request of a batch that has ended, in the provider's order."""
        try:
            for line in self._client.messages.batches.results(batch):
                place = int(line.custom_id.removeprefix("r"))
                if line.result.type == "succeeded":
                    yield place, whole(line.result.message)
                else:
                    yield place, line.result.type
        except anthropic.APIStatusError as error:
            raise _status_fault(error, started=False) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise broken(NAME, error, started=True) from error


def body(ask: Request, model: str) -> dict[str, Any]:
    """Write a request in the words of the Messages API. Nothing is added that the caller did not say.

    Raises
    ------
    Fault
        Its attachments are larger than a request may be.
    """
    attached = sum(len(file.data) for file in ask.files())
    if attached > _MAX_BYTES:
        raise Fault(
            UsageError(
                "the attachments are too large for Anthropic",
                seen=f"{attached:,} bytes",
                hint=f"at most {_MAX_BYTES:,} bytes together; -m flash takes more",
            ),
            billed="no",
        )
    fields: dict[str, Any] = {
        "model": model,
        "max_tokens": ask.max_tokens,
        "messages": [_message(message) for message in ask.messages],
    }
    if ask.system is not None:
        fields["system"] = ask.system
    if ask.temperature is not None:
        # The client has no such parameter any more (2.0): models up to Sonnet 4.6 and Haiku 4.5 still take
        # it.
        fields["extra_body"] = {"temperature": ask.temperature}
    if ask.tools:
        fields["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.schema)}
            for tool in ask.tools
        ]
    output: dict[str, Any] = {}
    if ask.schema is not None:
        output["format"] = {"type": "json_schema", "schema": dict(ask.schema)}
    if ask.effort is not None:
        output["effort"] = ask.effort
        fields["thinking"] = {"type": "adaptive"}
    if output:
        fields["output_config"] = output
    if ask.cache == "plan":
        _mark(fields, ask.marks)
    elif ask.cache is not None:
        # At the top: the provider marks the last block that can be cached, and moves on with a conversation.
        fields["cache_control"] = _control(ask.cache)
    return fields


def _mark(fields: dict[str, Any], marks: Marks) -> None:
    """Put marks on blocks; a system prompt that is marked is sent as a block, which is the same prefix."""
    blocks = [*fields.get("tools", ())]
    if "system" in fields:
        system = {"type": "text", "text": fields["system"]}
        if any(place == len(blocks) for place, _ in marks):
            fields["system"] = [system]
        blocks.append(system)
    blocks += [block for message in fields["messages"] for block in message["content"]]
    for place, life in marks:
        blocks[place]["cache_control"] = _control(life)


def _control(life: CacheTime) -> dict[str, str]:
    return {"type": "ephemeral", "ttl": life}


def read_stream(stream: Iterator[Any]) -> Iterator[Event]:
    """Turn the events of the client's stream into ours.

    Raises
    ------
    Fault
        The stream ended before the message did, or it is none.
    """
    served, usage, reason = "", NONE, None
    tool: dict[str, str] | None = None
    for event in stream:
        match event.type:
            case "message_start":
                served, usage = event.message.model, read_usage(event.message.usage, NONE)
                yield Started(served, usage)
            case "content_block_start":
                block = event.content_block
                tool = {"id": block.id, "name": block.name, "json": ""} if block.type == "tool_use" else None
            case "content_block_delta":
                delta = event.delta
                if delta.type == "text_delta":
                    yield TextDelta(delta.text)
                elif delta.type == "thinking_delta":
                    yield ThinkingDelta(delta.thinking)
                elif delta.type == "input_json_delta" and tool is not None:
                    tool["json"] += delta.partial_json
            case "content_block_stop":
                if tool is not None:
                    yield ToolAsked(tool["id"], tool["name"], tool["json"] or "{}")
                    tool = None
            case "message_delta":
                usage, reason = read_usage(event.usage, usage), event.delta.stop_reason
            case "message_stop":
                yield Finished(_REASONS.get(reason or "", reason or "end"), served, usage)
                return
    if not served:
        raise malformed(NAME, "a stream without a message")
    raise Fault(
        ProviderError(f"{NAME} broke off in the middle of an answer", hint="try again: what came is billed")
    )


def whole(message: Any) -> list[Event]:
    """Turn a message that came in one piece into events."""
    usage = read_usage(message.usage, NONE)
    events: list[Event] = [Started(message.model, usage)]
    for block in message.content:
        if block.type == "text":
            events.append(TextDelta(block.text))
        elif block.type == "thinking":
            events.append(ThinkingDelta(block.thinking))
        elif block.type == "tool_use":
            import json

            events.append(ToolAsked(block.id, block.name, json.dumps(block.input, sort_keys=True)))
    reason = message.stop_reason or "end"
    return [*events, Finished(_REASONS.get(reason, reason), message.model, usage)]


def read_usage(reported: Any, before: Usage) -> Usage:
    """Read the provider's count: its ``input_tokens`` leaves out what was written to or read from the cache.

    The count at the end of a stream is cumulative and may leave out what has not changed since the beginning
    (``before``). Where cache writes are not told apart by their time to live, they lived five minutes.
    """

    def told(name: str, otherwise: int) -> int:
        value = getattr(reported, name, None)
        return otherwise if value is None else int(value)

    written = told("cache_creation_input_tokens", before.cache_write_5m + before.cache_write_1h)
    split = getattr(reported, "cache_creation", None)
    if split is not None:
        for_an_hour = int(split.ephemeral_1h_input_tokens)
    else:
        for_an_hour = min(before.cache_write_1h, written)
    details = getattr(reported, "output_tokens_details", None)
    thinking = getattr(details, "thinking_tokens", None)
    output = told("output_tokens", before.output)
    return Usage(
        input=told("input_tokens", before.input),
        cache_write_5m=written - for_an_hour,
        cache_write_1h=for_an_hour,
        cache_read=told("cache_read_input_tokens", before.cache_read),
        output=output,
        thinking=min(before.thinking if thinking is None else int(thinking), output),
    )


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": [_block(part) for part in message.parts]}


def _block(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case File(media_type, data, _):
            kind = "document" if media_type == "application/pdf" else "image"
            encoded = base64.standard_b64encode(data).decode("ascii")
            return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": encoded}}
        case ToolCall(ident, name, arguments):
            import json

            return {"type": "tool_use", "id": ident, "name": name, "input": json.loads(arguments)}
        case ToolResult(ident, content, failed):
            return {"type": "tool_result", "tool_use_id": ident, "content": content, "is_error": failed}


def _status_fault(error: anthropic.APIStatusError, *, started: bool) -> Fault:
    status = error.status_code
    if started:  # an `error` event in the middle of a stream, behind a status of 200
        return Fault(
            ProviderError(
                f"{NAME} broke off in the middle of an answer",
                seen=_words(error),
                hint="try again: what came is billed",
            ),
            request_id=error.request_id,
        )
    return refused(NAME, status, _words(error), error.response.headers.get, error.request_id, time.time())


def _words(error: anthropic.APIStatusError) -> str:
    told = error.body.get("error") if isinstance(error.body, dict) else None
    words = told.get("message") if isinstance(told, dict) else None
    return str(words or error.message)


def _batch_state(batch: Any) -> BatchState:
    counts = {name: count for name, count in batch.request_counts.to_dict().items() if count}
    return BatchState(batch.id, batch.processing_status == "ended", counts, batch.processing_status)
