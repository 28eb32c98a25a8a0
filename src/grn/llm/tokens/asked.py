"""The provider's own count of a request: asked once for every content, then kept."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from grn.kit.canonical import canonical_json
from grn.kit.errors import OutputError, UnsupportedError
from grn.kit.files import write_atomic
from grn.llm.port import Fault, Provider
from grn.llm.request import Request, canonical, key_of


@dataclass(frozen=True)
class Asked:
    """A provider's count; ``kept`` when it was asked before and nothing was sent."""

    tokens: int
    kept: bool


def ask_count(ask: Request, provider: str, model: str, server: Provider, folder: Path) -> Asked:
    """Have a request counted by the provider that would answer it; nobody bills that.

    Parameters
    ----------
    ask
        What to count.
    provider, model
        Who serves it, and the full name to send.
    server
        The provider, connected.
    folder
        Where counts are kept, one small file each, named by the request's content.

    Raises
    ------
    UnsupportedError
        This provider does not count.
    GrnError
        It could not be asked.
    """
    key = key_of(canonical(provider, ask))
    file = folder / key[:2] / f"{key}.json"
    kept = _read(file)
    if kept is not None:
        return Asked(kept, kept=True)
    try:
        tokens = server.count(ask, model)
    except Fault as fault:
        raise fault.error from None
    if tokens is None:
        raise UnsupportedError(f"{provider} does not count requests", seen=model, hint="leave --ask out")
    # A disk that is full costs the question again next time, nothing else.
    with contextlib.suppress(OutputError):
        write_atomic(file, canonical_json({"tokens": tokens}), make_parents=True)
    return Asked(tokens, kept=False)


def _read(file: Path) -> int | None:
    """Give the count kept in a file; one that is damaged is asked for anew."""
    try:
        tokens = json.loads(file.read_bytes())["tokens"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tokens if isinstance(tokens, int) and tokens >= 0 else None
