"""``grn maths read LATEX``."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_json
from grn.kit.errors import ExitCode


@click.command()
@click.argument("latex")
@click.option("--given", multiple=True, metavar="LATEX", help="What was said before; repeatable.")
@json_option
def read(latex: str, given: tuple[str, ...], as_json: bool) -> ExitCode:
    """Show how a formula is read, every grouping visible.

    Exit code 1 when it can be read in two ways or not at all; the place is marked.
    """
    from grn.maths.plain import print_statement
    from grn.maths.reader.grammar import read_line
    from grn.maths.reader.tokens import UnparsedError
    from grn.maths.reader.words import declare
    from grn.maths.symbols import Symbols

    symbols = Symbols()
    for text in given:
        declare(text, symbols)
    try:
        printed = print_statement(read_line(latex, symbols))
    except UnparsedError as error:
        if as_json:
            told = {
                "read": None,
                "what": error.what,
                "hint": error.hint,
                "start": error.start,
                "end": error.end,
            }
            write_json(told)
        else:
            click.echo(latex.replace("\n", " "))
            click.echo(" " * error.start + "^" * (error.end - error.start) + f" unparsed: {error.what}")
            if error.hint:
                click.echo(error.hint)
        return ExitCode.NO
    if as_json:
        write_json({"read": printed})
    else:
        click.echo(printed)
    return ExitCode.DONE
