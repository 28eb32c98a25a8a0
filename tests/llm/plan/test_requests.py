"""Recorded requests as prompts: bodies of the Messages API, and the calls on a tape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grn.kit.errors import UsageError
from grn.llm.plan.requests import read_lines, read_tape
from grn.llm.tape import Record
from grn.llm.usage import Usage

MODEL = "claude-opus-5-5"


def weigh(_: str, text: str) -> int:
    return len(text)


def line(**fields: Any) -> str:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "why?"}]} | fields.pop("request", {})
    return json.dumps({"at": "2026-11-23T10:00:00Z", "request": body} | fields)


def test_a_body_in_the_provider_s_order() -> None:
    """Tools, system, messages; marks where they were sent, the automatic one where it can stand."""
    mark = {"type": "ephemeral"}
    request = {
        "tools": [{"name": "add", "input_schema": {}, "cache_control": mark | {"ttl": "1h"}}],
        "system": [{"type": "text", "text": "be brief", "cache_control": mark}],
        "messages": [
            {"role": "user", "content": [
                {"type": "document", "title": "a.md", "source": {"type": "text", "data": "x" * 50}},
                {"type": "text", "text": "why?"},
            ]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}},
                {"type": "thinking", "thinking": "hm", "signature": "s"},
            ]},
        ],
        "cache_control": mark,
    }  # fmt: skip
    (sent,) = read_lines([line(request=request, first_s=1.5), "\n"], weigh)
    blocks = sent.prompt.blocks
    assert [(block.level, block.kind, block.slot) for block in blocks] == [
        ("tools", "tool", "add"),
        ("system", "text", ""),
        ("messages", "document", "a.md"),
        ("messages", "text", ""),
        ("messages", "tool_use", ""),
        ("messages", "thinking", ""),
    ]
    assert sent.marks == ((0, "1h"), (1, "5m"), (4, "5m"))
    assert (sent.prompt.begins_ms, sent.prompt.model) == (1500, MODEL)


def test_marks_are_no_part_of_a_block_s_identity_and_roles_are() -> None:
    """The same words with a mark are the same block; said by the other side they are another."""

    def key(role: str, **mark: Any) -> str:
        message = {"role": role, "content": [{"type": "text", "text": "x", **mark}]}
        return read_lines([line(request={"messages": [message]})], weigh)[0].prompt.prefixes[-1]

    assert key("user") == key("user", cache_control={"type": "ephemeral"})
    assert key("user") != key("assistant")


def test_blocks_add_up_to_what_the_provider_counted() -> None:
    """Our counts are scaled to the usage of the answer where that is known."""
    usage = {"input_tokens": 7, "cache_read_input_tokens": 993, "output_tokens": 5}
    (sent,) = read_lines([line(request={"system": "s" * 30}, usage=usage)], weigh)
    assert (sent.prompt.tokens, sent.prompt.output) == (1000, 5)
    assert [block.tokens for block in sent.prompt.blocks] == [30 * 1000 // 34, 1000 - 30 * 1000 // 34]


@pytest.mark.parametrize(
    "wrong", ["{", "[]", "{}", '{"at": 1}', '{"at": "x", "request": {"model": "m", "messages": []}}',
              '{"at": 1, "request": {"model": "m", "messages": [{"role": "user"}]}}']
)  # fmt: skip
def test_a_line_that_is_no_request(wrong: str) -> None:
    """An error with the line's number."""
    with pytest.raises(UsageError, match="line 2 is no recorded request"):
        read_lines([line(), wrong], weigh)


def test_calls_on_a_tape() -> None:
    """Those asked of Claude, with their system prompt, marks and counts; others are left out."""
    request = {
        "provider": "anthropic", "endpoint": "complete", "model": MODEL, "system": "s", "cache": "1h",
        "messages": [{"role": "user", "parts": [
            {"file": {"media_type": "application/pdf", "bytes": 9, "sha256": "0"}}, {"text": "why?"}]}],
    }  # fmt: skip
    at = "2026-11-23T10:00:00Z"
    other = {"provider": "google", "endpoint": "complete"}
    tape = [
        Record(request, MODEL, MODEL, (), (), Usage(input=500, output=9), 0, {}, at),
        Record(other, "g", "g", (), (), Usage(), 0, {}, at),
    ]
    (sent,) = read_tape(tape, weigh)
    assert [block.kind for block in sent.prompt.blocks] == ["text", "document", "text"]
    assert (sent.prompt.tokens, sent.prompt.output, sent.marks) == (500, 9, ((2, "1h"),))
