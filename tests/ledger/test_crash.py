"""Writers that are killed, and writers side by side.

SIGKILL takes a process away between any two instructions; it does not take the power away. That the data have
reached the disk by then rests on fsync (SQLite's ``synchronous=FULL`` and ``write_atomic``), which no test
without a power switch can show.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from grn.ledger import Ledger

WRITER = Path(__file__).with_name("writer.py")
KILLS = 200 if os.environ.get("GRN_NIGHTLY") == "1" else 20


def start(folder: Path, seed: int, *rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(folder), str(seed), *map(str, rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def check(folder: Path, acknowledged: list[str]) -> None:
    """Everything that was acknowledged is there, and every blob that a row names is whole."""
    with Ledger.open(folder) as ledger:
        runs = {invocation.run: invocation for invocation in ledger.invocations()}
        for line in acknowledged:
            what, run, *rest = line.split()
            assert run in runs, line
            if what == "tried":
                assert [row.watermark for row in runs[run].trials] == [int(rest[0])], line
            if what == "ended":
                outcome = runs[run].outcome
                assert outcome is not None, line
                assert outcome.outputs == {"frame": rest[0]}, line
        for invocation in runs.values():
            if invocation.outcome is not None:
                ledger.get_blob(str(invocation.outcome.outputs["frame"]))
        # Counting reads and verifies every blob of trials; 200 keys each, of 2**64: none is drawn twice.
        count = ledger.count_trials(ledger.data_ids())
        assert count.n == 200 * count.sweeps == sum(run.n_trials for run in runs.values())


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    """SIGKILL at seeded moments, from the first instruction on, five times per ledger; then a check.

    Every second kill comes some milliseconds after the first record, in the middle of writing; the others
    come some time after the start, so that opening, migrating and recovering are hit too.
    """
    dice = random.Random(20261123)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        # A fresh ledger every fifth time: the migration has to be hit as well.
        folder = tmp_path / f"ledger-{kill // 5}"
        with start(folder, seed=kill) as writer:
            assert writer.stdout is not None
            if kill % 2 == 0:
                first = writer.stdout.readline()
                assert first.startswith("began")
                acknowledged.append(first)
                time.sleep(dice.uniform(0.0, 0.05))
            else:
                time.sleep(dice.uniform(0.0, 0.4))
            writer.kill()
            # What the pipe still holds was acknowledged before the kill; a line cut short was not.
            rest = writer.stdout.read().splitlines(keepends=True)
            acknowledged += [line for line in rest if line.endswith("\n")]
        if kill % 5 == 4:
            check(folder, acknowledged)
            acknowledged.clear()


def test_writers_side_by_side_lose_nothing(tmp_path: Path) -> None:
    """Four processes create one ledger and write 15 rounds each: all records, no two watermarks equal."""
    writers = [start(tmp_path, seed, 15) for seed in range(4)]
    said = [writer.communicate()[0].splitlines() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    lines = [line for lines in said for line in lines]
    assert len(lines) == 4 * 15 * 3
    check(tmp_path, lines)
    watermarks = sorted(int(line.split()[2]) for line in lines if line.startswith("tried"))
    assert watermarks == list(range(1, 61))


def test_a_reader_is_not_in_the_way_of_a_writer(tmp_path: Path) -> None:
    """Counting while another process writes: a count at a watermark is the same before and after."""
    with start(tmp_path, 1, 30) as writer, Ledger.open(tmp_path) as ledger:
        counts = {}
        while writer.poll() is None:
            count = ledger.count_trials(["data-1"])
            counts[count.watermark] = count
            assert writer.stdout is not None
            writer.stdout.readline()
        assert len(counts) > 1
        for watermark, count in counts.items():
            again = ledger.count_trials(["data-1"], watermark=watermark)
            # repr: NaN moments at watermark 0 are equal as text.
            assert repr(again) == repr(count)
            assert again.n == 200 * watermark
