"""Requests that many tests make."""

from __future__ import annotations

from typing import Any

from grn.llm.events import Event, TextDelta
from grn.llm.request import Message, Request, Text

HAIKU = "claude-haiku-5-5"
FLASH = "gemini-3.8-flash"


def asking(words: str = "hi", model: str = HAIKU, **fields: Any) -> Request:
    return Request(model=model, messages=(Message("user", (Text(words),)),), **{"max_tokens": 64, **fields})


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
