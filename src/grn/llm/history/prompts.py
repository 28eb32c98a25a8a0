"""Prompts of past calls, made again from their counts alone: what was said is not kept, nor needed for it.

A call's prompt is taken for the one before it in its conversation with something at the end, as long as it
is no shorter. A shorter one was cut or summed up, and begins alike as far as it was read from the cache. A
conversation's first prompt begins like the last first one of the same model, as far as it was read. Thus a
cache that had run out is not mistaken for another prompt; edits in the middle that kept the length are not
seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from grn.llm.history.past import PastCall
from grn.llm.plan.prompt import Block, Level, Prompt

_FINE = 2  # blocks that a turn adds: what the model said, and what came back


class _Piece:
    """A stretch of a prompt, in two halves where another prompt ends within it."""

    def __init__(self, name: str, tokens: int, level: Level) -> None:
        self.name, self.tokens, self.level = name, tokens, level
        self.halves: tuple[_Piece, _Piece] | None = None

    def cut(self, at: int) -> tuple[_Piece, _Piece]:
        """Cut it after some tokens; a piece that was cut is cut within its halves."""
        self.halves = (
            _Piece(f"{self.name}a", at, self.level),
            _Piece(f"{self.name}b", self.tokens - at, self.level),
        )
        return self.halves

    def whole(self) -> Iterable[_Piece]:
        """Give the smallest pieces that it consists of."""
        if self.halves is None:
            return (self,)
        return (*self.halves[0].whole(), *self.halves[1].whole())


def prompts_of(calls: Iterable[PastCall]) -> list[tuple[PastCall | None, Prompt]]:
    """Make the prompts of calls again, in the order of time.

    What a first prompt read that no call before it had sent was written by calls that are not known. A
    prompt of nobody's, a second earlier, stands for them: whoever keeps prompts would have had it kept too.
    """
    names = count()
    lines: dict[str, list[_Piece]] = {}
    heads: dict[tuple[str, str], list[_Piece]] = {}
    made: list[tuple[PastCall | None, int, str, list[_Piece]]] = []
    for call in sorted(calls, key=lambda one: (one.at_ms, one.ident)):
        total, read = call.usage.prompt, call.usage.cache_read
        line = lines.get(call.session)
        if line is None:
            begun = heads.get((call.source, call.model), [])
            pieces = _take(begun, min(read, _tokens(begun)))
            rest = read - _tokens(pieces)
            if rest > 0:
                pieces.append(_Piece(f"{next(names)}", rest, "system"))
                made.append((None, call.at_ms - 1000, call.model, list(pieces)))
        else:
            before = _tokens(line)
            pieces = _take(line, before if total >= before else min(read, before))
        added = total - _tokens(pieces)
        said = min(added // _FINE, call.usage.output) if line is not None else 0
        pieces += [_Piece(f"{next(names)}", tokens, "messages") for tokens in (said, added - said) if tokens]
        if line is None:
            heads[(call.source, call.model)] = pieces
        lines[call.session] = pieces
        made.append((call, call.at_ms, call.model, pieces))
    return [(call, _prompt(call, at_ms, model, pieces)) for call, at_ms, model, pieces in made]


def _prompt(call: PastCall | None, at_ms: int, model: str, pieces: list[_Piece]) -> Prompt:
    leaves = [leaf for piece in pieces for leaf in piece.whole()]
    blocks = tuple(Block(leaf.level, "text", leaf.name, leaf.tokens) for leaf in leaves)
    return Prompt(at_ms, model, blocks, 0 if call is None else call.usage.output)


def _tokens(pieces: list[_Piece]) -> int:
    return sum(piece.tokens for piece in pieces)


def _take(pieces: list[_Piece], tokens: int) -> list[_Piece]:
    """Take the beginning of a prompt, cutting the piece in which it ends."""
    found: list[_Piece] = []
    left = tokens
    for piece in (leaf for whole in pieces for leaf in whole.whole()):
        if left <= 0:
            break
        if piece.tokens > left:
            piece = piece.cut(left)[0]
        found.append(piece)
        left -= piece.tokens
    return found
