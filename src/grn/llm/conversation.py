"""The last conversation, kept for ``--continue``; attachments lie beside it by content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import MissingError, UsageError
from grn.kit.files import write_atomic
from grn.ledger.blobs import BlobStore
from grn.llm.request import File, Message, Part, Request, message_from_plain

_LAST = "last.json"


@dataclass(frozen=True)
class Conversation:
    """What was said so far."""

    model: str
    system: str | None
    messages: tuple[Message, ...]
    cached: str | None = None
    """The provider's name for what comes before the messages and lies in its cache."""


def save_last(folder: Path, ask: Request, answer: Message) -> None:
    """Keep a conversation with the answer that came, in place of the one before."""
    files = BlobStore(folder / "attachments")
    for file in ask.files():
        files.put(file.data)
    plain = {
        "model": ask.model,
        "system": ask.system,
        "cached": None if ask.cached is None else ask.cached.name,
        "messages": [_plain(message) for message in (*ask.messages, answer)],
    }
    write_atomic(folder / _LAST, canonical_json(plain), make_parents=True)


def load_last(folder: Path) -> Conversation:
    """Give the conversation that was kept last.

    Raises
    ------
    MissingError
        There is none.
    UsageError
        The file is damaged.
    """
    path = folder / _LAST
    try:
        plain = json.loads(path.read_bytes())
        files = BlobStore(folder / "attachments")
        messages = tuple(_message(message, files) for message in plain["messages"])
        return Conversation(plain["model"], plain["system"], messages, plain.get("cached"))
    except FileNotFoundError:
        raise MissingError(
            "there is no conversation to go on with", hint="ask something first, without --continue"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} holds no conversation", seen=str(error), hint="start anew, without --continue"
        ) from error


def _plain(message: Message) -> dict[str, Any]:
    named = Request("", (message,)).plain()["messages"]
    assert isinstance(named, list)
    plain: dict[str, Any] = named[0]
    for part, written in zip(message.parts, plain["parts"], strict=True):
        if isinstance(part, File):
            written["file"]["name"] = part.name
    return plain


def _message(plain: Mapping[str, Any], files: BlobStore) -> Message:
    parts: list[Part] = []
    for part in plain["parts"]:
        if (file := part.get("file")) is not None:
            parts.append(File(file["media_type"], files.get(file["sha256"]), file["name"]))
        else:
            parts += message_from_plain({"role": plain["role"], "parts": [part]}).parts
    return Message(plain["role"], tuple(parts))
