"""``grn quant validate RUN``."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_json
from grn.cli.quant.verdicts import judge_with_progress, recall
from grn.kit.errors import ExitCode


@click.command()
@click.argument("run")
@click.option(
    "--shuffles",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Shuffled data sets to sweep.",
)
@click.option(
    "--block", type=click.IntRange(min=1), default=20, show_default=True, help="Bars per shuffled block."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the first shuffle.")
@json_option
def validate(run: str, shuffles: int, block: int, seed: int, as_json: bool) -> ExitCode:
    """Judge the winner of a recorded sweep.

    All trials that the ledger counted on the data up to the run are held against it, and the winners that
    the same sweep finds in shuffled data.  Exit code 1 when it is rejected.
    """
    result = recall(run)
    validation = judge_with_progress(result, shuffles=shuffles, block=block, seed=seed)
    if as_json:
        write_json({"run": result.run, **validation.to_dict()})
    else:
        click.echo(str(validation))
    return ExitCode.NO if validation.decision == "reject" else ExitCode.DONE
