"""Runs queued again, and runs removed: on a real Slurm."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grn.cli.main import main
from grn.compute.bundle import Bundle
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.results import fetch
from grn.compute.retry import retry
from grn.compute.runs import cancel, find_run
from grn.compute.submission import submit
from grn.kit.errors import ClusterError, UsageError
from tests.compute.cluster import Loopback
from tests.compute.test_commands import home  # noqa: F401 - a fixture
from tests.compute.test_runs import NIGHTLY, read_log, sent, until

Make = Callable[..., Bundle]

SECOND_TIME_LUCKY = """\
echo "task $GRN_TASK" >>"$GRN_OUT/begun"
[ $GRN_TASK = 0 ] || [ $(wc -l <"$GRN_OUT/begun") = 2 ]
"""


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        return True


def test_what_failed_begins_once_more(
    loopback: Loopback, connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """The failed task of an array alone, in its folder as it left it, with a longer walltime."""
    made = bundle(SECOND_TIME_LUCKY, tasks=2)
    run = sent(connection, cluster, made)
    while not (run := find_run(connection, cluster, run.name)).is_over:
        time.sleep(0.2)
    assert [task.state for task in run.tasks] == ["done", "failed"]
    answer = submit(connection, cluster, made)
    assert (answer.known, answer.state) == (True, "failed")
    with pytest.raises(ClusterError, match=r"[Ii]nvalid partition"):
        retry(connection, cluster, run, {"partition": "nowhere"})
    assert find_run(connection, cluster, run.name) == run
    again = retry(connection, cluster, run, {"walltime_min": 7})
    assert again.job_id != run.job_id
    assert "TimeLimit=00:07:00" in loopback.slurm("scontrol", "show", "job", again.job_id)
    run = until(connection, cluster, run.name, ("done",))
    assert run.job_id == again.job_id
    assert fetch(connection, cluster, run, tmp_path / "got") == 2
    assert (tmp_path / "got" / "0" / "begun").read_text() == "task 0\n"
    assert (tmp_path / "got" / "1" / "begun").read_text() == "task 1\n" * 2
    with pytest.raises(UsageError, match="is done"):
        retry(connection, cluster, run)


@pytest.mark.skipif(not NIGHTLY, reason="the whole way of a job twice more")
def test_what_was_cancelled_begins_once_more(
    connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """One log of both attempts; while it is in the queue it is not queued twice."""
    made = bundle('echo begun; [ -e "$GRN_OUT/x" ] && exit 0; touch "$GRN_OUT/x"; sleep 60')
    run = sent(connection, cluster, made)
    log = Path(cluster.folder) / "runs" / run.name / "tasks" / "0" / "log"
    until(connection, cluster, run.name, ("running",))
    while not log.exists() or not log.read_bytes():
        time.sleep(0.1)
    with pytest.raises(UsageError, match="has not ended"):
        retry(connection, cluster, run)
    assert cancel(connection, cluster, run)
    run = until(connection, cluster, run.name, ("cancelled",))
    retry(connection, cluster, run)
    until(connection, cluster, run.name, ("done",))
    assert read_log(connection, cluster, run, tmp_path / "log").splitlines()[::2][-1:] == [b"begun"]


def test_runs_that_were_fetched_are_removed(
    home: Path,  # noqa: F811 - the fixture
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only those, and only after a yes; the same job is then computed again, with a log of its own."""
    assert main(["compute", "submit", "job.toml"]) == 0
    run = capfd.readouterr().out.strip()
    assert main(["compute", "attach", run]) == 0
    assert main(["compute", "clean"]) == 0
    assert "nothing to remove" in capfd.readouterr().err
    assert main(["compute", "clean", run, "--yes"]) == 2
    assert "were not fetched" in capfd.readouterr().err
    assert main(["compute", "clean", "no-such-run"]) == 2
    assert main(["compute", "fetch", run, "--to", "got"]) == 0
    capfd.readouterr()
    assert main(["compute", "clean", "--dry-run", "--json"]) == 0
    (listed,) = json.loads(capfd.readouterr().out)
    assert (listed["run"], listed["fetched"]) == (run, str(Path("got").resolve()))
    assert listed["bytes"] > 0
    assert main(["compute", "clean"]) == 2
    assert "nobody can be asked" in capfd.readouterr().err
    for answer, code, left in (("n", 1, True), ("y", 0, False)):
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        assert main(["compute", "clean"]) == code
        capfd.readouterr()
        assert main(["compute", "jobs", "--json"]) == 0
        assert (run in capfd.readouterr().out) is left
    assert main(["compute", "submit", "job.toml"]) == 0
    assert "queued" in capfd.readouterr().err
    assert main(["compute", "attach", run]) == 0
    assert capfd.readouterr().out == "hello\n"
    if not NIGHTLY:
        return
    # Whose results' folder is gone was not fetched.
    assert main(["compute", "fetch", run, "--to", "got-2"]) == 0
    (Path("got-2") / "answer").unlink()
    Path("got-2").rmdir()
    assert main(["compute", "clean", run, "--yes"]) == 2
    assert main(["compute", "clean", run, "--yes", "--unfetched"]) == 0
