"""``grn ledger``: what was run, what it tried, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from grn.cli.lazy import LazyCommand, LazyGroup
from grn.cli.ledger.opened import opened
from grn.cli.output import cell, json_option, write_facts, write_json, write_json_lines, write_table
from grn.kit.clock import utc_text
from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.ledger import Invocation

_SHORT = 12  # hex digits of a hash in a table
_UNFINISHED = "unfinished"


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    lazy={
        "trials": LazyCommand(
            "grn.cli.ledger.trials:trials", "Count the different trials ever made, per market"
        ),
        "check": LazyCommand("grn.cli.ledger.check:check", "Look for rows that were changed or taken out"),
        "table": LazyCommand("grn.cli.ledger.table:table", "Write the results of a run as a table"),
        "erase": LazyCommand("grn.cli.ledger.erase:erase", "Remove the bulk of a run, and record that"),
        "merge": LazyCommand("grn.cli.ledger.merge:merge", "Add what the ledger of another machine has"),
    },
)
@json_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest runs to list."
)
@click.option("--all", "everything", is_flag=True, help="List every run.")
@click.pass_context
def ledger(ctx: click.Context, as_json: bool, limit: int, everything: bool) -> None:
    """Look up what was run and what it tried.

    Without a command: the newest runs first. A run without an outcome was killed, or is still running.
    With --json one object per line.
    """
    if ctx.invoked_subcommand is not None:
        return
    with opened() as book:
        runs = book.invocations(None if everything else limit) if book else []
    if as_json:
        write_json_lines(_as_json(run) for run in runs)
    elif runs:
        write_table(("RUN", "BEGAN", "COMMAND", "TRIALS", "EXIT", "RESULT"), (_summary(run) for run in runs))


@ledger.command()
@click.argument("run")
@json_option
def show(run: str, as_json: bool) -> None:
    """Show one run: inputs, hashes, versions, timings, trials, outcome.

    RUN is its id or the beginning of it, as long as only one run begins like that.
    """
    with opened() as book:
        if book is None:
            raise UsageError("no run of that name", seen=run, hint="the ledger is empty")
        found = book.show(run)
        erased = book.erasure(found.run)
    if as_json:
        write_json(_as_json(found))
        return
    write_facts(_facts(found))
    if erased is not None:
        write_facts([("erased", f"{utc_text(erased.erased_ns)} by {erased.who}: {erased.why}")])
    if found.trials:
        click.echo()
        write_table(
            ("TRIALS", "DATA", "STRATEGY", "BLOB", "WATERMARK"),
            (
                (row.n, row.data_id[:_SHORT], row.strategy_key[:_SHORT], row.blob[:_SHORT], row.watermark)
                for row in found.trials
            ),
        )


def _summary(run: Invocation) -> tuple[object, ...]:
    end = run.outcome
    result = end.result_key[:_SHORT] if end and end.result_key else None
    return (
        run.run,
        utc_text(run.began_ns),
        run.command,
        run.n_trials,
        _UNFINISHED if end is None else str(end.exit_code),
        result,
    )


def _facts(run: Invocation) -> Iterator[tuple[str, object]]:
    yield "run", run.run
    yield "command", run.command
    yield "began", utc_text(run.began_ns)
    end = run.outcome
    if end is None:
        yield "outcome", f"{_UNFINISHED}: killed, or still running"
    else:
        yield "finished", utc_text(end.finished_ns)
        yield "exit code", end.exit_code
        yield "result key", end.result_key
        yield "watermark", None if end.watermark is None else str(end.watermark)
    yield "inputs sha256", run.inputs_sha256
    yield from ((f"input {name}", _text(value)) for name, value in run.inputs.items())
    yield from ((f"version {name}", value) for name, value in run.versions.items())
    if end is not None:
        yield from ((f"seconds {phase}", seconds) for phase, seconds in end.timings_s.items())
        yield from ((f"output {name}", _text(value)) for name, value in end.outputs.items())


def _text(value: object) -> str:
    import json

    return cell(value) if value is None or isinstance(value, str | float) else json.dumps(value)


def _as_json(run: Invocation) -> dict[str, object]:
    """Stable fields: they are promised, so they are spelled out and do not follow the record's."""
    end = run.outcome
    return {
        "run": run.run,
        "began_ns": run.began_ns,
        "command": run.command,
        "inputs": run.inputs,
        "inputs_sha256": run.inputs_sha256,
        "versions": run.versions,
        "trials": [
            {
                "watermark": row.watermark,
                "recorded_ns": row.recorded_ns,
                "data_id": row.data_id,
                "strategy_key": row.strategy_key,
                "n": row.n,
                "blob": row.blob,
            }
            for row in run.trials
        ],
        "outcome": None
        if end is None
        else {
            "finished_ns": end.finished_ns,
            "exit_code": end.exit_code,
            "result_key": end.result_key,
            "watermark": end.watermark,
            "timings_s": end.timings_s,
            "outputs": end.outputs,
        },
    }
