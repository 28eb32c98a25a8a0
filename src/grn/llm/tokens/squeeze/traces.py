"""Tracebacks of Python: the error, and the frames in user code."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEAD = re.compile(r"(?P<before>.*?)(?:Exception Group )?Traceback \(most recent call last\):")
_FRAME = re.compile(r'[\s|+-]*File "(?P<path>[^"]+)", line \d+')
_LIBRARY = re.compile(
    r"site-packages[/\\]|dist-packages[/\\]|[/\\]lib[/\\]python\d|<frozen |node_modules[/\\]|node:internal"
)


def is_trace(lines: Sequence[str]) -> bool:
    """Tell it by its head."""
    return any(_HEAD.fullmatch(line) for line in lines)


def is_library(text: str) -> bool:
    """Whether a line names a file of the standard library or of an installed package."""
    return _LIBRARY.search(text) is not None


def keep_traces(lines: Sequence[str]) -> list[bool]:
    """Choose the lines of tracebacks; whatever stands outside of them is kept.

    Dropped are frames in libraries, but for the innermost of each traceback, with their lines of source, and
    the marks below source lines.
    """
    keep = [True] * len(lines)
    at = 0
    while at < len(lines):
        if _HEAD.fullmatch(lines[at]) is None:
            at += 1
            continue
        at = _thin(lines, keep, at + 1)
    return keep


def _thin(lines: Sequence[str], keep: list[bool], at: int) -> int:
    """Drop library frames of the traceback whose first frame is at `at`; returns where it ends."""
    frames: list[tuple[int, int]] = []
    while at < len(lines):
        found = _FRAME.match(lines[at])
        if found is None:
            break
        depth = len(lines[at]) - len(lines[at].lstrip(" |+-"))
        end = at + 1
        while end < len(lines) and _FRAME.match(lines[end]) is None and _indent(lines[end]) > depth:
            end += 1
        # "[Previous line repeated 970 more times]" is part of the frame.
        frames.append((at, end))
        at = end
    for first, end in frames[:-1]:
        if is_library(lines[first]):
            keep[first:end] = [False] * (end - first)
    for first, end in frames:
        for n in range(first + 1, end):
            if keep[n] and set(lines[n].strip(" |+-")) <= set("^~"):
                keep[n] = False
    return at


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" |+-")) if line.strip(" |+-") else 0
