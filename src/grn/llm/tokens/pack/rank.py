"""Which pieces answer a question: by words, by what it points at, by calls from and to those pieces."""

from __future__ import annotations

from dataclasses import dataclass

from grn.llm.tokens.pack.index import Index, Piece
from grn.llm.tokens.pack.words import Question, identifiers, parts, read_question

_CANDIDATES = 1_500
_SEEDS = 24  # best pieces whose neighbours are looked at
_MOST_DEFINITIONS = 3  # a name that more pieces define says little
_CALLED, _CALLS = 0.35, 0.2  # of a seed's score, to what it calls and to what calls it
_POINTED, _IN_FILE, _NAMED = (
    3.0,
    0.6,
    1.0,
)  # of the best score: the line pointed at, its file, a name in the question
_TEST = 0.6  # tests speak of everything; they follow, unless they are asked for
_MODULE = 0.4  # imports and constants


@dataclass(frozen=True)
class Ranked:
    """A piece, its score (greater is better, of no unit) and what gave it."""

    piece: Piece
    score: float
    reason: str


def rank(index: Index, question: str) -> list[Ranked]:
    """Order the pieces of an index by how well they answer a question, best first.

    Sources of a score, added up: BM25 over words of identifiers; a place in a traceback, a path or a name in
    the question; calls from and to the best pieces. The same index and question give the same order.
    """
    asked = read_question(question)
    scores: dict[Piece, float] = {}
    reasons: dict[Piece, str] = {}

    def add(piece: Piece, score: float, reason: str) -> None:
        if score > 0 and piece not in reasons:
            reasons[piece] = reason
        scores[piece] = scores.get(piece, 0.0) + score

    for piece, score in index.search(asked.words, _CANDIDATES):
        add(piece, score * _weight(piece, asked), "words")
    best = max(scores.values(), default=1.0)
    for piece, share, reason in _pointed(index, asked):
        if reasons.get(piece) == "words":
            del reasons[piece]
        add(piece, best * share, reason)
    for piece, gain in _neighbours(index, scores).items():
        add(piece, gain * _weight(piece, asked), "calls")
    order = sorted(scores, key=lambda piece: (-scores[piece], piece.path, piece.chunk.lines))
    return [Ranked(piece, scores[piece], reasons[piece]) for piece in order if scores[piece] > 0]


def _weight(piece: Piece, asked: Question) -> float:
    weight = _MODULE if piece.chunk.kind == "module" else 1.0
    is_test = any(part in ("test", "tests") for part in parts(piece.path))
    return weight * (_TEST if is_test and not {"test", "tests"} & set(asked.words) else 1.0)


def _pointed(index: Index, asked: Question) -> list[tuple[Piece, float, str]]:
    found: list[tuple[Piece, float, str]] = []
    for path, line in asked.places:
        for piece in index.under(path):
            share = _POINTED if line in piece.chunk.lines else _IN_FILE
            found.append((piece, share, f"{path}:{line}"))
    for path in asked.paths:
        found += [(piece, _IN_FILE, path) for piece in index.under(path)]
    for name, pieces in index.named(asked.names, _MOST_DEFINITIONS * 2).items():
        found += [(piece, _NAMED, name) for piece in pieces]
    return found


def _neighbours(index: Index, scores: dict[Piece, float]) -> dict[Piece, float]:
    """Share the best pieces' scores with what they call, and theirs with what calls them, once each."""
    seeds = sorted(scores, key=lambda piece: (-scores[piece], piece.path, piece.chunk.lines))[:_SEEDS]
    used = {piece: identifiers(_text(index, piece)) for piece in seeds}
    defined = index.named(set().union(*used.values()) if used else set(), _MOST_DEFINITIONS)
    gains: dict[Piece, float] = {}
    for seed in seeds:
        for name in sorted(used[seed] & defined.keys()):
            for piece in defined[name]:
                if piece != seed:
                    gains[piece] = max(gains.get(piece, 0.0), _CALLED * scores[seed] / len(defined[name]))
    for seed in seeds:
        own = seed.chunk.name.rpartition(".")[2]
        for other in seeds:
            if other != seed and own and own in used[other] and own in defined:
                gains[other] = max(gains.get(other, 0.0), _CALLS * scores[seed])
    return gains


def _text(index: Index, piece: Piece) -> str:
    lines = index.text(piece.path)
    return "\n".join(lines[number - 1] for number in piece.chunk.lines if number <= len(lines))
