"""``grn maths``: derivations."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "check": LazyCommand("grn.cli.maths.check:check", "Check every step of a derivation"),
        "implement": LazyCommand("grn.cli.maths.implement:implement", "Write NumPy code from a derivation"),
        "read": LazyCommand("grn.cli.maths.read:read", "Show how a formula is read"),
    },
)
def maths() -> None:
    """Read derivations in LaTeX, check their steps, and write code from them."""
