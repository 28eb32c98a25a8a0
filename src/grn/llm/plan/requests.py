"""Requests as prompts: bodies of the Messages API, a line each; calls on a tape; one that is to be sent now.

What stands in a user's message before its last part is taken for material, as documents are: files that are
attached as text, what is piped in. A schema of the answer changes everything from the system prompt on, and
how hard to think, or which tool to call, the messages ("What invalidates the cache",
https://platform.claude.com/docs/en/build-with-claude/prompt-caching, and "Structured outputs").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import UsageError
from grn.kit.files import sha256_hex
from grn.llm.bound import size_of
from grn.llm.plan.cache import Marks
from grn.llm.plan.prompt import Block, Kind, Level, Prompt, in_order
from grn.llm.request import CacheTime, File, Message, Request
from grn.llm.tape import Record

Weigh = Callable[[str, str], int]
"""Tokens of a text for a model."""

_KINDS: Mapping[str, Kind] = {
    "text": "text",
    "image": "document",
    "document": "document",
    "tool_use": "tool_use",
    "tool_result": "tool_result",
    "thinking": "thinking",
    "redacted_thinking": "thinking",
}
_FILE_TOKENS = "_tokens"  # of a file whose content is not in the body, beside what it is known by
_NO_TEXT = ("type", "cache_control", "source", "data", "media_type", "sha256")
_PER_FILE = 1_600  # of a picture, or of a document whose text is not there; scaled where the sum is known


@dataclass(frozen=True)
class Sent:
    """A request as it was sent: the prompt, and its marks."""

    prompt: Prompt
    marks: Marks


def read_lines(lines: Iterable[str], weigh: Weigh) -> list[Sent]:
    """Read requests, one JSON object a line, and put them in the order of time.

    A line has ``at`` (ISO 8601, or seconds since 1970), ``request`` (a body of the Messages API) and, where
    known, ``usage`` (the answer's) and ``first_s`` (seconds until the answer began).

    Raises
    ------
    UsageError
        A line is none of these.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append(_sent(row, weigh))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"line {number} is no recorded request",
                seen=str(error) or type(error).__name__,
                hint='{"at": "2026-11-23T10:00:00Z", "request": {"model": …, "messages": […]}}',
            ) from error
    return sorted(found, key=lambda sent: sent.prompt.at_ms)


def read_tape(records: Iterable[Record], weigh: Weigh) -> list[Sent]:
    """Read the calls on a tape that were asked of Claude, in the order of time."""
    found = []
    for record in records:
        if record.request.get("provider") != "anthropic" or record.request.get("endpoint") != "complete":
            continue
        body = _body(record.request, record.sent)
        usage = {"input_tokens": record.usage.prompt, "output_tokens": record.usage.output}
        sent = _sent({"at": record.recorded_at, "request": body, "usage": usage}, weigh)
        found.append(replace(sent, marks=record.marks) if record.marks else sent)
    return sorted(found, key=lambda sent: sent.prompt.at_ms)


def prompt_of(ask: Request, model: str, at_ms: int, weigh: Weigh) -> Prompt:
    """See a request that is to be sent as the cache will see it: its blocks in the order of the body."""
    files = {sha256_hex(file.data): _tokens_of(file) for file in ask.files()}
    return _sent({"at": at_ms / 1000, "request": _body(ask.plain(), model, files)}, weigh).prompt


def _tokens_of(file: File) -> int:
    return size_of(Request("", (Message("user", (file,)),))).about


def _body(request: Mapping[str, Any], model: str, files: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Write a request of ours, as plain data, in the words of the Messages API as far as its cache goes."""
    messages = [
        {"role": message["role"], "content": [_part(part, files or {}) for part in message["parts"]]}
        for message in request["messages"]
    ]
    body = {"model": model, "messages": messages, "tools": request.get("tools", [])}
    if request.get("system"):
        body["system"] = request["system"]
    body["output_config"] = {"format": request.get("schema"), "effort": request.get("effort")}
    if request.get("cache"):
        body["cache_control"] = {"type": "ephemeral", "ttl": request["cache"]}
    return body


def _part(part: Mapping[str, Any], files: Mapping[str, int]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    if "file" in part:
        file = part["file"]
        return {"type": "document", **file, _FILE_TOKENS: files.get(file["sha256"], _PER_FILE)}
    for name in ("tool_call", "tool_result"):
        if name in part:
            return {"type": "tool_use" if name == "tool_call" else name, **part[name]}
    raise KeyError("a part of no known kind")


def _sent(row: Mapping[str, Any], weigh: Weigh) -> Sent:
    body, usage = row["request"], row.get("usage") or {}
    model = str(body["model"])
    output = body.get("output_config") or {}
    whole = [output.get("format")]
    talk = [*whole, output.get("effort"), body.get("thinking"), body.get("tool_choice")]
    parts: list[tuple[Block, CacheTime | None]] = []
    for tool in body.get("tools") or ():
        parts.append(_block("tools", "tool", tool, model, weigh, slot=str(tool["name"])))
    for part in _content(body.get("system") or ()):
        parts.append(_block("system", "text", part, model, weigh, among=whole))
    for message in body["messages"]:
        among, content = [*talk, message["role"]], _content(message["content"])
        for number, part in enumerate(content, start=1):
            kind = _KINDS.get(part["type"], "text")
            if kind == "text" and message["role"] == "user" and number < len(content):
                kind = "document"
            slot = str(part.get("title") or "") if kind == "document" else ""
            parts.append(_block("messages", kind, part, model, weigh, slot=slot, among=among))
    blocks = _scaled(in_order(block for block, _ in parts), _known(usage))
    prompt = Prompt(
        at_ms=_at_ms(row["at"]),
        model=model,
        blocks=blocks,
        output=int(usage.get("output_tokens") or row.get("output_tokens") or 0),
        begins_ms=round(1000 * float(row.get("first_s") or 0)),
    )
    marks = {place: life for place, (_, life) in enumerate(parts) if life is not None}
    last = prompt.last_markable()
    if body.get("cache_control") and last is not None:
        marks.setdefault(last, _life(body["cache_control"]))
    return Sent(prompt, tuple(sorted(marks.items())))


def _block(
    level: Level,
    kind: Kind,
    part: Mapping[str, Any],
    model: str,
    weigh: Weigh,
    *,
    slot: str = "",
    among: list[Any] | None = None,
) -> tuple[Block, CacheTime | None]:
    plain = {name: value for name, value in part.items() if name not in _NO_TEXT}
    bare = {name: value for name, value in part.items() if name not in ("cache_control", _FILE_TOKENS)}
    key = sha256_hex(canonical_json([among, bare]))[:32]
    tokens = sum(weigh(model, text) for text in _texts(plain)) + int(part.get(_FILE_TOKENS) or 0)
    source = part.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        tokens += weigh(model, str(source.get("data") or ""))
    elif isinstance(source, Mapping):
        tokens += _PER_FILE
    control = part.get("cache_control")
    return Block(level, kind, key, tokens, slot), None if control is None else _life(control)


def _content(content: Any) -> list[Any]:
    """Give a content's parts; words alone are one."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _texts(value: object) -> Iterator[str]:
    """Give every text in a value, names of fields left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _known(usage: Mapping[str, Any]) -> int:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(int(usage.get(name) or 0) for name in names)


def _scaled(blocks: tuple[Block, ...], known: int) -> tuple[Block, ...]:
    """Make blocks add up to what the provider counted: our counts of parts leave frames out."""
    total = sum(block.tokens for block in blocks)
    if not known or not total:
        return blocks
    scaled, before, after = [], 0, 0
    for block in blocks:
        before += block.tokens
        end = before * known // total
        scaled.append(replace(block, tokens=end - after))
        after = end
    return tuple(scaled)


def _at_ms(at: object) -> int:
    if isinstance(at, int | float):
        return round(at * 1000)
    moment = datetime.fromisoformat(str(at))
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _life(control: Mapping[str, Any]) -> CacheTime:
    return "1h" if control.get("ttl") == "1h" else "5m"
