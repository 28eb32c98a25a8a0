"""``grn compute attach``: a log as it is written."""

from __future__ import annotations

import sys

import click

from grn.cli.compute.options import on_option, reach, tell
from grn.kit.errors import ExitCode


@click.command()
@click.argument("run")
@on_option
@click.option("--task", type=int, default=0, show_default=True, help="Of an array.")
def attach(run: str, cluster: str | None, task: int) -> int:
    """Follow the log of RUN until it ends.

    Every byte of the log comes once and in order, however often the connection breaks or this machine sleeps:
    what was seen is kept here, and not asked for again. Ctrl-C leaves the run alone. Exit code 1 when the run
    did not end well.
    """
    from grn.compute.following import follow, mirror_path
    from grn.compute.room import room
    from grn.compute.runs import find_run

    connection, settings, found = reach(cluster, run)
    mirror = mirror_path(room(), found, task)
    follow(connection, settings, found, task, sys.stdout.buffer, mirror, notify=tell)
    connection.open()
    ended = next(one for one in find_run(connection, settings, found.name).tasks if one.number == task)
    code = "" if ended.exit_code is None else f", exit code {ended.exit_code}"
    why = "" if ended.exit_code is not None or ended.reason is None else f" ({ended.reason})"
    tell(f"{ended.state}{code}{why}")
    if ended.state == "done":
        tell(f"next: grn compute fetch {found.name}")
    return ExitCode.DONE if ended.state == "done" else ExitCode.NO
