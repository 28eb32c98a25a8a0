"""``grn compute jobs``: how runs stand."""

from __future__ import annotations

import click

from grn.cli.compute.options import connect_to, on_option
from grn.cli.output import json_option, write_json, write_table


@click.command()
@click.argument("runs", nargs=-1)
@on_option
@json_option
def jobs(runs: tuple[str, ...], cluster: str | None, as_json: bool) -> None:
    """List runs on a cluster and how they stand.

    A task is done or failed when it has written its exit code; what the queue says explains the others. RUNS
    are whole names; all without any.
    """
    from grn.compute.runs import look_up

    connection, settings = connect_to(cluster, runs[0] if runs else None)
    found = look_up(connection, settings, runs)
    if as_json:
        write_json([{"run": run.name, "cluster": run.cluster, "job": run.job_id, "state": run.state,
                     "tasks": run.tasks} for run in found])  # fmt: skip
        return
    rows = [
        (
            run.name,
            run.job_id,
            task.number,
            task.state,
            task.exit_code,
            task.restarts,
            task.log_size,
            task.reason,
        )
        for run in found
        for task in run.tasks
    ]
    write_table(("RUN", "JOB", "TASK", "STATE", "EXIT", "RESTARTS", "LOG", "THE QUEUE SAYS"), rows)
