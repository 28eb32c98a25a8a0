"""``grn ledger erase RUN``."""

from __future__ import annotations

import getpass

import click

from grn.cli.ledger.opened import opened
from grn.kit.errors import UsageError


@click.command()
@click.argument("run")
@click.option("--why", required=True, help="The reason, kept for ever.")
@click.option("--who", help="Who erases (default: the user of this process).")
def erase(run: str, why: str, who: str | None) -> None:
    """Remove the bulk of a run, and record that.

    Its market data, settings and kept returns go, as long as no other run uses them. The run stays in the
    ledger, and its trials count as before. It cannot be replayed any more.
    """
    with opened() as book:
        if book is None:
            raise UsageError("no run of that name", seen=run, hint="the ledger is empty")
        done = book.erase(run, who=who or getpass.getuser(), why=why)
    click.echo(f"{done.run}: {len(done.blobs)} blob(s) removed, its trials count as before", err=True)
    if done.kept:
        click.echo(f"{len(done.kept)} blob(s) are kept: other runs use them", err=True)
