"""``grn llm batch``: many requests at once, at a lower price."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.lazy import LazyGroup
from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_terms, terms_options
from grn.cli.output import json_option, write_facts, write_json, write_json_lines

if TYPE_CHECKING:
    from grn.llm.port import BatchState
    from grn.llm.request import Request


@click.group(cls=LazyGroup)
def batch() -> None:
    """Ask many questions at once, within a day and at a lower price.

    All that a batch can cost counts against the month's budget until it is fetched.
    """


@batch.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-m", "--model", required=True, help="Model for all of them.")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), default=4096, show_default=True, help="Bound on each answer."
)
@terms_options
@json_option
def submit(file: Path, model: str, max_tokens: int, as_json: bool, **options: Any) -> None:
    """Hand a batch in; prints its name.

    FILE has a JSON object a line: "prompt", and if you like "system" and "max_tokens".
    """
    from grn.llm.batch import submit as hand_in
    from grn.llm.room import llm_dir, open_caller

    asks, terms = _read(file, model, max_tokens), read_terms(options)
    with open_caller(notify=notify) as caller:
        _show(hand_in(caller, asks, llm_dir() / "batches", terms), as_json=as_json)


@batch.command()
@click.argument("name")
@json_option
def status(name: str, as_json: bool) -> None:
    """Show how a batch stands."""
    from grn.llm.batch import state
    from grn.llm.room import llm_dir, open_caller

    with open_caller() as caller:
        _show(state(caller, name, llm_dir() / "batches"), as_json=as_json)


@batch.command()
@click.argument("name")
def fetch(name: str) -> int:
    """Get the answers of a batch that has ended, one JSON object a line; code 1 if one has no answer."""
    from grn.kit.errors import ExitCode
    from grn.llm.batch import fetch as get
    from grn.llm.room import llm_dir, open_caller

    with open_caller() as caller:
        results = get(caller, name, llm_dir() / "batches")
    write_json_lines(
        {
            "place": found.place,
            "text": found.text,
            "reason": found.reason,
            "usage": found.usage.plain(),
            "cost_pusd": found.cost_pusd,
        }
        for found in results
    )
    return ExitCode.NO if any(found.text is None for found in results) else ExitCode.DONE


def _read(file: Path, model: str, max_tokens: int) -> list[Request]:
    from grn.kit.errors import UsageError
    from grn.llm.request import Message, Request, Text

    asks = []
    try:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
                raise UsageError(
                    f'line {number} of {file} has no "prompt"', seen=line, hint='{"prompt": "…"}'
                )
            words = Message("user", (Text(row["prompt"]),))
            asks.append(Request(model, (words,), row.get("system"), int(row.get("max_tokens", max_tokens))))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file} is no file of JSON lines", seen=str(error), hint='{"prompt": "…"}'
        ) from error
    return asks


def _show(found: BatchState, *, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    facts = [("batch", found.id), ("state", found.word), ("ended", found.ended), ("requests", counts or None)]
    write_facts(facts)
