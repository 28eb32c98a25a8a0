"""``grn quant report RUN``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from grn.cli.quant.tables import check_output
from grn.cli.quant.verdicts import judge_with_progress, open_known_ledger, recall, shuffle_options


@click.command()
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (default: STRATEGY.html here)."
)
@shuffle_options
def report(run: str, output: Path | None, shuffles: int, block: int, seed: int) -> None:
    """Write the report of a recorded run.

    One HTML file that opens offline.  It is computed again from the ledger, with the trials counted up to
    the run: the same run gives the same bytes.
    """
    check_output(output)
    with open_known_ledger() as ledger:
        result = recall(run, ledger)
        # A strategy's name is any text: what has a meaning in paths is replaced.
        name = re.sub(r"[^\w.-]+", "_", result.strategy.name).strip("._") or "report"
        path = output or Path(f"{name}.html")
        check_output(path)
        validation = judge_with_progress(result, ledger, shuffles=shuffles, block=block, seed=seed)
    click.echo(str(result.report(path, validation=validation)))
