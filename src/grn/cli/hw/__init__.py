"""``grn hw``: the machine."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "show": LazyCommand("grn.cli.hw.show:show", "Show what this machine has"),
        "pin": LazyCommand("grn.cli.hw.pin:pin", "Run COMMAND on the fast cores, with a limit on its memory"),
        "lease": LazyCommand(
            "grn.cli.hw.lease:lease", "Run COMMAND with a part of a card's memory to itself"
        ),
    },
)
def hw() -> None:
    """Know the machine, and run commands on the part of it that suits them."""
