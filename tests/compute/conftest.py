"""One Slurm and one sshd for all tests of a process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grn.compute.bundle import Bundle, gather
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.job import Job
from tests.compute.cluster import Loopback, missing


@pytest.fixture(scope="session")
def loopback() -> Iterator[Loopback]:
    """A running cluster; tests leave its daemons up."""
    why = missing()
    if why is not None:
        pytest.skip(why)
    # Not pytest's own folder: a socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="grn-slurm-"))
    made = Loopback(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster(loopback: Loopback) -> Cluster:
    return loopback.cluster()


@pytest.fixture(scope="session")
def connection(loopback: Loopback, cluster: Cluster) -> Iterator[Connection]:
    made = Connection("loop", cluster, sockets=loopback.folder / "run")
    made.open()
    yield made
    made.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Make jobs whose one file is a bash script; `salt` makes runs of different tests differ."""

    def make(script: str, *, name: str = "job", command: str = "bash run.sh", **fields: object) -> Bundle:
        folder = tmp_path / "sent"
        folder.mkdir(exist_ok=True)
        (folder / "run.sh").write_text(f"# {tmp_path}\n{script}\n")
        given = {"signal_s": 20, "free_gib": 0.0, "files": ("*",), **fields}
        return gather(Job(command, name, **given), folder)  # type: ignore[arg-type]

    return make
