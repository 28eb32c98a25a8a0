"""Anthropic's prompt cache by its published rules: what a request reads, writes and pays. A specification.

Source of every rule: https://platform.claude.com/docs/en/build-with-claude/prompt-caching as of 2026-10.

1. A mark (``cache_control``) on a block writes one entry: the prefix that ends there, of tools, system and
   messages in this order, byte for byte, for one model. Nothing is written in front of it ("How automatic
   prefix checking works").
2. A request reads the longest prefix with a live entry, found from a mark backwards over at most 20 places,
   the mark's own being the first; then on from the mark before. A run of calls of tools is one place, and a
   run of results.
3. An entry lives five minutes or an hour from the start of the request that wrote or last read it, and can
   be read once the answer to the one that wrote it begins.
4. At most four marks; those of an hour stand before those of five minutes ("Mixing different TTLs").
5. A prefix shorter than the model's minimum is not cached, and no error says so ("Cache limitations").
6. Billed are: the prefix read; from there to the last mark of an hour as written for an hour; from there to
   the last mark as written for five minutes; the rest as input. A prompt above a tier's threshold pays that
   tier for all of it.

Two things the provider leaves open, read here so that a plan is rather too careful: a mark below the prefix
that is read writes nothing (nothing is billed there), and refreshes only the entry on which it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from grn.kit.errors import UsageError
from grn.llm.plan.prompt import Prompt
from grn.llm.prices import Price
from grn.llm.request import CacheTime
from grn.llm.request import Marks as Marks  # what is placed is what is sent
from grn.llm.usage import Usage

LIVES_MS: Mapping[CacheTime, int] = {"5m": 300_000, "1h": 3_600_000}
MARKS_MOST = 4
LOOKBACK = 20


@dataclass(frozen=True)
class Offer:
    """What a model's cache costs, and the shortest prefix in tokens that it keeps."""

    price: Price
    least: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A prefix that is kept: readable from, until, and for how long at a time."""

    from_ms: int
    until_ms: int
    life: CacheTime

    def alive(self, now_ms: int) -> bool:
        """Whether it can be read at a moment."""
        return self.from_ms <= now_ms < self.until_ms


Entries = Mapping[str, Entry]
"""What is kept, by :attr:`grn.llm.plan.prompt.Prompt.prefixes`."""


@dataclass(frozen=True)
class Served:
    """What became of a request.

    Attributes
    ----------
    hit
        The last block that was read, -1 without.
    usage, cost_pusd
        What is billed.
    entries
        What is kept afterwards.
    """

    hit: int
    usage: Usage
    cost_pusd: int
    entries: Entries


class Policy(Protocol):
    """Who places marks, one request after the other, knowing only what came before."""

    def place(self, prompt: Prompt) -> Marks:
        """Place the marks of a request."""
        ...


@dataclass(frozen=True)
class Run:
    """A trace under a policy: each request's marks and what became of it."""

    marks: tuple[Marks, ...]
    served: tuple[Served, ...]

    @property
    def cost_pusd(self) -> int:
        """What all of it costs."""
        return sum(one.cost_pusd for one in self.served)

    @property
    def usage(self) -> Usage:
        """Tokens by class, of all of it."""
        return sum((one.usage for one in self.served), Usage())


def simulate(prompts: Iterable[Prompt], policy: Policy, offers: Mapping[str, Offer]) -> Run:
    """Send the requests of a trace, in the order of time, with a policy's marks."""
    entries: Entries = {}
    marks, served = [], []
    for prompt in prompts:
        placed = policy.place(prompt)
        one = serve(entries, prompt, placed, offers[prompt.model])
        entries = one.entries
        marks.append(placed)
        served.append(one)
    return Run(tuple(marks), tuple(served))


def serve(entries: Entries, prompt: Prompt, marks: Marks, offer: Offer) -> Served:
    """Send one request.

    Raises
    ------
    UsageError
        The marks are not allowed; the provider would answer 400.
    """
    check_marks(prompt, marks)
    hit = find(entries, prompt, marks)
    usage = billed(prompt, marks, hit, offer.least)
    after = {key: entry for key, entry in entries.items() if entry.until_ms > prompt.at_ms}
    refresh = {hit, *(place for place, _ in marks if place <= hit)} - {-1}
    for place in refresh:
        entry = after.get(prompt.prefixes[place])
        if entry is not None and entry.alive(prompt.at_ms):
            until = prompt.at_ms + LIVES_MS[entry.life]
            after[prompt.prefixes[place]] = Entry(entry.from_ms, max(entry.until_ms, until), entry.life)
    for place, life in marks:
        if place > hit and prompt.ends[place] >= offer.least:
            after[prompt.prefixes[place]] = Entry(
                prompt.at_ms + prompt.begins_ms, prompt.at_ms + LIVES_MS[life], life
            )
    return Served(hit, usage, offer.price.cost_pusd(usage), after)


def find(entries: Entries, prompt: Prompt, marks: Marks) -> int:
    """Give the last block of the longest prefix that can be read, -1 without (rule 2)."""
    for mark, _ in reversed(marks):
        for place in range(mark, -1, -1):
            if prompt.positions[mark] - prompt.positions[place] >= LOOKBACK:
                break
            entry = entries.get(prompt.prefixes[place])
            if entry is not None and entry.alive(prompt.at_ms):
                return place
    return -1


def billed(prompt: Prompt, marks: Marks, hit: int, least: int) -> Usage:
    """Tell what is billed once it is known what is read (rules 5 and 6)."""
    read = prompt.ends[hit] if hit >= 0 else 0
    hour = written = read
    for place, life in marks:
        end = prompt.ends[place]
        if place > hit and end >= least:
            written = end
            hour = end if life == "1h" else hour
    return Usage(
        input=prompt.tokens - written,
        cache_write_5m=written - hour,
        cache_write_1h=hour - read,
        cache_read=read,
        output=prompt.output,
    )


def check_marks(prompt: Prompt, marks: Marks) -> None:
    """Refuse marks that the provider would refuse (rule 4)."""
    places = [place for place, _ in marks]
    if len(marks) > MARKS_MOST:
        raise UsageError("a request has at most four marks", seen=len(marks))
    if places != sorted(set(places)) or any(
        not (0 <= place < len(prompt.blocks) and prompt.blocks[place].markable) for place in places
    ):
        raise UsageError("marks stand on blocks that can be cached, one on each, in order", seen=places)
    lives = [life for _, life in marks]
    if lives != sorted(lives):  # "1h" sorts before "5m"
        raise UsageError("marks of an hour stand before those of five minutes", seen=lives)
