"""``grn maths``: derivations."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "check": LazyCommand("grn.cli.maths.check:check", "Check every step of a derivation"),
        "implement": LazyCommand("grn.cli.maths.implement:implement", "Write NumPy code from a derivation"),
        "tests": LazyCommand("grn.cli.maths.tests:tests", "Keep proposed tests that catch something new"),
        "trace": LazyCommand("grn.cli.maths.trace:trace", "Show step, code and tests as a chain"),
        "read": LazyCommand("grn.cli.maths.read:read", "Show how a formula is read"),
    },
)
def maths() -> None:
    """Read derivations in LaTeX, check their steps, write code from them and tests for it."""
