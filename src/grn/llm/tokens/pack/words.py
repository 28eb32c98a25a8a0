"""What is searched by: words of identifiers, taken apart; and what a question points at by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_PLACE = re.compile(r"(?P<path>[\w./\\-]+\.\w{1,5})(?:\", line |:)(?P<line>\d+)")
_PATH = re.compile(r"[\w-]+(?:/[\w.-]+)+|\b[\w-]+\.(?:py|c|cc|cpp|h|hpp|rs|go|java|js|ts|tsx|md|toml)\b")
_CODE = re.compile(
    r"`+~?([^`<]+?)(?:\s*<[^>]*>)?`+|\b([A-Za-z_]\w*(?:\.\w+)*)\("
    r"|\b((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*|\w*[a-z0-9]_\w+|_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b"
)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
# What is quoted, in brackets, with hyphens, or written like an identifier may stand in code as it is.
_SPAN = re.compile(
    r"`+([^`<>]{3,60})`+|\"([^\"\n]{4,60})\"|(?<!\w)'([^'\n]{4,60})'(?!\w)|\b(\w+(?:-\w+)+)\b"
    r"|\[([\w./]+)\]|\b(\w*_\w+|[a-z]+[A-Z]\w+|[A-Z][a-z]+[A-Z]\w*)"
)
_SHORTEST_SPAN = 4  # letters
_MOST_SPANS = 80
# What an address, the target of a link, a person or the number of an issue says is not what is asked.
_ADDRESS = re.compile(r"https?://\S+|^\.\. _.*$|:(?:user|issue|pr|pull):`[^`]*`", re.M)
_BULLET = re.compile(r"^\s*(?:[-*•+]|\d+[.)])\s+", re.M)
_PARAGRAPH = re.compile(r"\n\s*\n")
_SHORTEST = 3  # words of a clause: less is a heading
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
    return [part for identifier in _IDENTIFIER.findall(text) for part in _parts_of(identifier)]


@lru_cache(1 << 16)  # identifiers recur: with it an index is made in two thirds of the time
def _parts_of(identifier: str) -> tuple[str, ...]:
    pieces = [piece.lower() for piece in _PART.findall(identifier)]
    found = [piece for piece in pieces if len(piece) > 1 and piece not in _STOP]
    return (*found, "".join(pieces)) if len(pieces) > 1 else tuple(found)


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
    clauses
        The words of each of its points or paragraphs: it may ask for several things.
    names
        What is written like code, with dots as they are written.
    places
        Files and lines, as in tracebacks.
    paths
        Files without a line.
    spans
        What may stand in code as it is: its words in their order.
    """

    words: tuple[str, ...]
    clauses: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    places: tuple[tuple[str, int], ...]
    paths: tuple[str, ...]
    spans: tuple[tuple[str, ...], ...]


def read_question(text: str) -> Question:
    """Read what a question points at; a traceback may be part of it."""
    places = [(found["path"].replace("\\", "/"), int(found["line"])) for found in _PLACE.finditer(text)]
    known = [place for place, _ in places]
    text = _once(_ADDRESS.sub(" ", text))
    paths = [path for path in _PATH.findall(text) if not any(place.endswith(path) for place in known)]
    quoted = [next(filter(None, found)) for found in _CODE.findall(text)]
    clauses = [tuple(dict.fromkeys(parts(clause))) for clause in _clauses(text)]
    words = tuple(dict.fromkeys(parts(text)))
    names = [name for some in quoted for name in _DOTTED.findall(some)]
    files = [*known, *paths]
    return Question(
        words,
        tuple(dict.fromkeys(clause for clause in clauses if len(clause) >= _SHORTEST)) or (words,),
        tuple(dict.fromkeys(name for name in names if not any(file.endswith(name) for file in files))),
        tuple(dict.fromkeys(places)),
        tuple(dict.fromkeys(paths)),
        tuple(dict.fromkeys(_spans(text)))[:_MOST_SPANS],
    )


def clauses_of(text: str) -> list[str]:
    """Give a question's points or paragraphs as they are written; all of it when none has enough words."""
    text = _once(_ADDRESS.sub(" ", text))
    return [clause.strip() for clause in _clauses(text) if len(parts(clause)) >= _SHORTEST] or [text]


def _once(text: str) -> str:
    """Keep each line once: what is said below every point is about none of them."""
    lines = text.splitlines()
    first = {line.strip(): number for number, line in reversed(list(enumerate(lines)))}
    return "\n".join(
        line for number, line in enumerate(lines) if not line.strip() or first[line.strip()] == number
    )


def _spans(text: str) -> Iterator[tuple[str, ...]]:
    for found in _SPAN.findall(text):
        whole = next(filter(None, found)).strip("~.!() ").rpartition(":")[2]
        for span in (whole, whole.rpartition(".")[2]):
            words = tuple(parts(span))
            if words and len(span) >= _SHORTEST_SPAN:
                yield words


def _clauses(text: str) -> list[str]:
    return (_BULLET if len(_BULLET.findall(text)) > 1 else _PARAGRAPH).split(text)
