"""C and C++ compilers, linkers, make: errors, warnings, the line an error means; of notes the first."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FINDING = re.compile(r"(?P<place>\S.*?:\d+:(?:\d+:)?) (?P<level>fatal error|error|warning|note): .*")
_CONTEXT = re.compile(
    r".*(?:In (?:static )?(?:member )?(?:function|constructor|destructor|lambda)|In instantiation of).*"
    r"|.*At (?:global|top).*|In file included from .*|(?: +from .*)"
)
_REQUIRED = re.compile(r".*:\d+:(?:\d+:)? +(?:recursively )?required (?:from|by) .*")
_SOURCE = re.compile(r" *\d* \|.*|  +.*|\.\.\.")
_COMMAND = re.compile(
    r"(?:\S*/)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|ar|ranlib|ld) .*|\[ *\d+%\].*"
    r"|make(?:\[\d+\])?: (?:Entering|Leaving|Nothing).*"
)
_NOTES = 2


def is_compiler(lines: Sequence[str]) -> bool:
    """Tell it by a finding, by the linker's complaint, or by commands of a build and little else."""
    if lines and sum(_COMMAND.fullmatch(line) is not None for line in lines) > len(lines) / 2:
        return True
    return any(
        (_FINDING.fullmatch(line) and ".py:" not in line) or ": undefined reference to " in line
        for line in lines
    )


def keep_compiler(lines: Sequence[str]) -> list[bool]:
    """Choose findings and their context, the source line of an error, what the linker and make say."""
    keep: list[bool] = []
    level, notes, source, required = "", 0, 0, 0
    for line in lines:
        found = _FINDING.fullmatch(line)
        if found is not None:
            level = found["level"]
            notes = notes + 1 if level == "note" else 0
            source, required = 0, 0
            keep.append(level != "note" or notes <= _NOTES)
        elif _REQUIRED.fullmatch(line):
            required += 1
            keep.append(required <= _NOTES)
        elif _CONTEXT.fullmatch(line):
            required = 0
            keep.append(True)
        elif level and _SOURCE.fullmatch(line):
            source += 1
            keep.append("error" in level and source == 1)
        else:
            level = ""
            keep.append(_COMMAND.fullmatch(line) is None)
    return keep
