"""Entries at a price as backtesting.py 0.6.6 fills them, beside ours: limits, stop entries, brackets.

The crossover's signals are computed once and given to both: what is compared is what a broker does with them.
backtesting.py runs one combination at a time, some thirty milliseconds each.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.candles import candle_market
from benchmarks.comparisons import CASH, STOP_WINDOWS, Table
from grn.quant import (
    Bars,
    Costs,
    Limit,
    Quantity,
    Rules,
    StopEntry,
    StopLoss,
    Strategy,
    TakeProfit,
    close,
    param,
    sma,
)
from grn.quant.engine.path import trace
from grn.quant.engine.series import Evaluator

VERSION = "0.6.6"
OFFSETS = tuple(np.linspace(0.0005, 0.03, 128).tolist())
COMBINATIONS = tuple((a, b, x) for (a, b), x in itertools.product(STOP_WINDOWS, OFFSETS))
"""1,024 combinations of (fast, slow, offset)."""
UNITS = 20.0
"""backtesting.py trades whole units."""


@dataclass(frozen=True)
class BrokerComparison:
    """One kind of order that both programs know.

    Parameters
    ----------
    order
        "limit" and "stop_entry" stand `offset` of the close away from it; "market" enters at the next open,
        with a stop at `offset` and a target at 1.5 times that.
    expires
        Bars for which the order works.
    stop
        Fraction of a limit at which its contingent stop stands, for theirs alone: here the two differ.
    """

    name: str
    order: Literal["limit", "stop_entry", "market"]
    direction: Literal["long", "short"] = "long"
    expires: int | None = None
    gaps: bool = False
    stop: float | None = None

    @property
    def market(self) -> Bars:
        """The bars that it runs on."""
        return candle_market(1, 300, gaps=self.gaps)[0]

    @property
    def side(self) -> int:
        """1 for a long, -1 for a short."""
        return 1 if self.direction == "long" else -1

    @property
    def rules(self) -> Rules:
        """The rules as grn takes them: orders of backtesting.py know no slippage."""
        return Rules(costs=Costs(fee=0.001), size=Quantity(UNITS), cash=CASH)

    @property
    def strategy(self) -> Strategy:
        """The strategy as grn takes it."""
        a, b = sma(close, param("fast", range(2, 101))), sma(close, param("slow", range(2, 101)))
        up, down = a.crosses_above(b), a.crosses_below(b)
        offset = param("offset", OFFSETS)
        below, above = close * (1.0 - offset), close * (1.0 + offset)
        order: Limit | StopEntry | None = None
        stops: list[StopLoss | TakeProfit] = []
        if self.order == "limit":
            order = Limit(below if self.side > 0 else above, expires=self.expires)
        elif self.order == "stop_entry":
            order = StopEntry(above if self.side > 0 else below, expires=self.expires)
        else:
            target = close * (1.0 + offset * (1.5 * self.side))
            stops = [StopLoss(price=below if self.side > 0 else above), TakeProfit(price=target)]
        entry, leave = (up, down) if self.side > 0 else (down, up)
        return Strategy(entry, leave, direction=self.direction, entry_order=order, stops=stops)


COMPARISONS = (
    BrokerComparison("limit", "limit"),
    BrokerComparison("limit-short", "limit", "short"),
    BrokerComparison("limit-expires", "limit", expires=3),
    BrokerComparison("limit-gaps", "limit", gaps=True),
    BrokerComparison("stop-entry", "stop_entry"),
    BrokerComparison("stop-entry-short", "stop_entry", "short"),
    BrokerComparison("stop-entry-expires", "stop_entry", expires=2),
    BrokerComparison("stop-entry-gaps", "stop_entry", gaps=True),
    BrokerComparison("bracket", "market"),
    BrokerComparison("bracket-short", "market", "short"),
)


def load_backtesting() -> Any:
    """Import backtesting.py; the warnings about its notebook are of no use here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import backtesting  # type: ignore[import-untyped]  # it ships without stubs
    if backtesting.__version__ != VERSION:
        raise RuntimeError(f"parity is claimed with backtesting.py {VERSION}, not {backtesting.__version__}")
    return backtesting


def run_ours(comparison: BrokerComparison, combinations: tuple[tuple[float, ...], ...]) -> Table:
    """Equity of every bar [combinations, T], the sum of all fill prices, and the number of orders."""
    bars, strategy, rules = comparison.market, comparison.strategy, comparison.rules
    paths = [
        trace(strategy, bars, rules, dict(zip(("fast", "slow", "offset"), c, strict=True)))
        for c in combinations
    ]
    return {
        "equity": np.array([path.equity for path in paths]),
        "prices": np.array([path.legs[:, 4].sum() for path in paths]),
        "orders": np.array([float(len(path.legs)) for path in paths]),
    }


def run_theirs(comparison: BrokerComparison, combinations: tuple[tuple[float, ...], ...]) -> Table:
    """The same from backtesting.py."""
    bars = comparison.market
    evaluator = Evaluator(bars)

    @functools.cache
    def signals(fast: float, slow: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        strategy, binding = comparison.strategy, {"fast": fast, "slow": slow}
        assert strategy.exit is not None
        return evaluator.condition(strategy.entry, binding), evaluator.condition(strategy.exit, binding)

    table = {
        "equity": np.empty((len(combinations), len(bars))),
        "prices": np.empty(len(combinations)),
        "orders": np.empty(len(combinations)),
    }
    for k, (fast, slow, offset) in enumerate(combinations):
        entries, exits = signals(fast, slow)
        equity, prices = trade(bars, comparison, offset, entries, exits)
        table["equity"][k], table["prices"][k], table["orders"][k] = equity, sum(prices), len(prices)
    return table


def trade(
    bars: Bars,
    comparison: BrokerComparison,
    offset: float,
    entries: npt.NDArray[np.bool_],
    exits: npt.NDArray[np.bool_],
    *,
    commission: float = 0.001,
    cash: float = CASH,
    units: float = UNITS,
) -> tuple[npt.NDArray[np.float64], list[float]]:
    """Equity per bar and fill prices of one run of backtesting.py."""
    import pandas as pd  # type: ignore[import-untyped]  # it comes with backtesting.py, without stubs

    package, side = load_backtesting(), comparison.side

    class Orders(package.Strategy):  # type: ignore[misc]  # untyped base
        """Its orders last until cancelled: an expiry is a count of bars here."""

        placed = 0

        def init(self) -> None:
            """Nothing: the signals are there."""

        def next(self) -> None:
            """Read the signals of the bar that has just closed."""
            t = len(self.data) - 1
            if comparison.expires is not None and t - self.placed >= comparison.expires:
                self.cancel_entries()
            if exits[t]:
                self.cancel_entries()
                self.position.close()
            if entries[t] and not self.position:
                self.cancel_entries()
                self.placed = t
                self.enter(float(self.data.Close[-1]))

        def cancel_entries(self) -> None:
            """Take back what waits for an entry."""
            for order in self.orders:
                if not order.is_contingent:
                    order.cancel()

        def enter(self, last: float) -> None:
            """Place the entry."""
            below, above = last * (1.0 - offset), last * (1.0 + offset)
            submit = self.buy if side > 0 else self.sell
            if comparison.order == "limit":
                limit = below if side > 0 else above
                stop = None if comparison.stop is None else limit * (1.0 - side * comparison.stop)
                submit(size=units, limit=limit, sl=stop)
            elif comparison.order == "stop_entry":
                submit(size=units, stop=above if side > 0 else below)
            else:
                target = last * (1.0 + offset * (1.5 * side))
                submit(size=units, sl=below if side > 0 else above, tp=target)

    frame = pd.DataFrame(
        {name.capitalize(): bars.column(name) for name in ("open", "high", "low", "close")},
        index=pd.to_datetime(bars.ts_ns),
    )
    # Its progress bar knows no switch.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        test = package.Backtest(frame, Orders, cash=cash, commission=commission, finalize_trades=False)
        stats = test.run()
    closed, still_open = stats["_trades"], stats["_strategy"].trades
    prices = [*closed["EntryPrice"], *closed["ExitPrice"], *(t.entry_price for t in still_open)]
    return stats["_equity_curve"]["Equity"].to_numpy(), prices
