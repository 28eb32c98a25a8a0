"""pytest: the verdict, what failed and where; not what passed, nor source that lies in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grn.llm.tokens.squeeze.traces import is_library, is_trace, keep_traces

_TITLE = re.compile(r"={3,} (.+?) ={3,}")
_VERDICT = re.compile(
    r"(?:=+ )?(?:no tests ran|\d+ (?:passed|failed|errors?|skipped|deselected|xfailed|xpassed|warnings?))\b"
    r".* in [\d.:]+.*"
)
_TEST = re.compile(r"_{3,} .+ _{3,}|_ _ _ .*|-{3,} .+ -{3,}")
_PLACE = re.compile(r"\S.*?:\d+: ?.*")
_BAD = re.compile(
    r"(?:FAILED|ERROR|XPASS|INTERNALERROR|E  )|.*(?:Error|Exception|error): |.*\b(?:FAILED|ERROR)\b"
)
_COUNTED = re.compile(r"collected \d+ item|.*\d+ error")
_OUTPUT_LINES = 8  # of what a failed test printed, from the beginning and from the end
_DURATIONS = 3


def is_pytest(lines: Sequence[str]) -> bool:
    """Tell it by its last words, or by its first."""
    return any("test session starts" in line and _TITLE.fullmatch(line) for line in lines[:40]) or any(
        _VERDICT.fullmatch(line) for line in lines[-5:]
    )


def keep_tests(lines: Sequence[str]) -> list[bool]:
    """Choose the lines of a run.

    Kept are the verdict, the short summary, of every failure its name, the failing line, what was found
    (``E``) and the places in user code, the beginning and end of what it printed, and every line that speaks
    of an error wherever it stands.
    """
    section = "session"
    keep: list[bool] = []
    for line in lines:
        title = _TITLE.fullmatch(line)
        if _VERDICT.fullmatch(line):
            section = "after"
        elif title is not None:
            section = title[1].split(" (")[0]
        keep.append(_wanted(line, section, title=title is not None))
    _keep_short_places(lines, keep)
    _keep_native(lines, keep)
    _keep_output(lines, keep)
    return keep


def _wanted(line: str, section: str, *, title: bool) -> bool:
    if _VERDICT.fullmatch(line):
        return True
    match section:
        case "FAILURES" | "ERRORS":
            if title:
                return True
            if _PLACE.fullmatch(line) and not line.startswith((" ", ">", "E ")):
                return not is_library(line)
            return line.startswith((">", "E ")) or _TEST.fullmatch(line) is not None
        case "short test summary info":
            return not line.startswith("PASSED")
        case "warnings summary":
            return "Warning:" in line
        case "PASSES" | "test session starts" | "session":
            return not title and (_BAD.match(line) is not None or _COUNTED.match(line) is not None)
        case _ if section.startswith("slowest"):
            return line.strip()[:1].isdigit()
    return section == "after" or title or _BAD.match(line) is not None


def _keep_short_places(lines: Sequence[str], keep: list[bool]) -> None:
    """Keep the source line below a place of ``--tb=short``."""
    for at, line in enumerate(lines[:-1]):
        if keep[at] and re.match(r"\S+:\d+: in ", line):
            keep[at + 1] = True


def _keep_native(lines: Sequence[str], keep: list[bool]) -> None:
    """Keep of the tracebacks of ``--tb=native`` what is kept of tracebacks elsewhere."""
    if not is_trace(lines):
        return
    wanted = keep_traces(lines)
    inside = False
    for at, line in enumerate(lines):
        if line.startswith("Traceback (most recent call last):"):
            inside = True
        elif _TEST.fullmatch(line) or _TITLE.fullmatch(line):
            inside = False
        if inside:
            keep[at] = wanted[at]


def _keep_output(lines: Sequence[str], keep: list[bool]) -> None:
    """Keep the beginning and the end of what a failed test printed."""
    at = 0
    while at < len(lines):
        if keep[at] and lines[at].startswith("---") and "Captured" in lines[at]:
            end = at + 1
            while end < len(lines) and not (
                _TEST.fullmatch(lines[end]) or _TITLE.fullmatch(lines[end]) or _VERDICT.fullmatch(lines[end])
            ):
                end += 1
            for n in range(at + 1, end):
                keep[n] = keep[n] or n <= at + _OUTPUT_LINES or n >= end - _OUTPUT_LINES
            at = end
        else:
            at += 1
