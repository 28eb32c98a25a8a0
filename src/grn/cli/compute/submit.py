"""``grn compute submit``: a job, sent and queued."""

from __future__ import annotations

import math
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
    from grn.compute.foresight import Foreseen
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

    JOB may be the recipe of a fine-tuning run (grn compute train): which cards can hold it, its walltime, and
    how long it would take here instead are foreseen; --dry-run shows them with their arithmetic.

    Example: grn compute submit train.toml --on tui
    """
    from grn.compute.bundle import gather
    from grn.compute.job import read_job

    foreseen = _foresee(job, cluster)
    made = read_job(job) if foreseen is None else foreseen.job
    bundle = gather(made, job.resolve().parent)
    if dry_run:
        return _ask(bundle, cluster, foreseen, as_json)
    submitted, where = _send(bundle, cluster)
    if as_json:
        write_json(submitted)
    else:
        click.echo(submitted.run)
    if submitted.known:
        tell(f"known: job {submitted.job_id} of {where} has it, {submitted.state}; nothing was sent")
    else:
        tell(f"queued: job {submitted.job_id} of {where}, {submitted.forecasts[0].shape.describe()}")
    _compare(submitted, foreseen)
    over = submitted.state in ("failed", "lost", "cancelled")
    tell(f"next: grn compute {'retry' if over else 'attach'} {submitted.run}")
    return ExitCode.DONE


def _compare(submitted: Submitted, foreseen: Foreseen | None) -> None:
    """Say so where a run would be done here before it is done there."""
    there_s = submitted.forecasts[0].end_s if submitted.forecasts else None
    here_s = foreseen.here.end_s if foreseen is not None else None
    if foreseen is not None and there_s is not None and here_s is not None and here_s < there_s:
        tell(
            f"note: on {foreseen.here.place} it would be done in {duration_text(here_s)}, there in "
            f"{duration_text(there_s)}"
        )


def _foresee(path: Path, cluster: str | None) -> Foreseen | None:
    """What a recipe takes; ``None`` for a job."""
    from grn.compute.table import read_toml

    if "model" not in read_toml(path, "job file or recipe"):
        return None
    from grn.compute.foresight import foresee
    from grn.compute.room import choose_cluster
    from grn.fit.card import best_place
    from grn.hw.probe import probe

    return foresee(path, choose_cluster(cluster)[1], best_place(probe()))


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


def _ask(bundle: Bundle, cluster: str | None, foreseen: Foreseen | None, as_json: bool) -> int:
    from grn.compute.submission import consider

    connection, settings = connect_to(cluster)
    forecasts = consider(connection, settings, bundle)
    if as_json:
        told = {"run": bundle.run, "bytes": bundle.size, "files": len(bundle.files), "shapes": forecasts}
        more = {} if foreseen is None else {"here": foreseen.here, "reasons": foreseen.reasons}
        write_json({**told, **more})
    else:
        tell(f"{bundle.run}: {len(bundle.files)} files, {bundle.size:,} bytes")
        _show(forecasts, foreseen)
    return ExitCode.DONE if forecasts[0].refused is None else ExitCode.NO


def _show(forecasts: Sequence[Forecast], foreseen: Foreseen | None) -> None:
    """The earliest end first; of a recipe this machine among them, and the arithmetic of each."""
    rows: list[tuple[float, tuple[object, ...]]] = []
    for one in forecasts:
        wait = one.refused or (None if one.wait_s is None else duration_text(one.wait_s))
        end = None if one.end_s is None or one.refused else one.end_s
        row = (one.shape.describe(), wait, one.attempts, None if end is None else duration_text(end))
        rows.append((math.inf if end is None else end, row))
    if foreseen is not None:
        end, here = foreseen.here.end_s, f"here: {foreseen.here.place}"
        row = (here, duration_text(0.0), 1, None if end is None else duration_text(end))
        rows.append((math.inf if end is None else end, row))
    write_table(
        ("SHAPE", "STARTS IN", "ATTEMPTS", "DONE IN"), [row for _, row in sorted(rows, key=lambda r: r[0])]
    )
    if foreseen is not None:
        for shape, reason in zip(foreseen.job.every_shape(), foreseen.reasons, strict=True):
            tell(f"{shape.walltime_min} min at a time: {reason}")
        tell(f"here: {foreseen.here.reason}")
