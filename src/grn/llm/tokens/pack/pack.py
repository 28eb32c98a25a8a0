"""The pieces of a folder that answer a question, within a budget of tokens that is never exceeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grn.kit.errors import UsageError
from grn.llm.tokens.pack.index import Index, Piece
from grn.llm.tokens.pack.meaning import Encode, by_meaning
from grn.llm.tokens.pack.rank import POINTED, Ranked, rank

Weigh = Callable[[str], int]
_SHARE = 0.9  # of the budget for whole pieces: the rest is for the heads of others
_MOST_TRIED = 1_500  # pieces
_ROUNDS = 4
_AROUND = 4  # tokens of an empty line and the sign of a gap
_LEAST = 8  # tokens that a path, a number and a line take
_LETTERS = 8  # a token of code has about four: what is twice as long as that would fit is not weighed
_ALPHABET = 40  # letters below which a piece is not worth more for being short


@dataclass(frozen=True)
class Packed:
    """What was packed.

    Attributes
    ----------
    text
        Files by path, lines with their numbers.
    tokens
        At most, as it was weighed.
    whole, heads
        Pieces of which all is shown, and of which the head is.
    found
        Pieces that answer at all.
    files
        Files that are shown, the one with the best piece first.
    """

    text: str
    tokens: int
    whole: int
    heads: int
    found: int
    files: tuple[str, ...]


def pack(index: Index, question: str, budget: int, weigh: Weigh, encode: Encode | None = None) -> Packed:
    """Pack what answers a question.

    The best pieces are shown whole, as long as they fit; a long one has to be better than a short one: what
    counts is its chance by the square root of its length. With what is left of the budget come heads, first
    a line of the best piece of each file that is not there yet. Each line has its number in front, each file
    its path. The same folder, question, budget and weigh give the same bytes.

    Parameters
    ----------
    index
        See :func:`grn.llm.tokens.pack.index.open_index`.
    question
        In words, with names, paths or a traceback.
    budget
        Tokens.
    weigh
        Counts the tokens of a text, or bounds them from above.
    encode
        Puts the best pieces in order by meaning too; see :mod:`grn.llm.tokens.pack.meaning`.

    Raises
    ------
    UsageError
        The question is empty, or the budget too small for the smallest piece that answers it.
    """
    if not question.strip():
        raise UsageError("the question is empty", hint='grn llm pack "where is money moved?"')
    ranked = rank(index, question)
    if encode is not None:
        ranked = by_meaning(index, question, ranked, encode)
    return lay_out(index, ranked, budget, weigh)


def lay_out(index: Index, ranked: Sequence[Ranked], budget: int, weigh: Weigh) -> Packed:
    """Pack pieces that were ranked; see :func:`pack`.

    Raises
    ------
    UsageError
        The budget is too small for the smallest piece that answers.
    """
    page = _Page(index, weigh)
    answers = [one.piece for one in sorted(ranked[:_MOST_TRIED], key=_worth, reverse=True)]
    whole = page.fill(answers, lambda piece: piece.chunk.lines, int(budget * _SHARE))
    heads = page.fill(_firsts(ranked, page.files()), page.title, budget)
    heads += page.fill(answers, lambda piece: piece.chunk.signature, budget)
    if heads == 0:
        whole += page.fill(answers, lambda piece: piece.chunk.lines, budget)
    if ranked and not whole and not heads:
        raise UsageError(
            "the budget is too small for the smallest piece that answers", seen=budget, hint="--budget 2k"
        )
    text = page.render()
    return Packed(text, weigh(text) if text else 0, whole, heads, len(ranked), tuple(page.files()))


def _worth(one: Ranked) -> tuple[bool, float]:
    return one.score >= POINTED, one.score / math.sqrt(max(one.piece.letters, _ALPHABET))


def _is_above(piece: Piece, lines: tuple[int, ...], left: int) -> bool:
    return lines == piece.chunk.lines and piece.letters > left * _LETTERS


def _firsts(ranked: Sequence[Ranked], shown: Iterable[str]) -> list[Piece]:
    """Choose the best piece with a head of each file that is not shown."""
    firsts: dict[str, Piece] = {}
    for one in ranked:
        if one.piece.chunk.signature:
            firsts.setdefault(one.piece.path, one.piece)
    shown = set(shown)
    return [piece for path, piece in firsts.items() if path not in shown]


class _Page:
    """Lines of files that are shown, files in the order in which they came."""

    def __init__(self, index: Index, weigh: Weigh) -> None:
        self._index = index
        self._weigh = weigh
        self._added: list[tuple[Piece, tuple[int, ...]]] = []
        self._texts: dict[str, list[str]] = {}
        self._costs: dict[tuple[Piece, tuple[int, ...]], int] = {}

    def fill(self, pieces: Sequence[Piece], lines_of: Callable[[Piece], tuple[int, ...]], limit: int) -> int:
        """Add pieces as long as they fit; returns how many.

        Tokens of parts are not those of the whole, so parts only guess: what is over the limit in the end is
        taken back, and what is left of it is filled again.
        """
        before = len(self._added)
        for _ in range(_ROUNDS):
            known = len(self._added)
            spent = self._weigh(self.render())
            shown = {piece for piece, _ in self._added}
            for piece in pieces:
                lines = lines_of(piece)
                if limit - spent < _LEAST:
                    break
                if piece in shown or not lines or _is_above(piece, lines, limit - spent):
                    continue
                cost = self._cost(piece, lines)
                if spent + cost <= limit:
                    self._added.append((piece, lines))
                    spent += cost
            while len(self._added) > known and self._weigh(self.render()) > limit:
                self._added.pop()
            if len(self._added) == known:
                break
        return len(self._added) - before

    def title(self, piece: Piece) -> tuple[int, ...]:
        """Choose the one line of a head that has the name."""
        text = self._text(piece.path)
        name = piece.chunk.name.rpartition(".")[2]
        lines = [line for line in piece.chunk.signature if line <= len(text)]
        return tuple([line for line in lines if name in text[line - 1]][:1] or lines[:1])

    def _cost(self, piece: Piece, lines: tuple[int, ...]) -> int:
        if (piece, lines) not in self._costs:
            text = "\n".join([piece.path, *self._numbered(piece.path, lines)])
            self._costs[piece, lines] = self._weigh(text) + _AROUND
        return self._costs[piece, lines]

    def files(self) -> list[str]:
        return list(dict.fromkeys(piece.path for piece, _ in self._added))

    def render(self) -> str:
        shown: dict[str, set[int]] = {}
        for piece, lines in self._added:
            shown.setdefault(piece.path, set()).update(lines)
        blocks = ["\n".join([path, *self._numbered(path, numbers)]) for path, numbers in shown.items()]
        return "\n\n".join(blocks) + "\n" if blocks else ""

    def _numbered(self, path: str, numbers: Iterable[int]) -> list[str]:
        text = self._text(path)
        out: list[str] = []
        last = 0
        for number in sorted(numbers):
            if number > len(text) or not text[number - 1].strip():
                continue  # a blank line says nothing that the numbers do not
            if last and any(line.strip() for line in text[last : number - 1]):
                out.append("…")
            out.append(f"{number} {text[number - 1].rstrip()}")
            last = number
        return out

    def _text(self, path: str) -> list[str]:
        if path not in self._texts:
            self._texts[path] = self._index.text(path)
        return self._texts[path]
