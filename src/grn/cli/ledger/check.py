"""``grn ledger check``."""

from __future__ import annotations

import click

from grn.cli.ledger.opened import opened
from grn.cli.output import json_option, write_json
from grn.kit.errors import ExitCode


@click.command()
@json_option
def check(as_json: bool) -> ExitCode:
    """Look for rows that were changed or taken out, and for blobs that are missing.

    Each row is hashed together with the row before it. Exit code 1 when something does not fit. The hash at
    the head stands for everything written so far: keep it, and a later ledger that lacks it has forgotten
    something.
    """
    with opened() as book:
        if book is None:
            return ExitCode.DONE
        found = book.check()
    if as_json:
        write_json(
            {
                "whole": not found.faults,
                "rows": found.rows,
                "head": found.head,
                "faults": found.faults,
                "notes": found.notes,
            }
        )
    else:
        for fault in found.faults:
            click.echo(fault)
        if not found.faults:
            click.echo(f"whole: {found.rows:,} rows, head {found.head}")
        for note in found.notes:
            click.echo(f"note: {note}", err=True)
    return ExitCode.NO if found.faults else ExitCode.DONE
