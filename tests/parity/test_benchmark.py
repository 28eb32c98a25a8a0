"""The benchmark's promises that need no clock: numbers first, and one set of pairs for both programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.comparisons import METRICS, PAIRS, crossover
from benchmarks.measure import Measured
from benchmarks.runs import pairs_of
from grn.quant.engine.plan import build_grid


@pytest.mark.parametrize("stride", [1, 5, 20])
def test_both_programs_run_the_same_pairs(stride: int) -> None:
    """The grid of the strategy and the list for vectorbt are the same pairs in the same order."""
    grid = build_grid(crossover(step=stride), 1.0)
    assert [tuple(row) for row in grid.values.astype(int).tolist()] == list(pairs_of(stride))
    assert stride > 1 or pairs_of(stride) == PAIRS


def test_different_numbers_are_not_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one trade more on one side the benchmark ends with 1, says so, and times and writes nothing."""
    calls: list[str] = []

    def fake(who: str, *_: object, **__: object) -> Measured:
        calls.append(who)
        table = {name: np.ones((3, 4)) for name in METRICS}
        table["trades"][0, 0] += who == "theirs"
        return Measured({}, 0.0, table)

    def refuse(name: str, result: dict[str, object]) -> Path:
        raise AssertionError("written")

    monkeypatch.setattr(sweep, "run_child", fake)
    monkeypatch.setattr(sweep, "write_result", refuse)
    assert sweep.main(["--quick"]) == 1
    assert calls == ["ours", "theirs"]
    assert "the numbers differ by more than 1e-09: nothing is timed" in capsys.readouterr().out
