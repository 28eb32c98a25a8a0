"""Transcripts and an export written by hand, in the formats of 2026-10 as public readers describe them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def claude_line(
    message: str, at: str, *, session: str = "s-1", model: str = "claude-opus-5-5", **used: Any
) -> dict[str, Any]:
    """One line of an answer; `used` overrides what it used."""
    usage = {
        "input_tokens": 4,
        "cache_creation_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
        "cache_read_input_tokens": 20_000,
        "output_tokens": 300,
        "service_tier": "standard",
    }
    return {
        "parentUuid": "u-0",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/data/thesis",
        "sessionId": session,
        "version": "2.0.74",
        "type": "assistant",
        "requestId": "req_1",
        "uuid": f"u-{message}",
        "timestamp": at,
        "message": {
            "model": model,
            "id": message,
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "a secret of the thesis"}],
            "stop_reason": None,
            "usage": usage | used,
        },
    }


def claude_code(folder: Path) -> Path:
    """A conversation whose first answer has two lines, with a side conversation that repeats it."""
    path = folder / "projects" / "-data-thesis" / "s-1.jsonl"
    path.parent.mkdir(parents=True)
    said = {"type": "user", "sessionId": "s-1", "timestamp": "2026-10-05T08:00:00.000Z",
            "message": {"role": "user", "content": "why?"}}  # fmt: skip
    path.write_text(
        lines(
            {"type": "summary", "summary": "Why", "leafUuid": "u-1"},
            said,
            claude_line("msg_1", "2026-10-05T08:00:05.000Z", output_tokens=1),
            claude_line("msg_1", "2026-10-05T08:00:07.500Z"),
            claude_line("msg_2", "2026-10-05T08:01:00.000Z", input_tokens=10, cache_creation_input_tokens=50,
                        cache_creation={"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 0},
                        cache_read_input_tokens=21_300, output_tokens=20),
            claude_line("x", "2026-10-05T08:02:00.000Z", model="<synthetic>"),
        )
        + '{"type":"assistant","sessionId":"s-1","mess'
    )  # fmt: skip
    side = path.parent / "s-1" / "subagents" / "agent-7.jsonl"
    side.parent.mkdir(parents=True)
    repeated = claude_line("msg_1", "2026-10-05T08:00:05.000Z") | {"isSidechain": True, "requestId": "req_2"}
    own = claude_line("msg_3", "2026-10-05T08:03:00.000Z", model="claude-haiku-5-5") | {"agentId": "7"}
    side.write_text(lines(repeated, own))
    return folder / "projects"


def codex(folder: Path) -> Path:
    """Three events, of which the second repeats the first; the third has sums alone."""

    def counted(at: str, total: tuple[int, ...], last: tuple[int, ...] | None) -> dict[str, Any]:
        names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
        info: dict[str, Any] = {"total_token_usage": dict(zip(names, total, strict=True))}
        if last:
            info["last_token_usage"] = dict(zip(names, last, strict=True))
        return {"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": info}}

    path = folder / "sessions" / "2026" / "10" / "06" / "rollout-2026-10-06T09-00-00-c-1.jsonl"
    path.parent.mkdir(parents=True)
    meta = {"id": "c-1", "cwd": "/data/solver", "originator": "codex_cli_rs"}
    path.write_text(
        lines(
            {"timestamp": "2026-10-06T09:00:00.000Z", "type": "session_meta", "payload": meta},
            {"timestamp": "2026-10-06T09:00:01.000Z", "type": "turn_context", "payload": {"model":
            "gpt-6.1"}}, {"timestamp": "2026-10-06T09:00:02.000Z", "type": "event_msg",
             "payload": {"type": "token_count", "info": None}},
            counted("2026-10-06T09:00:05.000Z", (1000, 600, 50, 20), (1000, 600, 50, 20)),
            counted("2026-10-06T09:00:06.000Z", (1000, 600, 50, 20), (1000, 600, 50, 20)),
            counted("2026-10-06T09:00:20.000Z", (2500, 1500, 90, 30), None),
        )
    )  # fmt: skip
    return path


def gemini_cli(folder: Path) -> tuple[Path, Path]:
    """The older form, one object, and the newer one, in which a message grows."""
    chats = folder / "tmp" / "abc" / "chats"
    chats.mkdir(parents=True)
    tokens = {"input": 1000, "output": 50, "cached": 600, "thoughts": 30, "tool": 20, "total": 1100}
    whole = {"id": "g-1", "timestamp": "2026-10-07T10:00:00.000Z", "type": "gemini", "content": "x",
             "model": "gemini-3.8-flash", "tokens": tokens}  # fmt: skip
    old = chats / "session-2026-10-07T10-00-a.json"
    head = {"sessionId": "g-old", "projectHash": "f" * 64, "startTime": "2026-10-07T10:00:00.000Z"}
    user = {"id": "u-1", "type": "user", "content": [{"text": "?"}]}
    old.write_text(json.dumps(head | {"messages": [user, whole]}))
    new = chats / "session-2026-10-08T10-00-b.jsonl"
    new.write_text(
        lines(
            head | {"sessionId": "g-new", "kind": "main"},
            {"$set": {"messages": [user]}},
            whole | {"tokens": {"input": 10, "output": 1}},
            whole,
            {"type": "message_update", "id": "g-1", "tokens": tokens | {"output": 60}},
        )
    )
    return old, new


EXPORT_HEAD = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed\n"
)


def export(folder: Path, *, output: int = 675) -> Path:
    """A day of the console's CSV: at once, and in a batch."""
    path = folder / "claude_api_tokens_2026_10.csv"
    day = "2026-10-20,claude-opus-5-5,planted-name-of-a-key,Thesis"
    path.write_text(
        EXPORT_HEAD + f'{day},standard,≤ 200k,189,61624,0,61624,{output},0,not_available,\n'
        f'{day},batch,≤ 200k,1000,0,0,0,100,0,not_available,\n'
        f'{day},standard,≤ 200k,0,0,0,0,0,0,global,\n'
    )  # fmt: skip
    return path
