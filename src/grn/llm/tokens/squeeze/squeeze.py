"""Output of tools with fewer tokens: lines that bear no load left out, the rest as it was, coded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from grn.llm.tokens.squeeze import data
from grn.llm.tokens.squeeze.coding import SIGN, Weigh, encode, gap
from grn.llm.tokens.squeeze.kinds import JSON, TEXT, Kind, kind_of, named

# Colours and cursors (ECMA-48), titles of windows (OSC), and whatever else follows an escape.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)


@dataclass(frozen=True)
class Squeezed:
    """What came out.

    Attributes
    ----------
    text
        The output; the text itself where nothing was gained.
    kind
        What it was taken for.
    before, after
        Tokens.
    left_out
        Lines that are not in it.
    """

    text: str
    kind: str
    before: int
    after: int
    left_out: int


def squeeze(text: str, weigh: Weigh, original: str, kind: str | None = None) -> Squeezed:
    """Say the same with fewer tokens.

    Every line of the result stands in the text, in the same order, but for colours, blanks at its end,
    progress that was overwritten, and signs (:mod:`grn.llm.tokens.squeeze.coding`). JSON is written tightly,
    its values as they are. Never longer than the text.

    Parameters
    ----------
    text
        What a tool wrote.
    weigh
        Counts tokens.
    original
        How the text itself can be had, for the first line.
    kind
        One of :data:`grn.llm.tokens.squeeze.kinds.NAMES`; found if not given.
    """
    if not text.strip():
        return Squeezed(text, TEXT.name, weigh(text), weigh(text), 0)
    lines = clean(text)
    chosen = named(kind) if kind is not None else _kind(text, lines)
    before = weigh(text)
    packed = data.pack(text) if chosen is JSON else None
    if packed is not None:
        legend = f"; {data.KEYS}, {data.ROWS}: a list of objects" if data.KEYS in packed else ""
        out, left_out = f"§ squeezed JSON; whole: {original}{legend}\n{packed}", 0
    else:
        kept, left_out = _select(lines, chosen)
        n_lines = len(text.splitlines())
        said = f"{chosen.name}, {left_out} of {n_lines} lines left out (§…N)" if left_out else chosen.name
        out = encode("\n".join(kept), weigh, f"{said}; whole: {original}", signs=True)
        plain = "\n".join(kept).replace(SIGN * 2, SIGN)
        if not left_out and weigh(plain) <= weigh(out):
            out = plain
    after = weigh(out)
    if after >= before:
        return Squeezed(text, chosen.name, before, before, 0)
    return Squeezed(out, chosen.name, before, after, left_out)


def clean(text: str) -> list[str]:
    """Split a text into lines as a terminal would show them: without colours, progress as it stood last."""
    return [_last_shown(_ESCAPES.sub("", line)) for line in text.split("\n")]


def _last_shown(line: str) -> str:
    """Give what a carriage return left to be seen."""
    shown = [part for part in line.split("\r") if part]
    return shown[-1].rstrip() if shown else ""


def _kind(text: str, lines: Sequence[str]) -> Kind:
    if text.lstrip()[:1] in ("{", "[") and data.pack(text) is not None:
        return JSON
    found = kind_of(lines)
    return TEXT if found is JSON else found


def _select(lines: Sequence[str], kind: Kind) -> tuple[list[str], int]:
    """Take the lines that a kind keeps, a sign where some are missing; returns them and how many are not."""
    keep = kind.keep(lines)
    out: list[str] = []
    missing = left_out = 0
    for line, kept in zip(lines, keep, strict=True):
        if not line.strip():
            # One blank line between what is kept, none beside what is not.
            if not missing and out and out[-1].strip():
                out.append("")
            continue
        if not kept:
            missing += 1
            continue
        if missing:
            _close(out, missing)
            left_out += missing
            missing = 0
        out.append(line.replace(SIGN, SIGN * 2))
    if missing:
        _close(out, missing)
        left_out += missing
    return out, left_out


def _close(out: list[str], missing: int) -> None:
    if out and not out[-1].strip():
        out.pop()
    out.append(gap(missing))
