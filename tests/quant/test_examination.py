"""What stands beside the verdict: each number is that of the statistic, asked about the winner."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import grn
from grn.kit.clock import FixedClock
from grn.ledger import Ledger
from grn.quant.examination import Examination, describe, examine
from grn.quant.holdout import lock, open_holdout
from grn.quant.judge import validate
from grn.quant.result import SweepResult
from grn.quant.returns import TrialReturns, trial_returns
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close, when
from grn.quant.validate.chance import shuffle_trades
from grn.quant.validate.regimes import measure_decay
from grn.quant.validate.selection import cross_validate, walk_forward
from tests.quant.markets import cross, random_walk, two_walks

BARS = 400
NOW_NS = 1_795_401_000_000_000_000  # 2026-11-23


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Six combinations with fees and a rule that reads the volume."""
    rules = Rules(costs=Costs(fee=0.001), volume_share=0.5)
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as book:
        return grn.sweep(cross(), random_walk(BARS), rules=rules, engine="reference", ledger=book)


@pytest.fixture(scope="module")
def returns(result: SweepResult) -> TrialReturns:
    return trial_returns(result)


@pytest.fixture(scope="module")
def found(result: SweepResult, returns: TrialReturns) -> Examination:
    return examine(result, result.best(), returns)


def test_walks_and_paths_are_those_of_all_trials(found: Examination, returns: TrialReturns) -> None:
    """Sixteen parts of 25 bars, chosen on four of them; twelve folds, one bar purged and four embargoed."""
    assert found.rolling is not None
    assert found.anchored is not None
    assert found.paths is not None
    rolling = walk_forward(returns.returns, train=100, test=25)
    assert found.rolling.returns.tobytes() == rolling.returns.tobytes()
    assert (len(found.rolling.windows), found.trained) == (12, 100)
    anchored = walk_forward(returns.returns, train=100, test=25, anchored=True)
    assert found.anchored.returns.tobytes() == anchored.returns.tobytes()
    paths = cross_validate(returns.returns, n_folds=12, n_test=2, purge=1, embargo=4)
    assert found.paths.sharpes.tobytes() == paths.sharpes.tobytes()
    assert found.paths.sharpes.shape == (11,)


def test_the_winner_is_asked_about_itself(found: Examination, result: SweepResult) -> None:
    """Costs, regimes, halves and trades are those of its own path."""
    row = result.best()
    path = result.path(row)
    assert found.winner.tobytes() == path.returns.tobytes()
    assert [s.factor for s in found.stress] == [0.0, 1.0, 2.0, 5.0]
    assert found.stress[1].sharpe == pytest.approx(result.details(row)["sharpe"], rel=1e-12)
    assert found.decay == measure_decay(path.returns)
    assert sum(r.n_bars for r in found.regimes) == BARS - found.window
    assert sum(r.share for r in found.regimes) == pytest.approx(1.0)
    trades = result.trades(row)
    place = np.searchsorted(path.ts_ns, trades["entry_ts"].to_physical().to_numpy())
    before = np.r_[path.initial, path.equity][place]
    shuffled = shuffle_trades(trades["pnl"].to_numpy() / before)
    assert found.orders is not None
    assert found.orders.drawdown == shuffled.drawdown
    assert found.orders.drawdowns.tobytes() == shuffled.drawdowns.tobytes()
    assert found.timing is not None
    assert 0.0 < found.timing.p_value <= 1.0
    assert found.stability is not None
    assert found.stability.neighbours == 3 if row in (0, 5) else 5
    assert found.capacity is not None
    assert found.capacity.limit > 0.0


def test_its_text_and_its_plain_form_have_every_part(found: Examination) -> None:
    """A line each, and JSON without NaN."""
    heads = [line.split()[0] for line in describe(found)]
    assert heads[:5] == ["walked", "crossed", "costs", "regimes", "halves"]
    assert set(heads[5:]) <= {"around", "timing", "orders", "capacity"}
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert list(plain) == [
        "walk_forward", "cross_validation", "costs", "assumed_fee", "regimes", "decay", "stability",
        "timing_p", "orders", "capacity", "holdouts",
    ]  # fmt: skip


def test_a_run_without_costs_is_shown_some(tmp_path: Path) -> None:
    """0.1 % of the traded value stands for them, and the text says so."""
    with Ledger.open(tmp_path) as book:
        result = grn.sweep(cross(), random_walk(BARS), engine="reference", ledger=book)
    found = examine(result, result.best(), trial_returns(result))
    assert found.free
    assert [s.costs.fee for s in found.stress] == [0.0, 0.001, 0.002, 0.005]
    assert found.stress[0].sharpe == pytest.approx(result.details(result.best())["sharpe"], rel=1e-12)
    assert found.capacity is None
    assert any("the run had no costs" in line for line in describe(found))


def test_short_data_and_one_setting_leave_parts_out(tmp_path: Path) -> None:
    """Thirty bars are too few for sixteen windows, and a backtest has no neighbours: nothing is guessed."""
    with Ledger.open(tmp_path) as book:
        one = grn.backtest(cross(), random_walk(30), {"fast": 2, "slow": 5}, engine="reference", ledger=book)
        judged = validate(one, shuffles=0, ledger=book)
    found = judged.examination
    assert (found.rolling, found.anchored, found.paths, found.stability) == (None, None, None, None)
    assert math.isnan(judged.verdict.overfitting.pbo)
    assert judged.table()
    json.dumps(judged.to_dict(), allow_nan=False)


def test_target_weights_are_judged_without_what_needs_one_symbol(tmp_path: Path) -> None:
    """No market of one symbol, so neither regimes nor timing; walks, costs and halves stand."""
    with Ledger.open(tmp_path) as book:
        both = Weights(when(close > close.lag(1), 0.5, 0.0), name="both")
        result = grn.sweep(both, two_walks(BARS), ledger=book)
        found = validate(result, shuffles=0, ledger=book).examination
    assert (found.regimes, found.timing, found.orders, found.capacity) == ((), None, None, None)
    assert len(found.stress) == 4
    assert not math.isnan(found.decay.first)
    assert all(describe(found))


def test_the_opening_of_a_hold_out_is_told(tmp_path: Path) -> None:
    """Locked and unseen, then by which run and when: in text and plain form, and of this market alone."""
    days = random_walk(BARS)
    with Ledger.open(tmp_path, FixedClock(NOW_NS)) as book:
        (locked,) = lock(days, "2020-12-01", ledger=book)
        lock(random_walk(BARS, seed=5, symbol="OTHER"), "2020-12-01", ledger=book)
        early = grn.sweep(cross(), days.head(300), engine="reference", ledger=book)
        unseen = validate(early, shuffles=0, ledger=book)
        with open_holdout():
            late = grn.sweep(cross(), days, engine="reference", ledger=book)
        seen = validate(late, shuffles=0, ledger=book)
    assert unseen.table()[-1].endswith("is locked from 2020-12-01 on, and no run has looked at it")
    assert seen.table()[-1].endswith(f"opened by run {late.run} on 2026-11-23")
    (told,) = seen.examination.to_dict()["holdouts"]  # type: ignore[misc]
    assert told == {
        "symbol": locked.symbol,
        "from": "2020-12-01T00:00:00Z",
        "opened": [{"run": late.run, "at": "2026-11-23T02:30:00Z"}],
    }
