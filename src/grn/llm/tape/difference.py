"""What is different between a call and the recorded ones: for the message of a replay that found nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = 5
_AROUND = 24


def describe(asked: Mapping[str, Any], recorded: Sequence[Mapping[str, Any]]) -> str:
    """Say how the nearest recorded call differs, one line a place: ``- recorded`` and ``+ asked``."""
    if not recorded:
        return "the tape is empty"
    changes = [list(_changes(old, asked, "")) for old in recorded]
    nearest = min(range(len(recorded)), key=lambda n: (sum(_weight(change) for change in changes[n]), n))
    found = changes[nearest]
    places = "1 place" if len(found) == 1 else f"{len(found)} places"
    lines = [f"the nearest of {len(recorded)} recorded calls differs in {places}:"]
    for place, old, new in found[:_SHOWN]:
        before, after = _window(_text(old), _text(new))
        lines += [f"  {place}", f"    - {before}", f"    + {after}"]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    return "\n".join(lines)


_MISSING = object()
_Change = tuple[str, object, object]


def _changes(old: object, new: object, place: str) -> Iterator[_Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            at = f"{place}.{name}" if place else str(name)
            yield from _changes(old.get(name, _MISSING), new.get(name, _MISSING), at)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _changes(
                old[index] if index < len(old) else _MISSING,
                new[index] if index < len(new) else _MISSING,
                f"{place}[{index}]",
            )
    elif old != new or type(old) is not type(new):
        yield place, old, new


def _weight(change: _Change) -> int:
    """How far apart two values are: characters outside their common beginning and end."""
    place, old, new = change
    a, b = _text(old), _text(new)
    start, end = _common(a, b)
    # Another model or kind of call is further away than any other wording.
    far = 10**6 if place in ("provider", "endpoint", "model") else 0
    return far + max(len(a), len(b)) - start - end


def _common(a: str, b: str) -> tuple[int, int]:
    shorter = min(len(a), len(b))
    start = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    left = shorter - start
    end = next((i for i in range(left) if a[-1 - i] != b[-1 - i]), left)
    return start, end


def _window(a: str, b: str) -> tuple[str, str]:
    """Cut both to what surrounds their first difference."""
    start, _ = _common(a, b)
    return _cut(a, start), _cut(b, start)


def _cut(text: str, at: int) -> str:
    low, high = max(at - _AROUND, 0), at + _AROUND
    return ("…" if low else "") + text[low:high] + ("…" if high < len(text) else "")


def _text(value: object) -> str:
    return "(nothing)" if value is _MISSING else json.dumps(value, ensure_ascii=False, sort_keys=True)
