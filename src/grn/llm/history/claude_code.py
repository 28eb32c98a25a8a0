"""Transcripts of Claude Code: ``~/.claude/projects/FOLDER/SESSION.jsonl`` and those of its agents below.

A line of type ``assistant`` holds a message and its usage. One answer is written as a line for each of its
blocks, all with the message's id, and a side conversation repeats its parent's messages with their ids: a
message is one call, wherever and how often it stands. The last line of it has the final count of the
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from grn.llm.history.past import PastCall, count, inner, moment_ms
from grn.llm.usage import Usage

_OWN = ("assistant", "user", "system", "summary", "file-history-snapshot", "queue-operation")


def is_line(row: Mapping[str, object]) -> bool:
    """Whether a line is of such a transcript."""
    known = row.get("type") in _OWN
    return known and ("sessionId" in row or "leafUuid" in row or "messageId" in row)


def calls(rows: Iterable[Mapping[str, object]]) -> Iterator[PastCall]:
    """Give the calls of a transcript's lines; a call may come more than once, its latest state last."""
    for row in rows:
        message, at_ms = inner(row, "message"), moment_ms(row.get("timestamp"))
        used, model = inner(message, "usage"), message.get("model")
        if row.get("type") != "assistant" or not used or at_ms is None:
            continue
        if not isinstance(model, str) or model == "<synthetic>":  # an error in the place of an answer
            continue
        written = inner(used, "cache_creation")
        hour = count(written, "ephemeral_1h_input_tokens")
        usage = Usage(
            input=count(used, "input_tokens"),
            cache_write_5m=max(count(used, "cache_creation_input_tokens") - hour, 0),
            cache_write_1h=hour,
            cache_read=count(used, "cache_read_input_tokens"),
            output=count(used, "output_tokens"),
        )
        session, agent = str(row.get("sessionId") or ""), row.get("agentId")
        name = str(message.get("id") or row.get("uuid") or "")
        ident = name if name.startswith("msg_") else f"{session}:{name}"
        yield PastCall(
            ident=f"claude-code:{ident}",
            source="claude-code",
            at_ms=at_ms,
            model=model,
            session=f"{session}/{agent}" if agent else session,
            project=PurePath(str(row.get("cwd") or "")).name,
            usage=usage,
            kind="batch" if used.get("service_tier") == "batch" else "complete",
        )
