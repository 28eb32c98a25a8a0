"""What a person writes down, and the name and script that follow from it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.compute.bundle import gather
from grn.compute.clusters import Cluster, find_cluster, load_clusters
from grn.compute.job import Job, Shape, read_job
from grn.compute.ranking import Forecast, can_end, expect, rank
from grn.compute.results import read_sums
from grn.compute.scheduler import NOT_IMPLEMENTED, find_scheduler
from grn.compute.script import write_script
from grn.compute.slurm import Slurm
from grn.kit.errors import GrnError, MissingError, UnsupportedError, UsageError

HEAD = """\
#!/bin/bash
#SBATCH --job-name=grn-tune-0123456789ab
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --time=120
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --chdir=/scratch/runs/tune-0123456789ab
#SBATCH --output=slurm.out
#SBATCH --partition=gpu
#SBATCH --account=finance
#SBATCH --mem=32768M
#SBATCH --gres=gpu:a100:2
#SBATCH --array=0-3

export GRN_DIR=/scratch/runs/tune-0123456789ab
export GRN_COMMAND='python train.py --note '"'"'a b'"'"''
export GRN_PATH=/scratch/envs/abc/bin
export GRN_MODULES='cuda/12 python'
export GRN_RESUMES=20
export GRN_TASKS=4
export GRN_CPUS=8
export SEED=7
"""


def test_a_job_is_read(tmp_path: Path) -> None:
    """All of its keys, with the defaults of the rest; several tables of resources are shapes."""
    (tmp_path / "job.toml").write_text(
        '[job]\ncommand = "make"\nname = "x"\nfiles = ["*.py"]\nvariables = { SEED = "7" }\n'
        '[[resources]]\npartition = "gpu"\ngpus = 1\nrun_min = 30\n[[resources]]\nwalltime_min = 5\n'
    )
    job = read_job(tmp_path / "job.toml")
    gpu, cpu = Shape(partition="gpu", gpus=1, run_min=30.0), Shape(walltime_min=5)
    assert job == Job("make", "x", ("*.py",), variables={"SEED": "7"}, shape=gpu, shapes=(gpu, cpu))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "lacks command"),
        ("[job]\ncommand = 3", "command in .* must be text"),
        ("[job]\ncommand = ' '", "the command is empty"),
        ("[job]\ncommand = 'x'\nname = 'a b'", "a job's name"),
        ("[job]\ncommand = 'x'\nname = '../x'", "a job's name"),
        ("[job]\ncommand = 'x'\ntask = 3", "unknown setting"),
        ("[job]\ncommand = 'x'\nshape = 3", "unknown setting"),
        ("[job]\ncommand = 'x'\ntasks = true", "a whole number"),
        ("[job]\ncommand = 'x'\nfiles = 'x'", "must be a list"),
        ("[job]\ncommand = 'x'\nvariables = { 'A-B' = 'x' }", "no name for a variable"),
        ("[job]\ncommand = 'x'\nvariables = { GRN_DIR = 'x' }", "no name for a variable"),
        ("[job]\ncommand = 'x'\n[resources]\ngpu_type = 'a100'", "gpu_type without gpus"),
        ("[job]\ncommand = 'x'\n[resources]\nmemory_gib = inf", "must be positive"),
        ("[jobs]\ncommand = 'x'", "unknown table"),
        ("[job", "not valid TOML"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """By name of the key and the file, before anything is looked at."""
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(UsageError, match=what):
        read_job(tmp_path / "job.toml")
    with pytest.raises(MissingError):
        read_job(tmp_path / "no.toml")


def test_clusters(tmp_path: Path) -> None:
    """Their tables are read; what ssh could take for an option or a shell for a sign is refused."""
    file = tmp_path / "clusters.toml"
    assert load_clusters(file) == {}
    with pytest.raises(MissingError) as caught:
        find_cluster("tui", file)
    assert '[tui]\nhost = "tui-login"' in (caught.value.hint or "")
    file.write_text('[tui]\nhost = "login"\nmodules = ["cuda/12"]\n')
    assert find_cluster("tui", file) == Cluster("login", modules=("cuda/12",))
    for host, more in (("-oProxyCommand=x", ""), ("a", 'folder = "$(x)"'), ("a", 'modules = ["a;b"]')):
        file.write_text(f'[tui]\nhost = "{host}"\n{more}\n')
        with pytest.raises(UsageError):
            load_clusters(file)


def test_the_script_of_a_job() -> None:
    """Directives and variables to the letter, then the body that all jobs share; bash finds no fault."""
    job = Job("python train.py --note 'a b'", "tune", tasks=4, signal_s=180, variables={"SEED": "7"})
    shape = Shape("gpu", 2, "a100", 8, 32.0, 120)
    cluster = Cluster("login", account="finance", modules=("cuda/12", "python"))
    text = write_script(
        job, shape, cluster, Slurm(), run="tune-0123456789ab", root="/scratch", environment="abc"
    )
    assert text.startswith(HEAD)
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_a_name_follows_from_what_decides_the_result(tmp_path: Path) -> None:
    """Command, files, their modes, variables, tasks and the lock; not where and how long it runs."""
    (tmp_path / "a.py").write_text("1")
    job = Job("python a.py", files=("*.py",))
    name = gather(job, tmp_path).run
    same = replace(job, shape=Shape(gpus=4), resumes=3, signal_s=9)
    assert gather(same, tmp_path).run == name
    others = [gather(replace(job, command="python a.py "), tmp_path).run,
              gather(replace(job, variables={"A": "1"}), tmp_path).run,
              gather(replace(job, tasks=2), tmp_path).run]  # fmt: skip
    (tmp_path / "a.py").chmod(0o755)
    others.append(gather(job, tmp_path).run)
    (tmp_path / "a.py").write_text("2")
    others.append(gather(job, tmp_path).run)
    assert len({name, *others}) == 6


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../x", "no*"])
def test_files_come_from_the_folder(tmp_path: Path, pattern: str) -> None:
    """A pattern that leaves it, or that nothing fits, is refused."""
    with pytest.raises(GrnError) as caught:
        gather(Job("x", files=(pattern,)), tmp_path)
    assert caught.value.seen == pattern


def test_names_of_files_survive_the_check(tmp_path: Path) -> None:
    """`sha256sum` checks the list whatever the names hold, and its own list is read back."""
    names = ["a b", "new\nline", "back\\slash", "é", "-x"]
    for name in names:
        (tmp_path / name).write_text(name)
    bundle = gather(Job("x", files=("*",)), tmp_path)
    subprocess.run(["sha256sum", "--quiet", "-c", "-"], input=bundle.sums(), cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["sha256sum", "-bz", "--", *names], cwd=tmp_path, capture_output=True, check=True
    ).stdout.decode()
    assert read_sums(listed) == {sent.name: sent.sha256 for sent in bundle.files}


def test_schedulers() -> None:
    """Slurm is one; PBS and LSF are refused by name, with what it would take; others are unknown."""
    assert find_scheduler("slurm").name == "slurm"
    assert set(NOT_IMPLEMENTED) == {"pbs", "lsf"}
    for name in (*NOT_IMPLEMENTED, "cron"):
        with pytest.raises(UnsupportedError) as caught:
            find_scheduler(name)
        assert caught.value.hint


@given(st.floats(1, 5000), st.integers(2, 600), st.integers(1, 300), st.floats(0, 1e6))
def test_what_is_expected_of_a_shape(run_min: float, walltime_min: int, signal_s: int, wait_s: float) -> None:
    """All attempts together hold the work; one fewer would not; each waits in the queue."""
    job, shape = Job("x", signal_s=signal_s), Shape(walltime_min=walltime_min, run_min=run_min)
    attempts, end_s = expect(job, shape, wait_s)
    assert end_s == pytest.approx(run_min * 60 + attempts * wait_s)
    useful_s = max(60.0, walltime_min * 60 - signal_s - 60)
    if run_min <= walltime_min:
        assert attempts == 1
    else:
        assert (attempts - 1) * useful_s < run_min * 60 <= attempts * useful_s * (1 + 1e-12)


def test_work_that_cannot_go_on_needs_one_attempt() -> None:
    """Longer than its walltime and not told before the end: it would be killed, again and again."""
    assert not can_end(Job("x"), Shape(walltime_min=1, run_min=3))
    assert expect(Job("x"), Shape(walltime_min=1, run_min=3), 0.0) == (1, None)
    for job, shape in (
        (Job("x", signal_s=20), Shape(walltime_min=1, run_min=3)),
        (Job("x"), Shape(walltime_min=3, run_min=3)),
        (Job("x"), Shape(walltime_min=1)),
    ):
        assert can_end(job, shape)


def test_the_order_of_shapes() -> None:
    """The earliest end, not the earliest start; unknown ends after known ones; refused ones last."""
    slow = Forecast(Shape(run_min=100), 0.0, 1, 6000.0, None)
    late = Forecast(Shape(run_min=10), 3000.0, 1, 3600.0, None)
    unknown = Forecast(Shape(), 5.0, 1, None, None)
    refused = Forecast(Shape(run_min=1), None, 1, None, "no such partition")
    assert rank([refused, unknown, slow, late]) == (late, slow, unknown, refused)
