"""What is known of a call while it runs, and its bill when it has ended."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from grn.kit.clock import Clock
from grn.kit.errors import GrnError
from grn.llm import lifecycle
from grn.llm.catalogue import Catalogue, Model
from grn.llm.events import (
    Event,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolAsked,
    event_from_plain,
    plain_event,
)
from grn.llm.keys import mask
from grn.llm.money import usd_text
from grn.llm.port import Fault, Wire
from grn.llm.request import Ask
from grn.llm.spend import Bill
from grn.llm.usage import Usage

if TYPE_CHECKING:
    from grn.llm.plan.placement import Placement


class Run:
    """What is known of a call while it runs."""

    def __init__(self, ask: Ask, model: Model, amount_pusd: int, clock: Clock) -> None:
        self.ask = ask
        self.model = model
        self.amount_pusd = amount_pusd
        self.attempts = 0
        self.wire = Wire()
        self.events: list[Event] = []
        self.fault: Fault | None = None
        self.finished: Finished | None = None
        self.placement: Placement | None = None
        self._clock = clock
        self._began_ns = clock.monotonic_ns()
        self._first_ns: int | None = None
        self._started: Started | None = None

    def take(self, event: Event) -> None:
        """Note an event before it is handed on."""
        self.events.append(event)
        match event:
            case Started():
                self._started = event
            case Finished():
                self.finished = event
            case _:
                if self._first_ns is None:
                    self._first_ns = self._clock.monotonic_ns()

    def bill(self, catalogue: Catalogue) -> Bill:
        """Say what it cost and how that is known."""
        now_ns = self._clock.monotonic_ns()
        served = self.finished.served if self.finished else self._started.served if self._started else None
        bill = Bill(
            how="refused",
            cost_pusd=0,
            served=served,
            request_id=self.wire.request_id or (self.fault.request_id if self.fault else None),
            attempts=self.attempts,
            first_ms=None if self._first_ns is None else (self._first_ns - self._began_ns) // 1_000_000,
            total_ms=(now_ns - self._began_ns) // 1_000_000,
            note=None if self.fault is None else mask(str(self.fault.error)),
        )
        if self.finished is not None:
            return self._priced(replace(bill, how="reported", usage=self.finished.usage), catalogue)
        if self._started is not None:
            note = bill.note or "left before the answer was whole"
            usage = self._so_far(self._started)
            return self._priced(replace(bill, how="estimated", usage=usage, note=note), catalogue)
        if self.attempts == 0 or (self.fault is not None and self.fault.billed == "no"):
            return bill
        # Sent, and nothing came back: nobody knows. All that was reserved counts until it is corrected.
        return replace(bill, how="assumed", cost_pusd=self.amount_pusd)

    def _priced(self, bill: Bill, catalogue: Catalogue) -> Bill:
        price, alarm = self.model.price, None
        if self.model.provider != lifecycle.LOCAL and bill.served and not _same(bill.served, self.model.name):
            alarm = f"{self.model.name} was asked and {bill.served} answered"
            found = _priced_by(catalogue, bill.served, self.model.provider)
            if found is None:
                alarm += f", whose price is not known: billed as {self.model.name}"
            else:
                price = found.price
        cost_pusd = price.cost_pusd(bill.usage)
        if cost_pusd > self.amount_pusd:
            over = f"it cost {usd_text(cost_pusd)}, more than the {usd_text(self.amount_pusd)} reserved"
            alarm = f"{alarm}; {over}" if alarm else over
        note = "; ".join(part for part in (bill.note, alarm) if part) or None
        tier_over = price.rates(bill.usage.prompt)[0]
        return replace(bill, cost_pusd=cost_pusd, tier_over=tier_over, note=note)

    def _so_far(self, started: Started) -> Usage:
        """Estimate a broken answer: the prompt as reported, and a token for every three bytes that came."""
        came = 0
        for event in self.events:
            match event:
                case TextDelta(text) | ThinkingDelta(text):
                    came += len(text.encode())
                case ToolAsked(_, name, arguments):
                    came += len((name + arguments).encode())
        output = max(started.usage.output, -(-came // 3))
        return replace(started.usage, output=output, thinking=0)


def masked_event(event: Event) -> Event:
    """Take keys out of an event before it is written down; nearly always it has none."""
    written = json.dumps(plain_event(event))
    masked = mask(written)
    return event if masked == written else event_from_plain(json.loads(masked))


def _priced_by(catalogue: Catalogue, served: str, provider: str) -> Model | None:
    """Look up what answered, among the provider's own models: a name alone must not make an answer free."""
    try:
        found = catalogue.find(served.removeprefix("models/"))
    except GrnError:
        return None
    return found if found.provider == provider else None


def _same(served: str, sent: str) -> bool:
    """Whether a provider's name for a model is the one that was sent, or a dated snapshot of it."""
    bare = served.removeprefix("models/")
    return bare == sent or lifecycle.undated(bare) == lifecycle.undated(sent)
