"""A disk that fills up on the cluster: a small tmpfs, mounted for the test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grn.compute.bundle import Bundle
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.runs import find_run, look_up
from grn.compute.submission import submit
from grn.kit.errors import OutputError
from tests.compute.cluster import Loopback
from tests.compute.test_runs import until


@pytest.fixture
def small(loopback: Loopback) -> Iterator[Cluster]:
    """A folder of runs that holds 2 MiB and 3,000 files."""
    folder = loopback.folder / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=2m,nr_inodes=3000", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    yield loopback.cluster(folder=str(folder))
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def test_a_disk_that_is_too_small_is_seen_before_anything_is_sent(
    small: Cluster, connection: Connection, bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    """By bytes and by files; a copy that fills it all the same is an error too, and nothing is queued."""
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "large").write_bytes(bytes(3 << 20))
    large = bundle("true", name="large")
    with pytest.raises(OutputError, match=r"too full: 3\.00 MiB are needed, 2\.00 MiB are free"):
        submit(connection, small, large)
    with pytest.raises(OutputError, match="the disk is full"):
        connection.push(large.folder, [sent.name for sent in large.files], f"{small.folder}/incoming")
    assert look_up(connection, small) == ()
    shutil.rmtree(Path(small.folder) / "incoming")
    (tmp_path / "sent" / "large").unlink()
    for number in range(2100):
        (tmp_path / "sent" / f"{number}").touch()
    with pytest.raises(OutputError, match="more files"):
        submit(connection, small, bundle("true", name="many"))
    assert not any((Path(small.folder) / "runs").iterdir())


def test_a_job_that_fills_the_disk_can_still_say_how_it_ended(
    small: Cluster, connection: Connection, bundle: Callable[..., Bundle]
) -> None:
    """Room for its exit code was kept, and the results are what could be written."""
    made = bundle('head -c 9000000 /dev/zero >"$GRN_OUT/zeros"; exit $?')
    run = until(connection, small, submit(connection, small, made).run, ("failed", "done"))
    assert (run.state, run.tasks[0].exit_code) == ("failed", 1)
    task = Path(small.folder) / "runs" / run.name / "tasks" / "0"
    assert (task / "results.sha256").stat().st_size > 64
    assert "No space left" in (task / "log").read_text() or (task / "log").stat().st_size == 0
    assert find_run(connection, small, run.name[-6:]).name == run.name
