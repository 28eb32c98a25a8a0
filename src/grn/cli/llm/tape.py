"""``grn llm tape``: recorded calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from grn.cli.lazy import LazyGroup
from grn.cli.output import json_option, write_json_lines, write_table

_LONGEST = 60


@click.group(cls=LazyGroup, invoke_without_command=True)
@json_option
@click.pass_context
def tape(ctx: click.Context, as_json: bool) -> None:
    """List recorded calls, or move them between machines.

    Without a command: the tapes, and what their calls had cost. With --json one object per line.
    """
    if ctx.invoked_subcommand is not None:
        return
    from grn.llm.money import usd_text
    from grn.llm.room import tapes_dir
    from grn.llm.tape import list_tapes

    rows = []
    for found in list_tapes(tapes_dir()):
        costs = [record.cost_pusd for record in found.records()]
        rows.append((found.name, len(costs), sum(costs)))
    if as_json:
        write_json_lines({"tape": name, "calls": calls, "cost_pusd": cost} for name, calls, cost in rows)
    elif not rows:
        click.echo("no tapes yet: grn ask --record NAME makes one", err=True)
    else:
        write_table(("TAPE", "CALLS", "COST"), ((name, calls, usd_text(cost)) for name, calls, cost in rows))


@tape.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """List the calls on a tape.

    With --json one object per line, with the whole request, raw frames and events.
    """
    from grn.kit.errors import TapeError
    from grn.llm.money import usd_text
    from grn.llm.room import tapes_dir
    from grn.llm.tape import Tape

    found = Tape(tapes_dir(), name)
    if not found.exists():
        raise TapeError("there is no such tape", seen=name, hint="grn llm tape lists the tapes")
    if as_json:
        write_json_lines(record.plain() for record in found.records())
        return
    write_table(
        ("KEY", "AT", "MODEL", "PROMPT", "FRAMES", "EVENTS", "COST"),
        (
            (
                record.key[:12],
                record.recorded_at,
                record.served,
                _prompt(record.request),
                len(record.frames),
                len(record.events),
                usd_text(record.cost_pusd),
            )
            for record in found.records()
        ),
    )


@tape.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def export(name: str, file: Path) -> None:
    """Write a tape to FILE: one text file, a call a line, for a paper's supplement.

    Equal tapes give equal bytes; no key and no name of this machine is in it.
    """
    from grn.kit.errors import TapeError
    from grn.llm.room import tapes_dir
    from grn.llm.tape import Tape

    found = Tape(tapes_dir(), name)
    if not found.exists():
        raise TapeError("there is no such tape", seen=name, hint="grn llm tape lists the tapes")
    click.echo(f"{found.export(file)} calls written to {file}", err=True)


@tape.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def import_tape(name: str, file: Path) -> None:
    """Put the calls of an exported FILE on the tape NAME."""
    from grn.llm.room import tapes_dir
    from grn.llm.tape import Tape

    click.echo(f"{Tape(tapes_dir(), name).add_file(file)} calls put on {name}", err=True)


def _prompt(request: Any) -> str:
    """Cut what was asked to a line."""
    messages = request.get("messages")
    if messages:
        texts = [part["text"] for part in messages[-1]["parts"] if "text" in part]
        words = " ".join(" ".join(texts).split())
    else:
        words = " ".join(str(request.get("query") or request.get("texts", [""])[0]).split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
