"""A prompt as a provider's cache sees it: blocks in the order tools, system, messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

Level = Literal["tools", "system", "messages"]
Kind = Literal["tool", "text", "document", "tool_use", "tool_result", "thinking"]

LEVELS: tuple[Level, ...] = ("tools", "system", "messages")
_RUNS = ("tool_use", "tool_result")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a prompt.

    Attributes
    ----------
    level, kind
        Where it stands, and what it is.
    key
        Its content's identity: equal keys, equal bytes.
    tokens
        As the provider counts them, the block's share of what is around it included.
    slot
        What it is across requests (a tool's name, a document's path), where its content may change and its
        place may too; empty for what has to stay where it is, as every turn has.
    """

    level: Level
    kind: Kind
    key: str
    tokens: int
    slot: str = ""

    @property
    def markable(self) -> bool:
        """Whether a mark may stand on it: not on thinking, and not on an empty text."""
        return self.kind != "thinking" and self.tokens > 0


@dataclass(frozen=True)
class Prompt:
    """A request, as far as its cache goes.

    Attributes
    ----------
    at_ms
        When it is sent: lifetimes are measured from there.
    model
        A cache belongs to one model.
    blocks
        In the provider's order.
    output
        Tokens of the answer; the cache does not change them.
    begins_ms
        After how long the answer begins, which is when what is written can be read.
    """

    at_ms: int
    model: str
    blocks: tuple[Block, ...]
    output: int = 0
    begins_ms: int = 0

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """Identity of everything up to and including each block, the model included."""
        found = []
        digest = hashlib.sha256(self.model.encode())
        for block in self.blocks:
            digest.update(f"\0{block.level}\0{block.kind}\0{block.key}".encode())
            found.append(digest.hexdigest()[:32])
        return tuple(found)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Tokens up to and including each block."""
        return tuple(accumulate(block.tokens for block in self.blocks))

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """Place of each block as the lookback counts: a run of calls of tools, or of results, is one."""
        found: list[int] = []
        for place, block in enumerate(self.blocks):
            joins = place > 0 and block.kind in _RUNS and self.blocks[place - 1].kind == block.kind
            found.append(found[-1] + (not joins) if found else 0)
        return tuple(found)

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt."""
        return self.ends[-1] if self.blocks else 0

    @cached_property
    def shape(self) -> str:
        """What prompts of one use have in common: the model; tools, system prompt and documents or none."""
        parts = {block.level for block in self.blocks} | {block.kind for block in self.blocks}
        return " ".join([self.model, *(part for part in ("tools", "system", "document") if part in parts)])

    def last_markable(self) -> int | None:
        """Give the last block on which a mark may stand: where automatic caching puts its own."""
        places = range(len(self.blocks) - 1, -1, -1)
        return next((place for place in places if self.blocks[place].markable), None)

    def before_last(self) -> int | None:
        """Give the last markable block of all but the prompt's last one, if that is a message's."""
        last = self.last_markable()
        if last is None or self.blocks[last].level != "messages":
            return None
        return next((place for place in range(last - 1, -1, -1) if self.blocks[place].markable), None)

    def end_of(self, level: Level) -> int | None:
        """Give the last markable block of a level."""
        found = [n for n, block in enumerate(self.blocks) if block.level == level and block.markable]
        return found[-1] if found else None


def shared(one: Prompt, other: Prompt) -> int:
    """Count the blocks that two prompts begin with."""
    pairs = zip(one.prefixes, other.prefixes, strict=False)
    return next((n for n, (mine, theirs) in enumerate(pairs) if mine != theirs), _shorter(one, other))


def in_order(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Put blocks into the provider's order of levels, otherwise as they come."""
    return tuple(sorted(blocks, key=lambda block: LEVELS.index(block.level)))


def _shorter(one: Prompt, other: Prompt) -> int:
    return min(len(one.blocks), len(other.blocks))
