from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

import grn
from grn.kit.errors import UsageError
from grn.ledger import Ledger
from grn.quant import compute
from grn.quant.engine.choose import choose_engine
from grn.quant.engine.plan import build_grid
from grn.quant.judge import sweep_shuffled, validate
from grn.quant.metrics.registry import parse_metrics
from grn.quant.result import SweepResult
from grn.quant.schema import load_bars
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close
from grn.quant.validate.autocorrelation import memory_of
from grn.quant.validate.sharpe import deflated_sharpe_ratio, expected_max_sharpe, probabilistic_sharpe_ratio
from grn.quant.validate.shuffle import shuffle_market
from tests.quant.markets import cross, two_walks


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Six combinations on two symbols."""
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as book:
        return grn.sweep(cross(), two_walks(), ledger=book)


def test_the_best_row_is_judged_with_the_trials_of_the_ledger(result: SweepResult) -> None:
    """Name, Sharpe ratio, skew, kurtosis and length of the winner; number and variance of the trials."""
    found = validate(result, shuffles=0)
    assert result.trials is not None
    row, details = result.best(), result.details(result.best())
    per_period = details["sharpe"] / math.sqrt(result.ppy)
    shape = {"skew": details["skew"], "kurtosis": details["kurtosis"]}
    verdict = found.verdict
    assert found.row == row
    assert (found.winner, found.trades) == (result.label(row), len(result.trades(row)))
    assert verdict.sharpe == pytest.approx(details["sharpe"], rel=1e-9)
    assert verdict.counted == result.trials.n == 12
    worth = 1.0 + 119.0 / memory_of(result.path(row).returns)[0]
    psr = probabilistic_sharpe_ratio(per_period, 0.0, worth, **shape)
    dsr = deflated_sharpe_ratio(per_period, worth, n_trials=12, variance=1.0 / (worth - 1.0), **shape)
    assert verdict.psr == pytest.approx(psr, rel=1e-9)
    assert verdict.dsr == pytest.approx(dsr, rel=1e-9)
    assert found.decision == verdict.decision


def test_shuffled_sweeps_are_the_same_sweep_on_shuffled_bars(result: SweepResult) -> None:
    """Each number is the best annual Sharpe ratio that a sweep of the shuffled market reports itself."""
    best = sweep_shuffled(result, shuffles=2, block=10, seed=5)
    for k in range(2):
        market = shuffle_market(result.bars, block=10, seed=5 + k)
        swept = compute.compute(
            result.strategy, market, result.grid, result.rules, parse_metrics("sharpe"), result.choice,
            ppy=result.ppy,
        )  # fmt: skip
        assert best[k] == pytest.approx(swept.frame["sharpe"].max(), rel=1e-12)


def test_shuffles_are_seeded_and_counted(result: SweepResult) -> None:
    """The same seed gives the same bytes; shuffle k uses seed + k; progress is told each number done."""
    done: list[int] = []
    one = validate(result, shuffles=3, block=10, seed=4, progress=done.append)
    assert done == [1, 2, 3]
    assert (one.shuffles, one.block, one.seed) == (3, 10, 4)
    assert one.null_best.tobytes() == validate(result, shuffles=3, block=10, seed=4).null_best.tobytes()
    shifted = validate(result, shuffles=2, block=10, seed=5)
    assert shifted.null_best.tolist() == one.null_best.tolist()[1:]
    assert one.noise.shuffles == 3
    assert one.noise.highest == one.null_best.max()


def test_shuffled_sweeps_are_no_trials(tmp_path: Path) -> None:
    """They look at no real data in its order: the ledger does not grow."""
    with Ledger.open(tmp_path) as book:
        swept = grn.sweep(cross(), two_walks(), ledger=book)
        before = book.watermark()
        validate(swept, shuffles=2, block=10)
        assert book.watermark() == before


def test_another_count_of_trials_can_be_asked_for(result: SweepResult) -> None:
    """What if a hundred thousand had been tried?  The more trials, the less is left."""
    assert result.trials is not None
    more = replace(result.trials, n=100_000)
    few, many = validate(result, shuffles=0), validate(result, shuffles=0, trials=more)
    assert many.verdict.counted == 100_000
    assert many.verdict.dsr < few.verdict.dsr
    assert many.verdict.psr == few.verdict.psr


def test_without_trials_there_is_no_verdict() -> None:
    """A result that was not recorded has nothing to be deflated by."""
    bars = load_bars(two_walks(), ("open", "close"))
    bare = compute.compute(
        cross(), bars, build_grid(cross(), 1.0), Rules(), parse_metrics(None), choose_engine(cross()),
        ppy=252.0,
    )  # fmt: skip
    with pytest.raises(UsageError, match="no trial count") as caught:
        validate(bare)
    assert "grn.sweep" in str(caught.value.hint)


def test_a_verdict_does_not_depend_on_the_metrics_asked_for(tmp_path: Path) -> None:
    """A sweep that reported total returns only made the same trials and gets the same verdict."""
    with Ledger.open(tmp_path) as book:
        full = grn.sweep(cross(), two_walks(), ledger=book)
        bare = grn.sweep(cross(), two_walks(), metrics="total_return", ledger=book)
    one, other = validate(full, shuffles=2, block=10), validate(bare, shuffles=2, block=10)
    assert one.row == other.row
    assert one.verdict.dsr == other.verdict.dsr
    assert one.noise == other.noise


def test_nothing_traded_is_no_winner(tmp_path: Path) -> None:
    """Where no row has a Sharpe ratio the first is rejected, and whatever is asked of it has an answer."""
    with Ledger.open(tmp_path) as book:
        idle = grn.sweep(Strategy(close > 1e9, close < 0), two_walks(), engine="reference", ledger=book)
        found = validate(idle, shuffles=2, block=10, ledger=book)
        bare = grn.backtest(cross(), two_walks(12), {"fast": 2, "slow": 8}, engine="reference", ledger=book)
        alone = validate(bare, shuffles=0, ledger=book)
    for one in (found, alone):
        assert (one.decision, one.row) == ("reject", 0)
        assert one.table()
        assert not any("nan" in line for line in [*one.table(), *one.lines()])
        json.dumps(one.to_dict(), allow_nan=False)
    assert idle.report(tmp_path / "idle.html", validation=found).stat().st_size > 0


@pytest.mark.parametrize("options", [{"shuffles": -1}, {"block": 0}, {"seed": -1}, {"block": 1_000}], ids=str)
def test_impossible_shuffles_are_refused(result: SweepResult, options: dict[str, int]) -> None:
    """A negative number, no block, a negative seed, a block as long as the data."""
    with pytest.raises(UsageError):
        validate(result, **{"shuffles": 1, **options})  # type: ignore[arg-type]


def test_its_text_and_its_plain_form_are_those_of_the_verdict(result: SweepResult) -> None:
    """What the command prints and what --json gives."""
    found = validate(result, shuffles=0)
    assert str(found) == "\n".join(found.lines())
    assert len(found.lines()) <= 8
    plain = found.verdict.to_dict()
    assert plain.pop("best") == found.row  # a column of the table that trials were compared in
    assert {name: found.to_dict()[name] for name in plain} == plain


def test_more_trials_never_help(tmp_path: Path) -> None:
    """Clones, a closer look and a ruinous sweep: each raises the count, and none lowers the hurdle.

    A dummy parameter that changes nothing once took the deflated Sharpe ratio of a rejected winner past 0.95.
    """
    with Ledger.open(tmp_path / "ledger") as book:
        data = two_walks()
        swept = grn.sweep(cross(), data, ledger=book)
        hurdles = [validate(swept, shuffles=0).verdict]

        def judged_again() -> None:
            ids = [b.identity for b in swept.bars]
            hurdles.append(validate(swept, shuffles=0, trials=book.count_trials(ids)).verdict)

        dummy = param("dummy", range(200))
        clones = Strategy(entry=(close > sma(close, 5)) & (dummy > -1), exit=close < sma(close, 5))
        grn.sweep(clones, data, ledger=book)
        judged_again()
        near = param("near", [1.0 + k * 1e-6 for k in range(50)])
        grn.sweep(Strategy(entry=close * near > sma(close, 5), exit=close < sma(close, 5)), data, ledger=book)
        judged_again()
        grn.sweep(cross(), data, costs=Costs(fee=0.3), ledger=book)
        judged_again()
    trials = [v.counted for v in hurdles]
    assert trials == sorted(set(trials))
    for kind in ("", "effective_"):
        luck, dsr = ([getattr(v, kind + name) for v in hurdles] for name in ("luck", "dsr"))
        assert luck == sorted(luck)
        assert dsr == sorted(dsr, reverse=True)
    bound = expected_max_sharpe(trials[-1], 1.0 / (len(swept.bars[0]) - 1)) * math.sqrt(swept.ppy)
    assert hurdles[-1].luck <= max(bound, hurdles[0].luck * 2)
