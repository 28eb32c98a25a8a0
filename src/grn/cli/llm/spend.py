"""``grn llm spend``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from grn.cli.output import json_option, write_json_lines, write_table

if TYPE_CHECKING:
    from grn.llm.spend import CallRow
    from grn.llm.spend.views import Sum


@click.command()
@click.option(
    "--by",
    type=click.Choice(["model", "provider", "project", "day", "month"]),
    default="model",
    show_default=True,
    help="What to add up by.",
)
@click.option("--month", help="Only this month (UTC), such as 2026-11.")
@click.option("--imported", is_flag=True, help="Calls that grn llm import has read, instead of one's own.")
@click.option("--calls", "every_call", is_flag=True, help="List every call instead of sums.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest calls to list."
)
@json_option
def spend(by: Any, month: str | None, imported: bool, every_call: bool, limit: int, as_json: bool) -> None:
    """Show what calls have cost.

    To the cent and far below: costs are whole numbers of picodollars (10^-12 dollars), added up exactly.
    UNSURE counts calls that broke off (their answer is estimated) or whose caller died (all that was reserved
    counts). With --json one object per line.
    """  # fmt: skip
    from grn.llm.room import llm_dir
    from grn.llm.spend import Book
    from grn.llm.spend.views import add_up

    if imported:
        rows = _imported()
    elif not Book.exists(llm_dir()):
        click.echo("no calls yet", err=True)
        return
    else:
        with Book.open(llm_dir()) as book:
            for call in book.reconcile():
                click.echo(
                    f"call {call} was never settled: its caller ended; all that was reserved counts", err=True
                )
            rows = book.calls()
    rows = [row for row in rows if month in (None, row.month)]
    if every_call:
        _list(rows[:limit], as_json=as_json)
        return
    sums = add_up(rows, by)
    if as_json:
        write_json_lines(_sum_as_json(found, by) for found in sums)
    elif sums:
        write_table(
            (by.upper(), "CALLS", "INPUT", "CACHE WRITE", "CACHE READ", "OUTPUT", "UNSURE", "COST"),
            [*(_sum_row(found) for found in sums), *([_total(sums)] if len(sums) > 1 else [])],
        )


def _imported() -> list[CallRow]:
    """Give what was imported, the newest first, as the book gives its own."""
    from grn.llm.history.store import History
    from grn.llm.room import llm_dir

    if not History.exists(llm_dir()):
        click.echo("nothing is imported yet: grn llm import", err=True)
        return []
    with History.open(llm_dir()) as history:
        return history.rows()[::-1]


def _list(rows: list[CallRow], *, as_json: bool) -> None:
    from grn.kit.clock import utc_text
    from grn.llm.money import usd_text

    if as_json:
        write_json_lines({**vars(row), "usage": row.usage.plain()} for row in rows)
    elif rows:
        write_table(
            ("CALL", "AT", "MODEL", "PROJECT", "PROMPT", "OUTPUT", "FIRST MS", "COST", "KNOWN", "NOTE"),
            (
                (
                    row.call,
                    utc_text(row.made_ns),
                    row.served or row.sent,
                    row.project or None,
                    row.usage.prompt,
                    row.usage.output,
                    row.first_ms,
                    None if row.cost_pusd is None else usd_text(row.cost_pusd),
                    row.how,
                    row.note,
                )
                for row in rows
            ),
        )


def _sum_row(found: Sum) -> tuple[object, ...]:
    from grn.llm.money import usd_text

    used = found.usage
    written = used.cache_write_5m + used.cache_write_1h
    return (found.name, found.calls, used.input, written, used.cache_read, used.output, found.unsure,
            usd_text(found.cost_pusd))  # fmt: skip


def _total(sums: list[Sum]) -> tuple[object, ...]:
    from grn.llm.spend.views import Sum
    from grn.llm.usage import NONE

    return _sum_row(
        Sum(
            "total",
            sum(found.calls for found in sums),
            sum((found.usage for found in sums), NONE),
            sum(found.cost_pusd for found in sums),
            sum(found.open_pusd for found in sums),
            sum(found.unsure for found in sums),
        )
    )


def _sum_as_json(found: Sum, by: str) -> dict[str, object]:
    return {
        by: found.name,
        "calls": found.calls,
        "usage": found.usage.plain(),
        "cost_pusd": found.cost_pusd,
        "open_pusd": found.open_pusd,
        "unsure": found.unsure,
    }
