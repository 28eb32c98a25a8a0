"""A call that somebody else made, as a transcript or an export tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from grn.llm.usage import Usage

Source = Literal["claude-code", "codex", "gemini-cli", "anthropic-export"]
Kind = Literal["complete", "batch", "sum", "batch-sum"]
"""One call, at once or in a batch; or a row that adds many up."""


@dataclass(frozen=True)
class PastCall:
    """A call of the past.

    Attributes
    ----------
    ident
        Its identity: the same call has the same one in every copy of a transcript.
    at_ms
        When it was made; of a row that adds up, the beginning of its time.
    model
        As the source names it.
    session
        The conversation that it belongs to; empty for rows that add up.
    project
        Name of the folder that was worked in, or of the workspace.
    usage
        Tokens by class.
    """

    ident: str
    source: Source
    at_ms: int
    model: str
    session: str
    project: str
    usage: Usage
    kind: Kind = "complete"


def moment_ms(text: object) -> int | None:
    """Read an ISO 8601 time; one without a zone is UTC. ``None`` for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def count(row: Mapping[str, object], name: str) -> int:
    """Read a number of tokens; what is missing or no number is none."""
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def inner(row: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Give an object inside another, empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}
