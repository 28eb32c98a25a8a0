"""``grn llm later``: questions that can wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from grn.cli.llm.answer import notify, say
from grn.cli.llm.options import read_terms, terms_options
from grn.cli.output import json_option, write_json, write_json_lines, write_table

if TYPE_CHECKING:
    from grn.llm.later import Question

_SHOWN = 48  # letters of a question in a table


@click.command()
@click.argument("name", required=False)
@click.option("--send", "hand_in", is_flag=True, help="Hand in all that waits, a batch for each model.")
@click.option("--collect", is_flag=True, help="Fetch the answers of batches that have ended.")
@click.option("--drop", is_flag=True, help="Forget the question NAME.")
@terms_options
@json_option
def later(name: str | None, hand_in: bool, collect: bool, drop: bool, as_json: bool, **options: Any) -> int:
    """See, hand in and collect questions that can wait.

    With NAME, or the beginning of one: its answer. Without: all questions. They are kept on this disk by
    grn ask --later, handed in at the price of batches, answered within a day, and can be collected after a
    restart. One that was being handed in when the process died is "unsure": the provider may have it, and
    it is not sent again. --max-cost holds for each batch.
    """  # fmt: skip
    from grn.kit.errors import ExitCode, UsageError
    from grn.llm import later as room
    from grn.llm.room import later_dir, open_caller

    folder = later_dir()
    if drop:
        if name is None:
            raise UsageError("which question?", hint="grn llm later NAME --drop")
        notify(f"dropped {room.drop(folder, name).id}")
        return ExitCode.DONE
    if hand_in or collect:
        terms = read_terms(options)
        with open_caller(notify=notify) as caller:
            sent = room.send(caller, folder, terms, notify) if hand_in else 0
            done = room.collect(caller, folder) if collect else 0
        notify(f"{sent} handed in, {done} collected")
    if name is not None:
        return _show(room.find(folder, name), as_json=as_json)
    found = room.questions(folder)
    if as_json:
        write_json_lines(found)
    elif found:
        write_table(("NAME", "STATE", "MODEL", "COST", "QUESTION"), (_row(one) for one in found))
    else:
        notify("nothing waits: grn ask --later keeps questions")
    return ExitCode.DONE


def _show(found: Question, *, as_json: bool) -> int:
    from grn.kit.errors import ExitCode

    if as_json:
        write_json(found)
    elif found.text is not None:
        say(found.text)
    if found.text is None:
        notify(f"{found.id}: {found.state}{f', {found.reason}' if found.reason else ''}")
    elif found.reason != "end":
        notify(f"the answer ended by: {found.reason}")
    return ExitCode.DONE if found.text is not None else ExitCode.NO


def _row(one: Question) -> tuple[object, ...]:
    from grn.llm.money import usd_text

    asked = one.asked if len(one.asked) <= _SHOWN else f"{one.asked[: _SHOWN - 1]}…"
    return (one.id, one.state, one.model, None if one.cost_pusd is None else usd_text(one.cost_pusd), asked)
