"""One login, strict host keys, nothing that asks, and what OpenSSH's complaints mean: a real sshd."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grn.compute.bundle import Bundle
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.preflight import look
from grn.compute.submission import submit
from grn.kit.errors import ClusterError, OutputError, UnreachableError
from tests.compute.cluster import Loopback, free_port

Connect = Callable[[Cluster], Connection]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    made: list[Connection] = []

    def make(cluster: Cluster) -> Connection:
        made.append(Connection("loop", cluster, sockets=tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def door(loopback: Loopback) -> Iterator[Callable[[str], int]]:
    """Start further login nodes of other habits; gives their ports."""
    ports: list[int] = []

    def start(more: str) -> int:
        ports.append(free_port())
        loopback.start_sshd(ports[-1], more=more)
        return ports[-1]

    yield start
    for port in ports:
        loopback.end(f"sshd-{port}")


def logins(loopback: Loopback, port: int) -> int:
    return (loopback.folder / "log" / f"sshd-{port}.log").read_text().count("Accepted publickey")


def test_a_host_with_another_key_is_not_talked_to(loopback: Loopback, connect: Connect) -> None:
    """Somebody in between shows another key than the one that is known: refused, and nothing is sent."""
    other = (loopback.folder / "ssh" / "other.pub").read_text()
    with pytest.raises(UnreachableError, match="host key that is known") as caught:
        connect(loopback.cluster(known=other)).open()
    assert "ssh-keygen -R loop" in (caught.value.hint or "")
    assert caught.value.exit_code == 3


def test_a_host_that_is_not_known_is_not_trusted(loopback: Loopback, connect: Connect) -> None:
    """No key is taken from whoever answers first."""
    with pytest.raises(UnreachableError, match="not known here") as caught:
        connect(loopback.cluster(known="")).open()
    assert "grn compute connect loop" in (caught.value.hint or "")
    assert not any((loopback.folder / "ssh").glob("known-*.old"))


def test_a_second_factor_is_not_asked_for(
    loopback: Loopback, connect: Connect, door: Callable[[str], int]
) -> None:
    """A login node that wants a key and a password: in batch mode an error at once that says what to do."""
    port = door("PasswordAuthentication yes\nAuthenticationMethods publickey,password")
    with pytest.raises(UnreachableError, match="password or a second factor") as caught:
        connect(loopback.cluster(port=port)).open()
    assert "grn compute connect loop" in (caught.value.hint or "")


def test_a_connection_that_was_opened_is_used_whatever_it_took(
    loopback: Loopback, connect: Connect, door: Callable[[str], int]
) -> None:
    """Once a person has answered, commands go over that login, though alone they would be refused."""
    port = door("PasswordAuthentication yes\nAuthenticationMethods publickey")
    cluster = loopback.cluster(port=port)
    first = connect(cluster)
    first.open()
    # The node now wants a password of everybody who comes anew.
    config = loopback.folder / "ssh" / f"sshd_config-{port}"
    config.write_text(config.read_text().replace("Methods publickey", "Methods publickey,password"))
    os.kill(int((loopback.folder / "run" / f"sshd-{port}.pid").read_text()), signal.SIGHUP)
    second = connect(cluster)
    second.open()
    assert second.script("receive", str(loopback.folder / "made")).code == 0
    assert logins(loopback, port) == 1


def test_a_master_that_died_costs_no_silent_login(loopback: Loopback, connect: Connect) -> None:
    """Over a dead socket a command fails rather than logging in anew; opened again, it works."""
    one = connect(loopback.cluster())
    one.open()
    before = logins(loopback, loopback.port)
    pid = subprocess.run(
        [*one._ssh(), "-O", "check", "loop"], capture_output=True, text=True, check=True
    ).stderr.partition("pid=")[2].rstrip(")\r\n")  # fmt: skip
    os.kill(int(pid), signal.SIGKILL)
    loopback.wait(lambda: not one.is_open(), "the master's end")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        one.script("receive", str(loopback.folder / "made"))
    assert logins(loopback, loopback.port) == before
    one.open()
    assert one.script("receive", str(loopback.folder / "made")).code == 0
    assert logins(loopback, loopback.port) == before + 1


def test_nobody_answers(loopback: Loopback, connect: Connect) -> None:
    """A port that is closed: what ssh said, and what to try."""
    with pytest.raises(UnreachableError, match="Connection refused"):
        connect(loopback.cluster(port=free_port())).open()


def test_an_account_that_talks(
    loopback: Loopback, connect: Connect, door: Callable[[str], int], tmp_path: Path
) -> None:
    """What start-up files print does not reach answers; rsync cannot work there, and the error says why."""
    (loopback.folder / "noise").write_text("quiet\n")
    port = door('ForceCommand echo Welcome to the cluster; eval "$SSH_ORIGINAL_COMMAND"')
    one = connect(loopback.cluster(port=port))
    one.open()
    assert one.script("sums", str(loopback.folder / "noise")).out == "quiet\n"
    with pytest.raises(ClusterError, match="prints something at every login"):
        one.push(loopback.folder, ["noise"], str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"modules": ("cuda/99",)}, "has no module cuda/99"), ({"folder": "/proc/no"}, "cannot be written")],
)
def test_what_a_cluster_lacks_is_said_before_anything_is_sent(
    loopback: Loopback,
    connect: Connect,
    bundle: Callable[..., Bundle],
    settings: dict[str, object],
    what: str,
) -> None:
    """A module (of the real environment-modules), and a folder that can be written."""
    cluster = loopback.cluster(**settings)
    one = connect(cluster)
    one.open()
    with pytest.raises(ClusterError, match=what) as caught:
        look(one, cluster)
    assert caught.value.hint
    made = bundle("true", name="lacking")
    with pytest.raises(ClusterError, match=what):
        submit(one, cluster, made)
    assert not list(loopback.folder.rglob(f"{made.run}*"))
    assert made.run not in loopback.slurm("squeue", "-h", "-o", "%j")


def test_another_scheduler_and_a_quota_are_seen(
    loopback: Loopback,
    connect: Connect,
    door: Callable[[str], int],
    bundle: Callable[..., Bundle],
    tmp_path: Path,
) -> None:
    """A login node with PBS and without Slurm is named so; a quota that is used up is told with its line.

    Nothing is sent then. `qsub` and `quota` are doubles: the latter prints what quota(1) documents.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ["awk", "bash", "cat", "df", "flock", "id", "mkdir", "rsync", "sha256sum", "squeue"]:
        (programs / name).symlink_to(f"/usr/bin/{name}")
    (programs / "qsub").write_text("#!/bin/bash\n")
    (programs / "quota").write_text(
        "#!/bin/bash\ncat <<END\nDisk quotas for user u (uid 1000):\n"
        "Filesystem blocks quota limit grace files quota limit grace\n"
        "store:/home 1048600* 1048576 1153434 6days 812 0 0\nEND\n"
    )
    for name in ("qsub", "quota"):
        (programs / name).chmod(0o755)
    cluster = loopback.cluster(port=door(f"SetEnv PATH={programs}"))
    one = connect(cluster)
    one.open()
    with pytest.raises(ClusterError, match="no Slurm cluster: it has PBS"):
        look(one, cluster)
    for name in ("sbatch", "scancel", "scontrol"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    made = bundle("true", name="quota")
    with pytest.raises(OutputError, match=r"a quota on loop is used up.*store:/home 1048600\* 1048576"):
        submit(one, cluster, made)
    assert not list(loopback.folder.rglob(f"{made.run}*"))
    assert made.run not in loopback.slurm("squeue", "-h", "-o", "%j")
