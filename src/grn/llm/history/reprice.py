"""The same calls under other placements of the cache, another model, and batches: arithmetic on counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from grn.kit.errors import UsageError
from grn.llm.catalogue import Catalogue, Model
from grn.llm.history.past import PastCall
from grn.llm.history.prompts import prompts_of
from grn.llm.plan.cache import Offer, Policy, simulate
from grn.llm.plan.offers import offer_of
from grn.llm.plan.planner import Planner
from grn.llm.plan.policies import Automatic, Uncached
from grn.llm.usage import Usage

RECORDED, UNCACHED, FIVE, HOUR, PLANNED, BATCH = (
    "recorded", "uncached", "automatic_5m", "automatic_1h", "planned", "batch_uncached"
)  # fmt: skip
WAYS: Mapping[str, str] = {
    RECORDED: "tokens by class as they were billed, at today's prices",
    UNCACHED: "every prompt token at the price of input",
    FIVE: "a mark on the last block, for five minutes",
    HOUR: "a mark on the last block, for an hour",
    PLANNED: "marks by the planner, which knows only what came before",
    BATCH: "in batches, without a cache: if all of it could wait",
}
"""What is compared, and how each is computed."""


@dataclass
class Bill:
    """What one conversation costs, by way; picodollars."""

    session: str
    project: str
    calls: int = 0
    cost_pusd: dict[str, int] = field(default_factory=dict)

    def add(self, way: str, cost_pusd: int) -> None:
        """Add a call's cost."""
        self.cost_pusd[way] = self.cost_pusd.get(way, 0) + cost_pusd


@dataclass(frozen=True)
class Repriced:
    """Conversations by what they cost as recorded, the dearest first, and what could not be priced anew."""

    bills: list[Bill]
    left_out: int

    def total(self, way: str) -> int | None:
        """Add a way up over all conversations; ``None`` where a price for it is missing."""
        costs = [bill.cost_pusd.get(way) for bill in self.bills]
        return None if any(cost is None for cost in costs) else sum(cost or 0 for cost in costs)

    def half(self) -> int:
        """Count the conversations, the dearest first, that make up half of what was recorded."""
        left, count = (self.total(RECORDED) or 0) / 2, 0
        for bill in self.bills:
            if left <= 0:
                break
            left -= bill.cost_pusd[RECORDED]
            count += 1
        return count


def reprice(calls: Iterable[PastCall], catalogue: Catalogue, other: str | None = None) -> Repriced:
    """Price conversations anew.

    Parameters
    ----------
    calls
        In any order. Those of other makers' models, in batches, and rows that add up are left out and
        counted.
    catalogue
        Prices, of one day for all ways, so that only the ways differ.
    other
        A model that is asked instead; the ways ``recorded`` and ``planned`` are also given for it, named
        ``recorded:MODEL`` and ``planned:MODEL``, with the same numbers of tokens.
    """
    models: dict[str, Model | None] = {}
    taken, left_out = [], 0
    for call in calls:
        if call.model not in models:
            models[call.model] = _claude(catalogue, call.model)
        if call.kind == "complete" and models[call.model] is not None:
            taken.append(call)
        else:
            left_out += 1
    pairs = prompts_of(taken)
    prompts = [prompt for _, prompt in pairs]
    offers = {name: offer_of(model) for name, model in models.items() if model is not None}
    bills: dict[str, Bill] = {}
    made = [call for call, _ in pairs if call is not None]
    for call in made:
        bill = bills.setdefault(call.session, Bill(call.session, call.project))
        bill.calls += 1
        bill.add(RECORDED, offers[call.model].price.cost_pusd(call.usage))
        model = models[call.model]
        if model is not None and model.batch_price is not None:
            plain = Usage(input=call.usage.prompt, output=call.usage.output)
            bill.add(BATCH, model.batch_price.cost_pusd(plain))
    ways: list[tuple[str, Policy, Mapping[str, Offer]]] = [
        (UNCACHED, Uncached(), offers),
        (FIVE, Automatic("5m"), offers),
        (HOUR, Automatic("1h"), offers),
        (PLANNED, Planner(offers), offers),
    ]
    if other is not None:
        instead = offer_of(catalogue.find(catalogue.resolve(other).sent))
        same = dict.fromkeys(offers, instead)
        ways.append((f"{PLANNED}:{other}", Planner(same), same))
        for call in made:
            bills[call.session].add(f"{RECORDED}:{other}", instead.price.cost_pusd(call.usage))
    for way, policy, prices in ways:
        run = simulate(prompts, policy, prices)
        for (caller, _), served in zip(pairs, run.served, strict=True):
            if caller is not None:
                bills[caller.session].add(way, served.cost_pusd)
    dearest = sorted(bills.values(), key=lambda bill: (-bill.cost_pusd[RECORDED], bill.session))
    return Repriced(dearest, left_out)


def _claude(catalogue: Catalogue, name: str) -> Model | None:
    try:
        model = catalogue.find(name)
    except UsageError:
        return None
    return model if model.provider == "anthropic" else None
