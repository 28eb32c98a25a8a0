"""``grn ledger merge OTHER``."""

from __future__ import annotations

from pathlib import Path

import click

from grn.kit.errors import UsageError
from grn.kit.paths import ledger_dir


@click.command()
@click.argument("other", type=click.Path(path_type=Path))
def merge(other: Path) -> None:
    """Add what the ledger of another machine has.

    OTHER is its folder, or the home that it lies in. Runs, trials, hold-outs, openings and blobs that are
    not here are added; doing it twice adds nothing, and the counts are the same whichever ledger was merged
    into which. A run that says different things in both is refused, and nothing is merged.
    """
    from grn.ledger import Ledger

    found = next((folder for folder in (other, other / "ledger") if Ledger.exists(folder)), None)
    if found is None:
        raise UsageError("there is no ledger", seen=str(other), hint="name the folder with ledger.sqlite3")
    with Ledger.open(ledger_dir()) as book, Ledger.open(found) as theirs:
        added = book.merge(theirs)
    click.echo(
        f"added {added.runs:,} run(s), {added.trials:,} row(s) of trials, {added.openings:,} opening(s), "
        f"{added.blobs:,} blob(s)",
        err=True,
    )
