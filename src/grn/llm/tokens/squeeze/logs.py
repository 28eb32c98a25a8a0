"""Logs: every warning and error with what follows it; of what is said often the first and the last."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TIME = re.compile(
    r"\W{0,2}(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d+\.\d{3,}s?\b)"
)
_LEVEL = re.compile(r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL|SEVERE)\b")
_BAD = re.compile(
    r"\b(?:WARN(?:ING)?|ERROR|CRITICAL|FATAL|SEVERE|PANIC|Traceback|panic|fatal)\b"
    r"|\b[A-Za-z]*(?:Error|Exception)\b"
    r"|\b(?i:error|failed|failure|timed out|refused|denied|killed|segfault)\b"
)
_VARYING = re.compile(
    r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+(?:[.,:]\d+)*|'[^']*'|\"[^\"]*\""
    r"|(?:[\w.~@-]*/){2,}[\w.~@+-]*"
)
_AT_LEAST = 0.6  # of the lines
_FIRST = 2


def is_log(lines: Sequence[str]) -> bool:
    """Tell it by times or levels at the beginning of most lines."""
    told = [line for line in lines if line.strip()]
    if len(told) < 5:
        return False
    return sum(_begins(line) for line in told) >= _AT_LEAST * len(told)


def keep_log(lines: Sequence[str]) -> list[bool]:
    """Choose the lines of a log.

    Two messages are the same one when they differ in numbers, names in quotes, paths and hashes only. Lines
    without a time follow the message above them.
    """
    form = [_VARYING.sub("#", line) for line in lines]
    last = {shape: at for at, shape in enumerate(form)}
    heard: dict[str, int] = {}
    keep: list[bool] = []
    bad = False
    for at, (line, shape) in enumerate(zip(lines, form, strict=True)):
        heard[shape] = heard.get(shape, 0) + 1
        if _begins(line) or not keep:
            bad = _BAD.search(line) is not None
            keep.append(bad or heard[shape] <= _FIRST or last[shape] == at)
        else:
            keep.append(bad or _BAD.search(line) is not None or (keep[-1] and heard[shape] <= _FIRST))
    return keep


def _begins(line: str) -> bool:
    return _TIME.match(line) is not None or _LEVEL.search(line[:40]) is not None
