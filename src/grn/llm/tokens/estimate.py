"""How many tokens a text has at most for a model whose vocabulary is not at hand: counted features, weighed.

The weights are found by ``python -m benchmarks.count``: over thousands of texts, those whose weighted sum is
nowhere smaller than the count and on average as little larger as possible (a linear program). They are added
up, so a long text's estimate is that of its parts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from grn.llm.tokens.vocabularies import clean, count_bundled

_WORD = re.compile(r"[A-Za-z]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGITS = re.compile(r"[0-9]+")
_SYMBOLS = re.compile(r"[!-/:-@\[-`{-~]+")
_BREAKS = re.compile(r"\n+")
_SPACES = re.compile(r"[ \t]{2,}")
_OTHER = re.compile(r"[^\x00-\x7f]+")
_SMALL = 4
_LARGE = 8


class Features(NamedTuple):
    """What is counted of a text; every number is at least 0 and grows with the text."""

    pieces: int
    """Tokens of o200k."""
    words: int
    """Runs of ASCII letters."""
    long: int
    """Their letters beyond the fourth."""
    longer: int
    """Their letters beyond the eighth."""
    initials: int
    """Words that begin with a capital letter."""
    capitals: int
    """Capital letters after the first of a word."""
    humps: int
    """Seams inside words: ``camelCase``, ``HTTPServer``."""
    digits: int
    numbers: int
    """Runs of digits."""
    symbols: int
    """ASCII punctuation."""
    clusters: int
    """Runs of it."""
    breaks: int
    """Runs of line breaks."""
    newlines: int
    indents: int
    """Runs of two or more spaces and tabs."""
    blanks: int
    """Their characters."""
    letters: int
    """Characters beyond ASCII that are letters or marks."""
    foreign: int
    """Other characters beyond ASCII."""
    bytes: int
    """UTF-8 bytes of all characters beyond ASCII."""
    runs: int
    """Runs of characters beyond ASCII."""
    controls: int
    """ASCII control characters that are neither line breaks nor tabs."""


def features(text: str) -> Features:
    """Count the features of a text.

    Raises
    ------
    MissingExtraError
        The package with o200k's ranks is not installed.
    """
    text = clean(text)
    words = _WORD.findall(text)
    lengths = [len(word) for word in words]
    symbols, digits = _SYMBOLS.findall(text), _DIGITS.findall(text)
    blanks, breaks, other = _SPACES.findall(text), _BREAKS.findall(text), _OTHER.findall(text)
    beyond = "".join(other)
    letters = sum(char.isalnum() for char in beyond)
    return Features(
        pieces=count_bundled(text, "o200k_base"),
        words=len(words),
        long=sum(length - _SMALL for length in lengths if length > _SMALL),
        longer=sum(length - _LARGE for length in lengths if length > _LARGE),
        initials=sum(word[0].isupper() for word in words),
        capitals=sum(sum(map(str.isupper, word[1:])) for word in words if not word[1:].islower()),
        humps=sum(len(_HUMP.findall(word)) for word in words if not word[1:].islower()),
        digits=sum(map(len, digits)),
        numbers=len(digits),
        symbols=sum(map(len, symbols)),
        clusters=len(symbols),
        breaks=len(breaks),
        newlines=sum(map(len, breaks)),
        indents=len(blanks),
        blanks=sum(map(len, blanks)),
        letters=letters,
        foreign=len(beyond) - letters,
        bytes=len(beyond.encode()),
        runs=len(other),
        controls=sum((char < " " and char not in "\n\t") or char == "\x7f" for char in text),
    )


@dataclass(frozen=True)
class Estimate:
    """Tokens of a text: in the middle, and at most."""

    about: int
    most: int


@dataclass(frozen=True)
class Weights:
    """Weights of :class:`Features` by name, those that are 0 left out.

    Attributes
    ----------
    about
        Of the middle: least absolute deviation.
    most
        Of the upper bound.
    fixed
        Tokens added to every text's upper bound.
    error
        How both held on texts that they were not found on, in words.
    """

    about: Mapping[str, float]
    most: Mapping[str, float]
    fixed: float
    error: str

    def estimate(self, text: str) -> Estimate:
        """Estimate a text's tokens; of nothing there are none."""
        if not text:
            return Estimate(0, 0)
        found = features(text)
        about = math.fsum(weight * getattr(found, name) for name, weight in self.about.items())
        most = self.fixed + math.fsum(weight * getattr(found, name) for name, weight in self.most.items())
        return Estimate(min(round(about), math.ceil(most)), math.ceil(most))
