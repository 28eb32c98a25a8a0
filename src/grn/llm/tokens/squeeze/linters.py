"""Ruff and mypy: every finding and its place; of the source only the line that is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

_RUFF = re.compile(
    r"(?:\S+:\d+:\d+: )?(?:[A-Z]{1,4}\d{1,4}\b(?: \[\*\])? .+|(?:invalid-syntax|SyntaxError):.*)"
)
_ARROW = re.compile(r" *--> \S.*:\d+:\d+")
_SOURCE = re.compile(r" *\d* *\|.*")
_MARK = re.compile(r" *\| *[\^~-]+.*")
_MYPY = re.compile(r".+\.pyi?:(?:\d+:)*\d*:? (?:error|note|warning): .+")
_END = re.compile(r"Found \d+ |All checks passed|Success: |No fixes available|\[\*\] ")


def is_ruff(lines: Sequence[str]) -> bool:
    """Tell it by a finding with its place."""
    return any(
        _RUFF.fullmatch(line) and (":" in line.split(" ")[0] or _ARROW.fullmatch(after))
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
    )


def keep_ruff(lines: Sequence[str]) -> list[bool]:
    """Choose findings, places, the source line above a mark, and the sums; the rest is in the file."""
    keep = [not line.strip() or not (_SOURCE.fullmatch(line) or line.startswith("help: ")) for line in lines]
    for at, line in enumerate(lines):
        if at and _MARK.fullmatch(line) and _SOURCE.fullmatch(lines[at - 1]):
            keep[at - 1] = True
    # Suggested edits, which follow a line of help.
    inside = False
    for at, line in enumerate(lines):
        if line.startswith("help: "):
            inside = True
        elif _RUFF.fullmatch(line) or _END.match(line):
            inside = False
        if inside:
            keep[at] = False
    return keep


def is_mypy(lines: Sequence[str]) -> bool:
    """Tell it by a finding."""
    return any(_MYPY.fullmatch(line) for line in lines)


def keep_mypy(lines: Sequence[str]) -> list[bool]:
    """Choose findings and sums; source lines and marks of ``--pretty`` are in the file."""
    return [not line.startswith("    ") for line in lines]
