"""``grn llm plan``: recorded requests under other marks, why they missed the cache, what would help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify
from grn.cli.output import json_option, write_json, write_table

if TYPE_CHECKING:
    from grn.llm.plan.cache import Offer, Run
    from grn.llm.plan.requests import Sent, Weigh

_METHODS = {
    "as sent": "marks as they were sent",
    "uncached": "no marks",
    "automatic 5m": "a mark on the last block",
    "automatic 1h": "the same, for an hour",
    "static": "marks at the ends of tools, system prompt and request",
    "planned": "marks by what came before",
    "planned, in order": "the same, tools and named documents in the order of how seldom they change",
}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--tape", metavar="NAME", help="Calls to Claude on this tape, instead of a file.")
@click.option("--marks", "show_marks", is_flag=True, help="Show where the planned marks of each request are.")
@json_option
def plan(file: Path | None, tape: str | None, show_marks: bool, as_json: bool) -> None:
    """Place marks of the prompt cache in recorded requests to Claude, and explain misses.

    FILE has a request a line: {"at": time, "request": body of the Messages API, "usage": of the answer}. The
    planner knows of a request only what came before it. Nothing is sent.

    \b
    grn llm plan requests.jsonl --marks
    grn ask … --record paper; grn llm plan --tape paper
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.errors import UsageError
    from grn.llm.plan.advice import advise
    from grn.llm.plan.misses import misses
    from grn.llm.plan.offers import offer_of
    from grn.llm.room import open_catalogue

    if (file is None) == (tape is None):
        raise UsageError("requests come from a file or from a tape", hint="grn llm plan requests.jsonl")
    sent = _read(file, tape)
    if not sent:
        notify("no requests to Claude are there")
        return
    catalogue = open_catalogue()
    offers = {name: offer_of(catalogue.find(name)) for name in {one.prompt.model for one in sent}}
    runs = _runs(sent, offers)
    prompts = [one.prompt for one in sent]
    missed = misses(prompts, runs["as sent"], offers)
    advice = advise(prompts, runs["as sent"], missed, offers)
    planned = runs["planned"]
    if as_json:
        write_json(
            {
                "requests": len(sent),
                "cost_pusd": {way: run.cost_pusd for way, run in runs.items()},
                "misses": missed,
                "advice": advice,
                "marks": [
                    [{"block": place, "life": life} for place, life in marks] for marks in planned.marks
                ],
            }
        )
        return
    _show(runs, [vars(miss) for miss in missed], advice)
    if show_marks:
        click.echo()
        _show_marks(sent, planned)


def _read(file: Path | None, tape: str | None) -> list[Sent]:
    from grn.kit.errors import TapeError, UsageError
    from grn.llm.plan.requests import read_lines, read_tape
    from grn.llm.room import tapes_dir
    from grn.llm.tape import Tape

    if tape is not None:
        found = Tape(tapes_dir(), tape)
        if not found.exists():
            raise TapeError("there is no such tape", seen=tape, hint="grn llm tape lists the tapes")
        return read_tape(found.records(), _weigh())
    assert file is not None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError("cannot read the file", seen=f"{file}: {error}") from error
    return read_lines(text.splitlines(), _weigh())


def _weigh() -> Weigh:
    from grn.llm.plan.offers import offer_of
    from grn.llm.room import open_catalogue
    from grn.llm.tokens.count import Counter, counter_of

    counters: dict[str, Counter] = {}
    catalogue = open_catalogue()

    def weigh(model: str, text: str) -> int:
        if model not in counters:
            offer_of(catalogue.find(model))  # refuses another maker's model before its vocabulary is loaded
            counters[model] = counter_of(model)
        return counters[model].count(text).about

    return weigh


def _runs(sent: list[Sent], offers: dict[str, Offer]) -> dict[str, Run]:
    from grn.llm.plan.cache import simulate
    from grn.llm.plan.order import Order
    from grn.llm.plan.planner import Planner
    from grn.llm.plan.policies import Automatic, Sequence, Static, Uncached

    prompts = [one.prompt for one in sent]
    order = Order()
    ordered = [order.arrange(prompt) for prompt in prompts]
    policies: dict[str, Any] = {
        "as sent": Sequence([one.marks for one in sent]),
        "uncached": Uncached(),
        "automatic 5m": Automatic("5m"),
        "automatic 1h": Automatic("1h"),
        "static": Static(),
        "planned": Planner(offers),
    }
    runs = {way: simulate(prompts, policy, offers) for way, policy in policies.items()}
    if ordered != prompts:
        runs["planned, in order"] = simulate(ordered, Planner(offers), offers)
    return runs


def _show(runs: dict[str, Run], missed: list[dict[str, Any]], advice: list[str]) -> None:
    from grn.llm.money import usd_short

    plain = runs["uncached"].cost_pusd
    write_table(
        ("WAY", "COST", "SAVED", "READ", "METHOD"),
        (
            (
                way,
                usd_short(run.cost_pusd),
                f"{1 - run.cost_pusd / plain:.0%}" if plain else None,
                run.usage.cache_read,
                _METHODS[way],
            )
            for way, run in runs.items()
        ),
    )
    if missed:
        click.echo()
        write_table(
            ("REQUEST", "MISSED BY", "TOKENS", "EXTRA", "WHY"),
            (
                (
                    miss["request"],
                    miss["reason"],
                    miss["tokens"],
                    usd_short(miss["extra_pusd"]),
                    miss["words"],
                )
                for miss in missed
            ),
        )
    for line in advice:
        notify(line)


def _show_marks(sent: list[Sent], run: Run) -> None:
    rows = []
    for number, (one, marks, served) in enumerate(zip(sent, run.marks, run.served, strict=True)):
        prompt, used = one.prompt, served.usage
        where = ", ".join(f"block {place + 1} ({prompt.blocks[place].level}) {life}" for place, life in marks)
        written = used.cache_write_5m + used.cache_write_1h
        rows.append((number, prompt.tokens, used.cache_read, written, used.input, where or None))
    write_table(("REQUEST", "TOKENS", "READ", "WRITTEN", "INPUT", "MARKS"), rows)
