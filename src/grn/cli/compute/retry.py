"""``grn compute retry``: once more."""

from __future__ import annotations

import click

from grn.cli.compute.options import on_option, reach, tell
from grn.kit.errors import ExitCode


@click.command("retry")
@click.argument("run")
@on_option
@click.option("--walltime-min", type=click.IntRange(min=1), help="Longer attempts than before.")
@click.option("--memory-gib", type=click.FloatRange(min=0, min_open=True), help="Another memory than before.")
@click.option("--partition", help="Another partition than before.")
def retry(
    run: str, cluster: str | None, walltime_min: int | None, memory_gib: float | None, partition: str | None
) -> int:
    """Queue RUN again where it did not end well.

    Tasks that failed, were lost (out of time or memory) or were cancelled begin once more; those that are
    done stay. Files, logs and $GRN_OUT are as they were: a checkpoint in there is gone on from.

    Example: grn compute retry finetune-5f0c --walltime-min 240
    """
    from grn.compute.retry import retry as again

    connection, settings, found = reach(cluster, run)
    given = {"walltime_min": walltime_min, "memory_gib": memory_gib, "partition": partition}
    changes = {name: value for name, value in given.items() if value is not None}
    submitted = again(connection, settings, found, changes)
    click.echo(submitted.run)
    tasks = sum(task.state != "done" for task in found.tasks)
    tell(f"queued: job {submitted.job_id} of {connection.name}, {tasks} of {len(found.tasks)} tasks")
    tell(f"next: grn compute attach {submitted.run}")
    return ExitCode.DONE
