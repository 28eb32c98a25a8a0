"""Recorded requests as prompts: bodies of the Messages API, a line each, and the calls on a tape."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import UsageError
from grn.kit.files import sha256_hex
from grn.llm.plan.cache import Marks
from grn.llm.plan.prompt import Block, Kind, Level, Prompt, in_order
from grn.llm.request import CacheTime
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
_NO_TEXT = ("type", "cache_control", "source", "data")
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
        body = _body(record)
        usage = {"input_tokens": record.usage.prompt, "output_tokens": record.usage.output}
        found.append(_sent({"at": record.recorded_at, "request": body, "usage": usage}, weigh))
    return sorted(found, key=lambda sent: sent.prompt.at_ms)


def _body(record: Record) -> dict[str, Any]:
    request = dict(record.request)
    messages = [
        {"role": message["role"], "content": [_part(part) for part in message["parts"]]}
        for message in request["messages"]
    ]
    body = {"model": record.sent, "messages": messages, "tools": request.get("tools", [])}
    if request.get("system"):
        body["system"] = request["system"]
    if request.get("cache"):
        body["cache_control"] = {"type": "ephemeral", "ttl": request["cache"]}
    return body


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    for name, kind in (("file", "document"), ("tool_call", "tool_use"), ("tool_result", "tool_result")):
        if name in part:
            return {"type": kind, **part[name]}
    raise KeyError("a part of no known kind")


def _sent(row: Mapping[str, Any], weigh: Weigh) -> Sent:
    body, usage = row["request"], row.get("usage") or {}
    model = str(body["model"])
    parts: list[tuple[Block, CacheTime | None]] = []
    for tool in body.get("tools") or ():
        parts.append(_block("tools", "tool", tool, model, weigh, slot=str(tool["name"])))
    system = body.get("system") or ()
    for part in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        parts.append(_block("system", "text", part, model, weigh))
    for message in body["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            kind = _KINDS.get(part["type"], "text")
            slot = str(part.get("title") or "") if kind == "document" else ""
            parts.append(_block("messages", kind, part, model, weigh, slot=slot, who=message["role"]))
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
    who: str = "",
) -> tuple[Block, CacheTime | None]:
    plain = {name: value for name, value in part.items() if name not in _NO_TEXT}
    key = sha256_hex(canonical_json([who, {**part, "cache_control": None}]))[:32]
    tokens = sum(weigh(model, text) for text in _texts(plain))
    source = part.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        tokens += weigh(model, str(source.get("data") or ""))
    elif kind == "document":
        tokens += _PER_FILE
    control = part.get("cache_control")
    return Block(level, kind, key, tokens, slot), None if control is None else _life(control)


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
