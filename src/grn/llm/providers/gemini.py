"""The words of the Gemini API: a request as its client's types, and their answers as events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.genai import types

from grn.kit.errors import ProviderError, UnsupportedError, UsageError
from grn.llm.events import Event, Finished, Started, TextDelta, ThinkingDelta, ToolAsked
from grn.llm.port import Fault, Wire
from grn.llm.providers.http import malformed
from grn.llm.request import File, Message, Part, Request, Text, ToolCall, ToolResult
from grn.llm.usage import NONE, Usage

NAME = "google"
_REASONS = {"STOP": "end", "MAX_TOKENS": "length"}
_REFUSALS = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}
)
Places = Mapping[bytes, str]
"""Address of an attachment that was uploaded beforehand, by its bytes."""


def body(ask: Request, places: Places) -> tuple[list[types.Content], types.GenerateContentConfig]:
    """Write a request in the words of the Gemini API. Nothing is added that the caller did not say.

    Raises
    ------
    Fault
        It marks a prompt for a cache, or has parts that must lie in the cache it names.
    """
    if ask.cache is not None:
        raise Fault(
            UnsupportedError(
                "Google caches long prompts by itself, without a mark",
                hint="leave --cache out; grn llm cache add keeps a prompt for certain",
            ),
            billed="no",
        )
    config: dict[str, Any] = {"max_output_tokens": ask.max_tokens}
    if ask.cached is not None:
        if ask.system is not None or ask.tools:
            raise Fault(
                UsageError(
                    "system prompt and tools of a cached prompt lie in the cache",
                    seen=ask.cached.name,
                    hint="grn llm cache add -s …",
                ),
                billed="no",
            )
        config["cached_content"] = ask.cached.name
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
    contents = [_content(message, names, places) for message in ask.messages]
    return contents, types.GenerateContentConfig(**config)


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
        raise cut(None)
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


def _content(message: Message, names: dict[str, str], places: Places) -> types.Content:
    role = "model" if message.role == "assistant" else "user"
    return types.Content(role=role, parts=[_part(part, names, places) for part in message.parts])


def _part(part: Part, names: dict[str, str], places: Places) -> types.Part:
    match part:
        case Text(text):
            return types.Part(text=text)
        case File(media_type, data, _) if data in places:
            return types.Part(file_data=types.FileData(file_uri=places[data], mime_type=media_type))
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


def cut(seen: str | None) -> Fault:
    """Make the fault of an answer that ended before it was whole."""
    return Fault(
        ProviderError(
            f"{NAME} broke off in the middle of an answer", seen=seen, hint="try again: what came is billed"
        )
    )
