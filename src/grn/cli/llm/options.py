"""Options that every command shares which makes calls: on which terms, and from which tape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from grn.llm.calls import Mode, Terms

_Command = TypeVar("_Command", bound=Callable[..., object])

_SCHEMA_HINT = 'for example {"type": "object", "properties": {"year": {"type": "integer"}}}'
_TERMS = (
    click.option("--max-cost", help="Refuse if it may cost more, in dollars: 0.05."),
    click.option("--over-budget", is_flag=True, help="Let this once pass the month's budget."),
    click.option(
        "--private", is_flag=True, help="Only where prompts are not used for training, and keep no copy."
    ),
    click.option(
        "--project", envvar="GRN_PROJECT", default="", help="Tag in the book of calls (also: GRN_PROJECT)."
    ),
)
_TAPE = (
    click.option("--record", metavar="TAPE", help="Answer from this tape, else ask and record."),
    click.option(
        "--replay", metavar="TAPE", help="Answer from this tape; ask nobody (also: GRN_TAPE=replay:TAPE)."
    ),
    click.option("--refresh", metavar="TAPE", help="Ask anew and record over."),
)


def terms_options(command: _Command) -> _Command:
    """Give a command the options that :func:`read_terms` reads."""
    for option in reversed(_TERMS):
        command = option(command)
    return command


def tape_options(command: _Command) -> _Command:
    """Give a command the options that :func:`read_tape` reads."""
    for option in reversed(_TAPE):
        command = option(command)
    return command


def read_terms(options: Mapping[str, Any]) -> Terms:
    """Read the terms of a call.

    Raises
    ------
    UsageError
        ``--max-cost`` is no amount.
    """
    from grn.llm.calls import Terms
    from grn.llm.money import parse_usd

    limit = options["max_cost"]
    return Terms(
        project=options["project"],
        max_cost_pusd=None if limit is None else parse_usd(limit),
        over_budget=options["over_budget"],
        private=options["private"],
    )


def read_tape(options: Mapping[str, Any]) -> tuple[str | None, Mode]:
    """Read the tape and what to do with it; without an option, the environment says (``GRN_TAPE``).

    Raises
    ------
    UsageError
        More than one tape, or the variable is not of its form.
    """
    from grn.kit.errors import UsageError
    from grn.llm.room import tape_of_environment

    modes: tuple[Mode, ...] = ("record", "replay", "refresh")
    named = [(options[mode], mode) for mode in modes if options[mode] is not None]
    if len(named) > 1:
        seen = ", ".join(f"--{mode}" for _, mode in named)
        raise UsageError("a call has one tape", seen=seen, hint="one of --record, --replay, --refresh")
    return named[0] if named else tape_of_environment()


def read_tokens(text: str) -> int:
    """Read a number of tokens: ``8000``, or ``8k``.

    Raises
    ------
    UsageError
        It is none.
    """
    from grn.kit.errors import UsageError

    number = text.strip().lower()
    times = 1000 if number.endswith("k") else 1
    number = number.removesuffix("k")
    if not (number.isascii() and number.isdigit() and 0 < int(number) * times <= 10**8):
        raise UsageError("this is no number of tokens", seen=text, hint="for example 8000, or 8k")
    return int(number) * times


def read_schema(text: str | None) -> dict[str, Any] | None:
    """Read a JSON Schema: as it is, or a file with it.

    Raises
    ------
    UsageError
        It is none.
    """
    from grn.kit.errors import UsageError

    if text is None:
        return None
    try:
        given = text.lstrip().startswith(("{", "["))
        read = json.loads(text if given else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            "--json-schema is neither JSON nor a file with it", seen=str(error), hint=_SCHEMA_HINT
        ) from error
    if not isinstance(read, dict):
        raise UsageError("a JSON Schema is an object", seen=text, hint=_SCHEMA_HINT)
    return read
