"""``grn compute clean``: room on a cluster."""

from __future__ import annotations

import sys

import click

from grn.cli.compute.options import connect_to, on_option, tell
from grn.cli.output import json_option, write_json, write_table
from grn.kit.errors import ExitCode, UsageError


@click.command("clean")
@click.argument("runs", nargs=-1)
@on_option
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--unfetched", is_flag=True, help="Also RUNS whose results are nowhere else.")
@json_option
def clean(
    runs: tuple[str, ...], cluster: str | None, dry_run: bool, yes: bool, unfetched: bool, as_json: bool
) -> int:
    """Remove runs from a cluster that were fetched.

    Without RUNS all that are done and whose results are here; RUNS are whole names. It asks before anything
    is removed. Results here stay; a job that is submitted again afterwards is computed again. Exit code 1
    when the answer was no.
    """
    from grn.compute.clearing import find_leftovers, remove
    from grn.compute.preflight import size_text

    connection, settings = connect_to(cluster, runs[0] if runs else None)
    found = find_leftovers(connection, settings, runs, unfetched=unfetched)
    if as_json:
        write_json([{"run": one.run.name, "state": one.run.state, "bytes": one.size, "fetched": one.fetched}
                    for one in found])  # fmt: skip
    elif found:
        rows = [(one.run.name, one.run.state, size_text(one.size), one.fetched) for one in found]
        write_table(("RUN", "STATE", "SIZE THERE", "RESULTS HERE"), rows)
    if not found:
        tell(f"nothing to remove on {connection.name}")
        return ExitCode.DONE
    if dry_run:
        return ExitCode.DONE
    whole = size_text(sum(one.size for one in found))
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody can be asked here", seen=f"{len(found)} runs, {whole}", hint="add --yes")
    if not yes and not click.confirm(f"remove {len(found)} runs, {whole}, from {connection.name}?", err=True):
        return ExitCode.NO
    remove(connection, settings, found)
    tell(f"removed: {len(found)} runs, {whole}")
    return ExitCode.DONE
