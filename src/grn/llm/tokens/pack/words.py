"""What is searched by: words of identifiers, taken apart; and what a question points at by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_PLACE = re.compile(r"(?P<path>[\w./\\-]+\.\w{1,5})(?:\", line |:)(?P<line>\d+)")
_PATH = re.compile(r"[\w-]+(?:/[\w.-]+)+|\b[\w-]+\.(?:py|c|cc|cpp|h|hpp|rs|go|java|js|ts|tsx|md|toml)\b")
_CODE = re.compile(
    r"`([^`]+)`|\b([A-Za-z_]\w*(?:\.\w+)*)\(|\b(\w*[a-z0-9]_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b"
)
# Words of questions and of every language; they would weigh little, and cost time.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """
    a an and are as at be been but by can could did do does for from had has have how i if in into is it its
    me my no not of on or our shall should so some such than that the their then there these they this to was
    we were what when where which who whose why will with would you your return self def class import from
    none true false let var const new null void int
    """,
    )
)


def parts(text: str) -> list[str]:
    """Take identifiers apart, in lower case: ``parseHTTPHeader`` is parse, http, header and itself."""
    found: list[str] = []
    for identifier in _IDENTIFIER.findall(text):
        pieces = [piece.lower() for piece in _PART.findall(identifier)]
        found += [piece for piece in pieces if len(piece) > 1 and piece not in _STOP]
        if len(pieces) > 1:
            found.append("".join(pieces))
    return found


def identifiers(text: str) -> set[str]:
    """Collect the identifiers of a text."""
    return set(_IDENTIFIER.findall(text))


@dataclass(frozen=True)
class Question:
    """A question and what it points at.

    Attributes
    ----------
    words
        Its words, taken apart, each once, in order.
    names
        What is written like code.
    places
        Files and lines, as in tracebacks.
    paths
        Files without a line.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    paths: tuple[str, ...]


def read_question(text: str) -> Question:
    """Read what a question points at; a traceback may be part of it."""
    names = [next(filter(None, found)) for found in _CODE.findall(text)]
    places = [(found["path"].replace("\\", "/"), int(found["line"])) for found in _PLACE.finditer(text)]
    known = [place for place, _ in places]
    paths = [path for path in _PATH.findall(text) if not any(place.endswith(path) for place in known)]
    return Question(
        tuple(dict.fromkeys(parts(text))),
        tuple(dict.fromkeys(name.rpartition(".")[2] for name in names)),
        tuple(dict.fromkeys(places)),
        tuple(dict.fromkeys(paths)),
    )
