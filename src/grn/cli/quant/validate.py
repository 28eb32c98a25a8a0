"""``grn quant validate RUN``."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_json
from grn.cli.quant.verdicts import judge_with_progress, open_known_ledger, recall, shuffle_options
from grn.kit.errors import ExitCode


@click.command()
@click.argument("run")
@shuffle_options
@json_option
def validate(run: str, shuffles: int, block: int, seed: int, as_json: bool) -> ExitCode:
    """Judge the winner of a recorded sweep.

    All trials that the ledger counted on the data up to the run are held against it: their luck, what they
    show in resampled bars, whether choosing among them helps, and what the same sweep finds in shuffled
    data.  What else is known about the winner stands below.  Exit code 1 when it is rejected.
    """
    with open_known_ledger() as ledger:
        result = recall(run, ledger)
        validation = judge_with_progress(result, ledger, shuffles=shuffles, block=block, seed=seed)
    if as_json:
        write_json({"run": result.run, **validation.to_dict()})
    else:
        click.echo("\n".join([*validation.lines(), "", *validation.table()]))
    return ExitCode.NO if validation.decision == "reject" else ExitCode.DONE
