"""LaTeX as tokens with their places. Spacing, sizes and comments are dropped; nothing is expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from grn.kit.errors import GrnError

MOST_TOKENS = 4000
"""A line longer than this is refused: no derivation has it, an expression bomb may."""

_SPACING = frozenset(
    (
        *(",", ";", "!", ":", ">", " ", "quad", "qquad", "thinspace", "limits", "nolimits", "displaystyle"),
        *("big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "middle", "textstyle", "nonumber"),
    )
)
_TEXT = frozenset(("text", "mathrm", "operatorname", "textrm", "mathsf", "textit"))

_PATTERN = re.compile(
    r"""
    (?P<space>\s+|~|%[^\n]*)
  | (?P<number>\d+(?:\{,\}\d{3})*(?:\.\d+)?)
  | (?P<command>\\(?:[A-Za-z]+\*?|.))
  | (?P<letter>[A-Za-z])
  | (?P<sign>[-+*/=<>()\[\]|,;!^_{}&'.:])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    r"""A token: its kind (``number``, ``letter``, ``command``, ``sign``, ``text``, ``end``), text and place.

    ``text`` of kind ``text`` is what stands in the braces of ``\text{...}``; commands have no backslash.
    ``gap`` tells that a ``\\quad`` stood before it.
    """

    kind: str
    text: str
    start: int
    end: int
    gap: bool = False


class UnparsedError(GrnError):
    """A piece of LaTeX that the dialect cannot read in exactly one way.

    Attributes
    ----------
    start, end
        Where it stands in the line, in characters.
    """

    def __init__(self, what: str, *, start: int = 0, end: int = 0, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.start = start
        self.end = end


def tokenize(latex: str) -> list[Token]:
    """Split a line into tokens, the last of kind ``end``.

    Raises
    ------
    UnparsedError
        A character that the dialect does not know, a text that does not end, or too many tokens.
    """
    tokens: list[Token] = []
    place, gap = 0, False
    while place < len(latex):
        found = _PATTERN.match(latex, place)
        if found is None:
            raise UnparsedError(f"no such sign in the dialect: {latex[place]!r}", start=place, end=place + 1)
        kind, text, start = found.lastgroup or "", found[0], place
        place = found.end()
        if kind == "space":
            continue
        if kind == "command":
            text = text[1:]
            if text in _SPACING:
                gap = gap or text in ("quad", "qquad")
                continue
            if text.rstrip("*") in _TEXT:
                kind, (text, place) = "text", _braced(latex, place)
        elif kind == "number":
            text = text.replace("{,}", "")
        tokens.append(Token(kind, text, start, place, gap))
        gap = False
        if len(tokens) > MOST_TOKENS:
            raise UnparsedError(f"longer than {MOST_TOKENS:,} tokens", start=place, end=len(latex))
    tokens.append(Token("end", "", len(latex), len(latex), gap))
    return tokens


def _braced(latex: str, place: int) -> tuple[str, int]:
    found = re.compile(r"\s*\{([^{}\\]*)\}").match(latex, place)
    if found is None:
        raise UnparsedError("a text needs braces with plain words in them", start=place, end=place + 1)
    return found[1].strip(), found.end()
