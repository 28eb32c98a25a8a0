"""The ledger that commands look into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from grn.kit.paths import ledger_dir

if TYPE_CHECKING:
    from grn.ledger import Ledger


@contextmanager
def opened() -> Iterator[Ledger | None]:
    """Open the ledger, or give ``None`` where there is none yet: looking must not create one."""
    from grn.ledger import Ledger

    folder = ledger_dir()
    if not Ledger.exists(folder):
        click.echo(f"no runs yet: there is no ledger in {folder}", err=True)
        yield None
        return
    with Ledger.open(folder) as book:
        yield book
