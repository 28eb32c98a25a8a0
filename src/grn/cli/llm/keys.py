"""``grn llm keys``: where keys come from. Never an argument, never shown."""

from __future__ import annotations

import sys

import click

from grn.cli.lazy import LazyGroup
from grn.cli.output import json_option, write_json_lines, write_table

_PROVIDERS = ("anthropic", "google", "voyage")


@click.group(cls=LazyGroup, invoke_without_command=True)
@json_option
@click.pass_context
def keys(ctx: click.Context, as_json: bool) -> None:
    """Show which keys are there, never the keys.

    A key is looked for in the environment, then in the system's keyring. With --json one object per line.
    """
    if ctx.invoked_subcommand is not None:
        return
    from grn.llm.keys import VARIABLES, find_key

    found = [(provider, find_key(provider)) for provider in _PROVIDERS]
    if as_json:
        write_json_lines({"provider": p, "source": None if key is None else key.source} for p, key in found)
        return
    write_table(
        ("PROVIDER", "KEY", "FROM"),
        (
            (
                provider,
                "missing" if key is None else "there",
                f"set {' or '.join(VARIABLES[provider])}" if key is None else key.source,
            )
            for provider, key in found
        ),
    )


@keys.command("set")
@click.argument("provider", type=click.Choice(_PROVIDERS), metavar="PROVIDER")
def set_key(provider: str) -> None:
    """Put the key of PROVIDER into the system's keyring; it is asked for, or read from a pipe.

    PROVIDER is anthropic, google or voyage.
    """
    from grn.llm.keys import store_key

    asked = sys.stdin.isatty()
    store_key(provider, click.prompt("key", hide_input=True, err=True) if asked else sys.stdin.readline())


@keys.command()
@click.argument("provider", type=click.Choice(_PROVIDERS), metavar="PROVIDER")
def forget(provider: str) -> None:
    """Take the key of PROVIDER out of the system's keyring: anthropic, google or voyage."""
    from grn.llm.keys import forget_key

    forget_key(provider)
