"""An environment that is made on the cluster from a lock file, once."""

from __future__ import annotations

import os
import socket
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grn.compute.bundle import Bundle
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.runs import look_up
from grn.compute.submission import submit
from grn.kit.errors import ClusterError
from tests.compute.cluster import Loopback, free_port
from tests.compute.test_runs import until

METADATA = "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.2\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> None:
    """A wheel of one module, as its specification has it."""
    folder.mkdir(parents=True)
    files = {
        "tiny_thing.py": "VALUE = 42\n",
        "tiny_thing-1.2.dist-info/METADATA": METADATA,
        "tiny_thing-1.2.dist-info/WHEEL": WHEEL,
    }
    with zipfile.ZipFile(folder / "tiny_thing-1.2-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr("tiny_thing-1.2.dist-info/RECORD", "".join(f"{name},,\n" for name in files))


@pytest.mark.skipif(not os.environ.get("GRN_NIGHTLY"), reason="two environments are made")
def test_a_lock_file_becomes_an_environment_once(
    cluster: Cluster, connection: Connection, bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    """The command finds the packages of the lock, from wheels that were sent.

    A lock that cannot be met is refused before anything is queued, and leaves no half of an environment.
    """
    cluster = replace(cluster, python=sys.executable)
    write_wheel(tmp_path / "sent" / "wheels")
    (tmp_path / "sent" / "lock.txt").write_text("tiny-thing==1.3\n")
    fields = {
        "lock": "lock.txt",
        "wheels": "wheels",
        "command": "python -c 'import tiny_thing as t; print(t.VALUE)'",
    }
    bad = bundle("", **fields)
    with pytest.raises(ClusterError, match=r"environment cannot be made.*tiny-thing==1\.3"):
        submit(connection, cluster, bad)
    assert look_up(connection, cluster, [bad.run]) == ()
    (tmp_path / "sent" / "lock.txt").write_text("tiny-thing==1.2\n")
    good = bundle("", **fields)
    run = until(connection, cluster, submit(connection, cluster, good).run, ("done", "failed"))
    folder = Path(cluster.folder)
    assert (folder / "runs" / run.name / "tasks" / "0" / "log").read_text() == "42\n"
    assert [path.name for path in (folder / "envs").iterdir() if path.is_dir()] == [good.environment]
    made = (folder / "envs" / str(good.environment) / "ready").stat().st_mtime_ns
    submit(connection, cluster, bundle("", **{**fields, "variables": {"A": "1"}}))
    assert (folder / "envs" / str(good.environment) / "ready").stat().st_mtime_ns == made


def test_modules_are_loaded_and_one_that_a_node_lacks_is_named(
    loopback: Loopback, bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    """Real modules: what one sets is there for the command; one that nodes cannot load ends the task.

    With exit code 69, and its name in the log.
    """
    for name, text in (
        ("tool", "setenv TOOL found"),
        ("login", "if {[info exists ::env(SLURM_JOB_ID)]} { break }"),
    ):
        (tmp_path / "modules" / name).mkdir(parents=True)
        (tmp_path / "modules" / name / "1").write_text(f"#%Module1.0\n{text}\n")
    port = free_port()
    variables = f"SLURM_CONF={loopback.folder}/slurm.conf MODULEPATH={tmp_path}/modules"
    loopback.start_sshd(port, more=f"SetEnv {variables}")
    try:
        for modules, code, said in (
            (("tool/1",), 0, "found\n"),
            (("tool/1", "login/1"), 69, f"grn: no module login/1 on {socket.gethostname()}\n"),
        ):
            cluster = loopback.cluster(port=port, modules=modules)
            connection = Connection("loop", cluster, sockets=loopback.folder / "run")
            connection.open()
            made = bundle("echo $TOOL", variables={"CODE": str(code)})
            run = until(connection, cluster, submit(connection, cluster, made).run, ("done", "failed"))
            assert run.tasks[0].exit_code == code
            log = Path(cluster.folder) / "runs" / run.name / "tasks" / "0" / "log"
            assert log.read_text().endswith(said)
            connection.close()
    finally:
        loopback.end(f"sshd-{port}")
