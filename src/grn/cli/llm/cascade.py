"""``grn llm cascade``: the cheapest model whose answer passes a check."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify, say
from grn.cli.llm.options import read_schema, read_tape, read_terms, tape_options, terms_options
from grn.cli.llm.stdin import read_piped_parts
from grn.cli.output import json_option, write_facts, write_json

if TYPE_CHECKING:
    from grn.llm.cascade import Cascade
    from grn.llm.checks import Check
    from grn.llm.request import Request


@click.command()
@click.argument("words", nargs=-1)
@click.option(
    "--models", default="haiku,sonnet,opus", show_default=True, help="In this order, cheapest first."
)
@click.option("--check", "command", help="Command that gets the answer on its stdin and has to succeed.")
@click.option(
    "--json-schema", "schema_text", help="JSON Schema that the answer has to follow, or a file with it."
)
@click.option("--into", metavar="FILE", help="Run --check in a copy of --root in which FILE is the answer.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Tree that --into means (default: the current folder).",
)
@click.option("-s", "--system", help="System prompt.")
@click.option(
    "-a",
    "--attach",
    "attachments",
    multiple=True,
    type=click.Path(path_type=Path),
    help="File or folder to send along: text, PDF, picture.",
)
@click.option(
    "--max-tokens", type=click.IntRange(min=1), default=4096, show_default=True, help="Bound on an answer."
)
@click.option("--sum", "add_up", is_flag=True, help="Add up all cascades so far; ask nothing.")
@terms_options
@tape_options
@json_option
def cascade(words: tuple[str, ...], add_up: bool, as_json: bool, **options: Any) -> int:
    """Ask the cheapest model first, and the next one only when a check fails.

    The prompt is what is piped in, then the attachments, then WORDS. The answer that passed is on stdout; on
    stderr is which model gave it, and what it cost against asking the last one at once. Code 1 when no answer
    passed. --max-cost holds for all steps together. With --into, code that a model has written runs here.

    \b
    grn llm cascade "the date of: 3rd of May, 2019" --check 'grep -Eqx "[0-9]{4}-[0-9]{2}-[0-9]{2}"'
    grn llm cascade "write add(a, b)" --into add.py --check "python -m pytest -q"
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.clock import SystemClock
    from grn.kit.errors import ExitCode
    from grn.llm.cascade import climb, note
    from grn.llm.room import llm_dir, open_caller

    record = llm_dir() / "cascades.jsonl"
    if add_up:
        _write_sum(record, as_json=as_json)
        return ExitCode.DONE
    tape, mode = read_tape(options)
    terms, check = read_terms(options), _check(options)
    ask = _request(words, options)
    models = [name.strip() for name in options["models"].split(",") if name.strip()]
    with open_caller(tape=tape, mode=mode, notify=notify) as caller:
        found = climb(caller, ask, models, check, terms)
        if caller.mode != "replay":
            note(record, found, terms.project, SystemClock().now_ns())
    _write(found, as_json=as_json)
    return ExitCode.DONE if found.passed else ExitCode.NO


def _write(found: Cascade, *, as_json: bool) -> None:
    from grn.llm.money import usd_text

    if as_json:
        said = [step.said for step in found.steps]
        plain = found.plain()
        steps = [{**step, "said": words} for step, words in zip(plain["steps"], said, strict=True)]
        write_json({**plain, "steps": steps, "text": found.answer})
        return
    for step in found.steps:
        why = f": {step.said.strip()}" if step.said.strip() and not step.passed else ""
        cut = ", cut: --max-tokens allows more" if step.reason == "length" else ""
        notify(f"{step.model}: {'passed' if step.passed else 'failed'}, {usd_text(step.cost_pusd)}{cut}{why}")
    last = found.steps[-1].model if found.alone_known else "the last model"
    about = "" if found.alone_known else "about "
    notify(f"{usd_text(found.cost_pusd)} in all; {last} alone: {about}{usd_text(found.alone_pusd)}")
    if found.passed:
        say(found.answer)
    else:
        click.echo(found.answer, err=True)
        notify("no answer passed the check")


def _write_sum(record: Path, *, as_json: bool) -> None:
    from collections import Counter

    from grn.llm.cascade import noted
    from grn.llm.money import usd_text

    every = list(noted(record))
    answered = Counter(one["answered"] or "none" for one in every)
    cost, alone = (sum(one[name] for one in every) for name in ("cost_pusd", "alone_pusd"))
    if as_json:
        write_json(
            {
                "cascades": len(every),
                "answered": dict(sorted(answered.items())),
                "cost_pusd": cost,
                "alone_pusd": alone,
            }
        )
        return
    facts: list[tuple[str, object]] = [("cascades", len(every))]
    facts += [(f"answered by {name}", times) for name, times in sorted(answered.items())]
    facts += [("cost", usd_text(cost)), ("last model alone", f"about {usd_text(alone)}")]
    write_facts(facts)


def _request(words: tuple[str, ...], options: dict[str, Any]) -> Request:
    from grn.kit.errors import UsageError
    from grn.llm.attach import attach
    from grn.llm.request import Message, Part, Request, Text

    parts: list[Part] = read_piped_parts()
    for path in options["attachments"]:
        parts += attach(path)
    if words:
        parts.append(Text(" ".join(words)))
    if not parts:
        raise UsageError("there is nothing to ask", hint='grn llm cascade "…", or pipe a text in')
    return Request(
        model="",
        messages=(Message("user", tuple(parts)),),
        system=options["system"],
        max_tokens=options["max_tokens"],
        schema=read_schema(options["schema_text"]),
    )


def _check(options: dict[str, Any]) -> Check:
    """Read what an answer has to pass, and see that it can be run before a model is paid."""
    from grn.kit.errors import UsageError
    from grn.llm.checks import all_of, by_command, by_schema, by_suite

    schema, command, into = read_schema(options["schema_text"]), options["command"], options["into"]
    checks: list[Check] = [] if schema is None else [by_schema(schema)]
    if command is not None:
        program = _program(command, options["root"] if into else Path())
        checks.append(by_suite(program, options["root"], into) if into else by_command(program))
    elif into is not None:
        raise UsageError("--into needs a command to run there", hint='--check "python -m pytest -q"')
    if not checks:
        raise UsageError(
            "a cascade needs a check: else the first answer is as good as any",
            hint="--check COMMAND, or --json-schema; without one: grn ask -m haiku",
        )
    return all_of(checks)


def _program(command: str, root: Path) -> list[str]:
    from grn.kit.errors import UsageError

    try:
        cut = shlex.split(command)
    except ValueError as error:
        raise UsageError("--check is no command", seen=command, hint=str(error)) from error
    if not cut:
        raise UsageError("--check is no command", seen=command, hint='--check "pytest -q"')
    there = (root / cut[0]).is_file() if "/" in cut[0] else shutil.which(cut[0]) is not None
    if not there:
        raise UsageError("the check cannot be run: there is no such program", seen=cut[0])
    return cut
