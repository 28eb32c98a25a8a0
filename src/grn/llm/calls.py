"""A call from beginning to end: named, priced, reserved, sent, billed, recorded; or found on a tape.

A replay returns before anything of a provider, a price list or the book is touched.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from grn.kit.clock import Clock, SystemClock, utc_text
from grn.kit.errors import BudgetError, OutputError, ProviderError, TapeError, UsageError
from grn.llm import lifecycle
from grn.llm.events import Event, Finished, TextDelta
from grn.llm.keys import holds_key, mask
from grn.llm.money import usd_text
from grn.llm.port import Fault, Provider, Wire
from grn.llm.request import Ask, Request, canonical, key_of, kind_of
from grn.llm.retry import Policy, pause_s
from grn.llm.tape import Record, Tape
from grn.llm.usage import Usage

if (
    TYPE_CHECKING
):  # what only a live call needs is imported when one is made: a replay starts in a quarter second
    from grn.llm.catalogue import Catalogue, Model
    from grn.llm.plan.placement import Placement, Placer
    from grn.llm.run import Run
    from grn.llm.spend import Bill, Book

Mode = Literal["live", "record", "replay", "refresh"]


@dataclass(frozen=True)
class Terms:
    """On which terms a call may be made.

    Attributes
    ----------
    project
        The caller's own tag in the book.
    max_cost_pusd
        The most that this one call may cost; ``None`` leaves it to the month's budget.
    over_budget
        Let this call pass the month's budget.
    private
        Nothing of it may be used for training: paid providers and this machine only.
    """

    project: str = ""
    max_cost_pusd: int | None = None
    over_budget: bool = False
    private: bool = False


@dataclass(frozen=True)
class Quote:
    """What a call would be, before it is made.

    Attributes
    ----------
    model
        The model that would be sent.
    notice
        What a person should know of its name.
    prompt_most, prompt_about
        Tokens of the prompt.
    most_pusd, about_pusd
        Picodollars: the bound that would be reserved, and an estimate that uses up ``max_tokens``.
    """

    model: Model
    notice: str | None
    prompt_most: int
    prompt_about: int
    most_pusd: int
    about_pusd: int


class Caller:
    """Makes calls; a context manager. One per thread: it holds providers' clients.

    Parameters
    ----------
    book, catalogue
        Opened when a call is first made live: a replay needs neither.
    connect
        Makes a provider ready, by name.
    tape, mode
        Where calls are recorded or replayed from.
    notify
        Told what a person should know: another model, an alarm.
    clock, sleep, random, policy
        Passed in so that tests decide on them.
    placer
        Places the marks of the provider's cache in calls that are to be planned; without it they have none.
    """

    def __init__(
        self,
        *,
        book: Callable[[], Book],
        catalogue: Callable[[], Catalogue],
        connect: Callable[[str], Provider],
        tape: Tape | None = None,
        mode: Mode = "live",
        notify: Callable[[str], None] = lambda _: None,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] | None = None,
        policy: Policy | None = None,
        placer: Callable[[], Placer] | None = None,
    ) -> None:
        if (tape is None) != (mode == "live"):
            raise ValueError("a tape is what record, replay and refresh need, and live does not")
        self._open_book, self._open_catalogue, self._connect = book, catalogue, connect
        self._tape, self._mode, self._notify = tape, mode, notify
        self._clock: Clock = SystemClock() if clock is None else clock
        self._sleep = sleep
        self._random = random
        self._policy = Policy() if policy is None else policy
        self._placer = placer
        self._book: Book | None = None
        self._catalogue: Catalogue | None = None
        self._providers: dict[str, Provider] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the providers' connections and the book."""
        for provider in self._providers.values():
            provider.close()
        self._providers.clear()
        if self._book is not None:
            self._book.close()
            self._book = None

    @property
    def book(self) -> Book:
        """The book of calls."""
        if self._book is None:
            self._book = self._open_book()
        return self._book

    @property
    def catalogue(self) -> Catalogue:
        """The models and their prices."""
        if self._catalogue is None:
            self._catalogue = self._open_catalogue()
        return self._catalogue

    @property
    def mode(self) -> Mode:
        """What is done with the tape."""
        return self._mode

    def provider(self, name: str) -> Provider:
        """A provider, connected once.

        Raises
        ------
        TapeError
            This is a replay, which asks nobody.
        """
        if self._mode == "replay":
            raise TapeError(
                "a replay asks nobody, and this is not on tapes",
                seen=name,
                hint="only answers, vectors and rankings are; do it without a tape",
            )
        if name not in self._providers:
            self._providers[name] = self._connect(name)
        return self._providers[name]

    def quote(self, ask: Ask) -> Quote:
        """Price a call without making it.

        Raises
        ------
        UsageError
            The model is unknown, has no price, or the prompt is longer than its window.
        """
        resolved = self.catalogue.resolve(ask.model)
        model = self.catalogue.find(resolved.sent)
        from grn.llm.bound import size_of

        if isinstance(ask, Request) and ask.cached is not None and ask.cached.model != model.name:
            raise UsageError(
                f"the cached prompt is for {ask.cached.model} alone",
                seen=model.name,
                hint=f"--model {ask.cached.model}",
            )
        size = size_of(ask)
        if model.window is not None and size.about > model.window:
            raise UsageError(
                f"the prompt has about {size.about:,} tokens, and {model.name} takes {model.window:,}",
                hint="send less of it, or take a model with a longer window: grn llm models",
            )
        output = ask.max_tokens if isinstance(ask, Request) else 0
        about = model.price.cost_pusd(Usage(input=size.about, output=output))
        most = model.price.bound_pusd(size.most, output)
        return Quote(model, resolved.notice, size.most, size.about, most, about)

    def placed(self, ask: Request) -> Placement | None:
        """Tell where a call's marks would be if it were made now; ``None`` where nobody plans them.

        Raises
        ------
        UnsupportedError
            The model's maker has no such cache.
        """
        if ask.cache != "plan" or self._placer is None:
            return None
        return self._placer().place(ask, self.catalogue.find(self.catalogue.resolve(ask.model).sent))

    def recorded(self, ask: Ask) -> Record | None:
        """Find a call on the tape without making it; ``None`` where it is not, or there is no tape."""
        name = lifecycle.full_name(ask.model)
        provider = lifecycle.provider_of(name)
        if self._tape is None or provider is None:
            return None
        return self._tape.find(key_of(canonical(provider, replace(ask, model=name))))

    def stream(self, ask: Ask, terms: Terms | None = None) -> Iterator[Event]:
        """Make a call and give its events as they come; closing the iterator ends the call, and it is billed.

        Raises
        ------
        TapeError
            A replay's call is not on the tape.
        BudgetError
            It may cost more than is allowed. Nothing was sent.
        AccessError, UnreachableError, ProviderError
            What became of it at the provider; what was billed is in the book.
        """
        provider = lifecycle.provider_of(lifecycle.full_name(ask.model))
        if provider is None:
            raise UsageError("nobody is known to serve this model", seen=ask.model, hint="see grn llm models")
        ask = replace(ask, model=lifecycle.full_name(ask.model))
        request = canonical(provider, ask)
        if self._tape is not None and self._mode in ("replay", "record"):
            if self._mode == "replay":
                found: Record | None = self._tape.require(key_of(request), request)
            else:
                found = self._tape.find(key_of(request))
            if found is not None:
                yield from found.events
                return
        yield from self._live(ask, request, terms or Terms())

    def _live(self, ask: Ask, request: bytes, terms: Terms) -> Iterator[Event]:
        from grn.llm.run import Run
        from grn.llm.spend import Intent

        self.check_words(request)
        quote = self.quote(ask)
        if quote.notice:
            self._notify(quote.notice)
        model = quote.model
        self._check_private(model.provider, terms)
        amount = self._amount(ask, quote, terms, request)
        intent = Intent(
            model.provider, ask.model, model.name, terms.project, kind_of(ask), amount, model.price
        )
        server = self.provider(model.provider)
        self.check_words(request)  # once more: its key may have come from the keyring
        call = self.book.reserve(intent, over_budget=terms.over_budget)
        run = Run(ask, model, amount, self._clock)
        try:
            if isinstance(ask, Request) and ask.cache == "plan":
                run.ask = ask = self._marked(ask, run)
            yield from self._attempts(ask, model, server, run)
        except Fault as fault:
            run.fault = fault
            # Not from the fault: behind it stands the client's own error, which may repeat the key in a
            # traceback.
            raise fault.error from None
        finally:
            self._settle(call, run, request, terms)

    def _marked(self, ask: Request, run: Run) -> Request:
        """Have the marks of a call placed, and tell where they are."""
        if self._placer is None or run.model.provider != "anthropic":  # others say what they have instead
            return ask
        run.placement = self._placer().place(ask, run.model)
        self._notify(f"cache: {run.placement.words()}")
        return replace(ask, marks=run.placement.marks)

    def _learn(self, run: Run, bill: Bill) -> None:
        """Keep what a call whose answer began teaches of the cache; tell where its plan was not borne out."""
        if run.placement is None or self._placer is None or bill.how not in ("reported", "estimated"):
            return
        awaited = run.placement.decision.served.usage.cache_read
        if awaited and not bill.usage.cache_read:
            self._notify(f"cache: nothing was read, though about {awaited:,} tokens should have been kept")
        try:
            self._placer().keep(run.placement, bill.first_ms or 0)
        except OutputError as error:
            self._notify(f"what this call teaches of the cache is not kept: {error.what}")

    def _attempts(self, ask: Ask, model: Model, server: Provider, run: Run) -> Iterator[Event]:
        while True:
            run.attempts += 1
            wire = run.wire = Wire()
            make = server.complete if isinstance(ask, Request) else server.embed
            try:
                with closing(make(ask, model.name, wire)) as events:  # type: ignore[arg-type, type-var]
                    for event in events:
                        run.take(event)
                        yield event
                return
            except Fault as fault:
                wait_s = None if run.events else pause_s(fault, run.attempts, self._policy, self._chance)
                if wait_s is None:
                    raise
                self._notify(f"{fault.error.what}; attempt {run.attempts + 1} in {wait_s:.1f} s")
                self._sleep(wait_s)

    def _settle(self, call: str, run: Run, request: bytes, terms: Terms) -> None:
        from grn.llm.run import masked_event

        bill = run.bill(self.catalogue)
        if bill.note and bill.how == "reported":
            self._notify(bill.note)
        try:
            if run.finished is not None and self._tape is not None:
                record = Record(
                    request=json.loads(request),
                    sent=run.model.name,
                    served=run.finished.served,
                    frames=tuple(mask(frame) for frame in run.wire.frames),
                    events=tuple(masked_event(event) for event in run.events),
                    usage=run.finished.usage,
                    cost_pusd=bill.cost_pusd,
                    price=run.model.price.plain(),
                    recorded_at=utc_text(self._clock.now_ns()),
                    marks=run.ask.marks if isinstance(run.ask, Request) else (),
                )
                bill = replace(bill, tape=self._tape.add(record))
        finally:  # what it cost is known, whether or not there was room for it on the tape
            self.book.settle(call, bill)
        if not terms.private:  # of what is private not even a hash is kept
            self._learn(run, bill)

    def _amount(self, ask: Ask, quote: Quote, terms: Terms, request: bytes) -> int:
        """Bound the cost; where the bound by bytes is too much, ask the provider to count."""
        amount = quote.most_pusd
        limits = [] if terms.max_cost_pusd is None else [terms.max_cost_pusd]
        standing = self.book.standing(quote.model.provider)
        if standing.cap.cap_pusd is not None and not terms.over_budget:
            limits.append(standing.cap.cap_pusd - standing.spent_pusd - standing.open_pusd)
        if limits and amount > min(limits) and isinstance(ask, Request):
            floor = quote.model.price.cost_pusd(Usage(input=1, output=ask.max_tokens))
            if floor <= min(limits):  # otherwise no count could help
                counted = self._count(ask, quote.model, request)
                if counted is not None:
                    # "Token counts are estimates" (Anthropic's guide to counting): a twentieth for that.
                    amount = min(
                        amount, quote.model.price.bound_pusd(counted * 21 // 20 + 64, ask.max_tokens)
                    )
        self._check_max_cost(amount, terms)
        return amount

    def served(self, asked: str) -> Model:
        """Find the model that a name stands for today, telling a person what they should know of it."""
        resolved = self.catalogue.resolve(asked)
        if resolved.notice:
            self._notify(resolved.notice)
        return self.catalogue.find(resolved.sent)

    def check_words(self, request: bytes) -> None:
        """Refuse a request that contains a key.

        Raises
        ------
        UsageError
            It names the variable or the keyring's entry whose key that is.
        """
        if variable := holds_key(request.decode("ascii")):
            raise UsageError(
                "the prompt contains a key, so it is not sent", seen=variable, hint="take the key out of it"
            )

    def check_terms(self, model: Model, amount_pusd: int, terms: Terms) -> None:
        """Refuse what its terms do not allow; the month's budget is the book's to refuse.

        Raises
        ------
        BudgetError
            It may cost more than it may, or is private and would go to an unpaid provider.
        """
        self._check_private(model.provider, terms)
        self._check_max_cost(amount_pusd, terms)

    def _check_max_cost(self, amount: int, terms: Terms) -> None:
        if terms.max_cost_pusd is not None and amount > terms.max_cost_pusd:
            raise BudgetError(
                f"the call may cost up to {usd_text(amount)}, more than --max-cost allows",
                seen=usd_text(terms.max_cost_pusd),
                hint="a smaller --max-tokens, a shorter prompt, a cheaper model, or a higher --max-cost",
            )

    def _count(self, ask: Request, model: Model, request: bytes) -> int | None:
        server = self.provider(model.provider)
        self.check_words(request)
        try:
            return server.count(ask, model.name)
        except Fault as fault:
            raise fault.error from None

    def _check_private(self, provider: str, terms: Terms) -> None:
        if terms.private and self.book.cap(provider).funding == "free":
            raise BudgetError(
                f"this is private, and {provider} counts as unpaid: prompts may be used for training",
                hint=f"--model local; or, if the key is paid for: grn llm budget set {provider} AMOUNT "
                "--funding prepaid",
            )

    def _chance(self) -> float:
        if self._random is None:
            import random

            self._random = random.Random().random
        return self._random()


def answer_text(events: list[Event]) -> str:
    """Join the pieces of an answer.

    Raises
    ------
    ProviderError
        The model refused to answer.
    """
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    if any(isinstance(event, Finished) and event.reason == "refused" for event in events):
        raise ProviderError("the model refused to answer", seen=text or None, hint="ask it in another way")
    return text
