"""git: of a diff every changed line with its file and hunk, of a history every commit with its subject."""

from __future__ import annotations

import re
from collections.abc import Sequence

_COMMIT = re.compile(r"commit [0-9a-f]{7,64}\b.*")
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@.*")
_FILE = re.compile(r"diff --(?:git|cc|combined) .*")
_DULL = re.compile(r"index [0-9a-f]+\.\..*|similarity index .*|dissimilarity index .*")
_STAT = re.compile(r" .+ \| +(?:\d+|Bin).*")
_CONTEXT = 1


def is_diff(lines: Sequence[str]) -> bool:
    """Tell it by the head of a file."""
    return any(_FILE.fullmatch(line) for line in lines)


def is_history(lines: Sequence[str]) -> bool:
    """Tell it by its first line."""
    return bool(lines) and _COMMIT.fullmatch(lines[0]) is not None


def keep_diff(lines: Sequence[str]) -> list[bool]:
    """Choose heads of files and hunks, all that was taken out or put in, and one line around it."""
    keep: list[bool] = []
    old = new = 0  # lines of the hunk that are still to come: only they tell a removed "-- x" from a head
    for line in lines:
        hunk = _HUNK.fullmatch(line)
        if hunk is not None:
            old, new = int(hunk[2] or 1), int(hunk[4] or 1)
            keep.append(True)
        elif old > 0 or new > 0:
            old -= line[:1] in ("-", " ", "")
            new -= line[:1] in ("+", " ", "")
            keep.append(line[:1] in ("+", "-", "\\"))
        else:
            # "--- a/x" repeats the head of the file, unless the file is new or gone.
            repeated = line.startswith(("--- a/", "+++ b/"))
            keep.append(_DULL.fullmatch(line) is None and not repeated)
    changed = [flag and line[:1] in "+-" for flag, line in zip(keep, lines, strict=True)]
    for at, line in enumerate(lines):
        if line[:1] == " " and not keep[at]:
            keep[at] = any(changed[max(at - _CONTEXT, 0) : at + _CONTEXT + 1])
    return keep


def keep_history(lines: Sequence[str]) -> list[bool]:
    """Choose of every commit its name, date and subject, its author where it is another than before.

    Of what changed the sum; of a diff what :func:`keep_diff` chooses.
    """
    starts = [at for at, line in enumerate(lines) if _COMMIT.fullmatch(line)]
    ends = [*starts[1:], len(lines)]
    keep = [True] * (starts[0] if starts else len(lines))
    author = ""
    for start, end in zip(starts, ends, strict=bool(starts)):
        commit = lines[start:end]
        diff = next((at for at, line in enumerate(commit) if _FILE.fullmatch(line)), len(commit))
        subject = True
        for line in commit[:diff]:
            if line.startswith("Author: "):
                keep.append(line != author)
                author = line
            elif line.startswith("    ") and line.strip():
                keep.append(subject)
                subject = False
            else:
                keep.append(_STAT.fullmatch(line) is None)
        keep += keep_diff(commit[diff:])
    return keep
