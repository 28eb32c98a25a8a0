"""Many requests at once, answered within a day at a lower price: handed in, asked after, fetched, billed.

All that a batch can cost is reserved when it is handed in and stays counted until its results are fetched;
then the bill takes its place. Which batch is whose is kept in ``batches`` beside the book, one file each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grn.kit.canonical import canonical_json
from grn.kit.errors import UnsupportedError, UsageError
from grn.kit.files import write_atomic
from grn.llm import lifecycle
from grn.llm.bound import size_of
from grn.llm.calls import Caller, Terms
from grn.llm.catalogue import Model
from grn.llm.events import Event, Finished, TextDelta
from grn.llm.port import Batches, BatchState, Fault
from grn.llm.prices import Price
from grn.llm.request import Request, canonical
from grn.llm.spend import Bill, Intent
from grn.llm.usage import Usage


@dataclass(frozen=True)
class Result:
    """What became of one request of a batch.

    Attributes
    ----------
    place
        Its place among the requests, from 0.
    text
        The answer; ``None`` when there is none.
    reason
        Why the answer ended, or why there is none.
    usage, cost_pusd
        What it used and cost; nothing without an answer.
    """

    place: int
    text: str | None
    reason: str
    usage: Usage
    cost_pusd: int


def submit(caller: Caller, asks: Sequence[Request], folder: Path, terms: Terms | None = None) -> BatchState:
    """Hand requests for one model in.

    Raises
    ------
    UsageError
        No requests, more than one model, or one without a price for batches.
    UnsupportedError
        Its provider takes no batches here.
    BudgetError
        All of them together may cost more than is allowed. Nothing was sent.
    """
    terms = terms or Terms()
    names = {lifecycle.full_name(ask.model) for ask in asks}
    if len(names) != 1:
        raise UsageError("a batch is for one model", seen=", ".join(sorted(names)) or "no requests")
    (asked,) = names
    model = caller.served(asked)
    if model.batch_price is None:
        raise UsageError("no price for batches is known", seen=model.name, hint="grn llm models lists them")
    amount = sum(model.batch_price.bound_pusd(size_of(ask).most, ask.max_tokens) for ask in asks)
    caller.check_terms(model, amount, terms)
    server = _batches(caller, model)
    for ask in asks:
        caller.check_words(canonical(model.provider, ask))
    price = model.batch_price
    intent = Intent(model.provider, asked, model.name, terms.project, "batch", amount, price)
    call = caller.book.reserve(intent, over_budget=terms.over_budget)
    bill = Bill("assumed", amount, note=f"a batch of {len(asks)}, not fetched yet")
    try:
        state = server.submit([replace(ask, model=model.name) for ask in asks], model.name)
        bill = replace(bill, request_id=state.id)
    except Fault as fault:
        if fault.billed == "no":
            bill = Bill("refused", 0, note=str(fault.error))
        raise fault.error from None
    finally:
        caller.book.settle(call, bill)
    kept = {
        "batch": state.id,
        "call": call,
        "model": model.name,
        "requests": len(asks),
        "price": price.plain(),
    }
    write_atomic(folder / f"{Path(state.id).name}.json", canonical_json(kept), make_parents=True)
    return state


def state(caller: Caller, batch: str, folder: Path) -> BatchState:
    """Ask how a batch stands."""
    kept = _kept(folder, batch)
    try:
        return _batches(caller, caller.catalogue.find(kept["model"])).state(kept["batch"])
    except Fault as fault:
        raise fault.error from None


def fetch(caller: Caller, batch: str, folder: Path) -> list[Result]:
    """Get the answers of a batch that has ended, in the order of the requests, and bill it by them.

    Fetching again gives the same answers and the same bill.

    Raises
    ------
    UsageError
        It was not handed in from here, or has not ended.
    """
    kept = _kept(folder, batch)
    price = Price.from_plain(kept["price"])
    server = _batches(caller, caller.catalogue.find(kept["model"]))
    try:
        state = server.state(kept["batch"])
        if not state.ended:
            raise UsageError(
                "the batch has not ended yet", seen=batch, hint="most end within an hour, all in a day"
            )
        answered = dict(server.results(kept["batch"]))
    except Fault as fault:
        raise fault.error from None
    # A batch that failed as a whole has no results: each request is told what became of the batch.
    places = range(kept["requests"])
    results = [_result(place, answered.get(place, state.word), price) for place in places]
    caller.book.correct(kept["call"], sum(r.cost_pusd for r in results), f"results of {batch}")
    return results


def _result(place: int, found: Sequence[Event] | str, price: Price) -> Result:
    if isinstance(found, str):
        return Result(place, None, found, Usage(), 0)
    text = "".join(event.text for event in found if isinstance(event, TextDelta))
    end = found[-1]
    assert isinstance(end, Finished)
    return Result(place, text, end.reason, end.usage, price.cost_pusd(end.usage))


def _batches(caller: Caller, model: Model) -> Batches:
    server: Any = caller.provider(model.provider)
    if not hasattr(server, "submit"):
        raise UnsupportedError(
            "batches go to Anthropic's and Google's models", seen=model.name, hint="-m haiku"
        )
    batches: Batches = server
    return batches


def _kept(folder: Path, batch: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / f"{Path(batch).name}.json").read_bytes())
        return {"batch": batch, **found}
    except (OSError, ValueError):
        raise UsageError(
            "no batch of that name was handed in from here",
            seen=batch,
            hint="the name that grn llm batch submit printed, in the same GRN_HOME",
        ) from None
