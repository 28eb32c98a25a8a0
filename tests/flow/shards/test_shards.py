"""A sweep cut into shards, each computed from its parcel alone, and merged: without a cluster.

On a real one: tests/compute/test_sweep.py.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import grn
from grn.flow.shards.note import Note, read_note, runs_to, write_note
from grn.flow.shards.parcel import differing, pack, pins, unpack
from grn.flow.shards.task import AGAIN, compute_shard, span
from grn.kit.canonical import canonical_json
from grn.kit.errors import ClusterError, DataError
from grn.ledger import Ledger
from grn.quant.engine.grid import Grid
from grn.quant.strategy.cross import rank
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import roc
from grn.quant.strategy.weights import AnyStrategy, Weights
from grn.quant.strategy.words import close
from grn.quant.stream.piece import Piece, load_piece
from grn.quant.stream.plan import Planned, plan_stream
from grn.quant.stream.run import begin_stream, merge_stream
from tests.quant.markets import cross, two_walks
from tests.quant.stream.test_stream import bytes_of

TASKS = 3
SIGNALS = cross(range(2, 8), range(2, 8))
"""36 points, of which `where` leaves 15; 3 at a time 12 chunks, the last of them without any."""
TARGETS = Weights(rank(roc(close, param("n", [3, 5, 8, 13, 21]))) - 1, name="rotation")
OPTIONS: dict[str, Any] = {"chunk": 3, "engine": "reference", "metrics": "total_return, trades"}


def plan(strategy: AnyStrategy) -> Planned:
    return plan_stream(strategy, two_walks(60), **OPTIONS)


def trials(book: Ledger, folder: Path) -> list[object]:
    run = json.loads((folder / "run.json").read_text())["run"]
    return [(row.data_id, row.n, row.blob) for row in book.show(run).trials]


class Shards:
    """A sweep with its parcel, and the results of its tasks where they came home to."""

    def __init__(self, folder: Path, strategy: AnyStrategy) -> None:
        self.folder, self.planned = folder, plan(strategy)
        (folder / "parcel").mkdir()
        pack(self.planned, folder / "parcel")

    def compute(self, task: int) -> str:
        said = io.StringIO()
        out = self.folder / str(task)
        out.mkdir(exist_ok=True)
        compute_shard(self.folder / "parcel", out, task, TASKS, 1, said)
        return said.getvalue()

    def take(self, k: int, grid: Grid) -> Piece:
        task = next(t for t in range(TASKS) if k in span(t, TASKS, len(self.planned.chunks)))
        accounts = len(self.planned.manifest()["accounts"])
        return load_piece(self.folder / str(task), k, accounts=accounts, combinations=len(grid))


@pytest.mark.parametrize("strategy", [SIGNALS, TARGETS], ids=["signals", "targets"])
def test_shards_merge_to_the_bytes_and_trials_of_a_local_sweep(strategy: AnyStrategy, tmp_path: Path) -> None:
    """Folder and ledger, whatever is missing, damaged or merged twice on the way."""
    with Ledger.open(tmp_path / "a") as book:
        grn.stream_sweep(strategy, two_walks(60), tmp_path / "here", ledger=book, **OPTIONS)
        expected, counted = bytes_of(tmp_path / "here"), trials(book, tmp_path / "here")
    made, there = Shards(tmp_path, strategy), tmp_path / "there"
    with Ledger.open(tmp_path / "b") as book:
        run = begin_stream(made.planned, there, book)
        assert begin_stream(made.planned, there, book) == run
        made.compute(0)
        with pytest.raises(DataError, match="cannot be read"):
            merge_stream(there, made.take, where="loop/x", ledger=book)
        for task in range(1, TASKS):
            assert "rows" in made.compute(task)
            assert made.compute(task) == ""
        damaged = next((tmp_path / "1").glob("*.sharpes"))
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:-8])
        with pytest.raises(DataError, match="not what its line says"):
            merge_stream(there, made.take, where="loop/x", ledger=book)
        damaged.write_bytes(whole)
        merge_stream(there, made.take, where="loop/x", engine="reference", ledger=book)
        assert bytes_of(there) == expected
        assert trials(book, there) == counted
        merge_stream(there, made.take, where="loop/x", ledger=book)
        assert (bytes_of(there), trials(book, there)) == (expected, counted)
        assert len(book.invocations(5)) == 1
        outcome = book.show(run).outcome
        assert outcome is not None
        assert (outcome.outputs["where"], outcome.outputs["engine"]) == ("loop/x", "reference")


def test_what_was_begun_for_a_cluster_is_finished_here(tmp_path: Path) -> None:
    """The same sweep without a cluster goes on in its folder and run; what comes later changes nothing."""
    made, there = Shards(tmp_path, SIGNALS), tmp_path / "there"
    with Ledger.open(tmp_path / "ledger") as book:
        run = begin_stream(made.planned, there, book)
        assert grn.stream_sweep(SIGNALS, two_walks(60), there, ledger=book, **OPTIONS).run == run
        expected = bytes_of(there)
        merge_stream(there, made.take, where="loop/x", ledger=book)
        assert bytes_of(there) == expected
        assert len(book.invocations(5)) == 1


@given(tasks=st.integers(1, 60), chunks=st.integers(1, 1000))
def test_every_chunk_is_of_one_task(tasks: int, chunks: int) -> None:
    """In order, and none has two more than another."""
    spans = [span(task, tasks, chunks) for task in range(tasks)]
    assert [k for one in spans for k in one] == list(range(chunks))
    assert max(map(len, spans)) - min(map(len, spans)) <= 1


def test_a_parcel_is_refused_where_its_bytes_would_be_others(tmp_path: Path) -> None:
    """Other versions, another arithmetic, data that was changed: by name, before anything is computed."""
    parcel = tmp_path / "parcel"
    parcel.mkdir()
    pack(plan(SIGNALS), parcel)
    text = (parcel / "sweep.json").read_bytes()
    assert unpack(parcel).manifest() == plan(SIGNALS).manifest()
    for change, error, what in (
        ({"versions": {**json.loads(text)["versions"], "numpy": "1.0"}}, ClusterError, "numpy .*not 1.0"),
        ({"arithmetic": "0" * 64}, ClusterError, "other last bits"),
        ({"format": "grn.shards.0"}, DataError, "another release"),
    ):
        (parcel / "sweep.json").write_bytes(canonical_json({**json.loads(text), **change}))
        with pytest.raises(error, match=what):
            unpack(parcel)
    (parcel / "sweep.json").write_bytes(text)
    one = next((parcel / "data").iterdir())
    one.write_bytes(one.read_bytes()[:-1] + b"\1")
    with pytest.raises(DataError, match="arrived damaged"):
        unpack(parcel)


def test_which_versions_decide() -> None:
    """Packages to the letter, Python to its second number, processors not at all."""
    here: dict[str, str | None] = {"python": "3.11.2", "numpy": "2.3.1", "cpu": "a"}
    assert differing(here, {**here, "python": "3.11.9", "cpu": "b"}) == []
    assert differing(here, {**here, "python": "3.12.2"}) == ["Python 3.12, not 3.11"]
    assert differing(here, {"python": "3.11.2"}) == ["numpy None, not 2.3.1"]


def test_the_lock_file_names_what_is_imported() -> None:
    """What this package needs and what that needs, in the versions that are installed; nothing of extras."""
    found = dict(pins())
    for name in ("click", "llvmlite", "numba", "numpy", "polars", "scipy"):
        assert found[name] == metadata.version(name)
    assert not {"torch", "pytest", "alpha-metaphorica"} & found.keys()


def test_a_task_that_is_told_of_its_end_asks_to_go_on(tmp_path: Path) -> None:
    """The program as the cluster runs it, from the parcel's own copy of the package: USR1, 75, the rest."""
    made = Shards(tmp_path, SIGNALS)
    out = tmp_path / "0"
    out.mkdir()
    # Waits between its chunks, so that the signal comes in the middle of them.
    program = (
        "import runpy, sys, time, grn.quant.stream.piece as p; save = p.save_piece\n"
        "p.save_piece = lambda *a: (save(*a), time.sleep(30))\n"
        "sys.argv[1:] = ['.', sys.argv[1], '0', '1', '1']\n"
        "runpy.run_module('grn.flow.shards.task', run_name='__main__')"
    )
    command = [sys.executable, "-c", program, str(out)]
    environ = {"PYTHONPATH": "package", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path / "parcel", env=environ) as task:
        while not list(out.glob("*.json")):
            assert task.poll() is None
        task.send_signal(signal.SIGUSR1)
        assert task.wait() == AGAIN
    assert len(list(out.glob("*.json"))) == 1
    assert made.compute(0).count("chunk") == 3


def test_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is read; a run without one is no sweep; a damaged one is an error and no guess."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    assert read_note("loop", "job-1") is None
    write_note("loop", "sweep-1", Note(tmp_path / "there", "cpu"))
    assert read_note("loop", "sweep-1") == Note((tmp_path / "there").resolve(), "cpu")
    assert runs_to("loop", tmp_path / "there") == ["sweep-1"]
    assert runs_to("loop", tmp_path / "elsewhere") == runs_to("tui", tmp_path / "there") == []
    (tmp_path / "compute" / "loop" / "sweep-1.sweep").write_text("{}")
    with pytest.raises(ClusterError, match="note of a sweep is damaged"):
        read_note("loop", "sweep-1")
