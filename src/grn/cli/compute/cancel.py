"""``grn compute cancel``: the end of a run."""

from __future__ import annotations

import click

from grn.cli.compute.options import on_option, reach, tell
from grn.kit.errors import ExitCode


@click.command("cancel")
@click.argument("run")
@on_option
def cancel(run: str, cluster: str | None) -> int:
    """End RUN.

    What it has written stays on the cluster. Exit code 1 when it had ended before.
    """
    from grn.compute.runs import cancel as end

    connection, settings, found = reach(cluster, run)
    if end(connection, settings, found):
        tell(f"cancelled: {found.name}")
        return ExitCode.DONE
    tell(f"{found.name} had ended before: {found.state}")
    return ExitCode.NO
