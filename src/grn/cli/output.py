"""What a command writes to stdout: a table for a person, JSON for a program. Data only."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import TextIO, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


def json_option(command: _Command) -> _Command:
    """Give a reading command the flag ``--json``, which it receives as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")(command)


def write_json(value: object) -> None:
    """Write one value as indented JSON."""
    click.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False, allow_nan=False))


def write_json_lines(values: Iterable[object]) -> None:
    """Write a stream: one compact JSON value per line, each as soon as it comes."""
    for value in values:
        click.echo(json.dumps(jsonable(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def jsonable(value: object) -> object:
    """Turn a value into what JSON knows: NaN and infinities are ``null``, records are objects.

    Raises
    ------
    TypeError
        The value has no form in JSON.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: jsonable(getattr(value, part.name)) for part in dataclasses.fields(value)}
    # NumPy's scalars and arrays are recognised by their module: not every command imports NumPy.
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return jsonable(value.tolist())
    raise TypeError(f"no JSON for {type(value).__name__}: {value!r:.80}")


def write_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a header; the header is dim on a terminal."""
    lines = table(header, rows).split("\n")
    click.echo("\n".join([style(lines[0], sys.stdout, dim=True), *lines[1:]]))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Align rows under a header, two spaces apart: columns of numbers to the right, others to the left."""
    body = [list(row) for row in rows]
    numeric = [
        any(row[column] is not None for row in body) and all(_is_number(row[column]) for row in body)
        for column in range(len(header))
    ]
    cells = [list(header), *([cell(value) for value in row] for row in body)]
    widths = [max(_width(line[column]) for line in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            _pad(text, width, right=right) for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )


def write_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Write names and values, one pair per line, aligned."""
    pairs = [(name, cell(value)) for name, value in facts]
    width = max((_width(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        click.echo(f"{_pad(name, width, right=False)}  {value}".rstrip())


def cell(value: object) -> str:
    """Write one value for a person: six significant digits, ``-`` for nothing, ``nan`` for NaN."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return str(value)


def use_colour(stream: TextIO) -> bool:
    """Decide on colour: only on a terminal that knows it, and never with ``NO_COLOR`` set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def style(text: str, stream: TextIO, *, fg: str | None = None, bold: bool = False, dim: bool = False) -> str:
    """Colour a text for a stream, or leave it as it is where colour is not wanted."""
    # `or None`: click writes "not bold" as an escape code of its own.
    return click.style(text, fg=fg, bold=bold or None, dim=dim or None) if use_colour(stream) else text


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two, combining marks none."""
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1
        for char in text
    )


def _pad(text: str, width: int, *, right: bool) -> str:
    fill = " " * (width - _width(text))
    return fill + text if right else text + fill
