"""One recorded call, as bytes: the request, the raw frames of the answer, and the events made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import LedgerError
from grn.llm.events import Event, event_from_plain, plain_event
from grn.llm.request import Marks, key_of
from grn.llm.usage import Usage

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """A call and its answer.

    Attributes
    ----------
    request
        What identifies it, see :func:`grn.llm.request.canonical`.
    sent, served
        The model's name as it was sent, and the one that answered by its own word.
    frames
        The answer as it came over the wire, split where the protocol splits it.
    events
        What was made of the frames.
    usage, cost_pusd, price
        What it used and cost when it was recorded, with the price of that day.
    recorded_at
        UTC, to the second.
    marks
        Where a plan had put marks of the provider's cache; no part of what identifies the call.
    """

    request: Mapping[str, Any]
    sent: str
    served: str
    frames: tuple[str, ...]
    events: tuple[Event, ...]
    usage: Usage
    cost_pusd: int
    price: Mapping[str, Any]
    recorded_at: str
    marks: Marks = ()

    @property
    def key(self) -> str:
        """Name of the call: SHA-256 of its canonical request."""
        return key_of(canonical_json(dict(self.request)))

    def plain(self) -> dict[str, Any]:
        """Give it as data."""
        return {
            "format": FORMAT,
            "request": dict(self.request),
            "sent": self.sent,
            "served": self.served,
            "frames": list(self.frames),
            "events": [plain_event(event) for event in self.events],
            "usage": self.usage.plain(),
            "cost_pusd": self.cost_pusd,
            "price": dict(self.price),
            "recorded_at": self.recorded_at,
            **({"marks": self.marks} if self.marks else {}),
        }

    def to_bytes(self) -> bytes:
        """Write it; equal records are equal bytes."""
        return canonical_json(self.plain())

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """Read back what :meth:`to_bytes` gave.

        Raises
        ------
        LedgerError
            It is no record, or one of a newer version.
        """
        try:
            plain = json.loads(data)
            if plain["format"] != FORMAT:
                raise LedgerError(
                    "a recorded call of another version of grn",
                    seen=plain["format"],
                    hint="pip install --upgrade alpha-metaphorica",
                )
            return cls(
                request=plain["request"],
                sent=plain["sent"],
                served=plain["served"],
                frames=tuple(plain["frames"]),
                events=tuple(event_from_plain(event) for event in plain["events"]),
                usage=Usage.from_plain(plain["usage"]),
                cost_pusd=plain["cost_pusd"],
                price=plain["price"],
                recorded_at=plain["recorded_at"],
                marks=tuple((place, life) for place, life in plain.get("marks", ())),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                "this is no recorded call", seen=f"{data!r:.60}", hint="record it again, or restore the tape"
            ) from error
