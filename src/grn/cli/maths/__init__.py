"""``grn maths``: derivations."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "check": LazyCommand("grn.cli.maths.check:check", "Check every step of a derivation"),
        "implement": LazyCommand(
            "grn.cli.maths.implement:implement",
            "Write typed NumPy functions for the named results of a derivation",
        ),
        "tests": LazyCommand(
            "grn.cli.maths.tests:tests", "Propose tests of a module and keep those that pass the gate"
        ),
        "document": LazyCommand(
            "grn.cli.maths.document:document", "Propose docstrings of a module and insert those that hold"
        ),
        "verify": LazyCommand("grn.cli.maths.verify:verify", "Verify the contracts of a module"),
        "film": LazyCommand("grn.cli.maths.film:film", "Render a film of a derivation from a storyboard"),
        "trace": LazyCommand("grn.cli.maths.trace:trace", "Show the chain of each function"),
        "read": LazyCommand("grn.cli.maths.read:read", "Show how a formula is read"),
    },
)
def maths() -> None:
    """Read derivations in LaTeX, and check their steps; write code from them, and tests of it."""
