from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import grn
from grn.kit.canonical import canonical_json
from grn.kit.clock import FixedClock
from grn.kit.errors import BudgetError, LedgerError, UsageError
from grn.ledger import Ledger
from grn.quant import compute
from grn.quant import replay as room
from grn.quant.judge import validate
from grn.quant.replay import replay
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.sizes import Fraction
from grn.quant.strategy.step import step
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, tf
from tests.quant.markets import cross, random_walk, two_walks


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(tmp_path / "ledger") as book:
        yield book


WEIGHT = 0.5


@step(state=1)
def smooth(state: npt.NDArray[np.float64], x: float) -> float:
    state[0] = WEIGHT * x + (1.0 - WEIGHT) * state[0]
    return np.sqrt(state[0])


def test_a_replay_gives_the_same_bytes(ledger: Ledger) -> None:
    """Rules, metrics, parameters and bars come from the ledger alone; frame, names and counts are equal."""
    result = grn.sweep(
        cross(), two_walks(), costs=Costs(fee=0.001, fixed_fee=0.5), size=Fraction(0.7), cash=5_000.0,
        metrics="all", periods_per_year=250.0, ledger=ledger,
    )  # fmt: skip
    again = replay(ledger, result.run)
    assert again.same
    assert again.changed == {}
    assert again.result.frame.equals(result.frame)
    assert again.result.frame_sha256 == result.frame_sha256
    assert (again.result.run, again.result.result_key) == (result.run, result.result_key)
    assert again.result.trials == result.trials
    assert again.result.rules == result.rules
    assert again.result.ppy == 250.0
    assert [b.symbol for b in again.result.bars] == ["A", "B"]
    assert len(ledger.invocations()) == 1


def test_a_replay_records_nothing(ledger: Ledger) -> None:
    """Looking at a result again is no new trial and no new run."""
    result = grn.sweep(cross(), two_walks(), ledger=ledger)
    before = ledger.watermark()
    replay(ledger, result.run)
    assert ledger.watermark() == before
    assert len(ledger.invocations()) == 1


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_engines_and_threads_do_not_matter(ledger: Ledger, engine: str) -> None:
    """Recorded with one engine and replayed with another: the same bits."""
    result = grn.sweep(cross(), two_walks(), engine=engine, ledger=ledger)
    assert replay(ledger, result.run, threads=2).same


def test_everything_a_strategy_can_be_made_of_is_replayed(ledger: Ledger) -> None:
    """Polars expressions, timeframes, steps that use their file, lags by parameters, shorts."""
    k = param("k", [1, 3])
    week = tf("1w", sma(close, 2))
    strategy = Strategy(
        (close > pl.col("close").rolling_mean(3)) & (close > week),
        close < close.lag(k),
        short_entry=smooth(close) < smooth(close).lag(k),
        short_exit=pl.col("ts").dt.weekday() == 5,  # type: ignore[arg-type]
        name="of everything",
    )
    result = grn.sweep(strategy, random_walk(60), ledger=ledger, engine="reference")
    assert result.frame["trades"].min() > 0  # type: ignore[operator]
    again = replay(ledger, result.run)
    assert again.same
    assert again.result.strategy.name == "of everything"


def test_a_plain_python_step_is_replayed_as_one(ledger: Ledger) -> None:
    """It is defined again from its source and not compiled."""

    def level(state: Any, x: float) -> float:
        state[0] = max(state[0], float(f"{x:.1f}"))
        return float(state[0])

    rising = step(state=1, jit=False)(level)
    result = grn.sweep(Strategy(close >= rising(close), close < 99.0), random_walk(60), ledger=ledger)
    again = replay(ledger, result.run)
    assert again.same
    assert again.result.choice.engine == "reference"


def test_a_backtest_is_replayed_at_its_setting(ledger: Ledger) -> None:
    """A value outside the list as well; the grid has one row."""
    result = grn.backtest(cross(), two_walks(), {"fast": 6, "slow": 9}, ledger=ledger)
    again = replay(ledger, result.run)
    assert again.same
    assert again.result.grid.binding(0) == {"fast": 6.0, "slow": 9.0}


def test_the_verdict_stays_what_it_was(ledger: Ledger) -> None:
    """Trials that came later are not held against an earlier run; a new run knows of them all."""
    data = two_walks()
    result = grn.sweep(cross(), data, ledger=ledger)
    then = validate(result, shuffles=3, block=10)
    later = grn.sweep(cross(range(2, 9), range(9, 12)), data, ledger=ledger)
    again = validate(replay(ledger, result.run).result, shuffles=3, block=10)
    assert canonical_json(again.to_dict()) == canonical_json(then.to_dict())
    assert str(again) == str(then)
    assert again.null_best.tobytes() == then.null_best.tobytes()
    assert validate(later, shuffles=0).verdict.counted > then.verdict.counted == 12


def test_changed_versions_are_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then and now of every version that differs, also of one that was not recorded; the rest is left out."""
    result = grn.sweep(cross(), two_walks(), ledger=ledger)
    now = {**room.versions(), "polars": "9.9.9"}
    monkeypatch.setattr(room, "versions", lambda: now)
    again = replay(ledger, result.run)
    assert again.changed == {"polars": (ledger.show(result.run).versions["polars"], "9.9.9")}
    assert again.same


def test_other_numbers_are_noticed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the code gives other bytes than it did, the replay says so instead of pretending."""
    result = grn.sweep(cross(), two_walks(), ledger=ledger)
    true = compute.run_engine

    def off_by_one_bit(*args: Any, **options: Any) -> Any:
        sums = true(*args, **options)
        sums[0][0, 0] = np.nextafter(sums[0][0, 0], np.inf)
        return sums

    monkeypatch.setattr(compute, "run_engine", off_by_one_bit)
    assert not replay(ledger, result.run).same


def test_a_damaged_blob_stops_the_replay(ledger: Ledger) -> None:
    """One flipped byte in the recorded bars is an error of the ledger, not other results."""
    result = grn.sweep(cross(), random_walk(), ledger=ledger)
    digest = ledger.show(result.run).inputs["data"][0]["blob"]  # type: ignore[index]
    (path,) = (p for p in (ledger.folder / "blobs").rglob("*") if p.is_file() and digest[4:] in p.name)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(damaged))
    with pytest.raises(LedgerError):
        replay(ledger, result.run)
    path.unlink()
    with pytest.raises(LedgerError):
        replay(ledger, result.run)


def test_a_run_that_did_not_finish_cannot_be_replayed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that failed nor one that was killed has anything to compare with."""

    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr(compute, "run_engine", fail)
        with pytest.raises(RuntimeError):
            grn.sweep(cross(), random_walk(), ledger=ledger)
    (failed,) = ledger.invocations()
    with pytest.raises(LedgerError, match="did not finish"):
        replay(ledger, failed.run)
    killed = ledger.begin("sweep", failed.inputs)
    with pytest.raises(LedgerError, match="did not finish"):
        replay(ledger, killed)


def test_a_run_of_another_kind_cannot_be_replayed(ledger: Ledger) -> None:
    """Not every run in the ledger is a sweep."""
    run = ledger.begin("node backup", {"disk": "external"})
    ledger.finish(run, exit_code=0)
    with pytest.raises(UsageError, match="no sweep or backtest") as caught:
        replay(ledger, run)
    assert "node backup" in str(caught.value)


def test_a_run_is_found_by_a_unique_beginning(tmp_path: Path) -> None:
    """As in git: enough letters to tell it from the others; too few, or none that fit, are errors."""
    suffixes = iter(["aaaaaa", "abcabc"])
    with Ledger.open(tmp_path, FixedClock(0), suffix=lambda: next(suffixes)) as ledger:
        one, two = (grn.sweep(cross(), random_walk(seed=s), ledger=ledger) for s in (0, 1))
        assert replay(ledger, one.run[:-4]).result.run == one.run
        assert replay(ledger, two.run[:-4]).result.run == two.run
        with pytest.raises(UsageError, match="2 runs begin like that"):
            replay(ledger, one.run[:-5])
        for missing in ("", "nothing", one.run + "0"):
            with pytest.raises(UsageError, match="no run of that name"):
                replay(ledger, missing)


def test_a_replay_keeps_to_the_memory_budget(ledger: Ledger) -> None:
    """What could be run on a larger machine is refused on a smaller one, priced first."""
    result = grn.sweep(cross(range(2, 60), range(2, 60)), two_walks(), ledger=ledger)
    with pytest.raises(BudgetError, match="GiB"):
        replay(ledger, result.run, memory_gib=0.0001)
