"""Transcripts of Codex: ``~/.codex/sessions/YEAR/MONTH/DAY/rollout-….jsonl``.

Events of type ``token_count`` tell the tokens of the last call and the sum so far; ``turn_context`` names
the model. Some events repeat a sum (only limits have changed): they are no calls. ``input_tokens`` includes
what was cached, and ``output_tokens`` the reasoning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from grn.llm.history.past import PastCall, count, inner, moment_ms
from grn.llm.usage import Usage

_OWN = ("session_meta", "turn_context", "event_msg", "response_item", "compacted")
_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


def is_line(row: Mapping[str, object]) -> bool:
    """Whether a line is of such a transcript."""
    return row.get("type") in _OWN and isinstance(row.get("payload"), dict)


def calls(rows: Iterable[Mapping[str, object]]) -> Iterator[PastCall]:
    """Give the calls of a transcript's lines."""
    session = project = model = ""
    before = dict.fromkeys(_COUNTS, 0)
    for row in rows:
        payload = inner(row, "payload")
        if row.get("type") == "session_meta":
            session = session or str(payload.get("id") or payload.get("session_id") or "")
            project = PurePath(str(payload.get("cwd") or "")).name
        elif row.get("type") == "turn_context":
            model = str(payload.get("model") or model)
        if payload.get("type") != "token_count":
            continue
        info, at_ms = inner(payload, "info"), moment_ms(row.get("timestamp"))
        so_far = {name: count(inner(info, "total_token_usage"), name) for name in _COUNTS}
        if at_ms is None or so_far == before or not any(so_far.values()):
            continue
        last = inner(info, "last_token_usage")
        used = {name: count(last, name) for name in _COUNTS}
        if not any(used.values()):
            used = {name: max(so_far[name] - before[name], 0) for name in _COUNTS}
        before = so_far
        cached = min(used["cached_input_tokens"], used["input_tokens"])
        # A copy of a history in an agent's rollout has the times and sums of the original.
        sums = "-".join(str(so_far[name]) for name in _COUNTS)
        yield PastCall(
            ident=f"codex:{at_ms}:{sums}",
            source="codex",
            at_ms=at_ms,
            model=model or "unknown",
            session=session,
            project=project,
            usage=Usage(
                input=used["input_tokens"] - cached,
                cache_read=cached,
                output=used["output_tokens"],
                thinking=min(used["reasoning_output_tokens"], used["output_tokens"]),
            ),
        )
