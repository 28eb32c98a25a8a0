"""The command as a process: what a shell sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grn.kit.paths import ledger_dir
from grn.ledger import Ledger

GRN = [sys.executable, "-c", "import sys; from grn.cli.main import main; sys.exit(main())"]


def grn(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``grn quant ...`` as a process of its own."""
    return subprocess.run(
        [*GRN, "quant", *args], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )  # fmt: skip


def test_processes_share_the_ledger_and_agree_on_every_byte(folder: Path) -> None:
    """Other hash seeds and thread counts: JSON alone on stdout, one key, equal files, two runs."""
    runs = []
    for name, seed, threads in (("one", "1", "1"), ("two", "2", "2")):
        done = grn(
            "sweep", "cross.py", "--json", "-o", f"{name}.parquet", "--threads", threads, PYTHONHASHSEED=seed
        )
        assert done.returncode == 0, done.stderr
        runs.append(json.loads(done.stdout))
    assert runs[0]["result_key"] == runs[1]["result_key"]
    assert runs[0]["top"] == runs[1]["top"]
    assert (folder / "one.parquet").read_bytes() == (folder / "two.parquet").read_bytes()
    with Ledger.open(ledger_dir()) as book:
        assert [i.run for i in book.invocations()] == [runs[1]["run"], runs[0]["run"]]


def test_an_interrupted_sweep_is_recorded_as_interrupted(folder: Path) -> None:
    """Ctrl-C in the middle of a run: exit code 130, the run in the ledger with that outcome, no trials."""
    (folder / "interrupted.py").write_text(
        "import os, signal\nfrom grn.quant import Strategy, close, step\n"
        "@step(state=1, jit=False)\ndef presses_keys(state, x):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    return x\n"
        'strategy = Strategy(presses_keys(close) > 1, close < 1)\ndata = "bars.csv"\n',
        encoding="utf-8",
    )
    done = grn("sweep", "interrupted.py", "-o", "x.csv")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "error: interrupted\n"
    assert not (folder / "x.csv").exists()
    with Ledger.open(ledger_dir()) as book:
        (entry,) = book.invocations()
        assert entry.outcome is not None
        assert entry.outcome.exit_code == 130
        assert not entry.trials


@pytest.mark.usefixtures("folder")
def test_a_reader_that_stops_early_is_no_error() -> None:
    """`grn quant indicators | head -1` ends well and says nothing."""
    command = " ".join(f"'{part}'" for part in [*GRN, "quant", "indicators"])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -1"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("name")
