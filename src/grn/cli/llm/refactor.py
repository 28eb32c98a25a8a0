"""``grn llm refactor``: a change that passes a check, as a patch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("instruction")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--check", required=True, help='Command that has to succeed on the copy: "pytest -q".')
@click.option("-m", "--model", default="sonnet", show_default=True, help="Model to ask.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Tree that the check needs (default: the current folder).",
)
@click.option(
    "--attempts", type=click.IntRange(1, 5), default=1, show_default=True, help="How often it may try."
)
@click.option("--max-cost", help="Refuse if one attempt may cost more, in dollars.")
@click.option(
    "--project", envvar="GRN_PROJECT", default="", help="Tag in the book of calls (also: GRN_PROJECT)."
)
@click.option("--record", metavar="TAPE", help="Answer from this tape, else ask and record.")
@click.option("--replay", metavar="TAPE", help="Answer from this tape; ask nobody.")
def refactor(
    instruction: str, files: tuple[Path, ...], check: str, model: str, root: Path, **options: Any
) -> int:
    """Propose a change to FILES that passes a check.

    The model sees INSTRUCTION and FILES. Its edits are applied to a copy of the tree and the check runs
    there: code that a model has written runs on this machine. Passed: the change is on stdout as a patch,
    nothing is touched (`grn llm refactor … | git apply`). Failed: code 1, and what the check said is on
    stderr.
    """  # fmt: skip
    from grn.kit.errors import ExitCode, UsageError
    from grn.llm.calls import Mode, Terms
    from grn.llm.money import parse_usd
    from grn.llm.refactor import propose
    from grn.llm.room import open_caller

    if options["record"] and options["replay"]:
        raise UsageError("a call has one tape", seen="--record, --replay")
    mode: Mode = "record" if options["record"] else "replay" if options["replay"] else "live"
    limit = options["max_cost"]
    terms = Terms(options["project"], None if limit is None else parse_usd(limit))
    with open_caller(
        tape=options["record"] or options["replay"], mode=mode, notify=lambda text: click.echo(text, err=True)
    ) as caller:
        found = propose(
            caller,
            root,
            files,
            instruction,
            shlex.split(check),
            model=model,
            attempts=options["attempts"],
            terms=terms,
        )
    if not found.passed:
        click.echo(found.patch + found.said, err=True)
        click.echo("the check failed: nothing is proposed", err=True)
        return ExitCode.NO
    if not found.patch:
        click.echo("the check passes, and nothing was changed", err=True)
    click.echo(found.patch, nl=False)
    return ExitCode.DONE
