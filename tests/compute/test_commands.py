"""The commands, as a person types them, against a real Slurm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.ledger import Ledger
from tests.compute.cluster import Loopback, free_port

JOB = """\
[job]
command = "echo hello; echo 42 >$GRN_OUT/answer"
name = "hello"
free_gib = 0.01
variables = {{ SALT = "{salt}" }}

[resources]
walltime_min = 5
"""


@pytest.fixture
def home(loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("GRN_HOME", str(folder))
    # Not pytest's own folder: a socket's path has to be short.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(loopback.folder / "run"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.toml").write_text(JOB.format(salt=tmp_path))
    config = loopback.cluster()
    (folder / "clusters.toml").write_text(
        f'[loop]\nhost = "loop"\nfolder = "{config.folder}"\nssh_config = "{config.ssh_config}"\n'
    )
    return folder


def test_the_whole_way(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Asked, submitted twice, listed, attached, fetched: data on stdout, the rest on stderr."""
    main(["compute", "connect", "loop", "--close"])
    assert main(["compute", "connect", "loop", "--check"]) == 1
    capfd.readouterr()
    assert main(["compute", "submit", "job.toml", "--dry-run"]) == 0
    out, err = capfd.readouterr()
    assert "default partition, 1 cpu, 5 min at a time  0.0 s" in out
    assert main(["compute", "submit", "job.toml", "--on", "loop"]) == 0
    out, err = capfd.readouterr()
    run = out.strip()
    assert run.startswith("hello-")
    assert "queued: job " in err
    assert main(["compute", "submit", "job.toml", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["known"] is True
    assert "nothing was sent" in err
    assert main(["compute", "attach", run]) == 0
    assert capfd.readouterr() == ("hello\n", f"done, exit code 0\nnext: grn compute fetch {run}\n")
    assert main(["compute", "jobs", run, "--json"]) == 0
    (listed,) = json.loads(capfd.readouterr().out)
    assert (listed["run"], listed["state"], listed["tasks"][0]["exit_code"]) == (run, "done", 0)
    assert main(["compute", "jobs"]) == 0
    assert run in capfd.readouterr().out
    assert main(["compute", "cancel", run[:14]]) == 1
    assert main(["compute", "fetch", run, "--to", "got"]) == 0
    assert capfd.readouterr().out == "got\n"
    assert Path("got/answer").read_text() == "42\n"
    with Ledger.open(home / "ledger") as book:
        (entered,) = book.invocations(5)
        assert (entered.command, entered.inputs["run"]) == ("compute submit", run)
    assert main(["compute", "connect", "loop", "--check"]) == 0
    assert main(["compute", "connect", "loop", "--close"]) == 0


def test_what_is_not_there(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A cluster, a job file and a run that do not exist: exit code 3, and what to write."""
    assert main(["compute", "submit", "job.toml", "--on", "tui"]) == 3
    assert "known are loop" in capfd.readouterr().err
    assert main(["compute", "submit", "no.toml"]) == 3
    assert main(["compute", "attach", "no-such-run"]) == 3
    assert "grn compute jobs lists them" in capfd.readouterr().err
    (home / "clusters.toml").unlink()
    assert main(["compute", "jobs"]) == 3
    assert "no cluster is written down" in capfd.readouterr().err


def test_nothing_is_begun_where_nobody_can_be_reached(
    home: Path, loopback: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    """A host of another key, and a second factor in batch mode: exit code 3, no note, no entry, no run."""
    port = free_port()
    loopback.start_sshd(port, more="PasswordAuthentication yes\nAuthenticationMethods publickey,password")
    other = (loopback.folder / "ssh" / "other.pub").read_text()
    try:
        for config, what in (
            (loopback.cluster(known=other), "host key that is known"),
            (loopback.cluster(port=port), "second factor"),
        ):
            (home / "clusters.toml").write_text(
                f'[loop]\nhost = "loop"\nfolder = "{config.folder}"\nssh_config = "{config.ssh_config}"\n'
            )
            assert main(["compute", "submit", "job.toml"]) == 3
            out, err = capfd.readouterr()
            assert (out, what in err) == ("", True)
    finally:
        loopback.end(f"sshd-{port}")
    assert [path.name for path in home.iterdir()] == ["clusters.toml"]


def test_help_needs_no_cluster() -> None:
    """The group's help imports none of its commands."""
    code = "import sys\nfrom grn.cli.main import main\nmain(['compute', '--help'])\n"
    code += "sys.exit(any(name.startswith('grn.compute') for name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    assert "submit" in ran.stdout
