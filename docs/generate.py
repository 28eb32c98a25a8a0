"""Write the reference pages that are made from the code.

``python docs/generate.py`` writes those that changed; with ``--check`` it writes nothing, names those that
are stale, and exits with 1.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

REFERENCE: Final = Path(__file__).parent / "reference"
WIDTH: Final = 100
_NOTE: Final = "<!-- Made by docs/generate.py: change the code and run `make fix`. -->\n"


def cli_page() -> str:
    """Return the page on commands: the help of each, as the terminal shows it."""
    parts = ["# Command line\n", _NOTE, _CLI_HEAD]
    for ctx in commands():
        parts += [f"## `{ctx.command_path}`\n", f"```text\n{ctx.get_help().rstrip()}\n```\n"]
    return "\n".join(parts)


_CLI_HEAD = """\
stdout carries data, stderr everything else; `--json` prints data for programs. A message begins with `error:`
and ends with a `hint:`. What exit codes mean is told on [a page of its own](errors.md).
"""


def commands() -> Iterator[click.Context]:
    """Yield a context for `grn` and each of its commands, parents first, hidden ones left out."""
    from grn.cli.main import root

    def walk(command: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
        ctx = click.Context(
            command,
            info_name=name,
            parent=parent,
            terminal_width=WIDTH,
            max_content_width=WIDTH,
            help_option_names=["-h", "--help"],
        )
        yield ctx
        if isinstance(command, click.Group):
            for child_name in command.list_commands(ctx):
                child = command.get_command(ctx, child_name)
                if child is not None and not child.hidden:
                    yield from walk(child, child_name, ctx)

    return walk(root, "grn", None)


def errors_page() -> str:
    """Return the page on exit codes and errors, from the docstrings of the enumeration and the classes."""
    from grn.kit.errors import ExitCode, GrnError

    lines = ["# Exit codes and errors\n", _NOTE, "## Exit codes\n", "| Code | Name | When |", "|---|---|---|"]
    lines += [f"| {code.value} | `{code.name}` | {code.__doc__} |" for code in ExitCode]
    lines += ["\n## Errors\n", _ERRORS_HEAD]

    def walk(kind: type[GrnError]) -> Iterator[type[GrnError]]:
        yield kind
        for child in kind.__subclasses__():
            if child.__module__ == "grn.kit.errors":
                yield from walk(child)

    for kind in walk(GrnError):
        lines += [f"### {kind.__name__}\n", f"Exit code {int(kind.exit_code)}. {prose(kind)}\n"]
    return "\n".join(lines)


_ERRORS_HEAD = """\
Whatever `grn` raises on purpose is a `GrnError`: what is wrong, the value that was seen, and what to do next.
Anything else is a bug; `grn --debug` shows its traceback.
"""


def prose(documented: object) -> str:
    """Return a docstring as Markdown, without its sections on parameters: summary, text, example and fix."""
    kept, in_section = [], False
    for block in (inspect.getdoc(documented) or "").split("\n\n"):
        in_section = bool(re.match(r"\w+\n---", block)) or (in_section and not block.startswith("Example:"))
        if not in_section:
            kept.append(block)
    text = re.sub(r":\w+:`~?([\w.]+)`", lambda role: f"`{role[1].rpartition('.')[2]}`", "\n\n".join(kept))
    text = text.replace("``", "`").replace("\nFix:", "\n\nFix:")
    return re.sub(r"^(Example|Fix):", r"**\1:**", text, flags=re.MULTILINE)


def indicators_page() -> str:
    """Return the page on indicators, from their registry."""
    from grn.quant.indicators.page import render

    title, _, rest = render().partition("\n")
    return f"{title}\n\n{_NOTE}{rest}"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "indicators.md": indicators_page,
}


def stale() -> dict[str, str]:
    """Return the new text of each page whose file says something else."""
    now = {name: make().rstrip() + "\n" for name, make in PAGES.items()}
    return {name: text for name, text in now.items() if _read(REFERENCE / name) != text}


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(argv: list[str]) -> int:
    """Write or check the pages; the exit status is 1 when a check found one stale."""
    pages = stale()
    for name, text in pages.items():
        print(f"{name} {'is stale: run make fix' if '--check' in argv else 'written'}", file=sys.stderr)
        if "--check" not in argv:
            (REFERENCE / name).write_text(text, encoding="utf-8")
    return 1 if pages and "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
