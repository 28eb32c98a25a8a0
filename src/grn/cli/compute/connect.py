"""``grn compute connect``: the one login that everything else goes over."""

from __future__ import annotations

import click

from grn.cli.compute.options import tell
from grn.kit.errors import ExitCode


@click.command()
@click.argument("cluster")
@click.option("--close", is_flag=True, help="End the connection.")
@click.option("--check", is_flag=True, help="Only tell whether it is open (exit code 1: it is not).")
def connect(cluster: str, close: bool, check: bool) -> int:
    """Open the connection to CLUSTER, answering what it asks.

    A password or a second factor is asked for here, on the terminal, and nowhere else. The connection stays
    open for half an hour after it was last used; all other commands go over it.
    """
    from grn.compute.clusters import find_cluster
    from grn.compute.connection import Connection

    connection = Connection(cluster, find_cluster(cluster))
    if close:
        tell(f"{cluster}: {'closed' if connection.close() else 'was not open'}")
        return ExitCode.DONE
    if check:
        is_open = connection.is_open()
        tell(f"{cluster}: {'open' if is_open else 'not open'}")
        return ExitCode.DONE if is_open else ExitCode.NO
    connection.open(interactive=True)
    tell(f"{cluster}: open")
    return ExitCode.DONE
