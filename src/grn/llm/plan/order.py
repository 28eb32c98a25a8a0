"""The order of what may stand in any order: what seldom changes first, so that long beginnings last."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import groupby

from grn.llm.plan.prompt import Block, Prompt


class Order:
    """Learns how often each part changes, and puts parts in order; give it the prompts in the order of time.

    Only blocks with a slot may move, and only among neighbours of their level that may move too: tools
    among tools, parts of a system prompt among those, attached documents among documents. Turns stay where
    they are.
    """

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._changes: dict[str, int] = defaultdict(int)
        self._first: dict[str, int] = {}

    def arrange(self, prompt: Prompt) -> Prompt:
        """Put a prompt's parts in order, by what was seen until now, and learn from it."""
        blocks: list[Block] = []
        for (_, movable), group in groupby(prompt.blocks, key=lambda block: (block.level, bool(block.slot))):
            parts = list(group)
            for part in parts if movable else ():
                self._learn(part)
            blocks += sorted(parts, key=self._rank) if movable else parts
        return replace(prompt, blocks=tuple(blocks))

    def _learn(self, part: Block) -> None:
        last = self._last.get(part.slot)
        self._first.setdefault(part.slot, len(self._first))
        self._changes[part.slot] += last is not None and last != part.key
        self._last[part.slot] = part.key

    def _rank(self, part: Block) -> tuple[int, int]:
        return self._changes[part.slot], self._first[part.slot]
