"""Streamed sweeps that are killed: SIGKILL between any two instructions, again and again, and the same bytes.

What the tests of the ledger say of power cuts holds here too: a write that lasts rests on fsync.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from grn.ledger import Ledger
from grn.quant.stream.result import open_sweep
from tests.quant.stream.test_stream import bytes_of

WRITER = Path(__file__).with_name("writer.py")
ROOT = Path(__file__).parents[3]
KILLS = 200 if os.environ.get("GRN_NIGHTLY") == "1" else 5
LONGEST_S = 0.6
"""About as long as an undisturbed writer takes from "begun" to "done"."""


def start(folder: Path, ledger: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(folder), str(ledger)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )


def finish(folder: Path, ledger: Path) -> None:
    with start(folder, ledger) as writer:
        said = writer.communicate()[0].split()
    assert (writer.returncode, said) == (0, ["begun", "done"])


def test_a_killed_sweep_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """SIGKILL at seeded moments until enough have hit a running sweep; what is finished then is compared.

    Folder, but for the run's name, and trials: each once, whichever instruction was the last.
    """
    finish(tmp_path / "whole", tmp_path / "whole-ledger")
    expected = bytes_of(tmp_path / "whole")
    with Ledger.open(tmp_path / "whole-ledger") as book:
        trials = [(r.data_id, r.n, r.blob) for r in book.invocations()[0].trials]
    dice = random.Random(20261123)
    kills, number = 0, 0
    while kills < KILLS:
        folder, ledger = tmp_path / f"killed-{number}", tmp_path / f"ledger-{number}"
        number += 1
        # A few kills in the same folder, then it may finish.
        for _ in range(3):
            with start(folder, ledger) as writer:
                assert writer.stdout is not None
                begun = writer.stdout.readline()
                time.sleep(dice.random() * LONGEST_S)
                if begun and writer.poll() is None:
                    writer.kill()
                    kills += 1
        finish(folder, ledger)
        assert bytes_of(folder) == expected
        with Ledger.open(ledger) as book:
            entry = book.show(str(open_sweep(folder).run))
            assert [(r.data_id, r.n, r.blob) for r in entry.trials] == trials
            assert entry.outcome is not None
            assert entry.outcome.exit_code == 0
