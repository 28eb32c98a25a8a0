"""``grn quant top FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.quant.stream.result import StreamResult


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--top", "n", type=click.IntRange(min=1), default=10, show_default=True, help="Rows to show.")
@click.option("--by", help="Metric that orders the rows (default: sharpe).")
@click.option(
    "--min-trades", type=click.IntRange(min=0), default=0, help="Show rows with at least so many trades."
)
@click.option("--quantiles", is_flag=True, help="Show the metric's quantiles over all rows instead.")
@json_option
def top(folder: Path, n: int, by: str | None, min_trades: int, quantiles: bool, as_json: bool) -> None:
    """Show the best rows of a streamed sweep.

    FOLDER is what ``grn quant sweep --to FOLDER`` wrote; one that is not finished shows what it has.
    """
    from grn.quant.stream.result import open_sweep

    result = open_sweep(folder)
    order = result.order(by)
    if not quantiles:
        write_stream(result, order, n, min_trades, everything=False, as_json=as_json)
        return
    found = result.quantiles(order)
    if as_json:
        write_json({**result.facts(), "metric": order, "quantiles": {f"{q:g}": v for q, v in found.items()}})
        return
    write_table(["share", order], [[q, float(f"{v:.6g}")] for q, v in found.items()])
    _write_note(result)


def write_stream(
    result: StreamResult, by: str, n: int, min_trades: int, *, everything: bool, as_json: bool
) -> None:
    """Print the best rows of a streamed sweep, and on stderr how far it is."""
    from grn.cli.quant.tables import write_top

    rows = result.top(n, by, min_trades=max(min_trades, 1)).rows(named=True)
    if as_json:
        write_json({**result.facts(), "top": rows})
        return
    if not rows:
        raise UsageError(f"{by} is missing in every row with enough trades", hint="did anything trade?")
    write_top(rows, by, everything=everything)
    _write_note(result)


def _write_note(result: StreamResult) -> None:
    done, of = result.chunks
    state = "" if result.complete else f", {done:,} of {of:,} chunks"
    click.echo(f"run {result.run}: {len(result):,} rows in {result.path}{state}", file=sys.stderr)
