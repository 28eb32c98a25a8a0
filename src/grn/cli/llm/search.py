"""``grn llm search``: what of an index answers a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.index import DEFAULT_INDEX
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.output import json_option, style, write_json_lines

if TYPE_CHECKING:
    from grn.llm.library.search import Found

_SHOWN = 4  # lines of a passage, unless all is asked for


@click.command()
@click.argument("query")
@click.option("--index", "name", default=DEFAULT_INDEX, show_default=True, help="Name of the index.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 200), default=10, show_default=True, help="Passages to show."
)
@click.option(
    "--by",
    "way",
    type=click.Choice(["hybrid", "words", "vectors"]),
    default="hybrid",
    show_default=True,
    help="What decides.",
)
@click.option("--rerank", metavar="MODEL", help="Have the fifty best ordered by this model: rerank-2.5.")
@click.option("--full", is_flag=True, help="Show passages whole.")
@terms_options
@tape_options
@json_option
def search(
    query: str, name: str, limit: int, way: Any, rerank: str | None, full: bool, **options: Any
) -> int:
    """Search an index by words and by meaning; every answer names its file and line, page or cell.

    A passage of a paper that a BibTeX file knows has its cite key in front. What changed in the folders is
    read anew first. Exit code 1 when nothing answers. With --json one object per line.

    \b
    grn llm index docs papers library.bib
    grn llm search "standard error of the Sharpe ratio"
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.errors import ExitCode
    from grn.llm.library.retrieve import retrieve
    from grn.llm.room import indexes_dir, open_caller

    tape, mode = read_tape(options)
    terms = read_terms(options)
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        found = retrieve(
            caller,
            query,
            name,
            indexes_dir(),
            limit=limit,
            way=way,
            rerank=rerank,
            terms=terms,
            notify=notify,
        )
    if options["as_json"]:
        write_json_lines(_as_json(one) for one in found)
    else:
        _write(found, full=full)
    if not found:
        notify("nothing there answers that")
        return ExitCode.NO
    return ExitCode.DONE


def _write(found: list[Found], *, full: bool) -> None:
    import sys

    for number, one in enumerate(found):
        placed = one.placed
        title = f"  {placed.passage.title}" if placed.passage.title else ""
        key = f"[{placed.cite}] " if placed.key else ""
        click.echo(("\n" if number else "") + style(f"{key}{_place(one)}", sys.stdout, bold=True) + title)
        lines = placed.passage.text.splitlines()
        for line in lines if full else [line for line in lines if line.strip()][:_SHOWN]:
            click.echo(f"    {line}" if line.strip() else "")


def _place(one: Found) -> str:
    """Where it is, as an editor opens it: below the current folder by its path from there."""
    path, passage = one.placed.path, one.placed.passage
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    match passage.unit:
        case "page":
            return f"{shown} p. {passage.first}"
        case "cell":
            return f"{shown} cell {passage.first}"
    return f"{shown}:{passage.first}"


def _as_json(one: Found) -> dict[str, object]:
    placed, passage = one.placed, one.placed.passage
    return {
        "cite": placed.cite,
        "key": placed.key,
        "path": placed.path,
        "unit": passage.unit,
        "first": passage.first,
        "last": passage.last,
        "title": passage.title,
        "text": passage.text,
        "score": one.score,
        "by_words": one.by_words,
        "by_vectors": one.by_vectors,
    }
