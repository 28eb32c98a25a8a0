"""What is kept here of runs elsewhere: which cluster has them, and what was seen of their logs."""

from __future__ import annotations

from pathlib import Path

from grn.compute.clusters import Cluster, clusters_file, find_cluster, load_clusters
from grn.kit.errors import MissingError, UsageError
from grn.kit.files import write_atomic
from grn.kit.paths import grn_home


def room() -> Path:
    """Folder of all that is kept: ``compute`` in ``$GRN_HOME``."""
    return grn_home() / "compute"


def remember(cluster: str, run: str, manifest: bytes) -> None:
    """Write down what was sent where."""
    write_atomic(room() / cluster / f"{run}.json", manifest, make_parents=True)


def note_fetched(cluster: str, run: str, folder: Path) -> None:
    """Write down that a run's results are here, verified."""
    write_atomic(room() / cluster / f"{run}.fetched", f"{folder.resolve()}\n", make_parents=True)


def fetched_to(cluster: str, run: str) -> str | None:
    """Where a run's results were brought to, if that folder is still there; else ``None``."""
    try:
        folder = (room() / cluster / f"{run}.fetched").read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError:
        return None
    return folder if Path(folder).is_dir() else None


def forget(cluster: str, run: str) -> None:
    """Remove what is kept here of a run that is gone there: manifest, notes, logs."""
    for file in (room() / cluster).glob(f"{run}.*"):
        file.unlink(missing_ok=True)


def choose_cluster(name: str | None, run: str | None = None) -> tuple[str, Cluster]:
    """The cluster that is meant: by name, else the one that has the run, else the only one.

    Raises
    ------
    MissingError, UsageError
        There is none, or it is not clear which.
    """
    if name is not None:
        return name, find_cluster(name)
    clusters = load_clusters()
    if run is not None:
        having = {
            file.parent.name
            for file in room().glob("*/*.json")
            if file.stem.startswith(run) or file.stem.endswith(run)
        } & clusters.keys()
        if len(having) == 1:
            clusters = {one: clusters[one] for one in having}
    if len(clusters) == 1:
        return next(iter(clusters.items()))
    if not clusters:
        raise MissingError(
            "no cluster is written down",
            seen=str(clusters_file()),
            hint="grn compute submit --help shows how",
        )
    raise UsageError("it is not clear which cluster", hint=f"--on with one of {', '.join(clusters)}")
