"""What people do without a planner: no cache, the provider's automatic one, marks at fixed places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grn.llm.plan.cache import Marks
from grn.llm.plan.prompt import Prompt
from grn.llm.request import CacheTime


@dataclass(frozen=True)
class Uncached:
    """No marks: every token at the price of input."""

    def place(self, prompt: Prompt) -> Marks:
        """Place none."""
        return ()


@dataclass(frozen=True)
class Automatic:
    """One mark on the last block: what a ``cache_control`` at the top of a request does."""

    life: CacheTime = "5m"

    def place(self, prompt: Prompt) -> Marks:
        """Mark the last block that can be."""
        last = prompt.last_markable()
        return () if last is None else ((last, self.life),)


@dataclass(frozen=True)
class Static:
    """Marks at the ends of the tools and of the system prompt, and with ``rolling`` on the last block too."""

    life: CacheTime = "5m"
    rolling: bool = True

    def place(self, prompt: Prompt) -> Marks:
        """Mark the ends of the levels."""
        ends = [prompt.end_of("tools"), prompt.end_of("system")]
        ends += [prompt.last_markable()] if self.rolling else []
        return tuple((place, self.life) for place in sorted({end for end in ends if end is not None}))


class Sequence:
    """Marks that are known beforehand, request by request: as they were sent."""

    def __init__(self, marks: Iterable[Marks]) -> None:
        self._marks = iter(marks)

    def place(self, prompt: Prompt) -> Marks:
        """Give the next request's marks, those left out that the provider would not have taken."""
        return tuple((at, life) for at, life in next(self._marks) if prompt.blocks[at].markable)
