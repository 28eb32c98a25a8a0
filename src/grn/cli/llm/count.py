"""``grn llm count``: tokens and price of texts, for the model that will be billed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.stdin import read_piped_parts
from grn.cli.output import json_option, write_facts, write_json, write_table

if TYPE_CHECKING:
    from grn.llm.catalogue import Model
    from grn.llm.request import Part
    from grn.llm.tokens.count import Counter
    from grn.llm.tokens.estimate import Estimate

_DEFAULT_MODEL = "claude-sonnet-5-5"
_SYSTEM = "(system prompt)"
_PIPED = "(stdin)"


@dataclass(frozen=True)
class _Row:
    name: str
    part: Part
    size: Estimate


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("-m", "--model", help="Model or vocabulary: o200k, cl100k (default: $GRN_MODEL, else sonnet).")
@click.option("-s", "--system", help="System prompt, counted with the rest.")
@click.option(
    "--ask", "asking", is_flag=True, help="Have the provider count, without charge; what it said is kept."
)
@json_option
def count(
    files: tuple[Path, ...], model: str | None, system: str | None, asking: bool, as_json: bool
) -> None:
    """Count the tokens of FILES or of what is piped in, and price them as a prompt.

    FILES are texts, folders, pictures, PDFs, or - for what is piped in.

    Nothing leaves this machine unless --ask is given. Where the model's vocabulary is not public the count is
    an estimate: the table then says how many tokens there are at most.
    """
    from grn.llm.request import Text
    from grn.llm.tokens.count import counter_of

    named = model or os.environ.get("GRN_MODEL") or _DEFAULT_MODEL
    served, priced = _price(named)
    counter = counter_of(served)
    parts = _parts(files)
    if system:
        parts.insert(0, (_SYSTEM, Text(system)))
    rows = [_Row(name, part, _size(counter, part)) for name, part in parts]
    asked = _ask(served, rows, system) if asking else None
    if as_json:
        write_json(_plain(counter, priced, rows, asked))
    else:
        _show(counter, priced, rows, asked)


def _price(named: str) -> tuple[str, Model | None]:
    """Find the model that would be sent, and its price; a vocabulary has none."""
    from grn.kit.errors import MissingExtraError
    from grn.llm import lifecycle
    from grn.llm.room import open_catalogue

    if lifecycle.provider_of(lifecycle.full_name(named)) is None:
        return named, None
    catalogue = open_catalogue()
    resolved = catalogue.resolve(named)
    if resolved.notice:
        notify(resolved.notice)
    try:
        return resolved.sent, catalogue.find(resolved.sent)
    except MissingExtraError as error:
        notify(f"no price: {error.what}")
        return resolved.sent, None


def _parts(files: tuple[Path, ...]) -> list[tuple[str, Part]]:
    from grn.kit.errors import UsageError
    from grn.llm.attach import attach, texts_below
    from grn.llm.request import Text

    found: list[tuple[str, Part]] = []
    for path in files or (Path("-"),):
        if str(path) == "-":
            found += [(_PIPED, part) for part in read_piped_parts()]
        elif path.is_dir():
            found += [(str(path / name), Text(text)) for name, text in texts_below(path)]
        else:
            found += [(str(path), part) for part in attach(path)]
    if not found:
        raise UsageError("there is nothing to count", hint="name files or a folder, or pipe a text in")
    return found


def _size(counter: Counter, part: Part) -> Estimate:
    from grn.llm.bound import size_of
    from grn.llm.request import Message, Request, Text
    from grn.llm.tokens.estimate import Estimate

    if isinstance(part, Text):
        return counter.count(part.text)
    size = size_of(Request(counter.model, (Message("user", (part,)),)))
    return Estimate(size.about, size.most)


def _ask(model: str, rows: list[_Row], system: str | None) -> int:
    from grn.kit.errors import UsageError
    from grn.kit.paths import cache_dir
    from grn.llm import lifecycle
    from grn.llm.request import Message, Request, canonical
    from grn.llm.room import open_caller
    from grn.llm.tokens.asked import ask_count

    provider = lifecycle.provider_of(model)
    if provider is None:
        raise UsageError("nobody serves a vocabulary", seen=model, hint="leave --ask out")
    turn = Message("user", tuple(row.part for row in rows if row.name != _SYSTEM))
    request = Request(model, (turn,), system=system)
    with open_caller(notify=notify) as caller:
        caller.check_words(canonical(provider, request))
        found = ask_count(request, provider, model, caller.provider(provider), cache_dir() / "llm" / "counts")
    if found.kept:
        notify("counted by the provider before, and kept")
    return found.tokens


def _total(counter: Counter, rows: list[_Row]) -> Estimate:
    from grn.llm.tokens.estimate import Estimate

    about, most = sum(row.size.about for row in rows), sum(row.size.most for row in rows)
    return Estimate(about + counter.frame, most + counter.frame)


def _cost(priced: Model, tokens: int) -> tuple[int, int]:
    """Picodollars of a prompt: all of it new, all of it from the cache."""
    from grn.llm.usage import Usage

    return priced.price.cost_pusd(Usage(input=tokens)), priced.price.cost_pusd(Usage(cache_read=tokens))


def _show(counter: Counter, priced: Model | None, rows: list[_Row], asked: int | None) -> None:
    from grn.llm.money import usd_short

    total = _total(counter, rows)
    unsure = any(row.size.most != row.size.about for row in rows)
    if len(rows) > 1:
        if unsure:
            write_table(
                ("TOKENS", "AT MOST", "TEXT"), [(row.size.about, row.size.most, row.name) for row in rows]
            )
        else:
            write_table(("TOKENS", "TEXT"), [(row.size.about, row.name) for row in rows])
        click.echo()
    frame = f", {counter.frame} of them around the message" if counter.frame else ""
    facts: list[tuple[str, object]] = [
        ("model", counter.model),
        (
            "tokens",
            f"about {total.about:,}, at most {total.most:,}{frame}" if unsure else f"{total.about:,}{frame}",
        ),
        ("counted", counter.basis),
    ]
    if asked is not None:
        facts.append(("provider's count", f"{asked:,}"))
    if priced is not None:
        new, kept = _cost(priced, total.about if asked is None else asked)
        most = _cost(priced, total.most)[0]
        upper = f"; at most {usd_short(most)}" if unsure and asked is None else ""
        facts.append(("cost as a prompt", f"{usd_short(new)}, {usd_short(kept)} from the cache{upper}"))
    write_facts(facts)


def _plain(counter: Counter, priced: Model | None, rows: list[_Row], asked: int | None) -> dict[str, Any]:
    total = _total(counter, rows)
    tokens = total.about if asked is None else asked
    return {
        "model": counter.model,
        "certainty": counter.certainty,
        "basis": counter.basis,
        "frame": counter.frame,
        "tokens": total.about,
        "tokens_most": total.most,
        "tokens_asked": asked,
        "cost_pusd": None if priced is None else _cost(priced, tokens)[0],
        "cost_cached_pusd": None if priced is None else _cost(priced, tokens)[1],
        "cost_most_pusd": None if priced is None else _cost(priced, total.most)[0],
        "texts": [{"text": row.name, "tokens": row.size.about, "tokens_most": row.size.most} for row in rows],
    }
