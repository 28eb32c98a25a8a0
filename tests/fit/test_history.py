from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grn.fit.history import COMMAND, Measured, calibrate, enter, recall
from grn.ledger import Ledger

ONE = Measured("EPYC", 2, "Gemma 3 270m", "Q4_K_M", 246_587_904, None, 40.0)


def test_measurements_are_kept_and_found(tmp_path: Path) -> None:
    """Of this processor with so many threads, the newest first; each is a run of the ledger."""
    later = replace(ONE, predicted=40.0, tokens_per_s=44.0)
    with Ledger.open(tmp_path) as book:
        run = enter(book, ONE)
        enter(book, later)
        enter(book, replace(ONE, threads=1))
        enter(book, replace(ONE, processor="another"))
        assert recall(book, "EPYC", 2) == (later, ONE)
        assert next(each for each in book.invocations(None) if each.run == run).command == COMMAND


def test_runs_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    """One that was killed, one of another release, one of another command."""
    with Ledger.open(tmp_path) as book:
        book.begin(COMMAND, {"processor": "EPYC"})
        book.finish(book.begin(COMMAND, {"processor": "EPYC", "cores": 2}), exit_code=0, outputs={})
        book.finish(book.begin("quant sweep", {"processor": "EPYC"}), exit_code=0)
        assert recall(book, "EPYC", 2) == ()


def test_a_rate_is_the_median_of_what_was_measured() -> None:
    """40, 44 and 60 tokens of 0.2466 GB: 10.85 GB/s, of which the third is 36 % away; none is no rate."""
    found = calibrate([ONE, replace(ONE, tokens_per_s=44.0), replace(ONE, tokens_per_s=60.0)])
    assert found is not None
    assert (found.rate_gb_s, found.count) == (pytest.approx(0.246587904 * 44), 3)
    assert found.spread == pytest.approx(60 / 44 - 1)
    assert calibrate([]) is None
