"""What pieces mean: the best of them are put in order anew by a sentence encoder."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from grn.kit.errors import UsageError
from grn.llm.tokens.pack.index import Index, Piece
from grn.llm.tokens.pack.rank import POINTED, Ranked, in_order
from grn.llm.tokens.pack.words import clauses_of, parts

Encode = Callable[[str], Sequence[float]]
"""Turns a text into a vector of length 1; refuses one that is too long with UsageError."""

_BEST = 200  # pieces that are encoded
# Logarithms of odds for a difference of 1 between cosines: from 4 to 8 gave the same on 19 releases.
_WEIGHT = 5.0
_OF_QUESTION, _OF_TEXT, _OF_WORDS = 500, 200, 250  # letters; time grows with them
_DOCSTRING = re.compile(r'"""(.+?)"""', re.S)


def by_meaning(index: Index, question: str, ranked: Sequence[Ranked], encode: Encode) -> list[Ranked]:
    """Put the best pieces in order anew, by the odds of each and how near it is to a point of the question.

    Vectors are kept in the index by what was encoded. The same index, question and encoder give the same
    order; what a question points at by line stays first.
    """
    import numpy as np

    def vector_of(text: str) -> np.ndarray:
        return np.asarray(_encoded(text, encode), dtype=np.float32)

    best = [one for one in ranked if one.score < POINTED][:_BEST]
    if not best:
        return list(ranked)
    asked = np.stack([vector_of(clause[:_OF_QUESTION]) for clause in clauses_of(question)])
    texts = [_text(index, one.piece) for one in best]
    vectors = index.vectors(texts, lambda text: vector_of(text).tobytes())
    near = [float((asked @ np.frombuffer(vector, dtype=np.float32)).max()) for vector in vectors]
    usual = math.fsum(near) / len(near)
    weighed = {
        one.piece: replace(one, score=_moved(one.score, _WEIGHT * (cosine - usual)))
        for one, cosine in zip(best, near, strict=True)
    }
    return in_order(weighed.get(one.piece, one) for one in ranked)


def _moved(chance: float, by: float) -> float:
    odds = math.log(chance) - math.log1p(-chance) + by
    return 1 / (1 + math.exp(-odds))


def _text(index: Index, piece: Piece) -> str:
    """Say of a piece what an encoder of sentences can read: its name, its docstring, its words, each once."""
    lines = index.text(piece.path)
    body = "\n".join(lines[number - 1].strip() for number in piece.chunk.lines if number <= len(lines))
    name = " ".join(parts(f"{PurePosixPath(piece.path).stem} {piece.chunk.name}"))
    said = _DOCSTRING.search(body)
    words = " ".join(dict.fromkeys(parts(body)))
    return f"{name}. {said[1][:_OF_TEXT] if said else ''} {words[:_OF_WORDS]}"


def _encoded(text: str, encode: Encode) -> Sequence[float]:
    while True:
        try:
            return encode(text)
        except UsageError:
            if len(text) < 2:
                raise
            text = text[: len(text) // 2]
