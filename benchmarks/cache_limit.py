"""What can be had of the cache by who knows the law that traces are drawn by, and not the draw.

A player who decides for each token alone, without the limits of four marks, of the lookback and of when an
answer begins, and with the odds of the family itself, from traces that are drawn for it: whether a token is
left out, written for five minutes or for an hour follows from the least expected cost over the rest of the
trace, solved backwards. No policy that cannot see the future saves more in expectation; on given traces one
may, by chance. Two of them: one knows how what is sent comes back (``law``), the other also which request of
how many it is (``end``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cache_traces import Family, trace
from grn.llm.plan.cache import LIVES_MS, Offer
from grn.llm.plan.prompt import Prompt
from grn.llm.prices import Rates
from grn.llm.request import CacheTime
from grn.llm.usage import Usage

DRAWN = 30_000  # the first seed of the traces that a law is learned from
ROUNDS = 300  # of the solution, where nothing says that a trace ends; what returns surely would need more

Kind = tuple[int, int, str, str, bool]
"""Of how many requests, which one (0 where not known), level, kind, and whether it was sent before."""
Life = CacheTime | None
Next = tuple[CacheTime | None, Kind]
"""The shortest lifetime that outlasts the wait for a token's return, and what it is then."""


@dataclass(frozen=True)
class Law:
    """What a token is expected to cost later, in prices of input, by what it is and how it is kept."""

    costs: Mapping[Kind, Mapping[Life, float]]
    knows_end: bool

    def choose(self, kind: Kind, rates: Rates) -> Life:
        """Choose how a token is kept that has to be sent anew."""
        later = self.costs.get(kind, {None: 0.0, "5m": 0.0, "1h": 0.0})
        return min(later, key=lambda life: _price(life, rates) + later[life])


def learn(family: Family, size: int, traces: int, rates: Rates, *, knows_end: bool) -> Law:
    """Draw traces, count what became of their tokens, and solve for the least expected cost."""
    counts: dict[Kind, Counter[Next | None]] = defaultdict(Counter)
    for seed in range(DRAWN, DRAWN + traces):
        prompts = trace(family, seed, size)
        kinds = [_kinds(prompts, number, knows_end=knows_end) for number in range(len(prompts))]
        for number, prompt in enumerate(prompts):
            for place, block in enumerate(prompt.blocks):
                after = _return(prompts, number, place)
                known = None if after is None else (_outlasts(prompt, prompts[after]), kinds[after][place])
                counts[kinds[number][place]][known] += block.tokens
    costs: dict[Kind, dict[Life, float]] = {kind: {None: 0.0, "5m": 0.0, "1h": 0.0} for kind in counts}
    lives: tuple[Life, ...] = (None, "5m", "1h")
    for _ in range(ROUNDS):
        costs = {
            kind: {life: _expect(after, life, costs, rates) for life in lives}
            for kind, after in counts.items()
        }
    return Law(costs, knows_end)


def play(prompts: Sequence[Prompt], law: Law, offers: Mapping[str, Offer]) -> int:
    """Bill a trace in which each token is kept as the law says; picodollars."""
    cost = 0
    kept: dict[str, tuple[CacheTime, int]] = {}
    for number, prompt in enumerate(prompts):
        offer = offers[prompt.model]
        _, rates = offer.price.rates(prompt.tokens)
        kinds = _kinds(prompts, number, knows_end=law.knows_end)
        used = Usage(output=prompt.output)
        for prefix, block, kind in zip(prompt.prefixes, prompt.blocks, kinds, strict=True):
            life, until_ms = kept.get(prefix, (None, 0))
            if prompt.at_ms < until_ms:
                used += Usage(cache_read=block.tokens)
            else:
                life = law.choose(kind, rates) if prompt.tokens >= offer.least else None
                used += _class(life, block.tokens)
            if life is not None:
                kept[prefix] = (life, prompt.at_ms + LIVES_MS[life])
        cost += offer.price.cost_pusd(used)
    return cost


def _expect(
    after: Counter[Next | None], life: Life, costs: Mapping[Kind, Mapping[Life, float]], rates: Rates
) -> float:
    total = 0.0
    for known, weight in after.items():
        if known is None:
            continue
        needed, kind = known
        if life is not None and needed is not None and LIVES_MS[needed] <= LIVES_MS[life]:
            total += weight * (rates.cache_read / rates.input + costs[kind][life])
        else:
            total += weight * min(_price(one, rates) + later for one, later in costs[kind].items())
    return total / after.total()


def _kinds(prompts: Sequence[Prompt], number: int, *, knows_end: bool) -> list[Kind]:
    which = (len(prompts), number) if knows_end else (0, 0)
    before = {prefix for one in prompts[:number] for prefix in one.prefixes}
    prompt = prompts[number]
    return [
        (*which, block.level, block.kind, prefix in before)
        for prefix, block in zip(prompt.prefixes, prompt.blocks, strict=True)
    ]


def _return(prompts: Sequence[Prompt], number: int, place: int) -> int | None:
    prefix = prompts[number].prefixes[place]
    later = range(number + 1, len(prompts))
    return next((n for n in later if prompts[n].prefixes[place : place + 1] == (prefix,)), None)


def _outlasts(one: Prompt, other: Prompt) -> CacheTime | None:
    gap_ms = other.at_ms - one.at_ms
    lives: tuple[CacheTime, ...] = ("5m", "1h")
    return next((life for life in lives if gap_ms < LIVES_MS[life]), None)


def _price(life: Life, rates: Rates) -> float:
    """Give what a token costs that is sent anew, in prices of input: the same in every tier."""
    return {None: rates.input, "5m": rates.cache_write_5m, "1h": rates.cache_write_1h}[life] / rates.input


def _class(life: Life, tokens: int) -> Usage:
    if life is None:
        return Usage(input=tokens)
    return Usage(cache_write_5m=tokens) if life == "5m" else Usage(cache_write_1h=tokens)
