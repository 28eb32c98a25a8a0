"""``grn maths document MODULE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.options import read_tape, read_terms, tape_options, terms_options
from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode, MissingError, UsageError

if TYPE_CHECKING:
    from grn.maths.document.proposals import Proposal
    from grn.maths.implement.results import Derivation


@click.command()
@click.argument("module", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Write another file; MODULE stays as it is."
)
@click.option(
    "--document", type=click.Path(path_type=Path), help="The derivation, if it is not where it was."
)
@click.option(
    "--proposals",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Recorded docstrings, JSON; repeatable.",
)
@click.option("-m", "--model", help="Ask this model for docstrings.")
@click.option("--only-proposals", is_flag=True, help="None from the derivation.")
@terms_options
@tape_options
@json_option
def document(
    module: Path,
    out: Path | None,
    document: Path | None,
    proposals: tuple[Path, ...],
    model: str | None,
    only_proposals: bool,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Propose docstrings of a module and insert those that hold.

    They come from files, from a model, and from the derivation that the module was written from; of several
    for one name the first that holds is kept. Each has to name the parameters, results and exceptions of the
    code, its examples have to pass (in a sandbox), Sphinx has to build it without a warning, and an equation
    that it displays has to be a proved or assumed step. The code does not change. Exit code 1 when a public
    name is left without a docstring, or one that was there does not hold.
    """
    from grn.kit.errors import require_extra
    from grn.kit.progress import Progress
    from grn.maths.document.files import receipts_of, write_files
    from grn.maths.document.judge import judge, undocumented
    from grn.maths.document.steps import Steps

    for name in ("libcst", "pydoclint", "sphinx"):
        require_extra(name, "document")
    if module.suffix != ".py" or not module.stem.isidentifier():
        raise UsageError("a module of Python is needed", seen=str(module))
    if not module.is_file():
        raise MissingError("there is no such file", seen=str(module))
    asked, derivation = _proposals(module, document, proposals, model, only_proposals, options)
    steps = Steps(module.stem, derivation)
    with Progress("judging", len(asked), unit="docstrings") as progress:
        made = judge(module, asked, steps, seen=lambda _: progress.advance())
    written = write_files(made, module, out or module, steps)
    bare = undocumented(made.source)
    if as_json:
        write_json({**receipts_of(made, out or module), "undocumented": bare})
    else:
        rows = [
            (r.name or module.stem, r.source, "kept" if r.accepted else "-",
             ", ".join(map(str, r.steps)), r.reason)
            for r in made.receipts
        ]  # fmt: skip
        if rows:
            write_table(("name", "from", "", "steps", "because"), rows)
    for name, why in made.found.items():
        click.echo(f"the docstring of {name or module.stem} does not hold: {why}", file=sys.stderr)
    if bare:
        listed = ", ".join(name or module.stem for name in bare)
        click.echo(f"without a docstring: {listed}", file=sys.stderr)
    wrote = ", ".join(map(str, written))
    click.echo(f"kept {len(made.kept)} of {len(made.receipts)}; wrote {wrote}", file=sys.stderr)
    return ExitCode.NO if bare or made.found else ExitCode.DONE


def _proposals(
    module: Path,
    document: Path | None,
    files: tuple[Path, ...],
    model: str | None,
    only_proposals: bool,
    options: dict[str, Any],
) -> tuple[list[Proposal], Derivation | None]:
    """All proposals, recorded ones first, and the derivation where there is one."""
    from grn.maths.document.proposals import from_derivation, load_docstrings
    from grn.maths.implement.module import trace_path
    from grn.maths.trace import read_trace

    found = [one for path in files for one in load_docstrings(path)]
    derivation = None
    trace: dict[str, Any] = {}
    if document is not None or trace_path(module).exists():
        trace = read_trace(module)
        derivation = find_derivation(module, document, trace)
    elif not files and model is None:
        hint = "--proposals FILE, --model NAME, or a module that grn maths implement wrote"
        raise UsageError("nobody proposes a docstring", seen=str(module), hint=hint)
    if model is not None:
        found += _asked(module, model, derivation, options)
    if derivation is not None and not only_proposals:
        found += from_derivation(module.read_bytes(), trace, derivation)
    return found, derivation


def find_derivation(module: Path, document: Path | None, trace: dict[str, Any]) -> Derivation:
    """The derivation that a module was written from.

    Raises
    ------
    UsageError
        It has changed since, or a step is refuted.
    """
    from grn.cli.maths.checking import read_checked
    from grn.kit.files import sha256_hex

    place = document or module.parent / trace["document"]
    derivation = read_checked(place)
    if sha256_hex(place.read_bytes()) != trace["document_sha256"]:
        hint = f"grn maths implement {place} -o {module}"
        raise UsageError(
            "the derivation has changed since the module was written", seen=str(place), hint=hint
        )
    return derivation


def _asked(
    module: Path, model: str, derivation: Derivation | None, options: dict[str, Any]
) -> list[Proposal]:
    """Docstrings of a model; its answer is proposals like any other."""
    from grn.cli.llm.answer import notify
    from grn.llm.calls import answer_text
    from grn.llm.request import Message, Request, Text
    from grn.llm.room import open_caller
    from grn.maths.document.proposals import SCHEMA, question, read_answer

    tape, mode = read_tape(options)
    words = Message("user", (Text(question(module.read_text(encoding="utf-8"), derivation)),))
    ask = Request(model, (words,), max_tokens=16_000, schema=SCHEMA)
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        return read_answer(answer_text(list(caller.stream(ask, read_terms(options)))), model)
