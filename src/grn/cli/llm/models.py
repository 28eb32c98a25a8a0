"""``grn llm models``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_json_lines, write_table

if TYPE_CHECKING:
    from grn.llm.catalogue import Model


@click.command()
@click.option("--provider", type=click.Choice(["anthropic", "google", "voyage"]), help="Only this one's.")
@json_option
def models(provider: str | None, as_json: bool) -> None:
    """List the models and what they cost.

    Dollars per million tokens, today, for a short prompt. TIERS: above how many tokens of prompt every token
    costs more. CHANGES: the day of an announced change of price. With --json one object per line, prices in
    picodollars (10^-12 dollars) per token.
    """
    from grn.llm.room import open_catalogue

    found = open_catalogue().models(provider)
    if as_json:
        write_json_lines(_as_json(model) for model in found)
        return
    write_table(
        ("MODEL", "PROVIDER", "WINDOW", "INPUT", "CACHED", "OUTPUT", "BATCH", "TIERS", "CHANGES", "ENDS"),
        (_row(model) for model in found),
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
