"""What comes back from a model, in our own words: a stream of events, the same for every provider.

They are plain data: a tape holds them beside the raw frames, and a replay yields them again without knowing
who had answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from grn.llm.usage import Usage


@dataclass(frozen=True)
class Started:
    """The provider took the call; ``served`` is the model that answers, by its own word."""

    served: str
    usage: Usage


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class ThinkingDelta:
    """A piece of the model's thinking."""

    text: str


@dataclass(frozen=True)
class ToolAsked:
    """The model wants a tool to be called; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Vectors:
    """Embeddings, one vector a text, in order."""

    vectors: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Ranking:
    """Documents by relevance, the best first: ``(index, score)``."""

    order: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Finished:
    """The whole answer has come.

    Attributes
    ----------
    reason
        ``end``, ``length`` (``max_tokens`` was reached), ``tool``, ``refused``, or the provider's own word.
    served
        The model that answered.
    usage
        The provider's final count.
    """

    reason: str
    served: str
    usage: Usage


Event = Started | TextDelta | ThinkingDelta | ToolAsked | Vectors | Ranking | Finished
_NAMES: Mapping[str, type[Event]] = {
    "started": Started,
    "text": TextDelta,
    "thinking": ThinkingDelta,
    "tool": ToolAsked,
    "vectors": Vectors,
    "ranking": Ranking,
    "finished": Finished,
}
_NAME_OF = {kind: name for name, kind in _NAMES.items()}


def plain_event(event: Event) -> dict[str, object]:
    """Give an event as data."""
    plain: dict[str, Any] = {"event": _NAME_OF[type(event)], **asdict(event)}
    if isinstance(event, Started | Finished):
        plain["usage"] = event.usage.plain()
    return plain


def event_from_plain(plain: Mapping[str, Any]) -> Event:
    """Read back what :func:`plain_event` gave.

    Raises
    ------
    ValueError
        It is no event.
    """
    fields = dict(plain)
    kind = _NAMES.get(str(fields.pop("event", None)))
    if kind is None:
        raise ValueError(f"no event: {plain!r:.80}")
    try:
        if "usage" in fields:
            fields["usage"] = Usage.from_plain(fields["usage"])
        if kind is Vectors:
            fields["vectors"] = tuple(tuple(vector) for vector in fields["vectors"])
        if kind is Ranking:
            fields["order"] = tuple((index, score) for index, score in fields["order"])
        return kind(**fields)
    except (TypeError, KeyError) as error:
        raise ValueError(f"no {kind.__name__}: {plain!r:.80}") from error
