"""The least that a trace can cost, whoever places the marks: every placement, knowing the future."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from grn.llm.plan.cache import MARKS_MOST, Entries, Entry, Marks, Offer, serve
from grn.llm.plan.prompt import Prompt


@dataclass(frozen=True, slots=True)
class _Kept:
    """An entry with what is known of its future: who has the prefix again, and how far it reaches."""

    prefix: str
    entry: Entry
    group: tuple[int, ...]
    depth: int

    def serves(self, other: _Kept) -> bool:
        """Whether it is as good as another for whoever comes: it reaches as far and lives as long."""
        mine, theirs = self.entry, other.entry
        return (
            self.group == other.group
            and self.depth >= other.depth
            and mine.from_ms <= theirs.from_ms
            and mine.until_ms >= theirs.until_ms
            and mine.life <= theirs.life  # "1h" sorts before "5m"
        )


_State = frozenset[_Kept]


def least_cost(prompts: Sequence[Prompt], offers: Mapping[str, Offer], *, prune: bool = True) -> int:
    """Find the least cost of a trace in picodollars, by trying every choice of marks and lifetimes.

    Choices that leave the same entries behind are one, so the time grows with the entries that can differ
    and not with the length of the trace; more than a dozen requests with many common prefixes still take
    for ever.

    Parameters
    ----------
    prompts
        In the order of time.
    offers
        Prices and minimum lengths, by model.
    prune
        Leave out what cannot help: marks on prefixes that no other request has, entries that nobody meets
        again. A test compares with the full search.
    """
    useful = _useful(prompts) if prune else None
    found: dict[_State, int] = {frozenset(): 0}
    for number, prompt in enumerate(prompts):
        reached: dict[_State, int] = {}
        ahead = _ahead(prompts, number)
        options = list(_options(prompt, offers[prompt.model].least, useful))
        for state, cost in found.items():
            entries = {kept.prefix: kept.entry for kept in state}
            for marks in options:
                served = serve(entries, prompt, marks, offers[prompt.model])
                after = _state(served.entries, ahead, prune=prune)
                total = cost + served.cost_pusd
                if total < reached.get(after, total + 1):
                    reached[after] = total
        found = _undominated(reached) if prune else reached
    return min(found.values())


def _options(prompt: Prompt, least: int, useful: set[str] | None) -> Iterator[Marks]:
    places = [
        place
        for place, block in enumerate(prompt.blocks)
        if block.markable
        and (useful is None or (prompt.ends[place] >= least and prompt.prefixes[place] in useful))
    ]
    for count in range(min(MARKS_MOST, len(places)) + 1):
        for chosen in combinations(places, count):
            for hours in range(count + 1):
                yield tuple((place, "1h" if n < hours else "5m") for n, place in enumerate(chosen))


def _useful(prompts: Sequence[Prompt]) -> set[str]:
    """Prefixes that more than one request has, where two of them part or one of them ends.

    A mark between two such places costs what one at the earlier does and more, and is read by no more
    requests.
    """
    having: dict[str, tuple[int, ...]] = {}
    for number, prompt in enumerate(prompts):
        for prefix in prompt.prefixes:
            having[prefix] = (*having.get(prefix, ()), number)
    found = set()
    for prompt in prompts:
        for place, prefix in enumerate(prompt.prefixes):
            after = place + 1
            parts = after == len(prompt.prefixes) or having[prompt.prefixes[after]] != having[prefix]
            if len(having[prefix]) > 1 and (parts or not prompt.blocks[after].markable):
                found.add(prefix)
    return found


def _ahead(prompts: Sequence[Prompt], number: int) -> dict[str, tuple[int, tuple[int, ...], int]]:
    """For each prefix that comes again: when it does first, in which requests, and how many blocks it has."""
    found: dict[str, tuple[int, tuple[int, ...], int]] = {}
    for place in range(len(prompts) - 1, number, -1):
        prompt = prompts[place]
        for depth, prefix in enumerate(prompt.prefixes):
            _, having, _ = found.get(prefix, (0, (), 0))
            found[prefix] = (prompt.at_ms, (place, *having), depth)
    return found


def _state(entries: Entries, ahead: Mapping[str, tuple[int, tuple[int, ...], int]], *, prune: bool) -> _State:
    found = []
    for prefix, entry in entries.items():
        next_ms, group, depth = ahead.get(prefix, (1 << 62, (), 0))
        if entry.until_ms > next_ms or not prune:
            found.append(_Kept(prefix, entry, group, depth))
    if not prune:
        return frozenset(found)
    return frozenset(
        one for one in found if not any(other.serves(one) for other in found if other is not one)
    )


def _undominated(reached: dict[_State, int]) -> dict[_State, int]:
    """Drop what costs no less than another choice that keeps what serves as well."""
    kept: list[tuple[_State, int]] = []
    for state, cost in sorted(reached.items(), key=lambda item: (item[1], -len(item[0]))):
        if not any(all(any(mine.serves(one) for mine in other) for one in state) for other, _ in kept):
            kept.append((state, cost))
    return dict(kept)
