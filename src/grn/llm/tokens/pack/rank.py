"""Which pieces answer a question: by words, by what it names and points at, and by the file they are in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from grn.llm.tokens.pack.index import Hit, Index, Piece, Side
from grn.llm.tokens.pack.words import Question, identifiers, read_question

_CANDIDATES: Mapping[Side, int] = {"code": 1_500, "test": 200, "text": 200}
_OF_CLAUSE = 300  # pieces
_MOST_CLAUSES = 24
_MOST_DEFINITIONS = 6  # a name that more pieces define says little
_MOST_SAYING = 400  # pieces: what more of them say tells nothing
_ENOUGH_SAID = 3  # rare words or phrases
_BEST_OF_FILE = 5  # pieces that speak for their file
# Logarithms of odds that a function has to be changed for an entry of a changelog, by regression on half of
# the packages of `python -m benchmarks.pack`; measures of words are shares of the best in the question.
_WEIGHTS = {"body": 0.90, "score": 1.36, "clause": 1.38, "clause_name": 0.95, "file_words": 0.77,
            "name": 1.13, "dotted": 3.61, "said": 4.44, "file": 1.01, "lines": 0.42}  # fmt: skip
_NOTHING = -8.75
# Set by hand: of a piece's chance, by what it is; imports, constants and prose seldom answer. Tests and texts
# speak of everything: they follow, unless the question begins with them; one that only mentions "tests" is
# about something else.
_KIND = {"function": 1.0, "class": 0.6, "module": 0.3, "section": 1.0, "text": 1.0}
_ASIDE = 0.03
_ASKED = {
    "test": frozenset({"test", "tests"}),
    "text": frozenset({"doc", "docs", "documentation", "documented", "readme", "example", "changelog"}),
}
_BEGINNING = 3  # words, those of grammar apart
POINTED = 1.0
"""Scores from here on are of pieces that a question points at by line: they come first at any length."""
_IN_FILE = 0.2
_SEEDS = 24  # best pieces of which it is looked at what they call
_CALLED = 0.1  # of a seed's score, shared by all that have the name; more cost recall
_MOST_CALLED = 3


@dataclass(frozen=True)
class Ranked:
    """A piece, its score (a chance below 1, or more if it is pointed at) and what gave it."""

    piece: Piece
    score: float
    reason: str


def rank(index: Index, question: str) -> list[Ranked]:
    """Order the pieces of an index by how well they answer a question, best first.

    What counts: BM25 over words of identifiers, for the whole question and for each of its clauses; names and
    files in the question; what it quotes, as it stands; what else of the file answers; length; a place in a
    traceback before all. The same index and question give the same order.
    """
    asked = read_question(question)
    found: dict[Piece, Ranked] = {}

    def add(piece: Piece, score: float, reason: str) -> None:
        if piece not in found or score > found[piece].score:
            found[piece] = Ranked(piece, score, reason)

    for side in ("code", "test", "text"):
        share = 1.0 if side == "code" or _ASKED[side] & set(asked.words[:_BEGINNING]) else _ASIDE
        for piece, chance, reason in _answers(index, asked, side):
            add(piece, share * chance * _KIND[piece.chunk.kind], reason)
    for path, line in asked.places:
        for piece in index.under(path):
            is_here = line in piece.chunk.lines
            add(piece, POINTED if is_here else _IN_FILE, f"{path}:{line}" if is_here else path)
    for path in asked.paths:
        for piece in index.under(path):
            add(piece, _IN_FILE * _KIND[piece.chunk.kind], path)
    for piece, score in _called(index, in_order(found.values())[:_SEEDS]):
        add(piece, score * _KIND[piece.chunk.kind], "called")
    return in_order(found.values())


def in_order(found: Iterable[Ranked]) -> list[Ranked]:
    """Put pieces in order, the best first; equal ones by path and line."""
    return sorted(found, key=lambda one: (-one.score, one.piece.path, one.piece.chunk.lines))


def _answers(index: Index, asked: Question, side: Side) -> Iterator[tuple[Piece, float, str]]:
    """Give the pieces of a side that answer, with the chance of each and what speaks for it most."""
    for piece, measures in measure(index, asked, side).items():
        odds = _NOTHING + sum(_WEIGHTS[name] * value for name, value in measures.items())
        yield piece, 1 / (1 + math.exp(-odds)), "name" if measures["name"] else "words"


def measure(index: Index, asked: Question, side: Side) -> dict[Piece, dict[str, float]]:
    """Measure what speaks for each piece of a side that may answer; `benchmarks.pack_weights` weighs it."""
    hits = {hit.piece: hit for hit in index.search(asked.words, side, _CANDIDATES[side])}
    clause: dict[Piece, float] = {}
    clause_name: dict[Piece, float] = {}
    if len(asked.clauses) > 1 and side == "code":
        for words in asked.clauses[:_MOST_CLAUSES]:
            some = index.search(words, side, _OF_CLAUSE)
            best = max((hit.score for hit in some), default=0.0)
            for hit in some:
                hits.setdefault(hit.piece, Hit(hit.piece, 0.0, 0.0, 0.0))
                clause[hit.piece] = max(clause.get(hit.piece, 0.0), hit.score / best)
                clause_name[hit.piece] = max(clause_name.get(hit.piece, 0.0), hit.name)
    else:
        clause = {piece: hit.score for piece, hit in hits.items()}
        clause_name = {piece: hit.name for piece, hit in hits.items()}
    named = _named(index, asked, side)
    said = _said(index, asked, side) if side == "code" else {}
    for piece in (*named, *said):
        hits.setdefault(piece, Hit(piece, 0.0, 0.0, 0.0))
    of_file: dict[str, list[float]] = {}
    for hit in sorted(hits.values(), key=lambda hit: -hit.score):
        scores = of_file.setdefault(hit.piece.path, [])
        if len(scores) < _BEST_OF_FILE:
            scores.append(hit.score)
    measures = {
        "body": _shares({piece: hit.body for piece, hit in hits.items()}),
        "score": _shares({piece: hit.score for piece, hit in hits.items()}),
        "clause": _shares(clause),
        "clause_name": _shares(clause_name),
        "file_words": _shares({piece: sum(of_file[piece.path]) for piece in hits}),
        "name": {piece: name for piece, (name, _) in named.items()},
        "dotted": {piece: dotted for piece, (_, dotted) in named.items()},
        "said": said,
        "file": _files(hits, asked),
        "lines": {piece: math.log1p(len(piece.chunk.lines)) for piece in hits},
    }
    return {piece: {name: of.get(piece, 0.0) for name, of in measures.items()} for piece in hits}


def _said(index: Index, asked: Question, side: Side) -> dict[Piece, float]:
    """Tell how much of what the question quotes stands in a piece as it is; what is rare tells more."""
    n_pieces = index.count(side)
    found: dict[Piece, float] = {}
    for words in asked.spans if n_pieces > 1 else ():
        pieces = index.saying(words, side, _MOST_SAYING)
        for piece in pieces:
            rare = math.log(n_pieces / len(pieces)) / math.log(n_pieces)
            found[piece] = min(found.get(piece, 0.0) + rare / _ENOUGH_SAID, 1.0)
    return found


def _called(index: Index, seeds: Sequence[Ranked]) -> Iterator[tuple[Piece, float]]:
    """Give what pieces call, with a share of their score."""
    for seed in seeds:
        text = index.text(seed.piece.path)
        body = "\n".join(text[number - 1] for number in seed.piece.chunk.lines if number <= len(text))
        for _, pieces in sorted(index.named(identifiers(body), _MOST_CALLED).items()):
            for piece in pieces:
                yield piece, _CALLED * min(seed.score, POINTED) / len(pieces)


def _shares(scores: Mapping[Piece, float]) -> dict[Piece, float]:
    best = max(scores.values(), default=0.0)
    return {piece: score / best for piece, score in scores.items()} if best > 0 else {}


def _named(index: Index, asked: Question, side: Side) -> dict[Piece, tuple[float, float]]:
    """Give what the question names: how rare the name is, and whether its class stands before it."""
    found: dict[Piece, tuple[float, float]] = {}
    pieces_of = index.named((name.rpartition(".")[2] for name in asked.names), _MOST_DEFINITIONS * 4)
    for _, every in sorted(pieces_of.items()):
        pieces = [piece for piece in every if piece.side == side]
        for piece in pieces:
            owner = ".".join(piece.chunk.name.split(".")[-2:])
            dotted = "." in owner and any(f".{one}".endswith(f".{owner}") for one in asked.names)
            if dotted or len(pieces) <= _MOST_DEFINITIONS:
                found[piece] = (1 / math.sqrt(len(pieces)), float(dotted))
    return found


def _files(hits: Mapping[Piece, Hit], asked: Question) -> dict[Piece, float]:
    """Tell how much of a piece's file the question names: its stem as code, or as a plain word."""
    code = {part.lower() for name in asked.names for part in name.split(".")}
    words = set(asked.words)
    paths = {piece.path for piece in hits}
    said = {}
    for path in paths:
        stem = PurePosixPath(path).stem.lower().strip("_")
        is_word = stem in words or re.sub(r"[^a-z0-9]", "", stem) in words
        said[path] = 1.0 if stem in code else 0.5 if is_word else 0.0
    return {piece: said[piece.path] for piece in hits if said[piece.path]}
