"""``grn llm reprice``: calls of the past under other caches, models and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grn.cli.llm.answer import notify
from grn.cli.output import json_option, write_json, write_table

if TYPE_CHECKING:
    from grn.llm.history.reprice import Repriced


@click.command()
@click.option("--since", metavar="DATE", help="Only calls from this day (UTC) on: 2026-10-01.")
@click.option("--project", help="Only conversations in this folder or workspace.")
@click.option("-m", "--model", help="Price them for this model too.")
@click.option(
    "--top", type=click.IntRange(min=0), default=10, show_default=True, help="Conversations to list."
)
@json_option
def reprice(since: str | None, project: str | None, model: str | None, top: int, as_json: bool) -> None:
    """Price calls of the past under other caches, models and batches.

    The calls are those that grn llm import has read. All ways at today's prices, so that only the ways
    differ; for Claude's models, whose rules of the cache are published. What was said is not known any
    more: prompts are made again from their counts. Another model is given the same numbers of tokens, which
    newer and older families of Claude count differently.
    """
    from grn.kit.errors import MissingError
    from grn.llm.history.reprice import reprice as price_anew
    from grn.llm.history.store import History
    from grn.llm.room import llm_dir, open_catalogue

    if not History.exists(llm_dir()):
        raise MissingError("no calls of the past are known", hint="grn llm import")
    with History.open(llm_dir()) as history:
        calls = history.calls(since_ms=day_ms(since))
    calls = [call for call in calls if project in (None, call.project)]
    found = price_anew(calls, open_catalogue(), model)
    if as_json:
        write_json(_plain(found))
        return
    if found.left_out:
        notify(f"{found.left_out:,} calls are left out: not Claude's, in batches, or rows that add many up")
    if not found.bills:
        notify("nothing to price anew")
        return
    _show(found, top)


def day_ms(text: str | None) -> int:
    """Read a day as the millisecond in which it begins; 0 for none.

    Raises
    ------
    UsageError
        It is no day.
    """
    from grn.kit.errors import UsageError
    from grn.llm.history.past import moment_ms

    moment = 0 if text is None else moment_ms(text)
    if moment is None:
        raise UsageError("this is no day", seen=text, hint="for example 2026-10-01")
    return moment


def _show(found: Repriced, top: int) -> None:
    from grn.llm.history.reprice import PLANNED, RECORDED, WAYS
    from grn.llm.money import usd_short

    recorded = found.total(RECORDED) or 0
    rows = []
    for way in _ways(found):
        total = found.total(way)
        saved = None if total is None or not recorded else f"{1 - total / recorded:.0%}"
        name, _, other = way.partition(":")
        method = WAYS[name] + (f"; {other}" if other else "")
        rows.append((way, None if total is None else usd_short(total), saved, method))
    write_table(("WAY", "COST", "SAVED", "METHOD"), rows)
    if top:
        click.echo()
        ways = _ways(found)
        write_table(
            ("CONVERSATION", "PROJECT", "CALLS", *(way.upper().replace("_", " ") for way in ways)),
            (
                (
                    bill.session[:13] or "(none)",
                    bill.project or None,
                    bill.calls,
                    *(None if way not in bill.cost_pusd else usd_short(bill.cost_pusd[way]) for way in ways),
                )
                for bill in found.bills[:top]
            ),
        )
    half, planned = found.half(), found.total(PLANNED) or 0
    whose = f"; {half} of {len(found.bills)} conversations cost half of it" if len(found.bills) > 1 else ""
    notify(f"{usd_short(recorded)} recorded, {usd_short(planned)} planned{whose}")


def _ways(found: Repriced) -> list[str]:
    from grn.llm.history.reprice import WAYS

    others = sorted({way for bill in found.bills for way in bill.cost_pusd} - set(WAYS))
    return [*WAYS, *others]


def _plain(found: Repriced) -> dict[str, object]:
    from grn.llm.history.reprice import WAYS

    return {
        "total_pusd": {way: found.total(way) for way in _ways(found)},
        "method": dict(WAYS),
        "left_out": found.left_out,
        "conversations_with_half": found.half(),
        "conversations": [vars(bill) for bill in found.bills],
    }
