"""Transcripts of gemini-cli: ``~/.gemini/tmp/PROJECT/chats/session-….json`` or, since 2026, ``.jsonl``.

A message of type ``gemini`` tells its tokens: ``input`` includes what was cached, ``thoughts`` come on top
of ``output``. In the newer form messages are appended, repeated by id as they grow, or set as a whole list
(``$set``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from grn.llm.history.past import PastCall, count, inner, moment_ms
from grn.llm.usage import Usage

_OWN = ("gemini", "user", "session_metadata", "message_update", "info", "error")


def is_line(row: Mapping[str, object]) -> bool:
    """Whether a line, or a whole file, is of such a transcript."""
    if "projectHash" in row or "$set" in row:
        return True
    return row.get("type") in _OWN and "message" not in row and "payload" not in row


def calls(rows: Iterable[Mapping[str, object]]) -> Iterator[PastCall]:
    """Give the calls of a transcript's lines, or of its one object."""
    session = project = ""
    known: dict[str, Mapping[str, object]] = {}
    for row in rows:
        session = str(row.get("sessionId") or session)
        project = str(row.get("projectHash") or project)[:12]
        for message in _messages(row):
            ident = str(message.get("id") or len(known))
            known[ident] = {**known.get(ident, {}), **message}
    for ident, message in known.items():
        used, at_ms = inner(message, "tokens"), moment_ms(message.get("timestamp"))
        # An update says only what has changed, so the type is that of the message it belongs to.
        if message.get("model") is None or at_ms is None or not any(count(used, name) for name in used):
            continue
        cached = min(count(used, "cached"), count(used, "input"))
        thoughts = count(used, "thoughts")
        yield PastCall(
            ident=f"gemini-cli:{session}:{ident}",
            source="gemini-cli",
            at_ms=at_ms,
            model=str(message["model"]),
            session=session,
            project=project,
            usage=Usage(
                input=count(used, "input") - cached + count(used, "tool"),
                cache_read=cached,
                output=count(used, "output") + thoughts,
                thinking=thoughts,
            ),
        )


def _messages(row: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    lists = (row.get("messages"), inner(row, "$set").get("messages"))
    for listed in lists:
        if isinstance(listed, list):
            yield from (message for message in listed if isinstance(message, dict))
    if "tokens" in row or row.get("type") == "gemini":
        yield row
