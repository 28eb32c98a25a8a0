"""``grn llm rerank``: texts by how well they answer a query."""

from __future__ import annotations

from typing import Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.llm.stdin import read_piped_lines
from grn.cli.output import json_option, write_json_lines, write_table


@click.command()
@click.argument("query")
@click.argument("texts", nargs=-1)
@click.option("-m", "--model", default="rerank-2.5", show_default=True, help="rerank-2.5 or rerank-2.5-lite.")
@terms_options
@tape_options
@json_option
def rerank(query: str, texts: tuple[str, ...], model: str, as_json: bool, **options: Any) -> None:
    """Order TEXTS, or the lines of stdin, by how well they answer QUERY, the best first.

    PLACE is a text's place in what was given, from 0. The query is read, and billed, once with every text.
    With --json one object per line.
    """
    from grn.kit.errors import UsageError
    from grn.llm.events import Ranking
    from grn.llm.request import Rerank
    from grn.llm.room import open_caller

    tape, mode = read_tape(options)
    given = texts or tuple(read_piped_lines())
    if not given:
        raise UsageError("there is nothing to order", hint='grn llm rerank "…" "…" "…", or pipe lines in')
    terms = read_terms(options)
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        events = list(caller.stream(Rerank(model, query, given), terms))
    (order,) = (event.order for event in events if isinstance(event, Ranking))
    if as_json:
        write_json_lines({"place": place, "score": score, "text": given[place]} for place, score in order)
        return
    write_table(("SCORE", "PLACE", "TEXT"), ((score, place, given[place]) for place, score in order))
