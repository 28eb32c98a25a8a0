"""Runs whose results are here: what they take on the cluster, and their end there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.room import fetched_to, forget
from grn.compute.runs import Run, look_up
from grn.kit.errors import ClusterError, OutputError, UsageError


@dataclass(frozen=True)
class Leftover:
    """A run that can be removed there.

    Attributes
    ----------
    run
        How it stands.
    size
        Bytes there.
    fetched
        Folder here that has its results; ``None`` when they were never fetched.
    """

    run: Run
    size: int
    fetched: str | None


def find_leftovers(
    connection: Connection, cluster: Cluster, names: Sequence[str] = (), *, unfetched: bool = False
) -> tuple[Leftover, ...]:
    """Runs that can be removed: those that are done and were fetched, or those that are named.

    Parameters
    ----------
    connection, cluster
        Where.
    names
        Whole names; without any, all that are done and fetched.
    unfetched
        Allow the named ones to be runs whose results are nowhere else.

    Raises
    ------
    UsageError
        A named run is still going on, is not there, or was not fetched.
    """
    runs = look_up(connection, cluster, names)
    missing = set(names) - {run.name for run in runs}
    if missing:
        raise UsageError(
            f"there is no such run on {connection.name}",
            seen=min(missing),
            hint="grn compute jobs lists them",
        )
    where = {run.name: fetched_to(connection.name, run.name) for run in runs}
    if names:
        for run in runs:
            if not run.is_over:
                raise UsageError(
                    f"{run.name} has not ended", seen=run.state, hint="grn compute cancel ends it first"
                )
            if where[run.name] is None and not unfetched:
                raise UsageError(
                    f"the results of {run.name} were not fetched",
                    seen=run.state,
                    hint="grn compute fetch first, or --unfetched",
                )
    else:
        runs = tuple(run for run in runs if run.state == "done" and where[run.name] is not None)
    if not runs:
        return ()
    said = connection.script("sizes", cluster.folder, *(run.name for run in runs))
    sizes = dict(line.split("\t", 1) for line in said.out.splitlines() if "\t" in line)
    if said.code or sizes.keys() != where.keys() & {run.name for run in runs}:
        raise ClusterError(
            f"{connection.name} cannot tell how large its runs are", seen=said.err.strip() or None
        )
    return tuple(Leftover(run, int(sizes[run.name]), where[run.name]) for run in runs)


def remove(connection: Connection, cluster: Cluster, leftovers: Sequence[Leftover]) -> None:
    """Remove runs there, and what is kept of them here besides their results.

    Raises
    ------
    OutputError
        A folder could not be removed.
    """
    for one in leftovers:
        said = connection.script("remove", cluster.folder, one.run.name)
        if said.code:
            raise OutputError(
                f"{one.run.name} cannot be removed from {connection.name}",
                seen=said.err.strip() or said.code,
                hint="look at its folder there",
            )
        # A run of the same name that is sent later has another log.
        forget(connection.name, one.run.name)
