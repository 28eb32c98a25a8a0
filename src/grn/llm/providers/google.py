"""Google's models, through the package ``google-genai``."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Iterator
from typing import Any, Self

import httpx2
from google import genai
from google.genai import errors, types

from grn.kit.errors import ProviderError, UnsupportedError
from grn.llm.events import Event, Finished, Started, TextDelta, ThinkingDelta, ToolAsked, Vectors
from grn.llm.keys import Secret, require_key
from grn.llm.port import Fault, Wire
from grn.llm.providers.http import Tap, broken, malformed, refused
from grn.llm.request import Embedding, File, Message, Part, Request, Rerank, Text, ToolCall, ToolResult
from grn.llm.usage import NONE, Usage

NAME = "google"
_ADDRESS = "GOOGLE_GEMINI_BASE_URL"
_REASONS = {"STOP": "end", "MAX_TOKENS": "length"}
_REFUSALS = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}
)
_ROLES = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}


class Google:
    """The Gemini API."""

    def __init__(self, client: genai.Client, tap: Tap) -> None:
        self._client = client
        self._tap = tap

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
        return cls(genai.Client(api_key=secret.reveal(), vertexai=False, http_options=options), tap)

    def complete(self, ask: Request, model: str, wire: Wire) -> Iterator[Event]:
        """Stream an answer; see :class:`grn.llm.port.Provider`."""
        contents, config = body(ask)
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
                raise _cut(str(error.message)) from error
            raise _status_fault(error) from error
        except httpx2.HTTPError as error:
            raise broken(NAME, error, started=started) from error
        except ValueError as error:
            raise malformed(NAME, str(error)) from error
        finally:
            wire.frames[:] = self._tap.frames()

    def count(self, ask: Request, model: str) -> int | None:
        """Count the prompt's tokens: an endpoint of its own, free of charge.

        The Gemini API counts contents only, so a system prompt is counted as one more turn.
        """
        contents, _ = body(ask)
        if ask.system:
            contents = [types.Content(role="user", parts=[types.Part(text=ask.system)]), *contents]
        try:
            return self._client.models.count_tokens(model=model, contents=contents).total_tokens
        except errors.APIError as error:
            raise _status_fault(error) from error
        except httpx2.HTTPError as error:
            raise broken(NAME, error, started=False) from error

    def embed(self, ask: Embedding | Rerank, model: str, wire: Wire) -> Iterator[Event]:
        """Turn texts into vectors. The API does not count what it read: it is billed by our own estimate."""
        if isinstance(ask, Rerank):
            raise Fault(
                UnsupportedError("Google does not rerank", seen=model, hint="--model rerank-2.5"), billed="no"
            )
        texts: list[Any] = list(ask.texts)
        config = types.EmbedContentConfig(task_type=_ROLES[ask.role]) if ask.role else None
        try:
            answer = self._client.models.embed_content(model=model, contents=texts, config=config)
        except errors.APIError as error:
            raise _status_fault(error) from error
        except httpx2.HTTPError as error:
            raise broken(NAME, error, started=False) from error
        finally:
            wire.frames[:] = self._tap.frames()
        vectors = tuple(tuple(found.values or ()) for found in answer.embeddings or ())
        if len(vectors) != len(ask.texts):
            raise malformed(NAME, f"{len(vectors)} vectors for {len(ask.texts)} texts")
        yield Vectors(vectors)
        yield Finished("end", model, Usage(input=-(-ask.text_bytes() // 3)))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._tap.close()


def body(ask: Request) -> tuple[list[types.Content], types.GenerateContentConfig]:
    """Write a request in the words of the Gemini API. Nothing is added that the caller did not say."""
    if ask.cache is not None:
        raise Fault(
            UnsupportedError(
                "Google caches long prompts by itself, without a mark",
                hint="leave --cache out for this model",
            ),
            billed="no",
        )
    config: dict[str, Any] = {"max_output_tokens": ask.max_tokens}
    if ask.system is not None:
        config["system_instruction"] = ask.system
    if ask.temperature is not None:
        config["temperature"] = ask.temperature
    if ask.schema is not None:
        config["response_mime_type"] = "application/json"
        config["response_json_schema"] = dict(ask.schema)
    if ask.effort is not None:
        config["thinking_config"] = types.ThinkingConfig(
            thinking_level=types.ThinkingLevel(ask.effort.upper()), include_thoughts=True
        )
    if ask.tools:
        functions = [
            types.FunctionDeclaration(
                name=tool.name, description=tool.description, parameters_json_schema=dict(tool.schema)
            )
            for tool in ask.tools
        ]
        config["tools"] = [types.Tool(function_declarations=functions)]
        config["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
    names = _tool_names(ask)
    return [_content(message, names) for message in ask.messages], types.GenerateContentConfig(**config)


def read_stream(stream: Iterator[types.GenerateContentResponse], model: str, wire: Wire) -> Iterator[Event]:
    """Turn the chunks of the client's stream into events; an answer that names no model is by the one asked.

    Raises
    ------
    Fault
        The stream ended before the answer did, or it is none.
    """
    served, usage, reason, tools = "", NONE, "", False
    for chunk in stream:
        wire.request_id = chunk.response_id or wire.request_id
        usage = read_usage(chunk.usage_metadata, usage)
        if not served:
            if not chunk.candidates and chunk.usage_metadata is None and chunk.prompt_feedback is None:
                raise malformed(NAME, "an answer with nothing in it")
            served = chunk.model_version or model
            yield Started(served, usage)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            reason = "SAFETY"
        for candidate in (chunk.candidates or [])[:1]:
            for number, part in enumerate((candidate.content and candidate.content.parts) or []):
                if part.function_call is not None:
                    call = part.function_call
                    arguments = json.dumps(call.args or {}, sort_keys=True)
                    tools = True
                    yield ToolAsked(call.id or f"{call.name}-{number}", call.name or "", arguments)
                elif part.text:
                    yield ThinkingDelta(part.text) if part.thought else TextDelta(part.text)
            if candidate.finish_reason is not None:
                reason = candidate.finish_reason.value
    if not served:
        raise malformed(NAME, "an answer without a single chunk")
    if not reason:
        raise _cut(None)
    said = "refused" if reason in _REFUSALS else _REASONS.get(reason, reason.lower())
    if tools and said in ("end", "function_call"):
        said = "tool"
    yield Finished(said, served, usage)


def read_usage(counted: types.GenerateContentResponseUsageMetadata | None, before: Usage) -> Usage:
    """Read the provider's count: its prompt includes what the cache gave, its answer leaves thinking out."""
    if counted is None:
        return before
    cached = counted.cached_content_token_count or 0
    prompt = (counted.prompt_token_count or 0) + (counted.tool_use_prompt_token_count or 0)
    thinking = counted.thoughts_token_count or 0
    return Usage(
        input=max(prompt - cached, 0),
        cache_read=cached,
        output=(counted.candidates_token_count or 0) + thinking,
        thinking=thinking,
    )


def _content(message: Message, names: dict[str, str]) -> types.Content:
    role = "model" if message.role == "assistant" else "user"
    return types.Content(role=role, parts=[_part(part, names) for part in message.parts])


def _part(part: Part, names: dict[str, str]) -> types.Part:
    match part:
        case Text(text):
            return types.Part(text=text)
        case File(media_type, data, _):
            return types.Part(inline_data=types.Blob(data=data, mime_type=media_type))
        case ToolCall(_, name, arguments):
            return types.Part(function_call=types.FunctionCall(name=name, args=json.loads(arguments)))
        case ToolResult(ident, content, failed):
            told = {"error" if failed else "output": content}
            return types.Part(
                function_response=types.FunctionResponse(name=names.get(ident, ident), response=told)
            )


def _tool_names(ask: Request) -> dict[str, str]:
    """Find each call's function: Google's results are told apart by name, ours by id."""
    calls = (part for message in ask.messages for part in message.parts if isinstance(part, ToolCall))
    return {call.id: call.name for call in calls}


def _cut(seen: str | None) -> Fault:
    return Fault(
        ProviderError(
            f"{NAME} broke off in the middle of an answer", seen=seen, hint="try again: what came is billed"
        )
    )


def _status_fault(error: errors.APIError) -> Fault:
    headers = getattr(error.response, "headers", None) or {}
    return refused(NAME, error.code, error.message or error.status or "", headers.get, None, time.time())
