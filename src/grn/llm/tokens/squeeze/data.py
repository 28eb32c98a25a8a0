"""JSON with fewer tokens: no blanks, keys of like objects once. Numbers stay as they are written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

KEYS, ROWS = "§keys", "§rows"
_LEAST_ROWS = 2
_DEEPEST = 200  # nested values; Python's own stack ends soon after


class Number(str):
    """A number as it is written: ``1.50`` is not ``1.5``."""

    __slots__ = ()


class Pairs(tuple[tuple[str, Any], ...]):
    """An object: its keys in order, twice where they were written twice."""

    __slots__ = ()


def parse(text: str) -> Any:
    """Read JSON: objects as :class:`Pairs`, numbers as :class:`Number`.

    Raises
    ------
    ValueError
        It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(
            text, object_pairs_hook=Pairs, parse_float=Number, parse_int=Number, parse_constant=Number
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dump(value: Any, *, indent: str | None = None, ascii_only: bool = False, tight: bool = False) -> str:
    """Write what :func:`parse` read; without an indent on one line, and tight without a blank.

    Raises
    ------
    ValueError
        It is nested too deeply.
    """
    comma = "," if tight or indent is not None else ", "
    colon = ":" if tight else ": "

    def write(value: Any, depth: int) -> str:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        match value:
            case Number():
                return str(value)
            case Pairs():
                items = [
                    json.dumps(key, ensure_ascii=ascii_only) + colon + write(item, depth + 1)
                    for key, item in value
                ]
                return _between("{", items, "}", depth)
            case list():
                return _between("[", [write(item, depth + 1) for item in value], "]", depth)
            case _:
                return json.dumps(value, ensure_ascii=ascii_only)

    def _between(opening: str, items: list[str], closing: str, depth: int) -> str:
        if not items or indent is None:
            return opening + comma.join(items) + closing
        line = "\n" + indent * (depth + 1)
        return opening + line + (comma + line).join(items) + "\n" + indent * depth + closing

    return write(value, 0)


def to_table(value: Any) -> Any:
    """Write lists of objects with the same keys as keys and rows; :func:`from_table` is the way back."""
    match value:
        case Pairs():
            return Pairs((key, to_table(item)) for key, item in value)
        case list():
            keys = _common_keys(value)
            if keys is None:
                return [to_table(item) for item in value]
            rows = [[to_table(item) for _, item in pairs] for pairs in value]
            return Pairs(((KEYS, list(keys)), (ROWS, rows)))
    return value


def from_table(value: Any) -> Any:
    """Write keys and rows as a list of objects again."""
    match value:
        case Pairs(((str(first), list(keys)), (str(second), list(rows)))) if (first, second) == (KEYS, ROWS):
            return [Pairs(zip(keys, map(from_table, row), strict=True)) for row in rows]
        case Pairs():
            return Pairs((key, from_table(item)) for key, item in value)
        case list():
            return [from_table(item) for item in value]
    return value


def pack(text: str) -> str | None:
    """Write JSON, or JSON Lines, tightly and with tables; ``None`` for what is neither.

    Its values, numbers to the digit, are what they were: ``from_table(parse(...))``.
    """
    for values in (_whole, _lines):
        try:
            found = [dump(to_table(value), tight=True) for value in values(text)]
        except ValueError:
            continue
        return "\n".join(found)
    return None


def shape_of(text: str) -> dict[str, Any] | None:
    """Find how a JSON text is laid out, so that it can be written again to the letter; ``None`` if not.

    Returns ``{"indent", "ascii_only", "tight", "end"}``.
    """
    try:
        value = parse(text)
    except ValueError:
        return None
    body = text.rstrip("\n")
    second = body.split("\n", 2)[1] if "\n" in body else ""
    indent = second[: len(second) - len(second.lstrip(" \t"))] or None
    for ascii_only in (True, False):
        for tight in (False, True):
            shape = {"indent": indent, "ascii_only": ascii_only, "tight": tight}
            try:
                if dump(value, indent=indent, ascii_only=ascii_only, tight=tight) == body:
                    return {**shape, "end": text[len(body) :]}
            except ValueError:
                return None
    return None


def _whole(text: str) -> Iterable[Any]:
    value = parse(text)
    if not isinstance(value, Pairs | list):
        raise ValueError("one bare value")
    return [value]


def _lines(text: str) -> Iterable[Any]:
    values = [parse(line) for line in text.split("\n") if line.strip()]
    if not values or not all(isinstance(value, Pairs | list) for value in values):
        raise ValueError("no lines of JSON")
    return values


def _common_keys(items: list[Any]) -> tuple[str, ...] | None:
    if len(items) < _LEAST_ROWS or not all(isinstance(item, Pairs) and item for item in items):
        return None
    keys = tuple(key for key, _ in items[0])
    if any(tuple(key for key, _ in item) != keys for item in items[1:]):
        return None
    return keys
