"""A sweep on a real Slurm, as a person types it: the same bytes and the same trials as here."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grn.cli.main import main
from grn.ledger import Ledger
from tests.compute.cluster import Loopback
from tests.compute.test_runs import NIGHTLY
from tests.quant.markets import CROSS, two_walks
from tests.quant.stream.test_stream import bytes_of

SWEEP = ["quant", "sweep", "cross.py", "--data", "walks.parquet", "--chunk", "4", "-p", "fast=2:7"]
THERE = ["--to", "there", "--on", "loop", "--tasks", "2", "--cpus", "1", "--walltime-min", "5"]


@pytest.fixture
def folder(loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's folder, with a strategy that no other test sends; two homes, here and there."""
    # Not pytest's own folder: a socket's path has to be short.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(loopback.folder / "run"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cross.py").write_text(CROSS)
    two_walks(90).write_parquet(tmp_path / "walks.parquet")
    for home in ("home-here", "home-there"):
        (tmp_path / home).mkdir()
    write_clusters(loopback, tmp_path)
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home-there"))
    return tmp_path


def write_clusters(loopback: Loopback, folder: Path, environment: str = sys.prefix) -> None:
    config = loopback.cluster()
    (folder / "home-there" / "clusters.toml").write_text(
        f'[loop]\nhost = "loop"\nfolder = "{config.folder}"\nssh_config = "{config.ssh_config}"\n'
        f'environment = "{environment}"\n'
    )


def recorded(home: Path) -> list[dict[str, Any]]:
    """Every run of a ledger: command, inputs, trials, results."""
    with Ledger.open(home / "ledger") as book:
        return [
            {
                "command": run.command,
                "inputs": run.inputs,
                "trials": [(row.data_id, row.n, row.blob) for row in run.trials],
                "outcome": run.outcome
                and (run.outcome.exit_code, run.outcome.result_key, run.outcome.outputs),
            }
            for run in book.invocations(20)
        ]


def wait(run: str, capfd: pytest.CaptureFixture[str]) -> None:
    deadline = time.monotonic() + 90
    while True:
        assert main(["compute", "jobs", run, "--json"]) == 0
        (found,) = json.loads(capfd.readouterr().out)
        if found["state"] == "done":
            return
        assert found["state"] in ("waiting", "running"), found
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def test_a_sweep_there_is_the_sweep_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Files, rows shown and ledger; sent twice, brought home twice: one run, one count."""
    monkeypatch.setenv("GRN_HOME", str(folder / "home-here"))
    assert main([*SWEEP, "--to", "here"]) == 0
    shown = capfd.readouterr().out
    monkeypatch.setenv("GRN_HOME", str(folder / "home-there"))
    assert main([*SWEEP, *THERE, "--dry-run", "--json"]) == 0
    asked = json.loads(capfd.readouterr().out)
    assert (asked["chunks"], asked["tasks"], asked["refused"]) == (3, 2, None)
    assert not (folder / "there").exists()
    assert main([*SWEEP, *THERE]) == 0
    out, err = capfd.readouterr()
    run = out.strip()
    assert run == asked["run"]
    assert run.startswith("sweep-")
    assert ", 2 tasks, " in err
    (begun,) = recorded(folder / "home-there")
    assert (begun["trials"], begun["outcome"]) == ([], None)
    assert main([*SWEEP, *THERE[:4], "--cpus", "1"]) == 0  # in other tasks: it is on its way already
    out, err = capfd.readouterr()
    assert out in (f"{run}\n", shown)
    early = main(["compute", "fetch", run])
    assert early == 0 or f"{run} is not done" in capfd.readouterr().err
    capfd.readouterr()
    wait(run, capfd)
    assert main([*SWEEP, *THERE]) == 0
    out, err = capfd.readouterr()
    assert out == shown
    assert f"{run}: 18 rows of 2 tasks merged" in err
    assert bytes_of(folder / "there") == bytes_of(folder / "here")
    (here,), (there,) = recorded(folder / "home-here"), recorded(folder / "home-there")
    assert there["outcome"][2].pop("where") == f"loop/{run}"
    for one in (here, there):
        one["outcome"][2].pop("folder")
    assert here == there
    assert main(["compute", "fetch", run, "--to", "elsewhere"]) == 2
    assert "begun in" in capfd.readouterr().err
    assert main(["compute", "fetch", run]) == 0
    assert capfd.readouterr().out == f"{folder / 'there'}\n"
    (again,) = recorded(folder / "home-there")
    assert again["trials"] == here["trials"]
    kept = {path.suffix for path in (folder / "home-there" / "compute" / "loop").iterdir()}
    assert kept == {".json", ".sweep", ".fetched"}
    # Once it is home it may be removed there: it is not computed again.
    assert main(["compute", "clean", run, "--yes"]) == 0
    capfd.readouterr()
    assert main([*SWEEP, *THERE]) == 0
    assert capfd.readouterr().out == shown
    assert main(["compute", "jobs", run, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []


@pytest.mark.skipif(not NIGHTLY, reason="tasks wait in the queue again")
def test_a_sweep_that_is_interrupted_there_is_the_sweep_here(
    loopback: Loopback, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every task is told of its end as soon as its first chunk is there, and one is put back by the queue."""
    wide = [*SWEEP[:-4], "--chunk", "5", "-p", "fast=2:31", "-p", "slow=2:31"]
    assert main([*wide, *THERE]) == 0
    run = capfd.readouterr().out.strip()
    there = loopback.folder / "runs" / "runs" / run
    loopback.wait(lambda: len({path.parts[-3] for path in there.glob("tasks/*/out/*.json")}) == 2, "chunks")
    job = (there / "job_id").read_text().strip()
    loopback.slurm("scancel", "--batch", "--signal=USR1", job)
    loopback.slurm("scontrol", "requeue", f"{job}_1")
    wait(run, capfd)
    assert main(["compute", "jobs", run, "--json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)
    assert sum(task["restarts"] for task in found["tasks"]) >= 1
    assert main(["compute", "fetch", run]) == 0
    assert main([*wide, "--to", "here"]) == 0
    assert bytes_of(folder / "there") == bytes_of(folder / "here")
    # A folder that was lost comes home again, as another run on the same trials.
    shutil.rmtree(folder / "there")
    assert main([*wide, *THERE]) == 0
    assert bytes_of(folder / "there") == bytes_of(folder / "here")


def test_what_cannot_be_sent_is_not_begun(
    loopback: Loopback, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No environment, a locked period, a walltime that no queue takes: no run here, nothing there."""
    two_walks(91).write_parquet("walks.parquet")  # not what another test has sent
    runs = loopback.folder / "runs" / "runs"
    before = sorted(runs.iterdir()) if runs.exists() else []
    assert main([*SWEEP, "--on", "loop"]) == 2
    assert "--to FOLDER" in capfd.readouterr().err
    write_clusters(loopback, folder, "/no/environment")
    assert main([*SWEEP, *THERE]) == 2
    assert "no environment in /no/environment" in capfd.readouterr().err
    write_clusters(loopback, folder)
    assert main([*SWEEP, *THERE[:-1], "6000"]) == 2
    assert "does not take the job" in capfd.readouterr().err
    assert not (folder / "there").exists()
    assert main(["quant", "holdout", "walks.parquet", "--from", "2020-02-01"]) == 0
    assert main([*SWEEP, *THERE]) == 4
    assert "hold-out" in capfd.readouterr().err
    assert recorded(folder / "home-there") == []
    assert (sorted(runs.iterdir()) if runs.exists() else []) == before
