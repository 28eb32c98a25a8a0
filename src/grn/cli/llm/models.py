"""``grn llm models``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_facts, write_json, write_json_lines, write_table

if TYPE_CHECKING:
    from grn.llm.catalogue import Model
    from grn.llm.prices import Price


@click.command()
@click.argument("name", required=False)
@click.option("--provider", type=click.Choice(["anthropic", "google", "voyage"]), help="Only this one's.")
@json_option
def models(name: str | None, provider: str | None, as_json: bool) -> None:
    """List the models and what they cost, or show all that is known of one: NAME.

    Dollars per million tokens, today, for a short prompt. TIERS: above how many tokens of prompt every token
    costs more. CHANGES: the day of an announced change of price. With --json one object per line, prices in
    picodollars (10^-12 dollars) per token. A retired NAME shows its successor.
    """
    from grn.llm.room import open_catalogue

    if name is not None:
        _show(name, as_json=as_json)
        return
    found = open_catalogue().models(provider)
    if as_json:
        write_json_lines(_as_json(model) for model in found)
        return
    write_table(
        ("MODEL", "PROVIDER", "WINDOW", "INPUT", "CACHED", "OUTPUT", "BATCH", "TIERS", "CHANGES", "ENDS"),
        (_row(model) for model in found),
    )


def _show(name: str, *, as_json: bool) -> None:
    from grn.cli.llm.answer import notify
    from grn.llm.catalogue import Catalogue
    from grn.llm.room import open_catalogue

    catalogue = open_catalogue()
    resolved = catalogue.resolve(name)
    if resolved.notice:
        notify(resolved.notice)
    model = catalogue.find(resolved.sent)
    later = None if model.next_change is None else Catalogue(model.next_change).find(model.name)
    if as_json:
        changed = None if later is None else later.price.plain()
        write_json({**_as_json(model), "notice": resolved.notice, "next_price_pusd": changed})
        return
    end = model.end
    write_facts(
        [
            ("model", model.name),
            ("provider", model.provider),
            ("window", model.window),
            ("cached from", None if model.least_cached is None else f"{model.least_cached:,} tokens"),
            ("ends", None if end is None else f"{end.on}, then {end.successor}"),
            ("prices", model.price.source),
        ]
    )
    click.echo()
    rows = [*_rates("today", model.price)]
    if model.batch_price is not None:
        rows += _rates("batch", model.batch_price)
    if later is not None:
        rows += _rates(f"from {model.next_change}", later.price)
    write_table(("RATE", "PROMPT", "INPUT", "WRITE 5M", "WRITE 1H", "READ", "OUTPUT"), rows)


def _rates(when: str, price: Price) -> Iterator[tuple[object, ...]]:
    for over, rates in ((0, price.base), *price.tiers):
        yield (
            when,
            f">{over:,}" if over else "any" if not price.tiers else f"to {price.tiers[0][0]:,}",
            _per_mtok(rates.input),
            _per_mtok(rates.cache_write_5m),
            _per_mtok(rates.cache_write_1h),
            _per_mtok(rates.cache_read),
            _per_mtok(rates.output),
        )


def _row(model: Model) -> tuple[object, ...]:
    base = model.price.base
    tiers = ", ".join(f">{over:,}" for over, _ in model.price.tiers)
    return (
        model.name,
        model.provider,
        model.window,
        _per_mtok(base.input),
        _per_mtok(base.cache_read),
        _per_mtok(base.output),
        None if model.batch_price is None else _per_mtok(model.batch_price.base.input),
        tiers or None,
        None if model.next_change is None else str(model.next_change),
        None if model.end is None or model.end.on is None else str(model.end.on),
    )


def _per_mtok(rate_pusd: int) -> str:
    from grn.llm.money import usd_text

    return usd_text(rate_pusd * 10**6)


def _as_json(model: Model) -> dict[str, object]:
    return {
        "model": model.name,
        "provider": model.provider,
        "window": model.window,
        "price_pusd": model.price.plain(),
        "batch_price_pusd": None if model.batch_price is None else model.batch_price.plain(),
        "next_change": None if model.next_change is None else str(model.next_change),
        "least_cached": model.least_cached,
        "ends": None if model.end is None or model.end.on is None else str(model.end.on),
        "successor": None if model.end is None else model.end.successor,
    }
