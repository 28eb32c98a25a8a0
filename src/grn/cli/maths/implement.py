"""``grn maths implement DOCUMENT``."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table


@click.command()
@click.argument("document", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The module to write.")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="RESULT[=NAME]",
    help="Only this result; repeatable. Default: all.",
)
@json_option
def implement(document: Path, out: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Write typed NumPy functions for the named results of a derivation.

    Beside the module: tests of its properties, a picture of its errors, and a trace from each function to its
    step. A form that cancels is replaced by one that is proved equal and measured to lose less.
    """
    from grn.cli.maths.checking import read_checked
    from grn.kit.errors import UsageError
    from grn.kit.progress import Progress
    from grn.maths.implement.build import implement as build
    from grn.maths.implement.files import write_files
    from grn.maths.implement.module import units
    from grn.maths.implement.results import identifier

    if out.suffix != ".py" or not out.stem.isidentifier():
        raise UsageError("a module of Python is needed", seen=str(out), hint="-o black_scholes.py")
    chosen = {key: name or identifier(key) for key, _, name in (text.partition("=") for text in names)}
    for name in chosen.values():
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError("this is no name of Python", seen=name, hint="--name C=call_price")
    derivation = read_checked(document)
    with Progress("writing", None, unit="functions") as progress:
        made = build(derivation, chosen or None, seen=lambda _: progress.advance())
    written = write_files(made, out)
    if as_json:
        functions = [
            {
                "name": f.name,
                "step": f.form.step.number,
                "rewritten": f.rules,
                "error_units": units(f.error),
                "error_units_as_written": units(f.naive_error),
            }
            for f in made.functions
        ]
        skipped = [{"name": key, "why": why} for key, why in made.skipped]
        write_json({"files": [str(path) for path in written], "functions": functions, "skipped": skipped})
    else:
        rows = [
            (
                f.name,
                f.form.step.number,
                f"{f.error:.2g}",
                f"{f.naive_error:.2g}",
                "; ".join(f.rules) or "as written",
            )
            for f in made.functions
        ]
        write_table(("function", "step", "error", "as written", "form"), rows)
    for function in made.functions:
        if function.lost:
            told = f"{function.name} loses half of its digits or more in a part of its domain"
            click.echo(f"{told}: declare a narrower one, or write it another way", file=sys.stderr)
    for key, why in made.skipped:
        click.echo(f"no code for {key}: {why}", file=sys.stderr)
    click.echo("wrote " + ", ".join(map(str, written)), file=sys.stderr)
