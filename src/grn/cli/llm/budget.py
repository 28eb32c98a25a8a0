"""``grn llm budget``: what may be spent in a month, and how the month is going."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from grn.cli.lazy import LazyGroup
from grn.cli.output import json_option, write_json_lines, write_table

if TYPE_CHECKING:
    from grn.llm.spend import Pace, Standing

_PROVIDERS = ("anthropic", "google", "voyage")


@click.group(cls=LazyGroup, invoke_without_command=True)
@json_option
@click.pass_context
def budget(ctx: click.Context, as_json: bool) -> None:
    """Show or set what may be spent in a month.

    Without a command: this month (UTC) so far, per provider. FORECAST carries it on in a straight line; SPENT
    ON is the day on which the budget is used up at this rate. With --json one object per line, in picodollars
    (10^-12 dollars).
    """
    if ctx.invoked_subcommand is not None:
        return
    from grn.kit.clock import SystemClock
    from grn.llm.room import llm_dir
    from grn.llm.spend import Book, pace

    with Book.open(llm_dir()) as book:
        book.reconcile()
        found = [book.standing(provider) for provider in _PROVIDERS]
    now_ns = SystemClock().now_ns()
    paced = [(standing, pace(standing, now_ns)) for standing in found]
    if as_json:
        write_json_lines(_as_json(standing, going) for standing, going in paced)
        return
    write_table(
        ("PROVIDER", "MONTH", "BUDGET", "SPENT", "RESERVED", "FORECAST", "SPENT ON", "FUNDING"),
        (_row(standing, going) for standing, going in paced),
    )


@budget.command("set")
@click.argument("provider", type=click.Choice(_PROVIDERS), metavar="PROVIDER")
@click.argument("amount")
@click.option(
    "--funding",
    type=click.Choice(["prepaid", "invoice", "free"]),
    help="Who pays; free may train on prompts.",
)
def set_budget(provider: str, amount: str, funding: Any) -> None:
    """Set what may be spent on PROVIDER in every month from now on.

    PROVIDER is anthropic, google or voyage; AMOUNT in dollars, such as 20, or "none" for no budget.
    """
    from grn.llm.money import parse_usd
    from grn.llm.room import llm_dir
    from grn.llm.spend import Book

    cap_pusd = None if amount == "none" else parse_usd(amount)
    with Book.open(llm_dir()) as book:
        book.set_cap(provider, cap_pusd, funding or book.cap(provider).funding)


@budget.command()
@click.argument("call")
@click.argument("cost")
@click.option("--source", required=True, help="Where the cost is from: the provider's console, an invoice.")
def correct(call: str, cost: str, source: str) -> None:
    """Enter what a call really cost.

    For calls that broke off or were never settled: CALL as `grn llm spend --calls` names it, COST in dollars,
    by the provider's own account.
    """
    from grn.llm.money import parse_usd
    from grn.llm.room import llm_dir
    from grn.llm.spend import Book

    with Book.open(llm_dir()) as book:
        book.correct(call, parse_usd(cost), source)


def _row(standing: Standing, going: Pace) -> tuple[object, ...]:
    from grn.llm.money import usd_short

    def money(pusd: int | None) -> str | None:
        return None if pusd is None else usd_short(pusd)

    return (
        standing.provider,
        standing.month,
        money(standing.cap.cap_pusd) or "none",
        money(standing.spent_pusd),
        money(standing.open_pusd),
        money(going.forecast_pusd),
        None if going.spent_on is None else str(going.spent_on),
        standing.cap.funding,
    )


def _as_json(standing: Standing, going: Pace) -> dict[str, object]:
    return {
        "provider": standing.provider,
        "month": standing.month,
        "budget_pusd": standing.cap.cap_pusd,
        "spent_pusd": standing.spent_pusd,
        "reserved_pusd": standing.open_pusd,
        "forecast_pusd": going.forecast_pusd,
        "spent_on": None if going.spent_on is None else str(going.spent_on),
        "funding": standing.cap.funding,
    }
