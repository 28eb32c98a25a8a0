"""What is asked of a model, in our own words: one form for every provider, and a recorded call's identity."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from grn.kit.canonical import canonical_json
from grn.kit.files import sha256_hex

Role = Literal["user", "assistant"]
CacheTime = Literal["5m", "1h"]
Marks = tuple[tuple[int, CacheTime], ...]
"""Blocks on which marks of the provider's cache stand, ascending, and for how long each keeps its prefix.

Blocks are counted in the provider's order: tools, system prompt, parts of messages."""
Effort = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Text:
    """Words, as they are."""

    text: str


@dataclass(frozen=True)
class File:
    """An attached file: a picture or a PDF.

    Attributes
    ----------
    media_type
        For example ``application/pdf``.
    data
        Its bytes; a request is identified by their hash.
    name
        The file's name, for messages; it is neither sent nor part of the request's identity.
    """

    media_type: str
    data: bytes
    name: str

    def __repr__(self) -> str:
        return f"File({self.media_type!r}, <{len(self.data):,} bytes>, {self.name!r})"


@dataclass(frozen=True)
class ToolCall:
    """The model's wish to have a tool called."""

    id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave back."""

    id: str
    content: str
    failed: bool = False


Part = Text | File | ToolCall | ToolResult


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Tool:
    """A function that the model may ask for; ``schema`` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Cached:
    """The beginning of a prompt, laid into a provider's cache before.

    Attributes
    ----------
    name
        The provider's name for it; it is sent, and is no part of the request's identity.
    model
        The only model that can read it.
    sha256
        Hash of what lies there: see :func:`key_of`.
    tokens
        As the provider counted them.
    """

    name: str
    model: str
    sha256: str
    tokens: int


@dataclass(frozen=True)
class Request:
    """A call to be made.

    Attributes
    ----------
    model
        Full name, as asked for.
    messages
        The conversation; the last one is the user's.
    system
        System prompt, or ``None``.
    max_tokens
        Bound on the answer, thinking included.
    temperature
        ``None`` leaves it to the provider; some models refuse any.
    schema
        JSON Schema that the answer has to follow.
    tools
        Functions that the model may ask for.
    effort
        How hard the model should think; ``None`` leaves it to the provider.
    cache
        Mark the prompt for the provider's cache: its end, for that long; or where a ``plan`` says when it is
        sent, which is no part of what is asked, nor of the request's identity. ``None`` does not.
    cached
        What comes before the messages and lies in the provider's cache already.
    marks
        Where the plan says; no part of the identity either.
    """

    model: str
    messages: tuple[Message, ...]
    system: str | None = None
    max_tokens: int = 4096
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    tools: tuple[Tool, ...] = ()
    effort: Effort | None = None
    cache: CacheTime | Literal["plan"] | None = None
    cached: Cached | None = None
    marks: Marks = ()

    def plain(self) -> dict[str, object]:
        """Give it as data: attachments by hash and size, what was left open left out."""
        plain: dict[str, object] = {
            "model": self.model,
            "messages": [
                {"role": message.role, "parts": [_plain_part(part) for part in message.parts]}
                for message in self.messages
            ],
            "max_tokens": self.max_tokens,
            "system": self.system,
            "temperature": self.temperature,
            "schema": self.schema,
            "tools": [
                {"name": tool.name, "description": tool.description, "schema": tool.schema}
                for tool in self.tools
            ],
            "effort": self.effort,
            "cache": None if self.cache == "plan" else self.cache,
            "cached": None
            if self.cached is None
            else {"sha256": self.cached.sha256, "tokens": self.cached.tokens},
        }
        return {name: value for name, value in plain.items() if value not in (None, [])}

    def files(self) -> Iterator[File]:
        """Give every attached file, in order."""
        for message in self.messages:
            yield from (part for part in message.parts if isinstance(part, File))

    def text_bytes(self) -> int:
        """Bytes (UTF-8) of everything in it that is text: no tokenizer makes more tokens of it than that."""
        words = [
            self.system or "",
            *([] if self.schema is None else [json.dumps(self.schema)]),
            *(json.dumps(t.schema) for t in self.tools),
        ]
        words += [f"{tool.name} {tool.description}" for tool in self.tools]
        for message in self.messages:
            for part in message.parts:
                match part:
                    case Text(text):
                        words.append(text)
                    case ToolCall(_, name, arguments):
                        words.append(name + arguments)
                    case ToolResult(_, content):
                        words.append(content)
        return sum(len(word.encode("utf-8", "surrogatepass")) for word in words)


@dataclass(frozen=True)
class Embedding:
    """Texts to be turned into vectors.

    Attributes
    ----------
    model
        Full name, as asked for.
    texts
        What to embed.
    role
        ``query`` or ``document`` where the model tells them apart.
    """

    model: str
    texts: tuple[str, ...]
    role: Literal["query", "document"] | None = None

    def plain(self) -> dict[str, object]:
        """Give it as data."""
        plain: dict[str, object] = {"model": self.model, "texts": list(self.texts)}
        return plain if self.role is None else {**plain, "role": self.role}

    def text_bytes(self) -> int:
        """Bytes (UTF-8) of all texts."""
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in self.texts)


@dataclass(frozen=True)
class Rerank:
    """Documents to be ordered by how well they answer a query."""

    model: str
    query: str
    documents: tuple[str, ...]

    def plain(self) -> dict[str, object]:
        """Give it as data."""
        return {"model": self.model, "query": self.query, "documents": list(self.documents)}

    def text_bytes(self) -> int:
        """Bytes (UTF-8) that are billed: the query is read once with every document."""
        query = len(self.query.encode("utf-8", "surrogatepass"))
        return sum(query + len(text.encode("utf-8", "surrogatepass")) for text in self.documents)


Ask = Request | Embedding | Rerank
_ENDPOINTS = {Request: "complete", Embedding: "embed", Rerank: "rerank"}


def kind_of(ask: Ask) -> str:
    """Name what kind of call it is: ``complete``, ``embed`` or ``rerank``."""
    return _ENDPOINTS[type(ask)]


def canonical(provider: str, ask: Ask) -> bytes:
    """Give the bytes that a call is identified by: provider, endpoint, model, parameters, content."""
    return canonical_json({"provider": provider, "endpoint": kind_of(ask), **ask.plain()})


def key_of(canonical_request: bytes) -> str:
    """Name a call: SHA-256 of :func:`canonical`."""
    return sha256_hex(canonical_request)


def _plain_part(part: Part) -> dict[str, object]:
    match part:
        case Text(text):
            return {"text": text}
        case File(media_type, data, _):
            return {
                "file": {
                    "media_type": media_type,
                    "bytes": len(data),
                    "sha256": sha256_hex(data),
                }
            }
        case ToolCall(ident, name, arguments):
            return {"tool_call": {"id": ident, "name": name, "arguments": arguments}}
        case ToolResult(ident, content, failed):
            return {"tool_result": {"id": ident, "content": content, "failed": failed}}


def message_from_plain(plain: Mapping[str, Any]) -> Message:
    """Read a message without files back from the form in which it was written.

    Raises
    ------
    ValueError
        It is no message, or one with a file: a file's bytes are not written down.
    """
    parts: list[Part] = []
    for part in plain.get("parts", ()):
        match part:
            case {"text": str(text)}:
                parts.append(Text(text))
            case {"tool_call": {"id": ident, "name": name, "arguments": arguments}}:
                parts.append(ToolCall(ident, name, arguments))
            case {"tool_result": {"id": ident, "content": content, "failed": failed}}:
                parts.append(ToolResult(ident, content, failed))
            case _:
                raise ValueError(f"no part of a message: {part!r}")
    role = plain.get("role")
    if role not in ("user", "assistant") or not parts:
        raise ValueError(f"no message: {plain!r}")
    return Message(cast("Role", role), tuple(parts))
