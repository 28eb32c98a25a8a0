"""Clusters that a person may use: ``clusters.toml`` in ``$GRN_HOME``. Names and folders, no keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grn.compute.table import fill, read_toml
from grn.kit.errors import MissingError, UsageError
from grn.kit.paths import grn_home

_EXAMPLE = """[tui]
host = "tui-login"      # any name that your ~/.ssh/config knows
folder = "grn-runs"     # there, in your home folder or from the root
partition = "gpu"\
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster.

    Attributes
    ----------
    host
        What ``ssh`` is told: a name from ``~/.ssh/config``, which knows user, keys and jump hosts.
    scheduler
        ``slurm``; ``pbs`` and ``lsf`` are known and not implemented.
    folder
        Where runs lie there: from the root, or in the home folder.
    partition, account
        For every job that names none.
    modules
        Loaded before environments are made and jobs run.
    python
        The Python that environments are made with.
    environment
        Folder of an environment that is there already, for jobs without a lock file.
    cards
        What its types of cards are (``a100 = "A100-SXM4-80GB"``): by this training is foreseen.
    ssh_config
        Another file than ``~/.ssh/config``.
    """

    host: str
    scheduler: str = "slurm"
    folder: str = "grn-runs"
    partition: str | None = None
    account: str | None = None
    modules: tuple[str, ...] = ()
    python: str = "python3"
    environment: str | None = None
    cards: Mapping[str, str] = field(default_factory=dict)
    ssh_config: str | None = None

    def __post_init__(self) -> None:
        # OpenSSH would take it for an option, ProxyCommand among them.
        if not self.host or self.host.startswith("-"):
            raise UsageError("this is no host", seen=self.host, hint='host = "tui-login"')
        for folder in (self.folder, self.environment):
            if folder is not None and not re.fullmatch(r"[\w./~+@%=:,-]+", folder):
                raise UsageError("a cluster's folder has no blanks or signs of the shell", seen=folder)
        for module in self.modules:
            if not re.fullmatch(r"[\w./+:-]+", module):
                raise UsageError("this is no module's name", seen=module)


def clusters_file() -> Path:
    """Where clusters are written down."""
    return grn_home() / "clusters.toml"


def load_clusters(path: Path | None = None) -> dict[str, Cluster]:
    """Read all clusters; none where there is no file."""
    source = clusters_file() if path is None else path
    if not source.exists():
        return {}
    return {name: fill(Cluster, table, f"[{name}] of {source}")
            for name, table in read_toml(source, "file of clusters").items()}  # fmt: skip


def find_cluster(name: str, path: Path | None = None) -> Cluster:
    """Find a cluster by its name.

    Raises
    ------
    MissingError
        No cluster of that name is written down.
    """
    clusters = load_clusters(path)
    if name not in clusters:
        known = f"known are {', '.join(clusters)}; " if clusters else ""
        raise MissingError(
            "there is no such cluster",
            seen=name,
            hint=f"{known}write it into {path or clusters_file()}, for example:\n{_EXAMPLE}",
        )
    return clusters[name]
