"""``grn quant sweep --on CLUSTER``: sent, and once it is done brought home."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grn.cli.compute.options import connect_to, tell
from grn.cli.output import write_facts, write_json
from grn.kit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from grn.compute.bundle import Bundle
    from grn.compute.clusters import Cluster
    from grn.compute.connection import Connection
    from grn.compute.ranking import Forecast
    from grn.compute.runs import Run
    from grn.quant.strategy.weights import AnyStrategy
    from grn.quant.stream.plan import Planned
    from grn.quant.stream.result import StreamResult

_MOST_TASKS = 16


def sweep_there(
    strategy: AnyStrategy, data: Any, folder: Path | None, cluster: str, *, tasks: int | None, cpus: int,
    walltime_min: int, dry_run: bool, as_json: bool, **options: Any,
) -> tuple[int, StreamResult | None]:  # fmt: skip
    """Send a sweep, or bring it home when it is done; returns the exit code, and what came home."""
    from grn.compute.runs import find_run
    from grn.flow.shards.errand import ask, send
    from grn.quant.stream.plan import plan_stream

    if folder is None:
        raise UsageError("a sweep on a cluster comes home into a folder", hint="add --to FOLDER")
    planned = plan_stream(strategy, data, command="quant sweep", **options)
    home = None if dry_run else _find_home(planned, folder)
    if home is not None:
        return ExitCode.DONE, home
    connection, settings = connect_to(cluster)
    if dry_run:
        shape = {"tasks": tasks or _MOST_TASKS, "cpus": cpus, "walltime_min": walltime_min}
        return _tell_plan(planned, *ask(connection, settings, planned, **shape), as_json=as_json), None
    submitted = send(
        connection, settings, planned, folder, tasks=tasks or _MOST_TASKS, cpus=cpus,
        walltime_min=walltime_min, notify=tell,
    )  # fmt: skip
    run = find_run(connection, settings, submitted.run)
    if run.state == "done":
        return ExitCode.DONE, bring_home(connection, settings, run)
    if as_json:
        write_json({"run": run.name, "job": submitted.job_id, "known": submitted.known, "state": run.state,
                    "tasks": len(run.tasks), "chunks": len(planned.chunks)})  # fmt: skip
    else:
        click.echo(run.name)
    verb = "known" if submitted.known else "queued"
    tell(f"{verb}: job {submitted.job_id} of {connection.name}, {len(run.tasks)} tasks, {run.state}")
    if run.state in ("failed", "lost", "cancelled"):
        tell(f"next: grn compute attach {run.name}, then grn compute retry {run.name}")
        return ExitCode.NO, None
    tell(f"next: grn compute jobs {run.name}; when it is done the same command brings it home")
    return ExitCode.DONE, None


def _find_home(planned: Planned, folder: Path) -> StreamResult | None:
    """The sweep, if it has come home: then no cluster is asked, and it may have been removed there."""
    from grn.quant.stream.result import open_sweep

    if not (folder / "manifest.json").exists():
        return None
    found = open_sweep(folder)
    return found if found.complete and found.result_key == planned.manifest()["key"] else None


def _tell_plan(planned: Planned, bundle: Bundle, found: Forecast, *, as_json: bool) -> int:
    """What would be sent, and what the queue says of it."""
    facts: dict[str, object] = {
        "run": bundle.run,
        "files": len(bundle.files),
        "bytes": bundle.size,
        "combinations_before_where": planned.chunks.lattice.points,
        "chunks": len(planned.chunks),
        "tasks": bundle.job.tasks,
        "each": found.shape.describe(),
        "starts_in_s": found.wait_s,
        "refused": found.refused,
    }
    if as_json:
        write_json(facts)
    else:
        write_facts((name.replace("_", " "), value) for name, value in facts.items() if value is not None)
    return ExitCode.DONE if found.refused is None else ExitCode.NO


def bring_home(connection: Connection, cluster: Cluster, run: Run) -> StreamResult:
    """Fetch a sweep and merge it, with progress."""
    from grn.flow.shards.errand import bring
    from grn.kit.progress import Progress

    with Progress("merge", unit="combinations") as progress:
        result = bring(connection, cluster, run, progress=progress.advance)
    click.echo(f"{run.name}: {len(result):,} rows of {len(run.tasks)} tasks merged", file=sys.stderr)
    return result
