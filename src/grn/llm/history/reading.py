"""Finding calls in files and folders: which format a file has is seen from its content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from grn.kit.errors import MissingError, UsageError
from grn.llm.history import claude_code, codex, exports, gemini_cli
from grn.llm.history.past import PastCall

_READERS: tuple[ModuleType, ...] = (claude_code, codex, gemini_cli)
_SUFFIXES = (".jsonl", ".json", ".csv")
_LOOKED_AT = 50  # lines: a transcript may begin with some that are not understood

PLACES = (".claude/projects", ".config/claude/projects", ".codex/sessions", ".codex/archived_sessions",
          ".gemini/tmp")  # fmt: skip
"""Where coding agents keep their transcripts, below a person's home folder."""


@dataclass
class Found:
    """What was found in files.

    Attributes
    ----------
    calls
        By identity; the latest state of each.
    files
        Files with calls.
    unknown
        Files of no known format.
    damaged
        Lines that are no JSON, as the last one of a session that is being written.
    """

    calls: dict[str, PastCall] = field(default_factory=dict)
    files: int = 0
    unknown: list[Path] = field(default_factory=list)
    damaged: int = 0


def places(home: Path) -> list[Path]:
    """List the places that exist."""
    return [home / place for place in PLACES if (home / place).is_dir()]


def read(paths: Iterable[Path]) -> Found:
    """Read every file, and every file below a folder, in the order of names.

    Raises
    ------
    MissingError
        There is no such file or folder.
    UsageError
        A file that was named itself has no known format, or cannot be read.
    """
    found = Found()
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        elif path.is_file():
            files = [path]
        else:
            raise MissingError("there is no such file or folder", seen=str(path), hint="name a transcript")
        for file in files:
            _read_file(file, found)
            if path in found.unknown:
                raise UsageError(
                    "this is no transcript or export that is known",
                    seen=str(path),
                    hint="known are Claude Code, Codex, gemini-cli, and the CSV of Anthropic's console",
                )
    return found


def _read_file(file: Path, found: Found) -> None:
    try:
        text = file.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        found.unknown.append(file)
        return
    before = len(found.calls)
    calls = _calls(text, found)
    if calls is None:
        found.unknown.append(file)
        return
    for call in calls:
        known = found.calls.get(call.ident)
        if known is None or known.usage.output <= call.usage.output:
            found.calls[call.ident] = call if known is None else _first_seen(known, call)
    found.files += len(found.calls) > before


def _first_seen(known: PastCall, call: PastCall) -> PastCall:
    """Take a later line of a call: its count, and the conversation in which it stood first."""
    return PastCall(call.ident, call.source, known.at_ms, call.model, known.session, known.project,
    call.usage,
                    call.kind)  # fmt: skip


def _calls(text: str, found: Found) -> Iterable[PastCall] | None:
    if text.startswith(exports.FIRST_COLUMN):
        return exports.calls(text.splitlines())
    try:
        whole = json.loads(text)
    except ValueError:
        rows = list(_rows(text, found))
    else:
        rows = [whole] if isinstance(whole, dict) else []
    for reader in _READERS:
        if any(reader.is_line(row) for row in rows[:_LOOKED_AT]):
            calls: Iterable[PastCall] = reader.calls(rows)
            return calls
    return None


def _rows(text: str, found: Found) -> Iterator[Mapping[str, object]]:
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            found.damaged += 1
            continue
        if isinstance(row, dict):
            yield row
