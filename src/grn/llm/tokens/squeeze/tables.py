"""Tables of separated values: their head, their first rows and their last."""

from __future__ import annotations

import csv
from collections.abc import Sequence

_SEPARATORS = ",;\t|"
_LEAST = 5  # lines
_FIRST, _LAST = 8, 3


def is_table(lines: Sequence[str]) -> bool:
    """Tell it by a separator that stands equally often in every line, quotes read."""
    told = [line for line in lines if line]
    return len(told) >= _LEAST and any(_columns(told, separator) for separator in _SEPARATORS)


def keep_table(lines: Sequence[str]) -> list[bool]:
    """Choose the head, the first and the last rows. What stands between them is in the original."""
    return [at <= _FIRST or at >= len(lines) - _LAST for at in range(len(lines))]


def _columns(lines: Sequence[str], separator: str) -> bool:
    if separator not in lines[0]:
        return False
    try:
        found = {len(row) for row in csv.reader(lines, delimiter=separator, strict=True)}
    except csv.Error:
        return False
    return len(found) == 1 and found.pop() > 1
