"""Fewer tokens for the same lines, undone from the output alone: repetitions counted, long words named once.

A coded text begins with a line that says so, and says what its signs mean, so that whoever reads it needs
nothing else::

    § squeezed; §a stands for /usr/lib/python3.11/; §5x: the line above 5 times more; §§: one §
    File "§asite.py", line 12
    waiting
    §5x

The signs are lines of their own or stand where they stand for something; numbers of the text are never split,
because what is named begins and ends beside its digits and not among them.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

SIGN = "§"
HEAD = f"{SIGN} squeezed"
_NAMES = string.ascii_letters
_LONGEST_BLOCK = 40  # lines of one repeated block: a stack trace that recurs, seldom longer
_MOST_NAMES = 24
_LEAST_SAVED = 6  # tokens that a name has to save, its definition paid
_ALIAS_TOKENS = 2
_DEFINITION_TOKENS = 5
_BLOCK = re.compile(rf"{SIGN}(\d+)x(?: of (\d+))?")
# What recurs: folders, long words of names and addresses, colours.
_FOLDER = re.compile(r"(?<![\w§.-])(?:[\w.@+~-]*/)+")
_WORD = re.compile(r"(?<![\w§.-])[A-Za-z_][\w.:/@+-]{9,}[A-Za-z_/](?!\w)")
# Words between numbers, as in messages that differ in those only. A sign of a number stays with it.
_PHRASE = re.compile(r"(?<!§)[^\d\s\"'`§\x1b][^\d\"'`§\x1b\r]{14,}")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STATES = re.compile(rf"{SIGN}([a-zA-Z]) stands for (.*)")
Weigh = Callable[[str], int]


def encode(text: str, weigh: Weigh, note: str = "", signs: bool = False) -> str:
    """Code a text; :func:`decode` gives it back. Where nothing is gained it stays as it is.

    Parameters
    ----------
    text
        Any text.
    weigh
        Counts tokens.
    note
        More words for the first line; with them a text is coded even if that gains nothing.
    signs
        The text's own signs are doubled already, and :func:`gap` has been put between its lines.
    """
    lines = (text if signs else text.replace(SIGN, SIGN * 2)).split("\n")
    names, lines = _name(lines, weigh)
    coded = _count_repeats(lines)
    head = HEAD + (f" {note}" if note else "") + _legend(coded, names, doubled=f"{SIGN}{SIGN}" in text)
    out = "\n".join([head, *(f"{SIGN}{name} stands for {meant}" for name, meant in names.items()), *coded])
    if not note and not text.startswith(HEAD) and weigh(out) >= weigh(text):
        return text
    return out


def decode(coded: str) -> str:
    """Undo :func:`encode`: from its output alone, to the letter.

    Raises
    ------
    ValueError
        It begins like a coded text and is none.
    """
    if not coded.startswith(HEAD):
        return coded
    lines = coded.split("\n")[1:]
    names: dict[str, str] = {}
    # Names come in order, so a line of the text that begins with one and goes on like this is none of these.
    while lines and (found := _STATES.fullmatch(lines[0])) and found[1] == _NAMES[len(names)]:
        names[found[1]] = found[2]
        del lines[0]
    out: list[str] = []
    for line in lines:
        repeated = _BLOCK.fullmatch(line)
        if repeated is None:
            out.append(line)
            continue
        block = int(repeated[2] or 1)
        if not 0 < block <= len(out):
            raise ValueError(f"nothing to repeat: {line!r}")
        out += out[-block:] * int(repeated[1])
    return "\n".join(line if is_gap(line) else _expand(line, names) for line in out)


def gap(lines: int) -> str:
    """Write the line that stands for lines that were left out."""
    return f"{SIGN}…{lines}"


def is_gap(line: str) -> bool:
    """Tell a line that stands for others."""
    return re.fullmatch(rf"{SIGN}…\d+", line) is not None


def _expand(line: str, names: dict[str, str]) -> str:
    def meant(found: re.Match[str]) -> str:
        sign = found[1]
        if sign == SIGN:
            return SIGN
        if sign not in names:
            raise ValueError(f"a sign without a meaning: {found[0]!r}")
        return names[sign]

    return re.sub(rf"{SIGN}(.?)", meant, line)


def _legend(coded: Sequence[str], names: dict[str, str], *, doubled: bool) -> str:
    parts = []
    if any(_BLOCK.fullmatch(line) for line in coded):
        parts.append(f"{SIGN}Nx: the line above N times more")
    if any((found := _BLOCK.fullmatch(line)) is not None and found[2] for line in coded):
        parts.append(f"{SIGN}Nx of M: the M lines above N times more")
    if doubled:
        parts.append(f"{SIGN}{SIGN}: one {SIGN}")
    return "".join(f"; {part}" for part in parts)


def _name(lines: list[str], weigh: Weigh) -> tuple[dict[str, str], list[str]]:
    """Name what recurs, the most wasteful first. Nothing named has a sign in it, so names never nest."""
    names: dict[str, str] = {}
    free = iter(_NAMES[:_MOST_NAMES])
    for _ in range(_MOST_NAMES):
        found = _dearest(lines, weigh)
        if found is None:
            break
        name = next(free)
        names[name] = found
        whole = _whole(found)
        lines = [line if is_gap(line) else whole.sub(f"{SIGN}{name}", line) for line in lines]
    return names, lines


def _trimmed(piece: str) -> str:
    """Cut from a phrase what may belong to the numbers beside it."""
    return piece.strip().lstrip(".,:").rstrip(".,:+-−$€£").strip()


def _whole(piece: str) -> re.Pattern[str]:
    """Match a piece that is no part of a longer word, nor of a sign and what follows it."""
    before = "" if piece.startswith("\x1b") else rf"(?<![\w{SIGN}.-])"
    after = r"(?!\w)" if piece[-1].isalnum() or piece[-1] == "_" else ""
    return re.compile(before + re.escape(piece) + ("" if piece.startswith("\x1b") else after))


def _dearest(lines: Sequence[str], weigh: Weigh) -> str | None:
    """Find the piece whose name saves the most tokens; the first in order of text among equals."""
    # A line that is repeated below itself costs nothing there: it is counted once.
    kept = [
        line for before, line in zip(["", *lines], lines, strict=False) if line != before and not is_gap(line)
    ]
    heard: Counter[str] = Counter()
    for line in kept:
        for piece in _FOLDER.findall(line):
            steps = piece.split("/")
            heard.update("/".join(steps[: n + 1]) + "/" for n in range(len(steps) - 1))
        heard.update(_WORD.findall(line))
        heard.update(_COLOUR.findall(line))
        heard.update(_trimmed(piece) for piece in _PHRASE.findall(line))
    best: tuple[int, str] | None = None
    for piece, times in heard.items():
        if times < 3 or len(piece) < 4 or SIGN in piece or piece[0].isdigit() or piece[-1].isdigit():
            continue
        if (times - 1) * len(piece) < 2 * _LEAST_SAVED:  # no piece has more tokens than letters
            continue
        tokens = weigh(piece)
        saved = times * (tokens - _ALIAS_TOKENS) - tokens - _DEFINITION_TOKENS
        if saved >= _LEAST_SAVED and (best is None or (-saved, piece) < best):
            best = (-saved, piece)
    return None if best is None else best[1]


def _count_repeats(lines: Sequence[str]) -> list[str]:
    """Write each block that follows itself once, and how often more; of several the one that hides most."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        best = (0, 1, 0)  # lines hidden, lines of the block, times more
        for block in range(1, min(_LONGEST_BLOCK, (len(lines) - at) // 2) + 1):
            if lines[at] != lines[at + block]:
                continue
            times = 0
            while (
                lines[at + block * times : at + block * (times + 1)]
                == (lines[at + block * (times + 1) : at + block * (times + 2)])
            ):
                times += 1
            if block * times > best[0]:
                best = (block * times, block, times)
        hidden, block, times = best
        out += lines[at : at + block]
        # Two signs cost more than one blank line.
        if hidden > 1 or (hidden == 1 and len(lines[at]) > 8):
            out.append(f"{SIGN}{times}x" if block == 1 else f"{SIGN}{times}x of {block}")
            at += block + hidden
        else:
            at += block
    return out
