"""``grn llm local``: models that stay loaded on this machine."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyGroup
from grn.cli.output import json_option, write_json, write_table

_MIB = 1 << 20


@click.group(cls=LazyGroup)
def local() -> None:
    """See and end models that stay loaded on this machine.

    The first call of a local model leaves it loaded, in a process of its own, for five minutes after its
    last answer (GRN_LOCAL_IDLE_S=600 for ten; 0 loads it into each command).
    """


@local.command()
@json_option
def status(as_json: bool) -> None:
    """List loaded models: threads, answers given, memory, seconds until they end by themselves."""
    from grn.llm.local.resident import list_residents

    found = list_residents()
    if as_json:
        write_json(found)
        return
    if not found:
        click.echo("no model is loaded", err=True)
        return
    write_table(
        ("MODEL", "PID", "STATE", "THREADS", "ANSWERS", "MIB", "ENDS IN"),
        (
            (
                str(row["path"]).rpartition("/")[2],
                str(row.get("pid", "-")),
                row["state"],
                row.get("threads"),
                row.get("answers"),
                None if row.get("memory_bytes") is None else row["memory_bytes"] // _MIB,
                None if row.get("ends_in_s") is None else f"{row['ends_in_s']:.0f} s",
            )
            for row in found
        ),
    )


@local.command()
def stop() -> None:
    """End every loaded model at once, in the middle of an answer too."""
    from grn.llm.local.resident import stop_residents

    stopped = stop_residents()
    click.echo(f"ended: {stopped}" if stopped else "no model was loaded", err=True)
