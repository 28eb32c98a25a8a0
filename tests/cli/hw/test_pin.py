from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grn.hw.pin import place_sweep
from grn.hw.threads import VARIABLES

TELL = """
import json, os, resource
print(json.dumps({
    "mask": sorted(os.sched_getaffinity(0)), "nice": os.nice(0), "environ": dict(os.environ),
    "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
}))
"""
linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")


GRN = (sys.executable, "-c", "import sys; from grn.cli.main import main; sys.exit(main())")


def grn(
    home: Path, *arguments: str, cpus: set[int] | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"}
    return subprocess.run(
        [*GRN, *arguments],
        env={**environ, "GRN_HOME": str(home), **more}, capture_output=True, text=True, check=False,
        preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
    )  # fmt: skip


@linux
def test_a_pinned_command_runs_where_it_was_put(tmp_path: Path) -> None:
    """The real mask, variables, priority and limit of a real process, as it tells them itself."""
    done = grn(tmp_path, "hw", "pin", "--memory-gib", "2", "--nice", "3", "--", sys.executable, "-c", TELL)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    place = place_sweep()
    assert told["mask"] == list(place.processors or ())
    assert {told["environ"][name] for name in VARIABLES} == {str(place.threads)}
    assert (told["nice"] - os.nice(0), told["data"]) == (3, 2 << 30)
    assert "2 GiB for each process of the command, by limits" in done.stderr


@linux
def test_the_mask_that_it_was_started_with_is_obeyed(tmp_path: Path) -> None:
    """A batch system's one processor stays one, and libraries start one thread; 24 GiB by default."""
    one = max(os.sched_getaffinity(0))
    done = grn(tmp_path, "hw", "pin", "--", sys.executable, "-c", TELL, cpus={one})
    told = json.loads(done.stdout)
    assert (told["mask"], told["environ"]["OMP_NUM_THREADS"], told["data"]) == ([one], "1", 24 << 30)


def test_the_exit_status_is_the_commands_own(tmp_path: Path) -> None:
    """It is the very process; words after -- are the command's, also those that look like options."""
    assert grn(tmp_path, "hw", "pin", "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    done = grn(tmp_path, "hw", "pin", "--cores", "slow", "echo", "--nice")
    assert (done.returncode, done.stdout) == (0, "--nice\n")
    assert "priority: 10" in done.stderr


def test_a_dry_run_only_tells(tmp_path: Path) -> None:
    """Nothing on stdout, nothing run."""
    done = grn(tmp_path, "hw", "pin", "--cores", "all", "--dry-run", "--", "touch", str(tmp_path / "x"))
    assert (done.returncode, done.stdout, (tmp_path / "x").exists()) == (0, "", False)
    assert "no mask" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--", "no-such-command"], 3, "no such command"),
        (["--memory-gib", "0", "--", "true"], 2, "must be positive"),
        (["--memory-gib", "nan", "--", "true"], 2, "must be positive"),
        (["--siblings", "--cores", "slow", "--", "true"], 2, "--siblings is of the fast cores"),
        ([], 2, "missing argument"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    """Before anything is changed or run."""
    done = grn(tmp_path, "hw", "pin", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


def test_a_control_group_is_entered_where_there_is_one(tmp_path: Path) -> None:
    """A double of systemd-run, which writes down its words and goes on as the command behind --."""
    double = tmp_path / "bin" / "systemd-run"
    double.parent.mkdir()
    double.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/said\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    double.chmod(0o755)
    more = {"PATH": f"{double.parent}:{os.environ['PATH']}", "XDG_RUNTIME_DIR": str(tmp_path)}
    done = grn(tmp_path, "hw", "pin", "--memory-gib", "1.5", "--", "echo", "ran", **more)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    said = (tmp_path / "said").read_text().splitlines()
    assert said[1].endswith("--property=MemoryMax=1610612736 --property=MemorySwapMax=0 -- echo ran")
    assert "by a control group" in done.stderr
