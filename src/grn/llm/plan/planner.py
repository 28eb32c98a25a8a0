"""Where the marks of a request go: decided as it is sent, from what came before it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from grn.llm.plan.cache import MARKS_MOST, Entries, Marks, Offer, Served, billed, find, serve
from grn.llm.plan.habits import Habits, Landmark, Odds
from grn.llm.plan.prompt import Prompt
from grn.llm.prices import Rates
from grn.llm.request import CacheTime
from grn.llm.usage import Usage

_RISK = 50  # what may be lost beyond a trial of each lifetime: a fiftieth of the bill without a cache


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a token of a prefix is expected to cost from its next return on, picodollars.

    Attributes
    ----------
    odds
        How likely it returns.
    again
        Its cost from a return on at which it is not kept.
    short, hour
        The same where it is kept, for five minutes or an hour at a time.
    """

    odds: Odds
    again: float
    short: float
    hour: float

    def cost(self, mark: Odds | None = None, life: CacheTime = "5m") -> float:
        """Expect the cost of a token under the odds of the mark that keeps it, or without a mark.

        Who shares the token and not all up to the mark finds nothing kept.
        """
        if mark is None:
            return self.odds.back * self.again
        if life == "1h":
            return mark.back * self.hour + (self.odds.back - mark.back) * self.again
        return mark.short * self.short + (self.odds.back - mark.short) * self.again


def look_ahead(odds: Odds, later: Odds, rates: Rates) -> Outlook:
    """Solve what a token costs from now on, if at each return the cheapest thing is done with it.

    A token returns within five minutes (``short``), within an hour (``slow``), or never; by ``odds`` the
    first time and by ``later`` from then on. At each return it is read if it is still kept, and else is
    input, written for five minutes or written for an hour: a Markov decision process of three states, whose
    policies have closed forms.
    """
    short, slow, back = later.short, later.slow, later.back
    hour = rates.cache_read / (1 - back)
    again = min(
        rates.input / (1 - back),
        (rates.cache_write_5m * (1 - short) + rates.cache_read * short) / (1 - back),
        rates.cache_write_1h + back * hour,
    )
    return Outlook(odds, again, (rates.cache_read + slow * again) / (1 - short), hour)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the requests until now cost, picodollars: what may still be lost follows from it.

    Attributes
    ----------
    uncached, planned
        Without a cache, and as the marks were placed.
    trial
        What it costs to write the longest prompt once for five minutes and once for an hour.
    """

    uncached: int = 0
    planned: int = 0
    trial: int = 0

    def allows(self, cost_pusd: int) -> bool:
        """Whether a request may cost that much more than it would without a cache."""
        return self.planned + cost_pusd - self.uncached <= self.trial + self.uncached // _RISK


@dataclass(frozen=True)
class Decision:
    """Where the marks of a request go, and why.

    Attributes
    ----------
    marks
        As they are to be sent.
    served
        What is expected to be read and billed.
    uncached_pusd
        What it would cost without marks.
    landmarks, odds
        What stands at each place that was thought of, and how likely it comes back.
    """

    marks: Marks
    served: Served
    uncached_pusd: int
    landmarks: Mapping[int, Landmark]
    odds: Mapping[int, Odds]


class Planner:
    """A policy that learns; give it one trace in the order of time.

    Each request's marks are those of least expected cost, over every choice of at most four landmarks and
    of their lifetimes: what is billed now, and what every token is then expected to cost
    (:func:`look_ahead`) by the past of prompts (:class:`grn.llm.plan.habits.Habits`). Against no cache it
    loses at most one write of the longest prompt for five minutes and one for an hour, and a fiftieth of
    the bill.

    Parameters
    ----------
    offers
        Prices and minimum lengths, by model.
    habits
        What was learned from earlier traces; it goes on learning. ``None`` begins with beliefs alone.
    entries, spent
        What the provider keeps, and what was spent, by requests before.
    """

    def __init__(
        self,
        offers: Mapping[str, Offer],
        habits: Habits | None = None,
        entries: Entries | None = None,
        spent: Spent | None = None,
    ) -> None:
        self._offers = offers
        self.habits = Habits() if habits is None else habits
        self.entries: Entries = {} if entries is None else entries
        self.spent = Spent() if spent is None else spent

    def place(self, prompt: Prompt) -> Marks:
        """Place the marks of a request, and take it as sent."""
        return self.decide(prompt).marks

    def decide(self, prompt: Prompt, sent: Marks | None = None) -> Decision:
        """Place the marks of a request, take it as sent, and tell why they are there.

        Parameters
        ----------
        prompt
            The request.
        sent
            The marks that it had, where it was sent before: they are taken as they are.
        """
        offer = self._offers[prompt.model]
        _, rates = offer.price.rates(prompt.tokens)
        self.habits.see(prompt)
        landmarks = self.habits.landmarks(prompt)
        kept = [place for place in range(len(prompt.blocks)) if self._is_kept(prompt, place)]
        outlooks = self._outlooks(prompt, rates, landmarks, kept)
        plain = offer.price.cost_pusd(Usage(input=prompt.tokens, output=prompt.output))
        trial = (rates.cache_write_5m + rates.cache_write_1h - 2 * rates.input) * prompt.tokens
        spent = Spent(self.spent.uncached + plain, self.spent.planned, max(self.spent.trial, trial))
        best: tuple[tuple[float, int, int, int], Marks] = ((float("-inf"), 0, 0, 0), ())
        places = [place for place in outlooks if prompt.ends[place] >= offer.least]
        for marks in _options(places) if sent is None else (sent,):
            hit = find(self.entries, prompt, marks)
            usage = replace(billed(prompt, marks, hit, offer.least), output=prompt.output)
            cost = offer.price.cost_pusd(usage)
            if sent is None and cost > plain and not spent.allows(cost):
                continue
            expected = cost + self._later(prompt, marks, hit, outlooks)
            again = [(prompt.ends[at], self._life(prompt, at) == life) for at, life in marks if at in kept]
            # Of what costs the same: refresh more, for as long as it is kept already, with fewer marks.
            rank = (-expected, sum(end for end, _ in again), sum(same for _, same in again), -len(marks))
            best = max(best, (rank, marks), key=lambda option: option[0])
        served = serve(self.entries, prompt, best[1], offer)
        self.entries = served.entries
        self.spent = replace(spent, planned=spent.planned + served.cost_pusd)
        self.habits.note(prompt, landmarks)
        odds = {place: outlook.odds for place, outlook in outlooks.items()}
        return Decision(best[1], served, plain, landmarks, odds)

    def _outlooks(
        self, prompt: Prompt, rates: Rates, landmarks: Mapping[int, Landmark], kept: list[int]
    ) -> dict[int, Outlook]:
        """Look ahead from each landmark and from the longest prefix that is kept, in order."""
        named = dict(landmarks)
        for place in kept[-1:]:
            named.setdefault(place, "shared")
        shared = self.habits.odds("", "shared", prompt.shape)
        found: dict[int, Outlook] = {}
        deeper = Odds(0.0, 0.0)
        for place in sorted(named, reverse=True):
            odds = self.habits.odds(prompt.prefixes[place], named[place], prompt.shape)
            # What begins a prefix comes back whenever that does, and as soon.
            short = max(odds.short, deeper.short)
            deeper = odds = Odds(short, max(odds.back, deeper.back, short) - short)
            found[place] = look_ahead(odds, shared if named[place] == "last" else odds, rates)
        return dict(sorted(found.items()))

    def _later(self, prompt: Prompt, marks: Marks, hit: int, outlooks: Mapping[int, Outlook]) -> float:
        """Add up what the tokens of a prompt are expected to cost later."""
        covers = {place: life for place, life in marks if place > hit}
        for place in {hit, *(place for place, _ in marks if place < hit)} - {-1}:
            if self._is_kept(prompt, place):
                covers[place] = self._life(prompt, place)
        for place in outlooks:  # what a request has just written will be there when its answer has begun
            entry = self.entries.get(prompt.prefixes[place])
            if entry is not None and entry.from_ms > prompt.at_ms:
                covers.setdefault(place, entry.life)
        total, before = 0.0, 0
        for place, own in outlooks.items():
            tokens = prompt.ends[place] - before
            before = prompt.ends[place]
            cover = min((mark for mark in covers if mark >= place), default=None)
            cost = own.cost() if cover is None else own.cost(outlooks[cover].odds, covers[cover])
            total += tokens * cost
        return total

    def _life(self, prompt: Prompt, place: int) -> CacheTime:
        return self.entries[prompt.prefixes[place]].life

    def _is_kept(self, prompt: Prompt, place: int) -> bool:
        entry = self.entries.get(prompt.prefixes[place])
        return entry is not None and entry.alive(prompt.at_ms)


def _options(places: list[int]) -> Iterator[Marks]:
    for count in range(min(MARKS_MOST, len(places)) + 1):
        for chosen in combinations(places, count):
            for hours in range(count + 1):
                yield tuple((place, "1h" if n < hours else "5m") for n, place in enumerate(chosen))
