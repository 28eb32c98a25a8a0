"""``grn compute submit``: a job, sent and queued."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grn.cli.compute.options import connect_to, on_option, tell
from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode
from grn.kit.progress import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grn.compute.bundle import Bundle
    from grn.compute.ranking import Forecast
    from grn.compute.submission import Submitted


@click.command()
@click.argument("job", type=click.Path(path_type=Path, dir_okay=False))
@on_option
@click.option("--dry-run", is_flag=True, help="Ask the cluster and the queue, send nothing.")
@json_option
def submit(job: Path, cluster: str | None, dry_run: bool, as_json: bool) -> int:
    """Send JOB to a cluster and queue it.

    JOB is a TOML file: a command, its files, what it asks for. The run's name follows from all that decides
    its result, so sending a job twice sends and queues nothing. With several [[resources]] the one whose
    work ends first, by the queue's own estimate, is taken. Clusters stand in clusters.toml of $GRN_HOME.

    Example: grn compute submit train.toml --on tui
    """
    from grn.compute.bundle import gather
    from grn.compute.job import read_job

    bundle = gather(read_job(job), job.resolve().parent)
    if dry_run:
        return _ask(bundle, cluster, as_json)
    submitted, where = _send(bundle, cluster)
    if as_json:
        write_json(submitted)
    else:
        click.echo(submitted.run)
    if submitted.known:
        tell(f"known: job {submitted.job_id} of {where} has it; nothing was sent")
    else:
        tell(f"queued: job {submitted.job_id} of {where}, {submitted.forecasts[0].shape.describe()}")
    tell(f"next: grn compute attach {submitted.run}")
    return ExitCode.DONE


def _send(bundle: Bundle, cluster: str | None) -> tuple[Submitted, str]:
    from grn.compute.room import remember, room
    from grn.compute.submission import manifest, submit
    from grn.kit.files import lock, make_dir
    from grn.kit.paths import ledger_dir
    from grn.ledger import Ledger

    connection, settings = connect_to(cluster)
    make_dir(room())
    with lock(room() / f"{bundle.run}.lock", timeout_s=600.0):
        submitted = submit(connection, settings, bundle, tell)
    remember(connection.name, bundle.run, manifest(bundle))
    if not submitted.known:
        with Ledger.open(ledger_dir()) as book:
            entry = book.begin("compute submit", {"cluster": connection.name, "run": bundle.run,
                                                  "command": bundle.job.command})  # fmt: skip
            book.finish(entry, exit_code=0, outputs={"job": submitted.job_id})
    return submitted, connection.name


def _ask(bundle: Bundle, cluster: str | None, as_json: bool) -> int:
    from grn.compute.submission import consider

    connection, settings = connect_to(cluster)
    forecasts = consider(connection, settings, bundle)
    if as_json:
        write_json({"run": bundle.run, "bytes": bundle.size, "files": len(bundle.files), "shapes": forecasts})
    else:
        tell(f"{bundle.run}: {len(bundle.files)} files, {bundle.size:,} bytes")
        _show(forecasts)
    return ExitCode.DONE if forecasts[0].refused is None else ExitCode.NO


def _show(forecasts: Sequence[Forecast]) -> None:
    write_table(
        ("SHAPE", "STARTS IN", "ATTEMPTS", "DONE IN"),
        [
            (
                one.shape.describe(),
                one.refused or (None if one.wait_s is None else duration_text(one.wait_s)),
                one.attempts,
                None if one.end_s is None else duration_text(one.end_s),
            )
            for one in forecasts
        ],
    )
