"""Verdicts that were asked for stand in the ledger, and beside every later one."""

from __future__ import annotations

from pathlib import Path

import grn
from grn.kit.signing import open_key
from grn.ledger import Ledger
from grn.quant.certificate import certify
from grn.quant.judge import validate
from tests.quant.markets import cross, two_walks


def test_no_verdict_can_be_picked_among_many(tmp_path: Path):
    """Each way of asking is entered once, told by the others, and certified; a run again changes nothing."""
    with Ledger.open(tmp_path / "ledger") as book:
        result = grn.sweep(cross(), two_walks(), ledger=book)
        first = validate(result, shuffles=0, ledger=book)
        assert first.asked == ()
        assert not any(line.startswith("asked") for line in first.lines())
        second = validate(result, shuffles=1, seed=7, ledger=book)
        assert [(one.shuffles, one.seed, one.decision) for one in second.asked] == [(0, 0, first.decision)]
        rows = len(book.invocations())
        # The same sweep under another id has the same result key: it is no fresh start.
        again = grn.sweep(cross(), two_walks(), ledger=book)
        third = validate(again, shuffles=0, ledger=book)
        assert [(one.shuffles, one.seed) for one in third.asked] == [(1, 7)]
        assert len(book.invocations()) == rows + 1
        assert third.lines()[-1] == (
            f"asked     once before with other shuffles, blocks, seeds or counts: 1 {second.decision}"
        )
        assert third.to_dict()["asked"] == [one.to_dict() for one in third.asked]
        entry = book.invocations()[-2]
        assert (entry.command, entry.n_trials, entry.inputs["run"]) == ("quant validate", 0, result.run)
        assert book.check().faults == ()
        claims = certify(book, again.run, open_key(tmp_path / "key")).claims
        assert [one["seed"] for one in claims["verdicts"]] == [0, 7]


def test_a_result_that_no_ledger_knows_is_judged_and_not_entered(tmp_path: Path):
    """Nothing is written for a run of a ledger that is elsewhere."""
    with Ledger.open(tmp_path / "elsewhere") as book:
        result = grn.sweep(cross(), two_walks(), ledger=book)
        rows = len(book.invocations())
    assert validate(result, shuffles=0).asked == ()
    with Ledger.open(tmp_path / "elsewhere") as book:
        assert len(book.invocations()) == rows
