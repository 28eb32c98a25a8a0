"""Bad input on the level of the engines: refused before anything runs, with the value seen and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import grn
from grn.kit.errors import BudgetError, ExitCode, GrnError, StrategyError, UnsupportedError, UsageError
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import (
    Costs,
    Fraction,
    Quantity,
    Rules,
    Strategy,
    Value,
    close,
    col,
    maximum,
    param,
    sma,
    step,
    tf,
    when,
)
from grn.quant.engine.cpu import check_threads
from grn.quant.engine.plan import build_grid
from grn.quant.engine.series import Evaluator
from grn.quant.strategy.expr import Expr
from tests.property.markets import make_bars

BARS = make_bars(np.random.default_rng(1), n_bars=50, kind="walk")
SIMPLE = Strategy(close > close.lag(1), close < close.lag(1))


@step(state=1)
def raises(state: npt.NDArray[np.float64], x: float) -> float:
    """Fail on a positive number."""
    if x > 0.0:
        raise ValueError("no such thing")
    return x


@step(state=1)
def does_not_compile(state: npt.NDArray[np.float64], x: float) -> float:
    """Use what Numba has no idea of."""
    return float(len(f"{x:.3g}"))


def message(error: GrnError) -> str:
    return f"{error} | {error.hint}"


def nothing_was_recorded() -> bool:
    """Whether the ledger has no trial: either it was never opened, or it is empty."""
    if not ledger_dir().exists():
        return True
    with Ledger.open(ledger_dir()) as ledger:
        return ledger.watermark() == 0


EXPRESSIONS = {
    "truth of an expression": (lambda: bool(close > 1.0), "no truth value"),
    "chained comparison": (lambda: 1.0 < close < 2.0, "no truth value"),
    "text in an expression": (lambda: close > "high", "cannot be part of a strategy expression"),
    "condition added": (lambda: (close > 1.0) + 1.0, "needs numbers"),
    "condition compared": (lambda: (close > 1.0) > 0.5, "needs numbers"),
    "maximum of a condition": (lambda: maximum(close > 1.0, 2.0), "needs numbers"),
    "answers of two kinds": (lambda: when(close > 1.0, 1.0, close > 2.0), "both answers of `when`"),
    "lag into the future": (lambda: close.lag(-1), "whole number of bars"),
    "lag by a fraction": (lambda: close.lag(1.5), "whole number of bars"),
    "lag parameter below zero": (lambda: close.lag(param("k", [-1, 0])), "integers >= 0"),
    "empty parameter": (lambda: param("n", range(5, 5)), "no values"),
    "parameter twice the same value": (lambda: param("n", [3, 3]), "lists a value twice"),
    "parameter of text": (lambda: param("n", ["3"]), "finite numbers"),
    "parameter with infinity": (lambda: param("n", [float("inf")]), "finite numbers"),
    "parameter name": (lambda: param("fast window", [1]), "identifier"),
    "column without a name": (lambda: col(""), "needs a name"),
    "window of zero": (lambda: sma(close, 0), "below its minimum"),
    "window of a fraction": (lambda: sma(close, 2.5), "whole number"),
    "window beyond a parameter's range": (lambda: sma(close, param("n", range(0, 3))), "below its minimum"),
    "window that changes": (lambda: sma(close, close), "must be a number or a param"),
    "unknown timeframe": (lambda: tf("1 day", close), "unknown timeframe"),
    "step without parentheses": (lambda: step(raises.function), "parentheses"),
    "step with too few arguments": (lambda: raises(), "takes 1 arguments"),
}


@pytest.mark.parametrize("fault", EXPRESSIONS)
def test_a_faulty_expression_is_refused_where_it_is_written(fault: str) -> None:
    """The author of the strategy sees the error on the line that is wrong."""
    make, says = EXPRESSIONS[fault]
    with pytest.raises(StrategyError) as caught:
        make()
    assert says in message(caught.value)


STRATEGIES = {
    "unknown direction": (lambda: Strategy(close > 1, close < 1, direction="up"), "unknown direction"),
    "short condition beside long": (
        lambda: Strategy(close > 1, close < 1, close < 2, direction="long"),
        "short conditions beside",
    ),
    "where with a column": (lambda: Strategy(close > 1, close < 1, where=close > 2), "parameters only"),
    "where with a lag": (
        lambda: Strategy(close > 1, close < 1, where=param("n", [1, 2]).lag(1) > 0),
        "parameters only",
    ),
    "one name, two parameters": (
        lambda: Strategy(close > param("n", [1, 2]), close < param("n", [1, 3])),
        "declared twice",
    ),
}


@pytest.mark.parametrize("fault", STRATEGIES)
def test_a_faulty_strategy_is_refused(fault: str) -> None:
    """Conditions that do not make a strategy together are refused when it is built."""
    make, says = STRATEGIES[fault]
    with pytest.raises(StrategyError) as caught:
        make()
    assert says in message(caught.value)


RULES = {
    "fee of 100 %": (lambda: Costs(fee=1.0), "fee must be at least 0 and below 1"),
    "negative fee": (lambda: Costs(fee=-0.1), "fee must be at least 0"),
    "fee as text": (lambda: Costs(fee="0.1 %"), "finite number"),
    "NaN slippage": (lambda: Costs(slippage=float("nan")), "finite number"),
    "negative fixed fee": (lambda: Costs(fixed_fee=-1), "fixed_fee must be at least 0"),
    "fraction above one": (lambda: Rules(size=Fraction(1.5)), "above the leverage"),
    "fraction of zero": (lambda: Fraction(0), "Fraction must be above 0"),
    "no quantity": (lambda: Quantity(0), "Quantity must be above 0"),
    "endless value": (lambda: Value(float("inf")), "finite number"),
    "unknown fill": (lambda: Rules(fill="open"), "unknown fill"),
    "no cash": (lambda: Rules(cash=0), "cash must be above 0"),
    "size as a number": (lambda: Rules(size=0.5), "unknown size"),
    "costs as a number": (lambda: Rules(costs=0.001), "costs must be a Costs object"),
}


@pytest.mark.parametrize("fault", RULES)
def test_a_faulty_rule_is_refused(fault: str) -> None:
    """Costs, sizes and fills outside their range name the range and the value."""
    make, says = RULES[fault]
    with pytest.raises(UsageError) as caught:
        make()
    assert says in message(caught.value)


def test_an_empty_grid_is_refused() -> None:
    """A `where` that nothing passes: the count before it and the condition are shown; nothing is recorded."""
    fast, slow = param("fast", range(2, 12)), param("slow", range(2, 12))
    strategy = Strategy(sma(close, fast) > sma(close, slow), close < 0.0, where=fast > slow + 100)
    with pytest.raises(StrategyError, match="no parameter combination is left") as caught:
        grn.sweep(strategy, BARS)
    assert "100 before `where`: (fast > (slow + 100))" in str(caught.value)
    assert nothing_was_recorded()


def test_a_grid_too_large_is_priced_before_it_is_built() -> None:
    """10^12 combinations: refused at once with their number, the memory they need and the budget."""
    params = [param(name, range(1, 10_001)) for name in ("a", "b", "c")]
    entry: Expr = close > sma(close, params[0])
    for p in params[1:]:
        entry = entry & (close > sma(close, p))
    strategy = Strategy(entry, close < 0.0)
    with pytest.raises(BudgetError) as caught:
        build_grid(strategy, 24.0)
    # 7 float64 of grid and scratch for each combination: 56e12 bytes.
    assert "the grid needs 52,154.1 GiB of a budget of 24 GiB" in str(caught.value)
    assert "1,000,000,000,000 combinations of a (10,000), b (10,000), c (10,000)" in str(caught.value)
    assert caught.value.exit_code is ExitCode.BUDGET
    with pytest.raises(BudgetError):
        grn.sweep(strategy, BARS)
    assert nothing_was_recorded()


def test_a_sweep_too_large_is_priced_before_it_runs() -> None:
    """The grid fits but its results do not: the price, the budget and the size of the sweep are shown."""
    strategy = Strategy(close > sma(close, param("n", range(1, 5_001))), close < 0.0)
    with pytest.raises(BudgetError) as caught:
        grn.sweep(strategy, BARS, memory_gib=0.0005)
    assert "5,000 combinations, 1 symbols, 50 bars" in str(caught.value)
    assert "of 0.0005 GiB" in str(caught.value)
    assert nothing_was_recorded()


def test_a_step_that_raises_is_named() -> None:
    """Both engines name the step function and the exception; the run is closed without a trial."""
    strategy = Strategy(raises(close) > 0.0, close < 0.0)
    for engine in ("reference", "cpu"):
        with pytest.raises(StrategyError, match=r"step raises failed.*ValueError: no such thing"):
            grn.sweep(strategy, BARS, engine=engine)
    assert nothing_was_recorded()


def test_a_step_that_does_not_compile_is_refused_by_name() -> None:
    """The cpu engine names the step and offers jit=False; the reference runs it."""
    strategy = Strategy(does_not_compile(close) > 0.0, close < 0.0)
    with pytest.raises(UnsupportedError, match=r"does_not_compile does not compile.*f-strings") as caught:
        grn.sweep(strategy, BARS)
    assert "@step(jit=False)" in (caught.value.hint or "")
    assert len(grn.sweep(strategy, BARS, engine="reference").frame) == 1


def test_a_step_with_a_closure_is_refused() -> None:
    """Its source would not say what it computes."""
    factor = 2.0

    def closed(state: npt.NDArray[np.float64], x: float) -> float:
        return factor * x

    with pytest.raises(StrategyError, match="variables of an enclosing function"):
        step(state=1)(closed)


def test_a_missing_column_is_named_before_anything_runs() -> None:
    """A strategy on a column that the data lacks is refused with the column's name."""
    with pytest.raises(GrnError, match="sentiment"):
        grn.sweep(Strategy(col("sentiment") > 0.0, close < 0.0), BARS)
    assert nothing_was_recorded()


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "has 3 values; a backtest needs one"),
        ({"n": 2.5}, "takes whole numbers"),
        ({"m": 3}, "has no parameter 'm'"),
        ({"n": 0}, "below its minimum"),
    ],
)
def test_a_backtest_needs_one_value_of_each_parameter(params: dict[str, float], says: str) -> None:
    """Missing, unknown and impossible values are refused with the parameter's name."""
    strategy = Strategy(close > sma(close, param("n", [2, 3, 4])), close < 0.0)
    with pytest.raises(GrnError) as caught:
        grn.backtest(strategy, BARS, params)
    assert says in message(caught.value)
    assert nothing_was_recorded()


@pytest.mark.parametrize(("lag", "engine"), [(7, "cpu"), (7, "reference"), (60, "cpu"), (60, "reference")])
def test_a_backtest_may_lag_beyond_the_swept_values(lag: int, engine: str) -> None:
    """A lag outside its parameter's list means what it says on every engine: that many bars back."""
    swept = Strategy(close > close.lag(param("k", [0, 1, 2])), close < close.lag(1))
    fixed = Strategy(close > close.lag(lag), close < close.lag(1))
    found = grn.backtest(swept, BARS, {"k": lag}, engine=engine).frame
    assert found.drop("k").equals(grn.backtest(fixed, BARS, engine="reference").frame)


def test_a_backtest_cannot_lag_into_the_future() -> None:
    """A negative lag is refused: it would read bars that have not happened."""
    strategy = Strategy(close > close.lag(param("k", [0, 1, 2])), close < close.lag(1))
    with pytest.raises(StrategyError, match=r"a lag parameter takes integers >= 0.*k = "):
        grn.backtest(strategy, BARS, {"k": -1})
    assert nothing_was_recorded()


@pytest.mark.parametrize("engine", ["cpu", "reference"])
def test_a_backtest_cannot_lag_beyond_any_memory(engine: str) -> None:
    """10^12 bars back are 8 TB of padding: refused before they are allocated, on every engine."""
    strategy = Strategy(close > close.lag(10**12), close < close.lag(1))
    with pytest.raises(GrnError, match=r"a lag reaches|needs .* GiB"):
        grn.backtest(strategy, BARS, engine=engine)
    with pytest.raises(StrategyError, match="a lag reaches further back than any data"):
        Evaluator(BARS).condition(strategy.signals[0], {})
    assert nothing_was_recorded()


def test_a_timeframe_beyond_any_clock_is_refused() -> None:
    """So many weeks are no int64 of nanoseconds."""
    with pytest.raises(GrnError, match="timeframe"):
        Evaluator(BARS).condition(close > tf(f"{10**12}w", close), {})


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_a_number_of_threads_is_a_whole_one(threads: object) -> None:
    """What is no number of threads is refused with the value seen; None leaves the choice."""
    with pytest.raises(UsageError, match="threads must be a whole number"):
        check_threads(threads)
    check_threads(None)
    check_threads(3)


@step(state=1, jit=False)
def leaves(state: npt.NDArray[np.float64], x: float) -> float:
    """Try to end the process."""
    raise SystemExit(3)


def test_a_step_cannot_end_the_process() -> None:
    """`SystemExit` of a step function is an error of the strategy, with the step's name."""
    with pytest.raises(StrategyError, match=r"step leaves failed.*SystemExit: 3"):
        grn.backtest(Strategy(leaves(close) > 0.0, close < 0.0), BARS)
    assert nothing_was_recorded()


def test_whatever_polars_raises_names_the_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may raise anything: the error is the strategy's, and has the expression's text."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such plugin")

    monkeypatch.setattr(pl.DataFrame, "select", fail)
    with pytest.raises(StrategyError, match=r'a Polars expression failed.*col\("close"\).*RuntimeError'):
        Evaluator(BARS).condition(close > pl.col("close").shift(1), {})


def test_an_unwritable_home_leaves_nothing_behind(tmp_path: Path) -> None:
    """A ledger that cannot be written ends the run with an error and no half-written file."""
    blocked = tmp_path / "home"
    blocked.write_text("a file stands where the folder should be", encoding="utf-8")
    code = (
        "import grn, numpy as np\nfrom grn.quant import *\nfrom tests.property.markets import make_bars\n"
        "grn.sweep(Strategy(close > 1.0, close < 1.0), make_bars(np.random.default_rng(1), n_bars=9))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "GRN_HOME": str(blocked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "grn.kit.errors." in ran.stderr.splitlines()[-1]
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
