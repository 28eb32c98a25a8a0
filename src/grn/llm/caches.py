"""Prompts that a provider keeps for a time: laid down, named in later calls, taken out, and their rent.

The provider's implicit caching needs none of this. A kept prompt is for certain: read at the cached price as
long as it lies there, whoever asks in between. Laying it down is billed as reading it, and the rent for the
whole time at once; taking it out earlier gives nothing back (Google's own answer in its developers' forum).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import UnsupportedError, UsageError
from grn.kit.files import write_atomic
from grn.llm import lifecycle
from grn.llm.bound import size_of
from grn.llm.calls import Caller, Terms
from grn.llm.catalogue import Model
from grn.llm.money import usd_text
from grn.llm.port import Caches, Fault
from grn.llm.request import Cached, Request, canonical, key_of
from grn.llm.spend import Bill, Intent
from grn.llm.usage import Usage


@dataclass(frozen=True)
class Cache:
    """A kept prompt.

    Attributes
    ----------
    id
        Its short name.
    name
        The provider's name for it.
    model
        The only model that can read it.
    sha256, tokens
        Hash of what was laid down, and its length as the provider counted it.
    expires_ns
        When it ends, Unix time.
    cost_pusd
        What laying it down and keeping it cost.
    """

    id: str
    name: str
    model: str
    sha256: str
    tokens: int
    expires_ns: int
    cost_pusd: int


def rent_pusd(rate_pusd: int, tokens: int, ttl_s: int) -> int:
    """Price of keeping a prompt, a token-hour's rate given; a broken picodollar counts as a whole one."""
    return -(-rate_pusd * tokens * ttl_s // 3600)


def keep(caller: Caller, ask: Request, ttl_s: int, folder: Path, terms: Terms | None = None) -> Cache:
    """Lay system prompt and messages of a request into the provider's cache.

    Parameters
    ----------
    caller
        Makes the call, with its book.
    ask
        What to keep; its other fields are of no meaning.
    ttl_s
        For how many seconds.
    folder
        Where kept prompts are noted.
    terms
        On which terms.

    Raises
    ------
    UnsupportedError
        The model's provider keeps no prompts on request.
    UsageError
        What it costs is not known, or the prompt is shorter than what can be kept.
    BudgetError
        It may cost more than is allowed. Nothing was laid down.
    """
    terms = terms or Terms()
    asked = lifecycle.full_name(ask.model)
    model = caller.served(asked)
    server = _caches(caller, model)
    caller.check_words(canonical(model.provider, ask))
    rate = lifecycle.storage_pusd(model.name, caller.catalogue.today)
    if rate is None:
        raise UsageError("what keeping a prompt costs is not known", seen=model.name, hint="-m flash")
    try:
        counted = caller.provider(model.provider).count(ask, model.name)
    except Fault as fault:
        raise fault.error from None
    # "Token counts are estimates": a twentieth for that.
    most = size_of(ask).most if counted is None else counted * 21 // 20 + 64
    if counted is not None and model.least_cached is not None and counted < model.least_cached:
        raise UsageError(
            f"{model.name} keeps prompts from {model.least_cached:,} tokens on",
            seen=counted,
            hint="send it along with each question",
        )
    amount = model.price.bound_pusd(most, 0) + rent_pusd(rate, most, ttl_s)
    caller.check_terms(model, amount, terms)
    intent = Intent(model.provider, asked, model.name, terms.project, "cache", amount, model.price)
    call = caller.book.reserve(intent, over_budget=terms.over_budget)
    bill = Bill("assumed", amount, note="laid into the cache, without an answer")
    try:
        kept = server.keep(ask, model.name, ttl_s)
        usage, rent = Usage(input=kept.tokens), rent_pusd(rate, kept.tokens, ttl_s)
        bill = Bill(
            "reported",
            model.price.cost_pusd(usage) + rent,
            served=model.name,
            request_id=kept.name,
            usage=usage,
            tier_over=model.price.rates(usage.prompt)[0],
            note=f"kept for {ttl_s} s: {usd_text(rent)} of it",
        )
    except Fault as fault:
        if fault.billed == "no":
            bill = Bill("refused", 0, note=str(fault.error))
        raise fault.error from None
    finally:
        caller.book.settle(call, bill)
    sha256 = key_of(canonical(model.provider, Request(model.name, ask.messages, ask.system)))
    cache = Cache(
        Path(kept.name).name, kept.name, model.name, sha256, kept.tokens, kept.expires_ns, bill.cost_pusd
    )
    write_atomic(folder / f"{cache.id}.json", canonical_json(asdict(cache)), make_parents=True)
    return cache


def find(folder: Path, name: str, now_ns: int) -> Cached:
    """Give what a call needs of a kept prompt.

    Raises
    ------
    UsageError
        Nothing of that name was kept from here, or its time is over.
    """
    try:
        cache = _read(folder / f"{Path(name).name}.json")
    except (OSError, ValueError, TypeError):
        raise UsageError("no prompt of that name is kept", seen=name, hint="grn llm cache ls") from None
    if cache.expires_ns <= now_ns:
        raise UsageError("the prompt's time in the cache is over", seen=name, hint="grn llm cache add")
    return Cached(cache.name, cache.model, cache.sha256, cache.tokens)


def list_caches(folder: Path, now_ns: int) -> list[Cache]:
    """List what is still kept, the first to end first."""
    found = (_read(path) for path in folder.glob("*.json"))
    return sorted((c for c in found if c.expires_ns > now_ns), key=lambda c: (c.expires_ns, c.id))


def forget(caller: Caller, name: str, folder: Path) -> None:
    """Take a prompt out of the provider's cache.

    Raises
    ------
    UsageError
        Nothing of that name was kept from here.
    """
    path = folder / f"{Path(name).name}.json"
    cached = find(folder, name, 0)
    try:
        _caches(caller, caller.catalogue.find(cached.model)).forget(cached.name)
    except Fault as fault:
        raise fault.error from None
    path.unlink(missing_ok=True)


def _caches(caller: Caller, model: Model) -> Caches:
    server: Any = caller.provider(model.provider)
    if not hasattr(server, "keep"):
        raise UnsupportedError(
            "only Google's models keep prompts on request",
            seen=model.name,
            hint="--cache 1h marks one for Claude",
        )
    caches: Caches = server
    return caches


def _read(path: Path) -> Cache:
    return Cache(**json.loads(path.read_bytes()))
