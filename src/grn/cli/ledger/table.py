"""``grn ledger table RUN``: the results of a run as a table for a paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from grn.cli.ledger.opened import opened
from grn.cli.output import write_table
from grn.cli.typeset import Column, comma_separated, is_cite, latex, markdown

if TYPE_CHECKING:
    from grn.ledger import Invocation, Ledger
    from grn.quant.result import SweepResult

_SHOWN = "cagr,volatility,sharpe,max_drawdown,trades"
_SHORT = 12  # hex digits of a hash in a note


@click.command()
@click.argument("run")
@click.option("--latex", "form", flag_value="latex", help="Write LaTeX, with booktabs.")
@click.option("--markdown", "form", flag_value="markdown", help="Write Markdown.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV: every digit, nothing rounded.")
@click.option("--metrics", help=f"Metrics by name (default: of {_SHOWN} what the run has).")
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, help="Rows, the best first."
)
@click.option("--by", help="Metric that orders the rows (default: sharpe).")
@click.option(
    "--min-trades",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="A row has at least so many.",
)
@click.option("--caption", help="Caption (default: what was run, and how many settings were tried).")
@click.option("--label", help="Label for references (default: tab:RUN).")
@click.option("--cite", default="", help="Cite keys for the caption, with commas between them.")
def table(run: str, form: str | None, **options: Any) -> None:
    """Write the results of a run as a table: for a person, or for a paper.

    RUN is its id or the beginning of it. A sweep, backtest or search is computed again from the ledger, and
    its best rows are shown with their units; of any other run the numbers that it recorded. The caption says
    how many settings were tried: a table of the best of many without that number misleads.

    \b
    grn ledger table 20261123T081753 --latex --cite lo2002 > results.tex
    """  # fmt: skip  # noqa: D301  # a real backspace is click's mark of lines to leave alone
    from grn.kit.errors import UsageError

    cite = options["cite"].replace(" ", "")
    if cite and not is_cite(cite):
        raise UsageError("these are no cite keys", seen=options["cite"], hint="--cite lo2002,bailey2014")
    with opened() as book:
        if book is None:
            raise UsageError("no run of that name", seen=run, hint="the ledger is empty")
        entry = book.show(run)
        columns, rows, said = _results(book, entry, options) if "strategy" in entry.inputs else _facts(entry)
    match form:
        case "latex":
            label = options["label"] or f"tab:{entry.run}"
            note = _note(entry)
            click.echo(
                latex(columns, rows, caption=options["caption"] or said, label=label, cite=cite, note=note),
                nl=False,
            )
        case "markdown":
            click.echo(markdown(columns, rows), nl=False)
        case "csv":
            click.echo(comma_separated(columns, rows), nl=False)
        case _:
            write_table([column.name for column in columns], rows)
            click.echo(said, err=True)


def _results(
    book: Ledger, entry: Invocation, options: Mapping[str, Any]
) -> tuple[list[Column], list[list[object]], str]:
    from grn.cli.quant.tables import pick_order, top_rows
    from grn.cli.quant.verdicts import recall
    from grn.quant.metrics.registry import parse_metrics

    result = recall(entry.run, book)
    had = [metric.name for metric in result.metrics]
    names = [metric.name for metric in parse_metrics(options["metrics"])] if options["metrics"] else []
    names = names or [name for name in _SHOWN.split(",") if name in had] or had
    _check_had(names, had)
    order = pick_order(options["by"], ",".join(had))
    rows = top_rows(result, order, options["top"], options["min_trades"])
    units = {metric.name: metric for metric in result.metrics}
    columns = [Column("symbol", "Symbol"), *(Column(param.name, param.name) for param in result.grid.params)]
    columns += [
        Column(name, units[name].label, "percent" if units[name].unit == "percent" else "") for name in names
    ]
    cells = [[_whole(row[column.name]) for column in columns] for row in rows]
    return columns, cells, _said(result, len(rows), units[order].label)


def _said(result: SweepResult, shown: int, order: str) -> str:
    tried = f"{len(result):,} settings" if len(result) > 1 else "one setting"
    best = f"The {shown} best of {tried} by {order}" if len(result) > 1 else "One setting"
    counted = result.trials
    on_record = "" if counted is None else f"; {counted.n:,} trials on this data are on record"
    return f"{result.strategy.name}: {best}{on_record}."


def _check_had(names: list[str], had: list[str]) -> None:
    from grn.kit.errors import UsageError

    for name in names:
        if name not in had:
            raise UsageError("the run did not compute this metric", seen=name, hint=", ".join(had))


def _facts(entry: Invocation) -> tuple[list[Column], list[list[object]], str]:
    """Numbers that a run recorded, by name."""
    from grn.kit.errors import UsageError

    outputs: Mapping[str, object] = {} if entry.outcome is None else entry.outcome.outputs
    rows = [[name, value] for name, value in sorted(_flat(outputs).items())]
    if not rows:
        raise UsageError(
            "the run recorded no numbers", seen=f"{entry.run}: {entry.command}", hint="grn ledger show RUN"
        )
    return [Column("name", "Quantity"), Column("value", "Value")], rows, f"Recorded by {entry.command}."


def _flat(outputs: Mapping[str, object], before: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in outputs.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{before}{name}"] = value
    return found


def _whole(value: object) -> object:
    """Parameters and counts are kept as floats: 50.0 is 50."""
    if isinstance(value, float) and abs(value) < 2**53 and value == int(value):  # never so for NaN
        return int(value)
    return value


def _note(entry: Invocation) -> str:
    key = entry.outcome.result_key if entry.outcome else None
    made = f", result {key[:_SHORT]}" if key else ""
    return f"run {entry.run}{made}: grn ledger table {entry.run} --latex\nneeds \\usepackage{{booktabs}}"
