"""Target weights through everything that signals go through: sweep, ledger, replay, verdict, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import grn
from grn.cli.main import main
from grn.kit.errors import BudgetError, DataError, StrategyError, UnsupportedError, UsageError
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import (
    Costs,
    Fraction,
    PortfolioStop,
    Rules,
    Strategy,
    Weights,
    close,
    cross_mean,
    demean,
    find_leaks,
    hold,
    of,
    param,
    polars,
    rank,
    roc,
    share,
    sma,
    step,
    top,
    when,
)
from grn.quant.replay import replay
from grn.quant.strategy.expr import Expr
from grn.quant.strategy.plain import from_plain, to_plain
from grn.quant.strategy.settings import with_values
from tests.quant.markets import random_walk

FILE = """
from grn.quant import Costs, Weights, close, param, roc, top, when

n = param("n", [1, 2])
strategy = Weights(when(top(roc(close, param("length", [5, 20])), n), 1.0 / n, 0.0), every="week")
data = "bars.csv"
costs = Costs(fee=0.001)
"""


def three_walks(n: int = 120) -> pl.DataFrame:
    """Symbols C, A and B, in this order."""
    return pl.concat([random_walk(n, seed=k, symbol=s) for k, s in enumerate("CAB")])


def rotation(**more: Any) -> Weights:
    """Four combinations, two parameters in the weight and one in the stop."""
    length, n = param("length", [5, 20]), param("n", [1, 2])
    return Weights(when(top(roc(close, length), n), 1.0 / n, 0.0), every="week", name="rotation", **more)


def test_a_sweep_has_one_row_per_combination() -> None:
    """One account for all symbols: its name stands where a symbol would."""
    result = grn.sweep(rotation(), three_walks(), costs=Costs(fee=0.001))
    assert result.frame.select("symbol", "length", "n").rows() == [
        ("rotation", 5, 1), ("rotation", 5, 2), ("rotation", 20, 1), ("rotation", 20, 2),
    ]  # fmt: skip
    assert result.accounts == ("rotation",)
    assert result.choice.engine == "cpu"
    assert len(result) == 4
    row = result.find(length=20, n=2)
    assert result.label(row) == "rotation length=20 n=2"
    path = result.path(row)
    assert path.equity[-1] / 10_000.0 - 1.0 == result.row(row)["total_return"]
    assert result.orders(row)["symbol"].unique().sort().to_list() == ["A", "B", "C"]
    assert result.trades(row).height == result.details(row)["trades"]
    assert result.details(row)["fees"] == pytest.approx(result.orders(row)["fees"].sum())
    assert result.drawdowns(row)["depth"].min() == pytest.approx(result.row(row)["max_drawdown"])
    assert result.portfolio(row).columns == ["ts", "equity"]
    assert result.positions(row).columns[0] == "symbol"


def test_the_order_of_symbols_changes_no_byte() -> None:
    """The same symbols in another order are the same sweep, and the same trials."""
    data = three_walks()
    turned = pl.concat([data.filter(pl.col("symbol") == s) for s in "ABC"])
    first, again = grn.sweep(rotation(), data), grn.sweep(rotation(), turned)
    assert first.frame_sha256 == again.frame_sha256
    assert first.trials is not None
    assert again.trials is not None
    assert first.trials.n == again.trials.n == 4


def test_both_engines_give_the_same_bytes() -> None:
    """The whole frame, second-pass metrics included."""
    results = [grn.sweep(rotation(), three_walks(60), metrics="all", engine=e) for e in ("cpu", "reference")]
    assert results[0].frame_sha256 == results[1].frame_sha256


def test_a_backtest_is_a_row_of_the_sweep() -> None:
    """A value outside the list is fine, too."""
    whole = grn.sweep(rotation(), three_walks(), metrics="default")
    one = grn.backtest(rotation(), three_walks(), {"length": 20, "n": 2}, metrics="default")
    assert one.row(0) == whole.row(3)
    other = grn.backtest(rotation(), three_walks(), {"length": 7, "n": 3})
    assert other.frame.select("length", "n").rows() == [(7, 3)]


def test_trials_are_counted_on_all_symbols_together() -> None:
    """Four trials of the portfolio, the three of its symbols alone, and later those of a part of them."""
    data = three_walks()
    grn.sweep(Strategy(close > sma(close, 5), close < sma(close, 5)), data)
    result = grn.sweep(rotation(), data)
    assert result.trials is not None
    assert result.trials.n == 4 + 3
    part = grn.sweep(rotation(), data.filter(pl.col("symbol") != "C"))
    assert part.trials is not None
    assert part.trials.n == 4 + 4 + 2
    more = grn.sweep(rotation(drift=0.05), data)
    assert more.trials is not None
    assert more.trials.n == 4 + 4 + 3 + 4


def test_two_symbols_may_have_one_history() -> None:
    """One is a copy of the other: an account of both is recorded like any other."""
    data = three_walks().filter(pl.col("symbol") == "A")
    both = pl.concat([data, data.with_columns(symbol=pl.lit("COPY"))])
    result = grn.sweep(rotation(most=2), both)
    assert result.trials is not None
    assert result.trials.n == len(result.grid)


def test_a_recorded_run_is_had_again() -> None:
    """From the ledger alone, with the bytes and the count of its day."""
    stop = PortfolioStop(param("loss", [0.05, 0.1]), scope="group", trail=True)
    weights = rotation(stop=stop, groups={"two": ("A", "B")}, group_limit=0.6, most=2, where=None)
    result = grn.sweep(weights, three_walks(), rules=Rules(costs=Costs(fee=0.001), shortfall="reject"))
    with Ledger.open(ledger_dir()) as book:
        again = replay(book, result.run)
    assert again.same
    assert again.result.trials == result.trials
    assert str(again.result.strategy) == str(weights)


def test_the_verdict_takes_the_portfolio() -> None:
    """Judged against its trials and the same sweep on markets shuffled together."""
    result = grn.sweep(rotation(), three_walks())
    validation = grn.validate(result, shuffles=3)
    assert validation.winner.startswith("rotation ")
    assert validation.decision != "pass"
    assert np.isfinite(validation.null_best).all()


@pytest.mark.parametrize(
    "weights",
    [
        rotation(),
        Weights(share(abs(demean(close))) * 0.5, every=param("every", [2, 5]), drift=param("d", [0.0, 0.1])),
        Weights(when(hold(close > of("B", close), rank(close) > 2), 0.3, -0.1), order=("B", "A", "C")),
        Weights(
            0.1 * rank(close), most=param("m", [1, 2]), gross_limit=1.0, cash_short="pro_rata",
            groups={"x": ("A",), "y": ("B", "C")}, group_limit={"y": 0.4},
            stop=PortfolioStop(0.1, reentry="next"), where=param("m", [1, 2]) > 1,
        ),
    ],
    ids=str,
)  # fmt: skip
def test_weights_are_plain_data_and_back(weights: Weights) -> None:
    """Through JSON: the same text, identity, parameters and plain data."""
    plain = json.loads(json.dumps(to_plain(weights)))
    again = from_plain(plain)
    assert isinstance(again, Weights)
    assert str(again) == str(weights)
    assert again.canonical == weights.canonical
    assert [(p.name, p.values) for p in again.params] == [(p.name, p.values) for p in weights.params]
    assert json.loads(json.dumps(to_plain(again))) == plain


def test_parameters_take_other_values() -> None:
    """New values are held to what the old ones were."""
    assert [p.values for p in with_values(rotation(), {"n": 3, "length": [1, 2]}).params] == [(1, 2), (3,)]
    with pytest.raises(StrategyError):
        with_values(Weights(rank(close), most=param("m", [1])), {"m": 0})


def test_contradictions_are_refused_before_anything_runs() -> None:
    """Nothing is entered in the ledger."""
    with pytest.raises(UsageError, match="size"):
        grn.sweep(rotation(), three_walks(), size=Fraction(0.5))
    with pytest.raises(UsageError, match="names a symbol"):
        grn.sweep(Weights(of("Q", close)), three_walks())
    with pytest.raises(BudgetError):
        grn.sweep(rotation(), three_walks(), memory_gib=1e-6)
    with pytest.raises(DataError):
        grn.sweep(rotation(), three_walks(), fill="next:vwap")
    assert not ledger_dir().exists()


@pytest.mark.parametrize(
    "word", [rank(close) > 1, close > of("B", close), close > cross_mean(close)], ids=str
)
def test_signals_refuse_what_looks_across_symbols(word: Expr) -> None:
    """By name, where the strategy is written."""
    with pytest.raises(StrategyError, match="looks across symbols"):
        Strategy(word, close < 1)


def test_hold_is_at_home_in_signals() -> None:
    """Long while held: the same trades as entry and exit, as its own exit wins where both hold."""
    entry, leave = close > sma(close, 5), close < sma(close, 3)
    held = hold(entry, leave)
    data = random_walk(100)
    for engine in ("cpu", "reference"):
        one = grn.backtest(Strategy(held, ~held), data, engine=engine)
        other = grn.backtest(Strategy(entry & ~leave, leave), data, engine=engine)
        assert one.trades(0).rows() == other.trades(0).rows()
        assert one.trades(0).height > 3


def test_what_shows_one_symbol_says_so() -> None:
    """The report refuses target weights by name."""
    result = grn.sweep(rotation(), three_walks())
    with pytest.raises(UnsupportedError, match="one for all symbols"):
        result.report("report.html")
    with pytest.raises(UnsupportedError, match="one for all symbols"):
        result.plot(0)


def test_the_notebook_shows_them() -> None:
    """The card lists the best settings, the map draws two parameters."""
    result = grn.sweep(rotation(), three_walks())
    assert "rotation" in result._repr_html_()
    assert "rotation" in str(result.heatmap("sharpe").layout.title.text)


def test_weights_that_look_ahead_are_found() -> None:
    """A rank of tomorrow's close gives itself away; the same words on today's close are clean."""
    bars = grn.quant.load_bars(three_walks(60))
    assert find_leaks(rotation(), bars).clean
    tomorrow = when(top(polars(pl.col("close").shift(-1)), 1), 1.0, 0.0)
    found = find_leaks(Weights(tomorrow, every=1), bars)
    assert not found.clean
    assert {leak.side for leak in found.leaks} == {"weight"}
    assert "shift" in found.leaks[0].culprit


@step(jit=False)
def doubled(state: Any, x: float) -> float:
    """Twice the value."""
    return 2.0 * x


def test_a_step_of_python_runs_on_the_reference() -> None:
    """`auto` passes cpu over with the reason; asked for by name, cpu refuses."""
    weights = Weights(when(top(doubled(close), 1), 1.0, 0.0), every=5)
    result = grn.backtest(weights, three_walks(40))
    assert result.choice.engine == "reference"
    assert "doubled" in result.choice.reason
    assert result.path(0).equity[-1] / 10_000.0 - 1.0 == result.row(0)["total_return"]
    with pytest.raises(UnsupportedError, match="doubled"):
        grn.backtest(weights, three_walks(40), engine="cpu")


def test_a_strategy_file_may_hold_target_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dry run, sweep, backtest and verdict from the command line; the account is named after the file."""
    three_walks().write_csv(tmp_path / "bars.csv")
    (tmp_path / "rotate.py").write_text(FILE)

    def grn_quant(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["quant", *map(str, arguments)]) == code
        return capsys.readouterr().out

    plan = json.loads(grn_quant("sweep", tmp_path / "rotate.py", "--dry-run", "--json"))
    assert (plan["combinations"], plan["engine"], plan["series"]) == (4, "cpu", 15)
    done = json.loads(grn_quant("sweep", tmp_path / "rotate.py", "--json"))
    assert done["rows"] == done["trials"] == 4
    assert {row["symbol"] for row in done["top"]} == {"rotate"}
    one = grn_quant("backtest", tmp_path / "rotate.py", "-p", "n=2", "-p", "length=5", "--show", "orders")
    assert "buy" in one
    assert "rotate" in grn_quant("backtest", tmp_path / "rotate.py", "-p", "n=2", "-p", "length=5")
    grn_quant("validate", done["run"], "--shuffles", "2", code=1)
    grn_quant("report", done["run"], code=2)
    grn_quant("leaks", tmp_path / "rotate.py")
