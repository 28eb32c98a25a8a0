"""What commands about a cluster share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from grn.compute.clusters import Cluster
    from grn.compute.connection import Connection
    from grn.compute.runs import Run

_Command = TypeVar("_Command", bound=Callable[..., Any])


def on_option(command: _Command) -> _Command:
    """Give a command ``--on``."""
    return click.option(
        "--on",
        "cluster",
        metavar="CLUSTER",
        help="Of clusters.toml (default: the one that has it, or the only one).",
    )(command)


def connect_to(cluster: str | None, run: str | None = None) -> tuple[Connection, Cluster]:
    """Open the connection to the cluster that is meant."""
    from grn.compute.connection import Connection
    from grn.compute.room import choose_cluster

    name, settings = choose_cluster(cluster, run)
    connection = Connection(name, settings)
    connection.open()
    return connection, settings


def reach(cluster: str | None, run: str) -> tuple[Connection, Cluster, Run]:
    """Open the connection, and find the run that is meant."""
    from grn.compute.runs import find_run

    connection, settings = connect_to(cluster, run)
    return connection, settings, find_run(connection, settings, run)


def tell(line: str) -> None:
    """A note for a person."""
    click.echo(line, err=True)
