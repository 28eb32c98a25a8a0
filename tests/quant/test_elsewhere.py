"""Trials of other runs: worth what they amount to, measured once, and counted in full where nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import grn
from grn.kit.errors import LedgerError
from grn.ledger import Ledger
from grn.quant import elsewhere as module
from grn.quant import record
from grn.quant.elsewhere import worth_elsewhere
from grn.quant.judge import validate
from grn.quant.replay import Replay
from grn.quant.result import SweepResult
from grn.quant.returns import trial_returns
from grn.quant.search.halving import Halving
from grn.quant.search.run import search
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close
from grn.quant.validate.clusters import effective_trials
from tests.quant.markets import cross, random_walk

WALK = random_walk(300)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger") as opened:
        yield opened


def _worth(book: Ledger, result: SweepResult) -> float:
    ids = record.data_ids(result.strategy, result.bars)
    return worth_elsewhere(book, ids, watermark=book.watermark(), but=result.run)


def _clones(book: Ledger) -> SweepResult:
    """Fifty settings that trade exactly alike."""
    dummy = param("dummy", range(50))
    rule = Strategy(entry=(close > sma(close, 5)) & (dummy > -1), exit=close < sma(close, 5), name="clones")
    return grn.sweep(rule, WALK, engine="reference", ledger=book)


def test_clones_are_worth_one_and_count_as_fifty(book: Ledger) -> None:
    """The luck of fifty copies is that of one of them; the count says fifty."""
    _clones(book)
    own = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    assert _worth(book, own) == 1.0
    found = validate(own, shuffles=0, ledger=book).verdict
    alone = effective_trials(trial_returns(own).returns)
    assert (found.counted, found.effective) == (56, alone + 1.0)
    assert found.effective_dsr > found.dsr


def test_a_second_look_always_costs(book: Ledger) -> None:
    """Each further sweep raises what is counted and what it is worth, and lowers the deflated probability."""
    own = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    seen = [validate(own, shuffles=0, ledger=book).verdict]
    for fast in ((10, 11, 12), (20, 25, 30), (40, 41)):
        grn.sweep(cross(fast, (50, 60, 70, 80)), WALK, engine="reference", ledger=book)
        again = grn.sweep(cross(), WALK, engine="reference", ledger=book)
        seen.append(validate(again, shuffles=0, ledger=book).verdict)
    counted, effective = [v.counted for v in seen], [v.effective for v in seen]
    assert counted == [6, 18, 30, 38]
    assert effective == sorted(set(effective))
    assert all(worth <= n for worth, n in zip(effective, counted, strict=True))
    dsr = [v.effective_dsr for v in seen]
    assert dsr == sorted(set(dsr), reverse=True)
    first = validate(own, shuffles=0, ledger=book).verdict
    assert first.to_dict() == seen[0].to_dict()  # judged at its own watermark, whatever came later


def test_the_same_trials_again_are_worth_nothing_more(book: Ledger) -> None:
    """A sweep that was run twice, and a run whose trials all are among another's."""
    one = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    two = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    assert _worth(book, one) == _worth(book, two) == 0.0
    grn.backtest(cross(), WALK, {"fast": 2, "slow": 5}, engine="reference", ledger=book)
    found = validate(two, shuffles=0, ledger=book).verdict
    assert found.counted == 6
    again = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    assert validate(again, shuffles=0, ledger=book).verdict.effective == found.effective


def test_settings_that_a_search_dropped_count_as_one_each(book: Ledger) -> None:
    """Halving with two rungs runs a third of nine settings on all bars: the dropped six are trials too."""
    method = Halving(n=9, rungs=2)
    found = search(cross([2, 3, 4], [5, 8, 13]), WALK, method, ledger=book, engine="reference")
    assert len(found) == 3
    verdict = validate(found, shuffles=0, ledger=book).verdict
    assert verdict.counted > 3
    alone = effective_trials(trial_returns(found).returns)
    assert verdict.effective == alone + (verdict.counted - 3)


def test_it_is_measured_once(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second verdict replays nothing, and says the same."""
    _clones(book)
    other = grn.sweep(cross(), random_walk(300, seed=9), engine="reference", ledger=book)
    assert _worth(book, other) == 0.0  # of another market
    own = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    first = _worth(book, own)
    monkeypatch.setattr(module, "replay", lambda *_: pytest.fail("computed again"))
    assert _worth(book, own) == first == 1.0


def test_what_cannot_be_computed_again_counts_in_full(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of too many trials, other bits than were recorded, a replay that fails: each trial is one."""
    _clones(book)
    own = grn.sweep(cross(), WALK, engine="reference", ledger=book)
    with monkeypatch.context() as patch:
        patch.setattr(module, "MANY", 49)
        assert _worth(book, own) == 50.0

    def fail(*_: object) -> Replay:
        raise LedgerError("its data were erased")

    monkeypatch.setattr(module, "replay", fail)
    assert _worth(book, own) == 50.0
    assert validate(own, shuffles=0, ledger=book).verdict.effective > 50.0
    monkeypatch.setattr(module, "replay", lambda *_: Replay(own, same=False, changed={}))
    assert _worth(book, own) == 50.0
