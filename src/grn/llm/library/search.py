"""Which passages answer a question: by their words, by their vectors, and by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grn.kit.errors import UsageError
from grn.llm.library.index import Index, Placed
from grn.llm.tokens.pack.words import parts

Way = Literal["hybrid", "words", "vectors"]

_WEIGHTS = (1.0, 4.0, 1.0)  # of path, title and body in BM25
_CANDIDATES = 200  # of each way
_DIGITS = 5  # of a score: what lies below is the order of a sum
_SHARE = 0.5  # of the vectors in a hybrid score


@dataclass(frozen=True)
class Found:
    """A passage that answers.

    Attributes
    ----------
    placed
        The passage and where it stands.
    score
        Greater is better; of no unit, and not to be compared between questions.
    by_words, by_vectors
        Its place in either order, from 1; ``None`` where it is not among the first ones.
    """

    placed: Placed
    score: float
    by_words: int | None
    by_vectors: int | None


def search(
    index: Index,
    question: str,
    vector: Sequence[float] | None,
    model: str | None,
    *,
    limit: int = 10,
    way: Way = "hybrid",
) -> list[Found]:
    """Find the passages that answer a question best, the best first.

    Parameters
    ----------
    vector, model
        The question as a vector, and what made it; ``None`` searches by words.

    Raises
    ------
    UsageError
        The question is empty.
    """
    if not question.strip():
        raise UsageError("the question is empty", hint='grn llm search "where is money moved?"')
    lexical = {} if way == "vectors" else by_words(index, question)
    semantic = {} if way == "words" or vector is None or model is None else by_vectors(index, vector, model)
    fused = fuse(lexical, semantic) if lexical and semantic else (lexical or semantic)
    placed, best = _best(index, fused, limit)
    ranks = [_ranks(scores) for scores in (lexical, semantic)]
    return [
        Found(placed[one], round(fused[one], _DIGITS), ranks[0].get(one), ranks[1].get(one)) for one in best
    ]


def _best(index: Index, scores: Mapping[int, float], limit: int) -> tuple[dict[int, Placed], list[int]]:
    """Give the best; equal ones in order of file and place, whenever they were read."""
    order = sorted(scores.values(), reverse=True)
    least = order[limit - 1] if len(order) > limit else None
    some = [ident for ident, score in scores.items() if least is None or score >= least]
    placed = index.passages(some)
    some.sort(key=lambda ident: (-scores[ident], placed[ident].name, placed[ident].passage.first, ident))
    return placed, some[:limit]


def by_words(index: Index, question: str) -> dict[int, float]:
    """Score passages by their words: BM25."""
    words = tuple(dict.fromkeys(parts(question)))
    return {ident: round(score, _DIGITS) for ident, score in index.words(words, _WEIGHTS, _CANDIDATES)}


def by_vectors(index: Index, vector: Sequence[float], model: str) -> dict[int, float]:
    """Score passages by the cosine of their vectors with the question's, exactly: no vector is left out."""
    import numpy as np

    ids, matrix = index.vectors(model)
    if not ids:
        return {}
    asked = np.asarray(vector, np.float32)
    lengths = np.sqrt((matrix * matrix).sum(axis=1)) * np.sqrt(asked @ asked)
    cosines = np.round((matrix @ asked) / np.maximum(lengths, 1e-12), _DIGITS)
    best = np.lexsort((ids, -cosines))[:_CANDIDATES]
    return {ids[at]: float(cosines[at]) for at in best}


def fuse(lexical: Mapping[int, float], semantic: Mapping[int, float]) -> dict[int, float]:
    """Add up both scores, each between 0 at its last candidate and 1 at its best."""
    one, other = _scaled(lexical), _scaled(semantic)
    return {
        ident: (1 - _SHARE) * one.get(ident, 0.0) + _SHARE * other.get(ident, 0.0)
        for ident in sorted({*one, *other})
    }


def _scaled(scores: Mapping[int, float]) -> dict[int, float]:
    low, high = min(scores.values()), max(scores.values())
    span = high - low
    return {ident: (score - low) / span if span else 1.0 for ident, score in scores.items()}


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    order = sorted(scores, key=lambda ident: (-scores[ident], ident))
    return {ident: rank for rank, ident in enumerate(order, 1)}
