"""``grn llm refactor``: a change that passes a check, as a patch."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import click

from grn.cli.llm.answer import notify
from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options


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
@terms_options
@tape_options
def refactor(
    instruction: str, files: tuple[Path, ...], check: str, model: str, root: Path, **options: Any
) -> int:
    """Propose a change to FILES that passes a check.

    The model sees INSTRUCTION and FILES. Its edits are applied to a copy of the tree and the check runs
    there: code that a model has written runs on this machine. Passed: the change is on stdout as a patch,
    nothing is touched (`grn llm refactor … | git apply`). Failed: code 1, and what the check said is on
    stderr. --max-cost holds for each attempt.
    """  # fmt: skip
    from grn.kit.errors import ExitCode
    from grn.llm.refactor import propose
    from grn.llm.room import open_caller

    tape, mode = read_tape(options)
    terms, command = read_terms(options), _command(check, root)
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        found = propose(
            caller,
            root,
            files,
            instruction,
            command,
            model=model,
            attempts=options["attempts"],
            terms=terms,
        )
    if not found.passed:
        click.echo(found.patch + found.said, err=True)
        failed = "the check failed" if found.patch else "no change passed the check"
        click.echo(f"{failed}: nothing is proposed", err=True)
        return ExitCode.NO
    if not found.patch:
        click.echo("the check passes, and nothing was changed", err=True)
    click.echo(found.patch, nl=False)
    return ExitCode.DONE


def _command(check: str, root: Path) -> list[str]:
    """Cut a check into words, and see that there is such a program before a model is paid."""
    from grn.kit.errors import UsageError

    try:
        command = shlex.split(check)
    except ValueError as error:
        raise UsageError("--check is no command", seen=check, hint=str(error)) from error
    if not command:
        raise UsageError("--check is no command", seen=check, hint='--check "pytest -q"')
    program = command[0]
    there = (root / program).is_file() if "/" in program else shutil.which(program) is not None
    if not there:
        raise UsageError("the check cannot be run: there is no such program", seen=program)
    return command
