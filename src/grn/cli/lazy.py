"""Command groups that know their commands by name and import one only when it is run."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyCommand(NamedTuple):
    """Where a command is, and its line in the group's help.

    Attributes
    ----------
    target
        ``"module:attribute"`` of the :class:`click.Command`.
    summary
        One line, an imperative without a full stop; the command's own help should begin with it.
    """

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group whose help and completion import none of its commands.

    ::

        @click.group(cls=LazyGroup, lazy={"sweep": LazyCommand("grn.cli.quant_sweep:sweep", "Run a grid")})
        def quant() -> None: ...

    Commands are listed in the order of the table, followed by any that were added the usual way.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, LazyCommand] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy: Mapping[str, LazyCommand] = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of all commands."""
        return [*self.lazy, *(name for name in super().list_commands(ctx) if name not in self.lazy)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return ``None`` when the group has none of that name."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.lazy[cmd_name].target} is no click command but {command!r}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name, or raise UsageError with the nearest names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"{ctx.command_path} --help lists them"
            raise UsageError(f"{ctx.command_path} has no such command", seen=name, hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and summaries, from the table where the command is in it."""
        rows = list(self._summaries(ctx))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete names of commands, from the table where they are in it, and options."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary)
            for name, summary in self._summaries(ctx)
            if name.startswith(incomplete)
        ]
        # Not click.Group's own: it would import each command to ask for its help.
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def _summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        for name in self.list_commands(ctx):
            if name in self.lazy:
                yield name, self.lazy[name].summary
            elif (command := super().get_command(ctx, name)) is not None and not command.hidden:
                yield name, command.get_short_help_str(limit=100)
