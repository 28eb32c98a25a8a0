"""What was seen of how prompts come back: how often the ends of their parts recur, and after how long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from grn.llm.plan.cache import LIVES_MS
from grn.llm.plan.prompt import Prompt

Landmark = Literal["tools", "system", "documents", "before", "shared", "last"]
"""Where a mark may be worth its price: the ends of levels, of attachments, of all but the last block, of what
was sent before, of the prompt."""

# What is believed before anything was seen: how often the end of a part comes back within an hour. Chosen on
# benchmarks/cache_traces.py, seeds below 300, but never so sure that a first request is written for an hour:
# that was worth seven points of the oracle's saving there, and cost nine on traces of other work.
_BELIEF: dict[Landmark, float] = {
    "tools": 0.87,
    "system": 0.86,
    "documents": 0.85,
    "before": 0.8,
    "shared": 0.8,
    "last": 0.65,
}
_SLOW = 0.08  # of those that come back, the share that takes more than five minutes
_SURE = 0.95  # nothing is believed to come back more often than that: a life has about twenty uses at most

# As how many observations the more general counts for the more special: beliefs for all prompts, all
# prompts for those of one shape, those for one prefix, which says little where its like were seen often.
_ALL, _LIKE, _OWN = 2.0, 4.0, 60.0
_GAP_ALL, _GAP_LIKE, _GAP_MARK, _GAP_OWN = 2.0, 2.0, 8.0, 60.0


@dataclass(slots=True)
class Counts:
    """How often something came back within five minutes, within an hour, and not."""

    short: float = 0.0
    slow: float = 0.0
    never: float = 0.0

    def back(self, otherwise: float, weight: float) -> float:
        """Share of what came back, as if ``weight`` more had been seen of another share."""
        came = self.short + self.slow
        return (came + weight * otherwise) / (came + self.never + weight)

    def late(self, otherwise: float, weight: float) -> float:
        """Share of the slow among what came back, in the same way."""
        return (self.slow + weight * otherwise) / (self.short + self.slow + weight)


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
class Waiting:
    """A landmark that was sent and may come back; doubted once another prompt has parted from it."""

    landmark: Landmark
    at_ms: int
    root: str
    shape: str
    begins_ms: int = 0
    doubted: bool = False


@dataclass(slots=True)
class Known:
    """A prefix that was sent before: what followed it first, whether other things did, what became of it."""

    next: str = ""
    fork: bool = False
    own: Counts = field(default_factory=Counts)


@dataclass
class Habits:
    """Statistics of reuse, gathered request by request.

    A prefix waits until it comes back or an hour is over. One that shares its beginning with a later
    request, but not its end, is doubted: it counts as not coming back until it does. Prompts of one shape
    (the model; whether there are tools, a system prompt, documents) are expected to be of one use.

    Attributes
    ----------
    ends, ends_like
        What became of landmarks, over all prompts and by shape.
    gaps, gaps_like
        After how long requests went on with what was sent before, one count a request.
    known
        Prefixes, the last seen last.
    waiting
        Landmarks less than an hour old.
    """

    ends: defaultdict[Landmark, Counts] = field(default_factory=lambda: defaultdict(Counts))
    ends_like: defaultdict[tuple[str, Landmark], Counts] = field(default_factory=lambda: defaultdict(Counts))
    gaps: Counts = field(default_factory=Counts)
    gaps_like: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    known: dict[str, Known] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)

    def see(self, prompt: Prompt) -> None:
        """Learn from a request which of those before it have come back."""
        now, places = prompt.at_ms, {prefix: place for place, prefix in enumerate(prompt.prefixes)}
        longest, gap_ms = -1, 0
        for prefix, waiting in list(self.waiting.items()):
            gap = now - waiting.at_ms
            if gap >= LIVES_MS["1h"]:
                if not waiting.doubted:
                    _never(self._counts(prefix, waiting), 1)
                del self.waiting[prefix]
            elif prefix in places and gap < waiting.begins_ms:
                continue  # too early to be read: it goes on waiting
            elif prefix in places:
                counts = self._counts(prefix, waiting)
                if waiting.doubted:
                    _never(counts, -1)
                _came(counts, gap)
                longest, gap_ms = max((longest, gap_ms), (places[prefix], gap))
                del self.waiting[prefix]
            elif not waiting.doubted and waiting.root in places:
                waiting.doubted = True
                _never(self._counts(prefix, waiting), 1)
        if longest >= 0:
            _came((self.gaps, self.gaps_like[prompt.shape]), gap_ms)

    def note(self, prompt: Prompt, landmarks: dict[int, Landmark]) -> None:
        """Remember a request that is sent now, and wait for its landmarks."""
        prefixes = prompt.prefixes
        for prefix in prefixes:
            self.known[prefix] = self.known.pop(prefix, Known())
        for here, after in pairwise(prefixes):
            known = self.known[here]
            known.next = known.next or after
            known.fork |= known.next != after
        for place, landmark in landmarks.items():
            self.waiting[prefixes[place]] = Waiting(
                landmark, prompt.at_ms, prefixes[0], prompt.shape, prompt.begins_ms
            )

    def landmarks(self, prompt: Prompt, forks_most: int = 3) -> dict[int, Landmark]:
        """Find where marks may be worth their price."""
        blocks, prefixes = prompt.blocks, prompt.prefixes
        known = [place for place, prefix in enumerate(prefixes) if prefix in self.known]
        forks = [place for place in known if self.known[prefixes[place]].fork]
        attached = [place for place, block in enumerate(blocks[:-1]) if block.kind == "document"]
        found: dict[int, Landmark] = dict.fromkeys([*forks[-forks_most:], *known[-1:]], "shared")
        ends: tuple[tuple[Landmark, int | None], ...] = (
            ("last", prompt.last_markable()),
            ("before", prompt.before_last()),
            ("documents", attached[-1] if attached else None),
            ("system", prompt.end_of("system")),
            ("tools", prompt.end_of("tools")),
        )
        for landmark, place in ends:
            if place is not None and (landmark not in ("last", "before") or place not in found):
                found[place] = landmark
        return {place: found[place] for place in sorted(found) if blocks[place].markable}

    def odds(self, prefix: str, landmark: Landmark, shape: str = "") -> Odds:
        """Tell how likely a prefix comes back: its own past, that of its like, that of all."""
        known = self.known.get(prefix)
        own = Counts() if known is None else known.own
        like = self.ends_like.get((shape, landmark), Counts())
        back = self.ends.get(landmark, Counts()).back(_BELIEF[landmark], _ALL)
        back = min(own.back(like.back(back, _LIKE), _OWN), _SURE)
        late = self.gaps_like.get(shape, Counts()).late(self.gaps.late(_SLOW, _GAP_ALL), _GAP_LIKE)
        late = own.late(like.late(late, _GAP_MARK), _GAP_OWN)
        return Odds(back * (1 - late), back * late)

    def _counts(self, prefix: str, waiting: Waiting) -> tuple[Counts, ...]:
        known = self.known.get(prefix)
        general = (self.ends[waiting.landmark], self.ends_like[waiting.shape, waiting.landmark])
        return general if known is None else (*general, known.own)


def _came(counts: Iterable[Counts], gap_ms: int) -> None:
    for one in counts:
        if gap_ms < LIVES_MS["5m"]:
            one.short += 1
        else:
            one.slow += 1


def _never(counts: Iterable[Counts], by: int) -> None:
    for one in counts:
        one.never += by
