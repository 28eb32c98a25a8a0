from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from grn.ledger import Ledger
from grn.quant.report.account import equity
from grn.quant.report.costs import add_up, name_scenario
from grn.quant.report.months import by_month
from grn.quant.report.subject import Subject
from grn.quant.result import SweepResult
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close
from grn.quant.stress import stress
from grn.quant.sweep import sweep
from tests.quant.markets import cross, random_walk


def test_months_compound_to_the_whole(result: SweepResult) -> None:
    """Months multiply to their year, years to the total return; a month is polars' own grouping."""
    path = result.path(3)
    found = by_month(path.ts_ns, path.returns)
    assert np.prod(1.0 + found.totals) - 1.0 == pytest.approx(path.equity[-1] / path.initial - 1.0, rel=1e-12)
    assert np.nanprod(1.0 + found.months, axis=1) - 1.0 == pytest.approx(found.totals, rel=1e-12)
    frame = path.bars_frame().with_columns(growth=1.0 + pl.Series(path.returns))
    grouped = frame.group_by_dynamic("ts", every="1mo").agg(pl.col("growth").product())
    known = found.months[np.isfinite(found.months)]
    assert known == pytest.approx((grouped["growth"] - 1.0).to_numpy(), abs=1e-12)


def test_months_without_a_bar_stay_empty() -> None:
    """A gap of years leaves empty cells and no total, never a zero."""
    stamps = np.array(["2001-03-31", "2001-04-01", "2003-01-01"], dtype="datetime64[ns]").astype(np.int64)
    found = by_month(stamps, np.array([0.1, 0.2, -0.5]))
    assert found.years.tolist() == [2001, 2002, 2003]
    assert found.months[0, 2:4].tolist() == pytest.approx([0.1, 0.2])
    assert found.totals[0] == pytest.approx(0.32)
    assert np.isnan(found.totals[1])
    assert int(np.isfinite(found.months).sum()) == 3


def test_fees_and_slippage_add_up(result: SweepResult) -> None:
    """Fees are the orders' own; slippage is what the fills missed against the next bar's open."""
    row = result.best()
    path, bars = result.path(row), result.bars[row // len(result.grid)]
    paid = add_up(path)
    assert paid.fees == pytest.approx(result.orders(row)["fees"].sum())
    assert paid.orders == len(result.orders(row))
    opens = bars.column("open")[path.legs[:, 0].astype(int)]
    missed = np.abs(path.legs[:, 3]) * np.abs(path.legs[:, 4] - opens)
    assert paid.slippage == pytest.approx(missed.sum(), rel=1e-9)


def test_scenarios_start_without_costs(result: SweepResult, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As tested is the path itself; a sweep without costs is shown one with a fee instead."""
    free, tested, twice, five = stress(result, result.best())
    assert tested.final == result.path(result.best()).equity[-1]
    assert free.costs == Costs()
    assert twice.costs == Costs(fee=0.002, slippage=0.001)
    assert five.costs == Costs(fee=0.005, slippage=0.0025)
    assert free.final > tested.final > twice.final > five.final
    assert [name_scenario(s, free=False) for s in (free, tested, twice, five)] == [
        "Without costs", "As tested", "With twice the costs", "With 5 times the costs",
    ]  # fmt: skip
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as ledger:
        costless = sweep(cross(), random_walk(90), engine="reference", ledger=ledger)
    scenarios = stress(costless, 0)
    assert [s.costs.fee for s in scenarios] == [0.0, 0.001, 0.002, 0.005]
    assert scenarios[0].final == costless.path(0).equity[-1]
    assert [name_scenario(s, free=True) for s in scenarios[:2]] == [
        "As tested, without costs", "With a fee of 0.10\N{NO-BREAK SPACE}%",
    ]  # fmt: skip


def test_a_multiple_that_takes_everything_is_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Five times a fee of 30 % is no fee that anybody can pay."""
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as ledger:
        dear = sweep(cross(), random_walk(90), costs=Costs(fee=0.3), engine="reference", ledger=ledger)
    assert [s.factor for s in stress(dear, 0)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("row", [0, 3, 7])
def test_longest_drawdown_is_named(result: SweepResult, row: int) -> None:
    """The longest is listed among the deepest drawdowns and named below them, as long as the metric says."""
    one = Subject(result, row)
    text = equity(one)
    length = int(one.details["max_drawdown_bars"])
    assert length > 1
    assert re.search(rf"The longest, [^.]*, lasted {length:,} bars", text)
    assert f'<td class="n">{length:,}</td>' in text


def test_longest_drawdown_may_be_shallow(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Six deep falls of one bar and a long shallow one: the long one is listed last and said to be."""
    price = np.r_[np.tile([100.0, 60.0], 6), 100.0, np.full(30, 99.0), 101.0, 102.0]
    price = np.maximum.accumulate(price) * np.where(price < 99.0, 0.6, np.where(price == 99.0, 0.99, 1.0))
    frame = random_walk(len(price)).with_columns(
        **{name: pl.Series(price) for name in ("open", "high", "low", "close")}
    )
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as ledger:
        strategy = Strategy(entry=close > 0.0, exit=close < 0.0)
        found = sweep(strategy, frame, engine="reference", ledger=ledger, fill="close")
    text = equity(Subject(found, 0))
    assert "Deepest drawdowns, and the longest" in text
    assert "The longest, number 7 by depth, listed last, lasted 30 bars." in text
