"""The path of one run: equity bar by bar, orders, trades, positions, drawdowns, as Polars frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grn.quant.engine.choose import refusals
from grn.quant.engine.series import Evaluator
from grn.quant.engine.walk import FORCED_LEG, OPEN_LEG
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
    legs
        float64 [L, 8]: bar, order, leg (open, close, forced), signed units, fill price, traded value, fees,
        equity before the order.  A reversal is one order with two legs.
    """

    symbol: str
    ts_ns: npt.NDArray[np.int64]
    close: Array
    initial: float
    cash: Array
    position: Array
    equity: Array
    legs: Array

    @cached_property
    def returns(self) -> Array:
        """Return of each bar, the first against the initial cash: float64 [T]; zero after a ruin."""
        before = np.concatenate([[self.initial], self.equity[:-1]])
        alive = before > 0.0
        return np.where(alive, self.equity / np.where(alive, before, 1.0) - 1.0, 0.0)

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
        """Per order: order, ts, side, units, price, value, fees, forced (a reversal is one order)."""
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
                "forced": legs[first, 2] == FORCED_LEG,
            },
            schema_overrides={"side": pl.String, "forced": pl.Boolean},
        )

    def trades(self) -> pl.DataFrame:
        """Per trade: direction, entry and exit (null while open), units, fees, pnl, return, bars.

        The return is on the entry's value.  An open trade is marked at the last close, without the fees of a
        closing order.
        """
        import polars as pl

        opens = np.flatnonzero(self.legs[:, 2] == OPEN_LEG)
        closes = np.flatnonzero(self.legs[:, 2] != OPEN_LEG)
        entry, leave = self.legs[opens], self.legs[closes]
        n_open = len(entry) - len(leave)
        long = entry[:, 3] > 0
        basis = np.where(long, entry[:, 5] + entry[:, 6], entry[:, 5] - entry[:, 6])
        units = np.abs(entry[:, 3])
        exit_value = np.concatenate([leave[:, 5], units[len(leave) :] * self.close[-1]])
        exit_fees = np.concatenate([leave[:, 6], np.zeros(n_open)])
        pnl = np.where(long, (exit_value - exit_fees) - basis, basis - (exit_value + exit_fees))
        exit_bar = np.concatenate([leave[:, 0], np.full(n_open, len(self.close) - 1.0)]).astype(np.int64)
        entry_bar = entry[:, 0].astype(np.int64)
        is_open = np.arange(len(entry)) >= len(leave)
        return pl.DataFrame(
            {
                "trade": np.arange(len(entry), dtype=np.int64),
                "direction": ["long" if x else "short" for x in long],
                "units": units,
                "entry_ts": self._stamps(entry_bar),
                "entry_price": entry[:, 4],
                "exit_ts": self._stamps(exit_bar),
                "exit_price": np.concatenate([leave[:, 4], np.full(n_open, self.close[-1])]),
                "fees": entry[:, 6] + exit_fees,
                "pnl": pnl,
                "return": pnl / entry[:, 5],
                "bars": exit_bar - entry_bar,
                "status": ["open" if x else "closed" for x in is_open],
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
        import polars as pl

        equity = np.concatenate([[self.initial], self.equity])
        peak = np.maximum.accumulate(equity)
        below = equity < peak
        edge = np.diff(np.r_[0, below.astype(np.int8), 0])
        starts, ends = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
        troughs = np.array(
            [s + int(np.argmin(equity[s:e])) for s, e in zip(starts, ends, strict=True)], dtype=np.int64
        )
        recovered = ends < len(equity)
        frame = pl.DataFrame(
            {
                # Index 0 of `equity` is the initial cash: a peak there is dated to the first bar.
                "peak_ts": self._stamps(np.maximum(starts - 2, 0)),
                "trough_ts": self._stamps(np.maximum(troughs - 1, 0)),
                "recovery_ts": self._stamps(np.minimum(ends - 1, len(self.ts_ns) - 1)),
                "depth": equity[troughs] / peak[starts] - 1.0 if len(starts) else np.zeros(0),
                "bars": ends - starts,
                "recovered": recovered,
            }
        )
        return (
            frame.with_columns(recovery_ts=pl.when("recovered").then("recovery_ts"))
            .drop("recovered")
            .sort("depth", maintain_order=True)
        )

    def _stamps(self, bars: npt.NDArray[np.int64]) -> pl.Series:
        import polars as pl

        return pl.Series(self.ts_ns[bars], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))


def trace(strategy: Strategy, bars: Bars, rules: Rules, binding: Mapping[str, float]) -> Path:
    """Run one combination and keep its path; the same bits as in any engine."""
    from grn.quant.engine.compiled import prepare, walk
    from grn.quant.engine.cpu import writable

    evaluator = Evaluator(bars, jit=refusals(strategy)["cpu"] is None)
    signals = [evaluator.condition(s, binding) for s in strategy.signals]
    close = writable(bars.column("close"))
    at_next_bar = rules.fill == "next_open"
    fill = writable(bars.column("open")) if at_next_bar else close
    n = len(close)
    cash, position, equity = np.empty(n), np.empty(n), np.empty(n)
    active = int(np.count_nonzero(signals[0] | signals[1] | signals[2] | signals[3]))
    legs = np.zeros((2 * active + 2, 8))
    arguments = (
        *signals, fill, close, at_next_bar, rules.costs.fee, rules.costs.fixed_fee, rules.costs.slippage,
        rules.size.code, float(rules.size.value), rules.cash, cash, position, equity, legs,
    )  # fmt: skip
    prepare(walk, arguments)
    count = walk(*arguments)
    return Path(
        bars.symbol, bars.ts_ns, bars.column("close"), rules.cash, cash, position, equity, legs[:count]
    )
