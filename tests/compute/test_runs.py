"""Jobs on a real Slurm, over a real sshd: sent, followed, cut off, queued again, brought home."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grn.compute.bundle import Bundle
from grn.compute.clusters import Cluster
from grn.compute.connection import Connection
from grn.compute.following import follow
from grn.compute.job import Shape
from grn.compute.results import fetch
from grn.compute.runs import Run, cancel, find_run, look_up
from grn.compute.submission import Submitted, consider, submit
from grn.kit.errors import ClusterError, MissingError, UsageError
from tests.compute.cluster import Loopback

NIGHTLY = bool(os.environ.get("GRN_NIGHTLY"))
Make = Callable[..., Bundle]

COUNTING = """\
n=0
[ -e "$GRN_OUT/checkpoint" ] && n=$(cat "$GRN_OUT/checkpoint")
echo "attempt $GRN_RESTARTS begins at $n"
trap 'echo "$n" >"$GRN_OUT/checkpoint"; echo "saved $n"; exit 75' USR1
while [ $n -lt STEPS ]; do n=$((n + 1)); echo "step $n"; sleep 0.2 & wait $!; done
echo "$n" >"$GRN_OUT/count"
rm -f "$GRN_OUT/checkpoint"
"""


def sent(connection: Connection, cluster: Cluster, made: Bundle) -> Run:
    return find_run(connection, cluster, submit(connection, cluster, made).run)


def until(
    connection: Connection, cluster: Cluster, name: str, states: Sequence[str], seconds: float = 60
) -> Run:
    deadline = time.monotonic() + seconds
    while (run := find_run(connection, cluster, name)).state not in states:
        assert time.monotonic() < deadline, run
        time.sleep(0.2)
    return run


def read_log(connection: Connection, cluster: Cluster, run: Run, mirror: Path, task: int = 0) -> bytes:
    out = io.BytesIO()
    follow(connection, cluster, run, task, out, mirror, patience=20, sleep=lambda _: time.sleep(0.1))
    return out.getvalue()


def test_a_job_there_and_back(
    loopback: Loopback, connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """Files arrive whole, the log comes, results have their hashes, all over the login that was there."""
    (tmp_path / "sent" / "data").mkdir(parents=True)
    (tmp_path / "sent" / "data" / "a b").write_bytes(bytes(range(256)))
    made = bundle(
        'echo out; echo err >&2; cat \'data/a b\' >"$GRN_OUT/copy"; mkdir "$GRN_OUT/d"\n'
        'printf "%s" "$COLOUR $GRN_TASK" >"$GRN_OUT/d/é\nz"',
        variables={"COLOUR": "it's red"},
    )
    logins = (loopback.folder / "log" / f"sshd-{loopback.port}.log").read_text().count("Accepted")
    run = sent(connection, cluster, made)
    assert read_log(connection, cluster, run, tmp_path / "log") == b"out\nerr\n"
    run = find_run(connection, cluster, run.name)
    assert (run.state, run.tasks[0].exit_code, run.tasks[0].log_size) == ("done", 0, 8)
    assert fetch(connection, cluster, run, tmp_path / "got") == 2
    assert (tmp_path / "got" / "copy").read_bytes() == bytes(range(256))
    assert (tmp_path / "got" / "d" / "é\nz").read_text() == "it's red 0"
    log = (loopback.folder / "log" / f"sshd-{loopback.port}.log").read_text()
    assert log.count("Accepted") == logins


def test_submitting_twice_is_a_no_op(connection: Connection, cluster: Cluster, bundle: Make) -> None:
    """Also at the same time: one job is queued, and both are told of it; so also when its note was lost."""
    made = bundle("sleep 30")
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: submit(connection, cluster, made), range(3)))
    assert len({answer.job_id for answer in answers}) == 1
    assert sorted(answer.known for answer in answers)[1:] == [True, True]
    note = Path(cluster.folder) / "runs" / made.run / "job_id"
    note.unlink()
    assert submit(connection, cluster, made).job_id == answers[0].job_id
    assert note.read_text().strip() == answers[0].job_id
    assert cancel(connection, cluster, find_run(connection, cluster, made.run))


def test_who_comes_second_is_told_of_the_first(
    connection: Connection, cluster: Cluster, bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine queues the same run while its files are copied: no error, one job."""
    made, push, first = bundle("true"), Connection.push, list[Submitted]()

    def overtaken(self: Connection, source: Path, files: Iterable[str], target: str) -> None:
        """Beaten by a whole submission, what was being copied is gone."""
        monkeypatch.setattr(Connection, "push", push)
        first.append(submit(connection, cluster, made))
        raise ClusterError("rsync failed")

    monkeypatch.setattr(Connection, "push", overtaken)
    second = submit(connection, cluster, made)
    assert (second.known, second.job_id) == (True, first[0].job_id)


def test_a_log_is_the_same_bytes_however_often_the_connection_breaks(
    loopback: Loopback, connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """Bytes of every kind; the master is killed again and again, and its follower once starts anew."""
    rounds = 12
    made = bundle(
        f'for i in $(seq {rounds}); do head -c 150000 /dev/urandom | tee -a "$GRN_OUT/said"; sleep 0.3; done'
    )
    own = Connection("own", cluster, sockets=tmp_path)
    own.open()
    run = sent(own, cluster, made)
    cuts: list[int] = []
    over = threading.Event()

    mirror = tmp_path / "log"

    def cut() -> None:
        """Cut whenever something new has come: on a slow machine too every connection gets somewhere."""
        seen = 0
        while not over.wait(0.1) and len(cuts) < 6:
            if mirror.exists() and mirror.stat().st_size > seen and own.close():
                cuts.append(seen := mirror.stat().st_size)

    with ThreadPoolExecutor(1) as pool:
        cutting = pool.submit(cut)
        try:
            first = read_log(own, cluster, run, mirror)
        finally:
            over.set()
        cutting.result()
    own.open()
    run = until(own, cluster, run.name, ("done",))
    fetch(own, cluster, run, tmp_path / "got")
    expected = (tmp_path / "got" / "said").read_bytes()
    assert len(expected) == rounds * 150_000
    assert cuts
    assert hashlib.sha256(first).digest() == hashlib.sha256(expected).digest()
    # A follower that was killed has seen half, and another goes on from there.
    mirror.write_bytes(expected[:777_777])
    assert read_log(own, cluster, run, mirror) == expected
    own.close()


def test_a_checkpoint_before_the_end_of_the_time_is_gone_on_from(
    loopback: Loopback, connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """USR1, exit code 75, queued again, resumed: the result of one attempt, and one log of both.

    The signal is sent by the scheduler's own program here; by the clock of a walltime in the nightly test.
    """
    run = sent(connection, cluster, bundle(COUNTING.replace("STEPS", "20")))
    log = Path(cluster.folder) / "runs" / run.name / "tasks" / "0" / "log"
    loopback.wait(lambda: log.exists() and b"step 3" in log.read_bytes(), "three steps")
    loopback.slurm("scancel", "--batch", "--signal=USR1", str(run.job_id))
    said = read_log(connection, cluster, run, tmp_path / "log").decode()
    assert "attempt 1 begins at" in said
    saved = int(said.partition("saved ")[2].split()[0])
    assert f"attempt 1 begins at {saved}\nstep {saved + 1}\n" in said
    assert [line for line in said.splitlines() if line.startswith("step")] == [
        f"step {n}" for n in range(1, 21)
    ]
    run = find_run(connection, cluster, run.name)
    assert (run.state, run.tasks[0].restarts) == ("done", 1)
    fetch(connection, cluster, run, tmp_path / "got")
    assert (tmp_path / "got" / "count").read_text() == "20\n"


@pytest.mark.skipif(not NIGHTLY, reason="a walltime is a minute at least")
def test_a_walltime_is_survived(
    connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """Two minutes of work on a partition that allows one: signal, checkpoint, requeue, resume, until done."""
    made = bundle(
        COUNTING.replace("STEPS", "300"), shape=Shape(partition="short", walltime_min=1), signal_s=30
    )
    run = sent(connection, cluster, made)
    said = read_log(connection, cluster, run, tmp_path / "log").decode()
    assert [line for line in said.splitlines() if line.startswith("step")] == [
        f"step {n}" for n in range(1, 301)
    ]
    run = find_run(connection, cluster, run.name)
    assert run.state == "done"
    assert run.tasks[0].restarts >= 1


@pytest.mark.skipif(not NIGHTLY, reason="a walltime is a minute at least")
def test_a_job_that_ignores_its_time_is_lost_and_says_why(
    connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """It ends without an exit code; the follower comes to an end, and the queue's word is the reason."""
    made = bundle("echo begun; sleep 300", shape=Shape(partition="short", walltime_min=1), signal_s=None)
    run = sent(connection, cluster, made)
    assert read_log(connection, cluster, run, tmp_path / "log").startswith(b"begun\n")
    task = find_run(connection, cluster, run.name).tasks[0]
    assert (task.state, task.exit_code) == ("lost", None)
    assert task.reason is not None
    assert task.reason.startswith("TIMEOUT")


def test_a_job_that_saves_for_ever_comes_to_an_end(
    connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """No more attempts than are allowed: it ends with 75, and its log says so."""
    run = sent(connection, cluster, bundle("exit 75", resumes=0))
    assert b"no more are allowed" in read_log(connection, cluster, run, tmp_path / "log")
    run = find_run(connection, cluster, run.name)
    assert (run.state, run.tasks[0].exit_code) == ("failed", 75)
    with pytest.raises(UsageError, match="is not done"):
        fetch(connection, cluster, run, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_cancelling(connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path) -> None:
    """A run that is cancelled stays so; what it wrote can be had; a second time there is nothing to end."""
    run = sent(connection, cluster, bundle('echo half >"$GRN_OUT/half"; echo there; exec sleep 60'))
    task = Path(cluster.folder) / "runs" / run.name / "tasks" / "0"
    while not (task / "log").exists() or not (task / "log").read_bytes():
        time.sleep(0.1)
    assert cancel(connection, cluster, run)
    run = until(connection, cluster, run.name, ("cancelled",))
    assert not cancel(connection, cluster, run)
    assert read_log(connection, cluster, run, tmp_path / "log").startswith(b"there\n")
    assert fetch(connection, cluster, run, tmp_path / "got", partial=True) == 1
    assert (tmp_path / "got" / "half").read_text() == "half\n"


def test_a_node_that_fails(
    loopback: Loopback, connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """The node dies with its job; the scheduler queues it again, and it ends well on the node come back."""
    made = bundle('echo begun $GRN_RESTARTS | tee "$GRN_OUT/said"; sleep $((30 - 30 * GRN_RESTARTS))')
    run = sent(connection, cluster, made)
    task = Path(cluster.folder) / "runs" / run.name / "tasks" / "0"
    loopback.wait(lambda: (task / "out" / "said").exists(), "the job")
    loopback.end("slurmd", signal.SIGKILL)
    loopback.kill_job(str(run.job_id))
    loopback.slurm("scontrol", "update", f"nodename={loopback.host}", "state=down", "reason=test")
    loopback.start_slurmd()
    loopback.slurm("scontrol", "update", f"nodename={loopback.host}", "state=resume")
    loopback.wait_for_node()
    assert read_log(connection, cluster, run, tmp_path / "log") == b"begun 0\nbegun 1\n"
    run = find_run(connection, cluster, run.name)
    assert (run.state, run.tasks[0].restarts) == ("done", 1)


def test_a_scheduler_that_is_started_anew(
    loopback: Loopback, connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """While it is away nothing is said that is not known, nothing is half sent, and no run is lost."""
    run = sent(connection, cluster, bundle('sleep 3; echo x >"$GRN_OUT/x"'))
    until(connection, cluster, run.name, ("running",))
    loopback.end("slurmctld")
    try:
        (away,) = look_up(connection, cluster, [run.name])
        assert away.tasks[0].state in ("unknown", "done")
        assert away.tasks[0].reason == "the scheduler does not answer"
        late = bundle("echo late", name="late")
        with pytest.raises(ClusterError, match="does not take the job") as caught:
            submit(connection, cluster, late)
        assert "contact" in str(caught.value)
        with pytest.raises(MissingError):
            find_run(connection, cluster, late.run)
    finally:
        loopback.start_slurmctld()
    loopback.wait_for_node()
    assert not submit(connection, cluster, late).known
    for name in (run.name, late.run):
        assert until(connection, cluster, name, ("done",)).tasks[0].restarts == 0


def test_an_array_and_results_that_were_changed(
    connection: Connection, cluster: Cluster, bundle: Make, tmp_path: Path
) -> None:
    """Each task has its number, log and results; what was changed after the end is refused by name.

    No folder appears then; mended, it comes.
    """
    made = bundle('echo task $GRN_TASK of $GRN_TASKS | tee "$GRN_OUT/said"; echo 2 >"$GRN_OUT/two"', tasks=2)
    run = until(connection, cluster, sent(connection, cluster, made).name, ("done",))
    assert [task.number for task in run.tasks] == [0, 1]
    assert read_log(connection, cluster, run, tmp_path / "log", task=1) == b"task 1 of 2\n"
    out = Path(cluster.folder) / "runs" / run.name / "tasks" / "1" / "out"
    for damage, mend, what in (
        (lambda: (out / "two").write_text("3\n"), lambda: (out / "two").write_text("2\n"), "the hash"),
        (lambda: (out / "two").unlink(), lambda: (out / "two").write_text("2\n"), "missing"),
        (lambda: (out / "3").touch(), lambda: (out / "3").unlink(), "after its task had ended"),
    ):
        damage()
        with pytest.raises(ClusterError, match=what):
            fetch(connection, cluster, run, tmp_path / "got")
        assert not (tmp_path / "got").exists()
        mend()
    assert fetch(connection, cluster, run, tmp_path / "got") == 4
    assert (tmp_path / "got" / "1" / "said").read_text() == "task 1 of 2\n"
    with pytest.raises(UsageError, match="there already"):
        fetch(connection, cluster, run, tmp_path / "got")


def test_a_refused_job_leaves_nothing(connection: Connection, cluster: Cluster, bundle: Make) -> None:
    """A partition that is not there: the scheduler's own words, before a file was sent; no run is left."""
    made = bundle("true", name="refused", shape=Shape(partition="gpus"))
    with pytest.raises(ClusterError, match=r"[Ii]nvalid partition"):
        submit(connection, cluster, made)
    assert look_up(connection, cluster, [made.run]) == ()
    assert not (Path(cluster.folder) / "incoming" / made.run).exists()


def test_the_earliest_end_is_taken(connection: Connection, cluster: Cluster, bundle: Make) -> None:
    """Shapes that the queue would start at once: shorter work first, refused ones last."""
    shapes = (
        Shape(partition="main", walltime_min=50, run_min=40),
        Shape(partition="main", walltime_min=20, run_min=12),
        Shape(partition="short", walltime_min=10, run_min=1),
    )
    ranked = consider(connection, cluster, bundle("true", shapes=shapes))
    assert [one.shape for one in ranked] == [shapes[1], shapes[0], shapes[2]]
    assert ranked[0].end_s is not None
    assert ranked[0].end_s >= 12 * 60
    assert ranked[2].refused is not None
