from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit.errors import UsageError
from grn.ledger import Ledger
from grn.quant.metrics.from_returns import path_metrics
from grn.quant.metrics.registry import METRICS, parse_metrics
from grn.quant.result import SweepResult
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.expr import param
from grn.quant.strategy.sizes import Quantity
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col
from tests.quant.markets import cross, two_walks

#           day 1   2     3     4    5     6     7     8
CLOSE = [10.0, 10.0, 12.0, 9.0, 11.0, 13.0, 13.0, 11.7]
ENTER = [0, 1, 0, 0, 0, 0, 1, 0]
LEAVE = [0, 0, 0, 0, 0, 1, 0, 0]
READY = Strategy(col("enter"), col("leave"), name="ready")


def day(n: int) -> dt.datetime:
    """Day n of the hand-made market, in UTC as results give it."""
    return dt.datetime(2020, 1, n, tzinfo=dt.UTC)


def market(close_: list[float] = CLOSE, first: int = 1, symbol: str = "HAND") -> pl.DataFrame:
    """The hand-made market: closes, and signals ready-made as columns."""
    n = len(close_)
    return pl.DataFrame(
        {
            "symbol": [symbol] * n,
            "ts": [dt.datetime(2020, 1, first + i) for i in range(n)],
            "close": close_,
            "enter": (ENTER * 2)[:n],
            "leave": (LEAVE * 2)[:n],
        }
    )


def run(strategy: Strategy = READY, data: Any = None, **options: Any) -> SweepResult:
    """Run on the hand-made market, orders filled at the close, in plain Python."""
    options = {"fill": "close", "cash": 100.0, "engine": "reference", **options}
    return grn.sweep(strategy, market() if data is None else data, **options)


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Six combinations on two symbols, every metric."""
    with Ledger.open(tmp_path_factory.mktemp("ledger")) as book:
        return grn.sweep(cross(), two_walks(), metrics="all", costs=Costs(fee=0.001), ledger=book)


class TestByHand:
    """All cash, no costs: buy 10 units at 10 on day 2, sell them at 13 on day 6, buy 10 at 13 on day 7.

    Equity at the closes: 100, 100, 120, 90, 110, 130, 130, 117.
    """

    def test_equity(self) -> None:
        """Cash and units at every close, after the orders of that bar."""
        frame = run().equity(0)
        assert frame.columns == ["ts", "close", "cash", "position", "equity"]
        assert frame["ts"].to_list() == [day(n) for n in range(1, 9)]
        assert frame["equity"].to_list() == [100.0, 100.0, 120.0, 90.0, 110.0, 130.0, 130.0, 117.0]
        assert frame["cash"].to_list() == [100.0, 0.0, 0.0, 0.0, 0.0, 130.0, 0.0, 0.0]
        assert frame["position"].to_list() == [0.0, 10.0, 10.0, 10.0, 10.0, 0.0, 10.0, 10.0]

    def test_orders(self) -> None:
        """Three orders: buy, sell, buy; all by signal."""
        frame = run().orders(0)
        assert frame["ts"].to_list() == [day(2), day(6), day(7)]
        assert frame["side"].to_list() == ["buy", "sell", "buy"]
        assert frame["units"].to_list() == [10.0, 10.0, 10.0]
        assert frame["price"].to_list() == [10.0, 13.0, 13.0]
        assert frame["value"].to_list() == [100.0, 130.0, 130.0]
        assert frame["fees"].to_list() == [0.0, 0.0, 0.0]
        assert frame["reason"].to_list() == ["signal"] * 3

    def test_trades(self) -> None:
        """One closed trade of +30 on 100; an open one marked at 117 against 130, -13, which is -10 %."""
        closed, still_open = run().trades(0).rows(named=True)
        assert closed == {
            "trade": 0, "direction": "long", "units": 10.0, "entry_ts": day(2), "entry_price": 10.0,
            "exit_ts": day(6), "exit_price": 13.0, "fees": 0.0, "pnl": 30.0, "return": 0.3, "bars": 4,
            "status": "closed",
        }  # fmt: skip
        assert still_open["status"] == "open"
        assert (still_open["exit_ts"], still_open["exit_price"]) == (None, None)
        assert (still_open["pnl"], still_open["return"], still_open["bars"]) == (-13.0, -0.1, 1)

    def test_positions(self) -> None:
        """Two stretches of ten units: days 2 to 5, worth 110 at the last, and days 7 to 8, worth 117."""
        frame = run().positions(0)
        assert frame.rows() == [(day(2), day(5), 4, 10.0, 110.0), (day(7), day(8), 2, 10.0, 117.0)]
        assert frame.columns == ["from", "to", "bars", "units", "value"]

    def test_drawdowns(self) -> None:
        """Deepest first: 120 to 90 (-25 %) from day 3 over day 4 back above on day 6, and 130 to 117 (-10 %)
        from day 7, the last of the equal highs, to day 8, not recovered.  `bars` counts those below the peak.
        """
        frame = run().drawdowns(0)
        assert frame.columns == ["peak_ts", "trough_ts", "recovery_ts", "depth", "bars"]
        first, second = frame.rows()
        assert first[:3] == (day(3), day(4), day(6))
        assert first[3:] == (pytest.approx(-0.25), 2)
        assert second[:3] == (day(7), day(8), None)
        assert second[3:] == (pytest.approx(-0.10), 1)

    def test_metrics(self) -> None:
        """Total return 17 %, drawdown -25 % over two bars, two trades of which one closed and won 30 %.

        In the market at the close of 6 bars of 8.
        """
        row = run().row(0)
        assert row["total_return"] == pytest.approx(0.17)
        assert row["max_drawdown"] == pytest.approx(-0.25)
        assert row["trades"] == 2
        assert row["win_rate"] == 1.0
        assert row["exposure"] == 6 / 8
        assert row["fees"] == 0.0


class TestByHandWithCosts:
    """Five units, a fee of 1 % and 1 per order.

    Day 2: buy 5 at 10 = 50, fees 0.5 + 1 = 1.5, cash 100 - 51.5 = 48.5.
    Day 6: sell 5 at 13 = 65, fees 0.65 + 1 = 1.65, cash 48.5 + 63.35 = 111.85; pnl 63.35 - 51.5 = 11.85.
    Day 7: buy 5 at 13 = 65, fees 1.65, cash 111.85 - 66.65 = 45.2; worth 58.5 on day 8, pnl 58.5 - 66.65.
    """

    def result(self) -> SweepResult:
        return run(costs=Costs(fee=0.01, fixed_fee=1.0), size=Quantity(5))

    def test_cash_and_orders(self) -> None:
        """Fees leave the cash, order by order."""
        found = self.result()
        assert found.orders(0)["fees"].to_list() == pytest.approx([1.5, 1.65, 1.65])
        cash = found.equity(0)["cash"].to_list()
        assert [cash[n - 1] for n in (1, 2, 6, 7)] == pytest.approx([100.0, 48.5, 111.85, 45.2])
        assert found.row(0)["fees"] == pytest.approx(4.8)

    def test_trades(self) -> None:
        """Profit after both orders' fees, on the entry's value; an open trade has paid its entry only."""
        trades = self.result().trades(0)
        assert trades["pnl"].to_list() == pytest.approx([11.85, -8.15])
        assert trades["return"].to_list() == pytest.approx([11.85 / 50, -8.15 / 65])
        assert trades["fees"].to_list() == pytest.approx([3.15, 1.65])

    def test_the_parts_add_up(self) -> None:
        """Initial cash and all profits are the last equity."""
        found = self.result()
        assert 100.0 + found.trades(0)["pnl"].sum() == pytest.approx(found.equity(0)["equity"][-1])


def test_a_reversal_is_one_order_of_two_legs() -> None:
    """Turning 10 long into a short at 13: cash 130, then 10 units sold short on it; one order of 20 units.

    The short is bought back on day 7 at 13 and turned into 10 long.
    """
    found = run(Strategy(col("enter"), col("leave"), direction="both"))
    orders = found.orders(0)
    assert orders["side"].to_list() == ["buy", "sell", "buy"]
    assert orders["units"].to_list() == [10.0, 20.0, 20.0]
    assert orders["value"].to_list() == [100.0, 260.0, 260.0]
    assert found.trades(0)["direction"].to_list() == ["long", "short", "long"]
    assert found.trades(0)["pnl"].to_list() == [30.0, 0.0, -13.0]
    assert found.positions(0)["units"].to_list() == [10.0, -10.0, 10.0]


def test_a_drawdown_from_the_initial_cash_is_dated_to_the_first_bar() -> None:
    """A fee on the first bar: 100 cash, 99 worth of units at once; the peak is before the data begin."""
    frame = market([10.0, 10.0, 11.0]).with_columns(enter=pl.Series([1, 0, 0]), leave=pl.lit(0))
    found = run(data=frame, costs=Costs(fixed_fee=1.0))
    ((peak, trough, recovery, depth, bars),) = found.drawdowns(0).rows()
    assert (peak, trough, recovery) == (day(1), day(1), day(3))
    assert (depth, bars) == (pytest.approx(-0.01), 2)


def test_nothing_traded_gives_empty_frames_of_the_same_form() -> None:
    """Without trades there are no rows, and the columns have their types all the same."""
    idle = run(Strategy(close > 1e9, close < 0))
    full = run()
    for name in ("orders", "trades", "positions", "drawdowns"):
        empty, filled = getattr(idle, name)(0), getattr(full, name)(0)
        assert empty.is_empty()
        assert empty.schema == filled.schema
    assert idle.equity(0)["equity"].to_list() == [100.0] * 8


def test_an_account_can_be_ruined() -> None:
    """Short 10 units at 10, the price goes to 21: 200 cash, 210 to buy back.

    At that close the position is bought back by force at 21, trading ends, and equity stays at -10.
    """
    strategy = Strategy(col("enter"), col("leave"), direction="short")
    frame = market([10.0, 10.0, 12.0, 21.0, 11.0, 13.0, 13.0, 11.7])
    found = run(strategy, frame)
    assert found.equity(0)["equity"].to_list() == [100.0, 100.0, 80.0, -10.0, -10.0, -10.0, -10.0, -10.0]
    assert found.orders(0)["reason"].to_list() == ["signal", "ruin"]
    assert found.path(0).returns.tolist()[4:] == [0.0] * 4
    assert found.trades(0)["pnl"].to_list() == [-110.0]


class TestRows:
    def test_a_row_is_its_symbol_and_combination(self, walks: SweepResult) -> None:
        """Row i belongs to symbol i // C and combination i % C; its label says both."""
        n = len(walks.grid)
        for i in (0, n - 1, n, 2 * n - 1):
            row = walks.row(i)
            binding = walks.grid.binding(i % n)
            assert row["symbol"] == walks.bars[i // n].symbol
            assert {k: row[k] for k in binding} == binding
            assert walks.label(i) == f"{row['symbol']} fast={row['fast']} slow={row['slow']}"

    @pytest.mark.parametrize("i", [-1, 12, 10**9])
    def test_rows_that_are_not_there(self, walks: SweepResult, i: int) -> None:
        """No counting from the end: a wrong row number is a mistake, not another row."""
        for ask in (walks.row, walks.label, walks.path, walks.trades, walks.details):
            with pytest.raises(UsageError, match="no such row"):
                ask(i)

    def test_frames_default_to_the_best_row(self, walks: SweepResult) -> None:
        """Without a row number it is the best by Sharpe ratio."""
        best = walks.best()
        assert walks.trades().equals(walks.trades(best))
        assert walks.details() == walks.details(best)

    def test_paths_are_computed_once(self, walks: SweepResult) -> None:
        """Orders, trades and equity of one row come from one path; many rows do not fill the memory."""
        assert walks.path(3) is walks.path(3)
        for i in range(12):
            walks.path(i)
        assert len(walks._paths) <= 16


class TestBest:
    def test_one_row_is_there_without_a_choice(self) -> None:
        """A backtest that never traded has no Sharpe ratio to choose by, and still has its account."""
        still = grn.backtest(Strategy(close > 1e9, close < 0), market(), fill="close", engine="reference")
        assert still.orders().is_empty()
        assert set(still.equity()["equity"]) == {10_000.0}

    def test_by_any_metric_in_its_own_direction(self, walks: SweepResult) -> None:
        """The highest Sharpe ratio, the lowest volatility, the smallest (least negative) drawdown."""
        frame = walks.frame
        assert walks.best() == frame["sharpe"].arg_max()
        assert walks.best("volatility") == frame["volatility"].arg_min()
        assert walks.best("max_drawdown") == frame["max_drawdown"].arg_max()
        for metric in METRICS.values():
            if not np.isnan(frame[metric.name].to_numpy()).all():
                picked = frame[metric.name][walks.best(metric.name)]
                better = frame[metric.name].to_numpy()
                assert picked == (
                    np.nanmin(better) if metric.higher_is_better is False else np.nanmax(better)
                )

    def test_missing_values_never_win_and_the_first_of_equals_does(self) -> None:
        """The level 1e9 is never reached: its Sharpe ratio is missing; 0 and 1 give equal numbers."""
        level = param("level", [1e9, 1.0, 0.0])
        found = run(Strategy(close > level, close < 0))
        assert math.isnan(found.frame["sharpe"][0])
        assert found.frame["sharpe"][1] == found.frame["sharpe"][2]
        assert found.best() == 1
        assert found.best("trades") == 1

    def test_nothing_but_missing_values_is_an_error(self) -> None:
        """Where nothing traded there is no best, and the hint asks the right question."""
        found = run(Strategy(close > 1e9, close < 0))
        with pytest.raises(UsageError, match="sharpe is missing in every row") as caught:
            found.best()
        assert "trade" in str(caught.value.hint)

    def test_a_metric_that_was_not_computed_is_an_error(self) -> None:
        """The hint lists those that were."""
        found = run(metrics="total_return,trades")
        with pytest.raises(UsageError, match="no such metric") as caught:
            found.best("cagr")
        assert caught.value.hint == "total_return, trades"

    def test_the_best_sharpe_is_known_whatever_was_asked_for(
        self, walks: SweepResult, tmp_path: Path
    ) -> None:
        """Every trial's Sharpe ratio is recorded; the verdict and the default row need no column of it."""
        with Ledger.open(tmp_path) as book:
            few = grn.sweep(
                cross(),
                two_walks(),
                metrics="trades",
                costs=Costs(fee=0.001),
                ledger=book,
                engine="reference",
            )
        assert few.best() == walks.best()
        assert few.trades().equals(walks.trades())


class TestMetrics:
    def test_details_are_every_metric_of_the_row(self, walks: SweepResult) -> None:
        """All of the registry, those of the frame unchanged, whatever the sweep computed."""
        few = run(metrics="sharpe,trades")
        assert few.details(0).keys() == METRICS.keys()
        assert few.details(0)["sharpe"] == few.row(0)["sharpe"]
        for i in (0, 7):
            row = walks.row(i)
            for name, value in walks.details(i).items():
                same = value == row[name] or (math.isnan(value) and math.isnan(row[name]))
                assert same, name

    def test_one_pass_metrics_are_those_of_the_path(self, walks: SweepResult) -> None:
        """What the engine summed up while it ran equals what the finished path gives."""
        for i in range(len(walks)):
            full = walks.details(i)
            assert full["total_return"] == pytest.approx(walks.path(i).equity[-1] / 10_000.0 - 1.0, rel=1e-12)
            assert full["trades"] == len(walks.trades(i))
            assert full["fees"] == pytest.approx(walks.orders(i)["fees"].sum(), rel=1e-12)
            assert full["max_drawdown"] == pytest.approx(walks.drawdowns(i)["depth"].min(), rel=1e-12)
            assert full["exposure"] == (walks.equity(i)["position"] != 0).mean()

    def test_the_second_pass_equals_the_metrics_of_the_returns(self, walks: SweepResult) -> None:
        """Quantiles and tails in the frame are those of each row's own returns, bit for bit."""
        wanted = [m for m in METRICS.values() if m.second_pass]
        assert wanted
        for i in range(len(walks)):
            path = walks.path(i)
            expected = path_metrics(
                path.returns, path.equity, initial=10_000.0, ppy=walks.ppy, metrics=wanted
            )
            assert {m.name: walks.row(i)[m.name] for m in wanted} == expected

    def test_the_order_of_the_metrics_is_the_order_asked_for(self) -> None:
        """Second-pass metrics stand where they were asked for, among the others."""
        asked = "trades,var,sharpe,cvar,total_return"
        assert run(metrics=asked).frame.columns == ["symbol", *asked.split(",")]
        assert [m.name for m in parse_metrics(asked)] == asked.split(",")


class TestPortfolio:
    def test_it_is_the_sum_of_its_accounts(self, walks: SweepResult) -> None:
        """One equity column per symbol, and their sum, for any combination."""
        n = len(walks.grid)
        for combination in (0, n - 1):
            frame = walks.portfolio(combination)
            assert frame.columns == ["ts", "A", "B", "equity"]
            assert frame["A"].to_list() == walks.path(combination).equity.tolist()
            assert frame["B"].to_list() == walks.path(n + combination).equity.tolist()
            assert (frame["A"] + frame["B"] == frame["equity"]).all()

    def test_accounts_wait_with_their_cash_and_stay_with_their_last_equity(self) -> None:
        """B's data begin on day 3 with 100 cash and end on day 10; A's end on day 8 at 117."""
        found = run(data=pl.concat([market(), market(first=3, symbol="B")]))
        frame = found.portfolio()
        assert frame["ts"].to_list() == [day(n) for n in range(1, 11)]
        assert frame["HAND"].to_list() == [100, 100, 120, 90, 110, 130, 130, 117, 117, 117]
        assert frame["B"].to_list() == [100, 100, 100, 100, 120, 90, 110, 130, 130, 117]
        assert frame["equity"].to_list() == [200, 200, 220, 190, 230, 220, 240, 247, 247, 234]

    def test_a_combination_that_is_not_there(self, walks: SweepResult) -> None:
        """A combination is not a row: there are C of them."""
        for combination in (-1, len(walks.grid)):
            with pytest.raises(UsageError, match="no such combination"):
                walks.portfolio(combination)

    @pytest.mark.parametrize("name", ["ts", "equity"])
    def test_a_symbol_called_like_a_column_is_not_lost(self, name: str) -> None:
        """There may be an instrument called `equity`: its account does not hide behind the sum."""
        found = run(data=pl.concat([market(), market(first=3, symbol=name)]))
        with pytest.raises(UsageError, match="called like a column"):
            found.portfolio()


def test_the_hash_of_the_frame_sees_every_byte(walks: SweepResult) -> None:
    """Another value, another column name or another symbol is another result."""
    frame = walks.frame
    assert replace(walks, frame=frame.clone()).frame_sha256 == walks.frame_sha256
    bumped = frame.with_columns(pl.col("sharpe") * (1 + 2**-52))
    renamed = frame.rename({"fast": "quick"})
    assert len({replace(walks, frame=f).frame_sha256 for f in (frame, bumped, renamed)}) == 3


def test_its_text_is_short(walks: SweepResult) -> None:
    """In a console one line says what it is."""
    assert repr(walks) == "SweepResult(cross: 6 combinations on A, B; 12 rows)"


def test_the_report_and_the_pictures_are_at_hand(walks: SweepResult, tmp_path: Path) -> None:
    """A result draws itself: report, equity, heatmap, notebook card."""
    path = walks.report(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>") or path.stat().st_size > 1_000
    assert walks.plot().data
    assert walks.heatmap().data
    assert "cross" in walks._repr_html_()


class TestFind:
    """Looking a row up by its parameters."""

    def test_a_row_is_found_by_symbol_and_parameters(self, walks: SweepResult) -> None:
        """It is the row whose label says so; what is unknown or left out is an error that names it."""
        found = walks
        for i in range(len(found)):
            row = found.row(i)
            params = {p.name: row[p.name] for p in found.grid.params}
            assert found.find(row["symbol"], **params) == i
        with pytest.raises(UsageError, match="no such symbol"):
            found.find("nobody", **params)
        with pytest.raises(UsageError, match="by all its parameters"):
            found.find(found.bars[0].symbol)
        with pytest.raises(UsageError, match="no such combination"):
            found.find(found.bars[0].symbol, **dict.fromkeys(params, -1.0))

    def test_what_never_traded_is_not_the_best(self, walks: SweepResult) -> None:
        """The smallest drawdown is that of a flat account: it is passed over."""
        found = walks
        best = found.best("max_drawdown")
        assert found.row(best)["trades"] >= 1
        assert found.best("Sharpe ".strip().upper()) == found.best()
