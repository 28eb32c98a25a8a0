"""``grn maths trace MODULE``."""

from __future__ import annotations

from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode


@click.command()
@click.argument("module", type=click.Path(path_type=Path))
@click.option(
    "--film", "films", multiple=True, type=click.Path(path_type=Path), help="Name its scenes too; repeatable."
)
@json_option
def trace(module: Path, films: tuple[Path, ...], as_json: bool) -> ExitCode:
    """Show the chain of each function: its step, its code, the tests that kill its mutants.

    Behind them stand who proposed its docstring, and the panels of films that show its step. Exit code 1
    when a chain has a gap: a function that no test holds.
    """
    from grn.maths.trace import chain

    links = chain(module, films)
    if as_json:
        write_json({"module": str(module), "chains": links})
    else:
        rows = [
            (
                link.step,
                link.verdict,
                link.function,
                "; ".join(link.rewritten) or "as written",
                f"{link.killed}/{link.mutants}",
                ", ".join(f"{name} ({count})" for name, count in link.tests.items()) or "none",
                link.docstring or "-",
                ", ".join(link.scenes) or "-",
            )
            for link in links
        ]
        write_table(("step", "verdict", "function", "form", "killed", "by", "docstring", "scene"), rows)
    return ExitCode.DONE if all(link.whole for link in links) else ExitCode.NO
