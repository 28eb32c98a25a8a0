"""``grn llm savings``: what was saved, by what, on the whole bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grn.cli.llm.answer import notify
from grn.cli.output import json_option, write_json, write_table

if TYPE_CHECKING:
    from grn.llm.savings import Savings
    from grn.llm.spend import CallRow


@click.command()
@click.option("--since", metavar="DATE", help="Only calls from this day (UTC) on: 2026-10-01.")
@click.option("--imported", is_flag=True, help="Calls that grn llm import has read, instead of one's own.")
@click.option(
    "--instead", default="haiku", show_default=True, help="Model that would have been asked for a local one."
)
@json_option
def savings(since: str | None, imported: bool, instead: str, as_json: bool) -> None:
    """Show what was saved, and by what, on the whole bill.

    Each lever is held against what the same calls would have cost without it; the method is part of the
    table. What is not written down is not guessed.
    """
    from grn.cli.llm.reprice import day_ms
    from grn.llm.catalogue import Catalogue
    from grn.llm.room import llm_dir
    from grn.llm.savings import read_cascades
    from grn.llm.savings import savings as add_up

    since_ns = day_ms(since) * 10**6
    cascades = [] if imported else read_cascades(llm_dir() / "cascades.jsonl", since_ns)
    found = add_up(_rows(since_ns, imported=imported), cascades, Catalogue, instead)
    if as_json:
        write_json({**vars(found), "saved_pusd": found.saved_pusd, "without_pusd": found.without_pusd})
    else:
        _show(found)


def _rows(since_ns: int, *, imported: bool) -> list[CallRow]:
    from grn.llm.room import llm_dir
    from grn.llm.spend import Book

    if imported:
        from grn.llm.history.store import History

        if not History.exists(llm_dir()):
            return []
        with History.open(llm_dir()) as history:
            return history.rows(since_ms=since_ns // 10**6)
    if not Book.exists(llm_dir()):
        return []
    with Book.open(llm_dir()) as book:
        return book.calls(since_ns=since_ns)


def _show(found: Savings) -> None:
    from grn.llm.money import usd_short

    if not found.calls:
        notify("no calls yet: make some, or grn llm import and --imported")
        return
    rows = []
    for lever in found.levers:
        share = None
        if lever.saved_pusd is not None and found.without_pusd:
            share = f"{lever.saved_pusd / found.without_pusd:.1%}"
        saved = None if lever.saved_pusd is None else usd_short(lever.saved_pusd)
        rows.append((lever.name, lever.calls, saved, share, lever.method))
    write_table(("LEVER", "CALLS", "SAVED", "OF ALL", "METHOD"), rows)
    saved_share = found.saved_pusd / found.without_pusd if found.without_pusd else 0.0
    notify(
        f"{found.calls:,} calls cost {usd_short(found.bill_pusd)}; without these they would have cost "
        f"{usd_short(found.without_pusd)} ({saved_share:.1%} saved)"
    )
    if found.unpriced:
        notify(f"{found.unpriced:,} calls have no known price and are left out")
