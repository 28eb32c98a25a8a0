from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit.errors import (
    BudgetError,
    DataError,
    ExitCode,
    GrnError,
    StrategyError,
    UnsupportedError,
    UsageError,
)
from grn.ledger import Ledger
from grn.quant import compute
from grn.quant.metrics.registry import DEFAULT
from grn.quant.schema import load_bars
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.sizes import Fraction
from grn.quant.strategy.step import step
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col
from tests.quant.markets import cross, random_walk, two_walks

DATA = load_bars(two_walks(), ("open", "close"))


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(tmp_path / "ledger") as book:
        yield book


def test_one_row_per_symbol_and_combination(ledger: Ledger) -> None:
    """Symbols below each other, combinations in the grid's order, parameters with their own types."""
    x = param("x", [0.5, 1.5])
    strategy = Strategy(
        sma(close, param("fast", [3, 2])) > x * sma(close, param("slow", [5, 2])), sma(close, 5) > close,
        where=param("fast", [3, 2]) < param("slow", [5, 2]),
    )  # fmt: skip
    result = grn.sweep(strategy, DATA, ledger=ledger, engine="reference", metrics="sharpe,trades")
    frame = result.frame
    assert frame.columns == ["symbol", "fast", "x", "slow", "sharpe", "trades"]
    assert frame.dtypes == [pl.String, pl.Int64, pl.Float64, pl.Int64, pl.Float64, pl.Float64]
    expected = [(s, f, x, 5) for s in ("A", "B") for f in (3, 2) for x in (0.5, 1.5)]
    assert frame.select("symbol", "fast", "x", "slow").rows() == expected
    assert len(result) == len(frame) == 8
    assert [len(s) for s in result.trial_sharpes] == [4, 4]


def test_the_default_metrics_are_those_of_one_pass(ledger: Ledger) -> None:
    """Without a word about metrics a sweep gives everything that one pass can give, in table order."""
    assert tuple(grn.sweep(cross(), DATA, ledger=ledger).frame.columns[3:]) == DEFAULT


def test_threads_and_engines_give_the_same_bytes(ledger: Ledger) -> None:
    """One thread, two threads, the plain Python engine: one result key, one frame."""
    runs = [
        grn.sweep(cross(range(2, 20), range(3, 12)), DATA, ledger=ledger, **options)
        for options in ({"threads": 1}, {"threads": 2})
    ]
    small = [grn.sweep(cross(), DATA, ledger=ledger, engine=e) for e in ("cpu", "reference")]
    for one, other in (runs, small):
        assert one.frame_sha256 == other.frame_sha256
        assert one.result_key == other.result_key
        assert one.run != other.run
        assert all(
            a.tobytes() == b.tobytes() for a, b in zip(one.trial_sharpes, other.trial_sharpes, strict=True)
        )


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_progress_counts_every_combination_of_every_symbol_once(ledger: Ledger, engine: str) -> None:
    """The parts reported add up to combinations times symbols, and every part is positive."""
    parts: list[int] = []
    strategy = cross(range(2, 16), range(3, 12)) if engine == "cpu" else cross()
    result = grn.sweep(strategy, DATA, ledger=ledger, engine=engine, progress=parts.append)
    assert sum(parts) == len(result) == 2 * len(result.grid)
    assert min(parts) > 0


def test_a_run_is_recorded_with_all_that_decides_it(ledger: Ledger) -> None:
    """Command, inputs, result key, watermark, timings, and one trials row per symbol."""
    result = grn.sweep(cross(), DATA, ledger=ledger, costs=Costs(fee=0.001), fill="close", cash=500.0)
    entry = ledger.show(result.run)
    assert entry.command == "sweep"
    assert entry.inputs["rules"]["cash"] == 500.0  # type: ignore[index]
    assert entry.inputs["grid"]["combinations"] == 6  # type: ignore[index]
    assert [d["symbol"] for d in entry.inputs["data"]] == ["A", "B"]  # type: ignore[attr-defined]
    assert entry.outcome is not None
    assert entry.outcome.exit_code == ExitCode.DONE
    assert entry.outcome.result_key == result.result_key
    assert entry.outcome.outputs["frame_sha256"] == result.frame_sha256
    assert entry.outcome.timings_s.keys() == {"run", "total"}
    assert [(t.data_id, t.n) for t in entry.trials] == [(b.identity, 6) for b in DATA]
    assert result.trials is not None
    assert entry.outcome.watermark == result.trials.watermark == entry.trials[-1].watermark


def test_the_count_grows_with_new_settings_only(ledger: Ledger) -> None:
    """Trials are a set: repeating a sweep adds nothing, a larger one adds what is new, on this data."""

    def count(strategy: Strategy, data: Any = DATA, **rules: Any) -> int:
        trials = grn.sweep(strategy, data, ledger=ledger, **rules).trials
        assert trials is not None
        return trials.n

    assert count(cross()) == 12
    assert count(cross()) == 12
    assert count(cross([2, 3], [5], name="again")) == 12
    assert count(cross([2, 3, 4, 6], [5, 8])) == 12 + 2  # fast=6 with slow=8 only, on two symbols
    assert count(cross(), costs=Costs(fee=0.001)) == 14 + 12
    assert count(cross(), data=DATA[:1]) == 13  # what was tried on A, and nothing else
    assert count(cross(), data=random_walk(seed=7)) == 6
    renamed = random_walk(seed=7, symbol="NEW").with_columns(score=pl.lit(1.0))
    assert count(cross(), data=renamed) == 6


def test_the_recorded_sharpes_are_those_of_the_frame(ledger: Ledger) -> None:
    """Per period in the ledger, annual in the frame: mean and variance of the trials come from them."""
    result = grn.sweep(cross(), DATA[:1], ledger=ledger)
    trials = result.trials
    assert trials is not None
    per_period = result.frame["sharpe"].to_numpy() / np.sqrt(result.ppy)
    np.testing.assert_allclose(result.trial_sharpes[0], per_period, rtol=1e-14)
    assert trials.sharpe_mean == pytest.approx(per_period.mean(), rel=1e-12)
    assert trials.sharpe_variance == pytest.approx(per_period.var(ddof=1), rel=1e-12)


def test_sharpes_are_recorded_whatever_was_asked_for(ledger: Ledger) -> None:
    """A sweep that shows total returns only makes trials all the same."""
    asked = grn.sweep(cross(), DATA, ledger=ledger, metrics="total_return", engine="reference")
    full = grn.sweep(cross(), DATA, ledger=ledger)
    assert asked.frame.columns == ["symbol", "fast", "slow", "total_return"]
    assert [s.tobytes() for s in asked.trial_sharpes] == [s.tobytes() for s in full.trial_sharpes]
    assert asked.trials is not None
    assert full.trials is not None
    assert asked.trials.sharpe_mean == full.trials.sharpe_mean


@pytest.mark.parametrize(
    ("error", "code"),
    [(RuntimeError("boom"), ExitCode.ERROR), (KeyboardInterrupt(), ExitCode.INTERRUPTED),
     (BudgetError("no memory"), ExitCode.BUDGET)],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_a_sweep_that_raises_is_recorded_as_failed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: ExitCode
) -> None:
    """The run is there with the exit code of its end, without a result key and without trials."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr(compute, "run_engine", fail)
    with pytest.raises(type(error)):
        grn.sweep(cross(), DATA, ledger=ledger)
    (entry,) = ledger.invocations()
    assert entry.outcome is not None
    assert entry.outcome.exit_code == code
    assert entry.outcome.result_key is None
    assert ledger.count_trials([b.identity for b in DATA]).n == 0


def test_progress_ends_at_what_was_expected(ledger: Ledger) -> None:
    """Every combination on every symbol is counted once, whichever engine runs."""
    for engine in ("cpu", "reference"):
        asked: list[int] = []
        steps: list[int] = []
        grn.sweep(cross(), DATA, ledger=ledger, engine=engine, progress=steps.append, expect=asked.append)
        assert asked == [sum(steps)] == [12]


def test_a_sweep_too_large_is_refused_before_anything_is_recorded(ledger: Ledger) -> None:
    """Priced first: the message has the price and the budget, and the ledger does not know of it."""
    wide = cross(range(1, 2001), range(1, 2001))
    with pytest.raises(BudgetError, match=r"needs [\d.,]+ GiB of") as caught:
        grn.sweep(wide, DATA, ledger=ledger, memory_gib=0.05)
    assert "4,000,000 combinations" in str(caught.value)
    with pytest.raises(BudgetError, match="the sweep needs"):
        grn.sweep(cross(range(2, 200), range(2, 200)), DATA, ledger=ledger, memory_gib=0.002)
    assert ledger.invocations() == []


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"metrics": "sharp"}, UsageError, "unknown metric"),
        ({"engine": "gpu"}, UsageError, "unknown engine"),
        ({"fill": "open"}, UsageError, "unknown fill"),
        ({"cash": 0}, UsageError, "cash must be above 0"),
        ({"size": 5}, UsageError, "unknown size"),
        ({"costs": 0.001}, UsageError, "costs must be"),
        ({"periods_per_year": 0}, UsageError, "periods_per_year must be positive"),
        ({"periods_per_year": "daily"}, UsageError, "periods_per_year must be positive"),
        ({"memory_gib": float("nan")}, UsageError, "memory_gib must be a positive number"),
        ({"threads": 0}, UsageError, "threads must be a whole number"),
        ({"threads": 2.5}, UsageError, "threads must be a whole number"),
        ({"memory_gib": 0}, UsageError, "memory_gib must be a positive number"),
        ({"periods_per_year": float("inf")}, UsageError, "periods_per_year must be positive"),
        ({"periods_per_year": float("nan")}, UsageError, "periods_per_year must be positive"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_recorded(
    ledger: Ledger, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Every argument is checked before the run begins."""
    with pytest.raises(error, match=says):
        grn.sweep(cross(), DATA, ledger=ledger, **change)
    assert ledger.invocations() == []


def test_arguments_of_the_wrong_kind_say_what_they_should_be() -> None:
    """A strategy, a ledger and parameters are told apart from what people pass in their place."""
    with pytest.raises(StrategyError, match="this is no strategy"):
        grn.sweep(5, DATA)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="ledger must be an open Ledger"):
        grn.sweep(cross(), DATA, ledger="trials.db")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="params maps names to values"):
        grn.backtest(cross(), DATA, [10, 50])  # type: ignore[arg-type]


def test_missing_columns_are_refused_before_anything_is_recorded(ledger: Ledger) -> None:
    """A strategy over a column that the data lack names it."""
    with pytest.raises(DataError, match="score"):
        grn.sweep(Strategy(col("score") > 1, close < 1), random_walk(), ledger=ledger)
    with pytest.raises(DataError, match="open"):
        grn.sweep(cross(), random_walk().drop("open"), ledger=ledger)
    assert ledger.invocations() == []


@pytest.mark.parametrize("name", ["symbol", "sharpe"])
def test_a_parameter_may_not_be_called_like_a_column_of_the_result(ledger: Ledger, name: str) -> None:
    """Its values would be lost behind the metric, or the metric behind its values."""
    strategy = Strategy(sma(close, param(name, [2, 3])) > close, close < 1)
    with pytest.raises(UsageError, match="called like another column"):
        grn.sweep(strategy, DATA, ledger=ledger)
    assert ledger.invocations() == []


def test_an_empty_grid_is_refused(ledger: Ledger) -> None:
    """`where` that no combination passes: the message counts those before it and shows it."""
    with pytest.raises(StrategyError, match="no parameter combination is left") as caught:
        grn.sweep(cross([9, 10], [5, 8]), DATA, ledger=ledger)
    assert "4 before `where`: (fast < slow)" in str(caught.value)


@step(state=1, jit=False)
def highest(state: Any, x: float) -> float:
    state[0] = max(state[0], x)
    return float(state[0])


def test_a_plain_python_step_runs_on_the_reference_engine_only(ledger: Ledger) -> None:
    """`auto` takes the engine that can and says why; `cpu` refuses by name; paths work as well."""
    strategy = Strategy(close >= highest(close), close < highest(close) * 0.99)
    result = grn.sweep(strategy, DATA, ledger=ledger)
    assert result.choice.engine == "reference"
    assert "highest" in result.choice.reason
    assert result.path(0).equity[-1] / 10_000.0 - 1.0 == pytest.approx(result.frame["total_return"][0])
    with pytest.raises(UnsupportedError, match="highest is declared jit=False"):
        grn.sweep(strategy, DATA, ledger=ledger, engine="cpu")


class TestBacktest:
    def test_it_is_a_sweep_of_one(self, ledger: Ledger) -> None:
        """The row is that of the sweep, bit for bit, and it is one of the sweep's trials."""
        swept = grn.sweep(cross(), DATA, ledger=ledger)
        one = grn.backtest(cross(), DATA, {"fast": 3, "slow": 8}, ledger=ledger, metrics="default")
        row = swept.frame.filter((pl.col("fast") == 3) & (pl.col("slow") == 8))
        assert one.frame.equals(row)
        assert one.trials is not None
        assert one.trials.n == 12
        assert ledger.show(one.run).inputs["grid"]["pinned"] == {"fast": 3.0, "slow": 8.0}  # type: ignore[index]

    def test_values_outside_the_list_are_fine(self, ledger: Ledger) -> None:
        """A backtest may ask for any value, `where` included: the person asking knows what for."""
        one = grn.backtest(cross(), DATA, {"fast": 8, "slow": 3}, ledger=ledger, engine="reference")
        assert one.frame.select("fast", "slow").rows() == [(8, 3)] * 2
        assert one.trials is not None
        assert one.trials.n == 2

    def test_a_lag_outside_the_list_reaches_as_far_back_as_it_says(self, ledger: Ledger) -> None:
        """The kernel's missing bars in front of the data follow the value that is run, not those listed."""

        def momentum(*lags: int) -> Strategy:
            k = param("k", lags)
            return Strategy(close > close.lag(k), close < close.lag(k))

        outside = grn.backtest(momentum(1, 2), DATA, {"k": 90}, ledger=ledger)
        inside = grn.sweep(momentum(90), DATA, ledger=ledger, metrics="all", engine="reference")
        assert outside.choice.engine == "cpu"
        assert outside.frame_sha256 == inside.frame_sha256

    def test_a_parameter_with_one_value_needs_no_setting(self, ledger: Ledger) -> None:
        """Where there is nothing to choose nothing has to be said."""
        one = grn.backtest(cross([2], [5, 8]), DATA, {"slow": 5}, ledger=ledger, engine="reference")
        assert one.frame.select("fast", "slow").rows() == [(2, 5)] * 2

    def test_all_metrics_by_default(self, ledger: Ledger) -> None:
        """One row can afford those that need the whole distribution."""
        one = grn.backtest(cross(), DATA, {"fast": 3, "slow": 8}, ledger=ledger)
        assert {"var", "cvar", "tail_ratio"} <= set(one.frame.columns)

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"fast": 3}, "'slow' has 2 values"),
            ({"fast": 3, "slow": 8, "length": 3}, "no parameter 'length'"),
            ({"fast": 2.5, "slow": 8}, "'fast' takes whole numbers"),
            ({"fast": float("nan"), "slow": 8}, "'fast' takes"),
            ({"fast": float("inf"), "slow": 8}, "'fast' takes"),
        ],
    )
    def test_settings_are_checked(self, ledger: Ledger, values: dict[str, float], says: str) -> None:
        """A missing, an unknown and an impossible value are named."""
        with pytest.raises(GrnError, match=says):
            grn.backtest(cross(), DATA, values, ledger=ledger)
        assert ledger.invocations() == []

    def test_a_value_that_an_indicator_cannot_take_is_refused_by_name(self, ledger: Ledger) -> None:
        """Values from outside the list have not been checked where the strategy was written."""
        with pytest.raises(StrategyError, match="sma"):
            grn.backtest(cross(), DATA, {"fast": 0, "slow": 8}, ledger=ledger)
        with pytest.raises(StrategyError, match="lag"):
            grn.backtest(
                Strategy(close > close.lag(param("k", [1, 2])), close < 1), DATA, {"k": -1}, ledger=ledger
            )
        assert ledger.invocations() == []


def test_the_size_of_a_position_matters(ledger: Ledger) -> None:
    """Half the cash, about half the return: the rules reach the engine."""
    whole = grn.sweep(cross([2], [5]), DATA[:1], ledger=ledger)
    half = grn.sweep(cross([2], [5]), DATA[:1], ledger=ledger, size=Fraction(0.5))
    a, b = whole.frame["total_return"][0], half.frame["total_return"][0]
    assert b == pytest.approx(a / 2, abs=0.01)
    assert a != b


def test_the_node_s_own_ledger_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ledger given, the run goes to that of GRN_HOME."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path))
    result = grn.sweep(cross(), DATA)
    with Ledger.open(tmp_path / "ledger") as book:
        assert [i.run for i in book.invocations()] == [result.run]
