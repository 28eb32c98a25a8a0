"""What was seen of how prompts come back: how often the ends of their parts recur, and after how long."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from grn.llm.plan.cache import LIVES_MS
from grn.llm.plan.prompt import Prompt

Landmark = Literal["tools", "system", "documents", "shared", "last"]
"""Where a mark may be worth its price: ends of levels, attachments, what was sent before, prompts."""

# What is believed before anything was seen: how often the end of a part comes back within an hour. A weak
# belief: it weighs as much as two observations.
_BELIEF: dict[Landmark, float] = {
    "tools": 0.8,
    "system": 0.75,
    "documents": 0.6,
    "shared": 0.8,
    "last": 0.65,
}
_WEIGHT = 2.0
_OWN = 60.0  # a single prefix says little where its like have been seen often
_SLOW = 0.15  # of those that come back, the share that takes more than five minutes
_SURE = 0.95  # nothing is believed to come back more often than that: a life has about twenty uses at most


@dataclass(slots=True)
class Counts:
    """How often something came back within five minutes, within an hour, and not."""

    short: float = 0.0
    slow: float = 0.0
    never: float = 0.0


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely a prefix comes back within five minutes, and only later but within an hour."""

    short: float
    slow: float

    @property
    def back(self) -> float:
        """How likely it comes back within an hour."""
        return self.short + self.slow


@dataclass(slots=True)
class _Waiting:
    landmark: Landmark
    at_ms: int
    root: str
    doubted: bool = False


class Habits:
    """Statistics of reuse, gathered request by request.

    A prefix waits until it comes back or an hour is over. One that shares its beginning with a later
    request, but not its end, is doubted: it counts as not coming back until it does.
    """

    def __init__(self) -> None:
        self._of: dict[Landmark, Counts] = defaultdict(Counts)
        self._own: dict[str, Counts] = {}
        self._all = Counts()
        self._waiting: dict[str, _Waiting] = {}
        self._next: dict[str, str] = {}
        self._forks: set[str] = set()
        self._known: set[str] = set()

    def see(self, prompt: Prompt) -> None:
        """Learn from a request which of those before it have come back."""
        now, prefixes = prompt.at_ms, set(prompt.prefixes)
        for prefix, waiting in list(self._waiting.items()):
            gap = now - waiting.at_ms
            if gap >= LIVES_MS["1h"]:
                if not waiting.doubted:
                    self._count(prefix, waiting, "never", 1)
                del self._waiting[prefix]
            elif prefix in prefixes:
                if waiting.doubted:
                    self._count(prefix, waiting, "never", -1)
                self._count(prefix, waiting, "short" if gap < LIVES_MS["5m"] else "slow", 1)
                del self._waiting[prefix]
            elif not waiting.doubted and waiting.root in prefixes:
                waiting.doubted = True
                self._count(prefix, waiting, "never", 1)

    def note(self, prompt: Prompt, landmarks: dict[int, Landmark]) -> None:
        """Remember a request that is sent now, and wait for its landmarks."""
        prefixes = prompt.prefixes
        for here, after in pairwise(prefixes):
            if self._next.setdefault(here, after) != after:
                self._forks.add(here)
        self._known.update(prefixes)
        for place, landmark in landmarks.items():
            self._waiting[prefixes[place]] = _Waiting(landmark, prompt.at_ms, prefixes[0])

    def landmarks(self, prompt: Prompt, forks_most: int = 3) -> dict[int, Landmark]:
        """Find where marks may be worth their price."""
        blocks = prompt.blocks
        known = [place for place, prefix in enumerate(prompt.prefixes) if prefix in self._known]
        forks = [place for place in known if prompt.prefixes[place] in self._forks]
        attached = [place for place, block in enumerate(blocks[:-1]) if block.kind == "document"]
        found: dict[int, Landmark] = dict.fromkeys([*forks[-forks_most:], *known[-1:]], "shared")
        ends: tuple[tuple[Landmark, int | None], ...] = (
            ("last", prompt.last_markable()),
            ("documents", attached[-1] if attached else None),
            ("system", prompt.end_of("system")),
            ("tools", prompt.end_of("tools")),
        )
        for landmark, place in ends:
            if place is not None and (landmark != "last" or place not in found):
                found[place] = landmark
        return {place: found[place] for place in sorted(found) if blocks[place].markable}

    def odds(self, prefix: str, landmark: Landmark) -> Odds:
        """Tell how likely a prefix comes back: its own past, and that of its like."""
        of, own = self._of[landmark], self._own.get(prefix, Counts())
        seen = of.short + of.slow + of.never
        back = (of.short + of.slow + _WEIGHT * _BELIEF[landmark]) / (seen + _WEIGHT)
        mine = own.short + own.slow + own.never
        back = min((own.short + own.slow + _OWN * back) / (mine + _OWN), _SURE)
        slow = _SLOW
        for counts, weight in ((self._all, _WEIGHT), (of, _WEIGHT), (own, _OWN)):
            slow = (counts.slow + weight * slow) / (counts.short + counts.slow + weight)
        return Odds(back * (1 - slow), back * slow)

    def _count(
        self, prefix: str, waiting: _Waiting, what: Literal["short", "slow", "never"], by: int
    ) -> None:
        for counts in (self._all, self._of[waiting.landmark], self._own.setdefault(prefix, Counts())):
            setattr(counts, what, getattr(counts, what) + by)
