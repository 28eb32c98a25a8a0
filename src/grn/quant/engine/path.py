"""The path of one run: equity bar by bar, orders, trades, positions, drawdowns, as Polars frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grn.quant.engine.account import BASIS, CUT, LEG, REASONS, REJECTED, TALLIES
from grn.quant.engine.choose import refusals
from grn.quant.engine.curves import returns_of
from grn.quant.engine.drawdowns import list_drawdowns
from grn.quant.engine.forms import fill_form
from grn.quant.engine.market import build_market
from grn.quant.engine.series import Evaluator
from grn.quant.engine.terms import write_terms
from grn.quant.engine.trades import pair_legs
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import Strategy

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """One account's way over the bars of one symbol.

    Attributes
    ----------
    cash, position, equity
        float64 [T], after the orders of each bar, at its close.
    carried
        float64 [T], cash received less cash paid for holding positions up to each bar.
    legs
        float64 [L, 11]: bar, order, kind, signed units, fill price, traded value, fees, equity before the
        order, units before the leg, profit of what it closed, price before slippage (see `account.LEG`).
        A reversal is one order with two legs.
    basis
        What the units held at the end cost (a long) or brought (a short), with all they paid and received.
    tallies
        Sums over the legs, by the names of `metrics.accumulators`; and how many entries were `rejected` or
        `cut` to what cash, leverage or volume allowed.
    """

    symbol: str
    ts_ns: npt.NDArray[np.int64]
    close: Array
    initial: float
    multiplier: float
    cash: Array
    position: Array
    equity: Array
    carried: Array
    legs: Array
    basis: float
    tallies: Mapping[str, float]

    @cached_property
    def returns(self) -> Array:
        """Return of each bar, the first against the initial cash: float64 [T]; zero after a ruin."""
        return returns_of(self.equity, self.initial)

    def bars_frame(self) -> pl.DataFrame:
        """Per bar: ts, close, cash, position (units), equity."""
        import polars as pl

        return pl.DataFrame(
            {
                "ts": self._stamps(np.arange(len(self.ts_ns))),
                "close": self.close,
                "cash": self.cash,
                "position": self.position,
                "equity": self.equity,
            }
        )

    def orders(self) -> pl.DataFrame:
        """Per order: order, ts, side, units, price, value, fees, reason (a reversal is one order)."""
        import polars as pl

        legs = self.legs
        _, first = np.unique(legs[:, 1], return_index=True)
        groups = np.split(np.arange(len(legs)), first[1:]) if len(legs) else []
        units = np.array([legs[g, 3].sum() for g in groups], dtype=np.float64)
        return pl.DataFrame(
            {
                "order": np.arange(len(groups), dtype=np.int64),
                "ts": self._stamps(legs[first, 0].astype(np.int64)),
                "side": ["buy" if u > 0 else "sell" for u in units],
                "units": np.abs(units),
                "price": legs[first, 4],
                "value": np.array([legs[g, 5].sum() for g in groups], dtype=np.float64),
                "fees": np.array([legs[g, 6].sum() for g in groups], dtype=np.float64),
                "reason": [REASONS[int(kind)] for kind in legs[first, 2]],
            },
            schema_overrides={"side": pl.String, "reason": pl.String},
        )

    def trades(self) -> pl.DataFrame:
        """Per trade: direction, entry and exit (null while open), units, fees, pnl, return, bars.

        A trade ends whenever a part of the position is closed; its entry price is the average of what was
        held.
        The return is on the entry's value.  An open trade is marked at the last close, without the fees of a
        closing order.
        """
        import polars as pl

        found = pair_legs(
            self.legs.tolist(), float(self.close[-1]), self.multiplier, float(self.position[-1]), self.basis
        )
        last = len(self.close) - 1
        exits = [last if x.exit_bar is None else x.exit_bar for x in found]
        return pl.DataFrame(
            {
                "trade": np.arange(len(found), dtype=np.int64),
                "direction": ["long" if x.long else "short" for x in found],
                "units": np.array([x.units for x in found]),
                "entry_ts": self._stamps(np.array([x.entry_bar for x in found], dtype=np.int64)),
                "entry_price": np.array([x.entry_price for x in found]),
                "exit_ts": self._stamps(np.array(exits, dtype=np.int64)),
                "exit_price": np.array([x.exit_price for x in found]),
                "fees": np.array([x.fees for x in found]),
                "pnl": np.array([x.pnl for x in found]),
                "return": np.array([x.pnl / x.entry_value for x in found]),
                "bars": np.array(
                    [e - x.entry_bar for e, x in zip(exits, found, strict=True)], dtype=np.int64
                ),
                "status": ["open" if x.exit_bar is None else "closed" for x in found],
            },
            schema_overrides={"direction": pl.String, "status": pl.String},
        ).with_columns(
            exit_ts=pl.when(pl.col("status") == "closed").then("exit_ts"),
            exit_price=pl.when(pl.col("status") == "closed").then("exit_price"),
        )

    def positions(self) -> pl.DataFrame:
        """Per stretch of bars with the same signed units: from, to, bars, units, value at its last close."""
        import polars as pl

        held = self.position
        starts = np.flatnonzero(np.r_[True, held[1:] != held[:-1]])
        ends = np.r_[starts[1:], len(held)] - 1
        keep = held[starts] != 0.0
        starts, ends = starts[keep], ends[keep]
        return pl.DataFrame(
            {
                "from": self._stamps(starts),
                "to": self._stamps(ends),
                "bars": ends - starts + 1,
                "units": held[starts],
                "value": held[starts] * self.close[ends],
            }
        )

    def drawdowns(self) -> pl.DataFrame:
        """Per spell below the running peak, deepest first: peak, trough, recovery (or null), depth, bars."""
        return list_drawdowns(self.ts_ns, self.equity, self.initial)

    def _stamps(self, bars: npt.NDArray[np.int64]) -> pl.Series:
        import polars as pl

        return pl.Series(self.ts_ns[bars], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))


def trace(strategy: Strategy, bars: Bars, rules: Rules, binding: Mapping[str, float]) -> Path:
    """Run one combination and keep its path; the same bits as in any engine."""
    from grn.quant.engine.compiled import functions, prepare

    walk = functions["walk"]
    evaluator = Evaluator(bars, jit=refusals(strategy)["cpu"] is None)
    form = fill_form(strategy, rules)
    n, places = len(bars), len(form.ticket)
    tickets = np.ones((places, n))
    for k in form.asked:
        tickets[k] = evaluator.numbers(form.ticket[k], binding)
    signals = [evaluator.condition(s, binding) for s in strategy.signals]
    market = build_market(bars, rules)
    account, ticket, levels, log = form.open_books()
    out = np.empty((4, n))
    head = (*signals, tickets, market, np.array(form.numbers), np.array(write_terms(rules)), rules.cash)
    tail = (account, ticket, levels, out)
    # The first walk counts the legs, the second one writes them down.
    prepare(walk, (*head, *tail, log))
    log = np.zeros((walk(*head, *tail, log), LEG))
    walk(*head, *tail, log)
    counted = {**TALLIES, "rejected": REJECTED, "cut": CUT}
    tallies = {name: float(account[slot]) for name, slot in counted.items()}
    return Path(
        bars.symbol, bars.ts_ns, bars.column("close"), rules.cash, rules.instrument.multiplier,
        out[0], out[1], out[2], out[3], log,
        float(account[BASIS]), tallies,
    )  # fmt: skip
