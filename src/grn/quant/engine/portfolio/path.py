"""The path of a portfolio: equity bar by bar, positions, orders and trades of every symbol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grn.quant.engine.curves import returns_of
from grn.quant.engine.drawdowns import list_drawdowns
from grn.quant.engine.portfolio.book import (
    ADDING,
    CALL,
    CARRY,
    CLOSING,
    LENDING,
    OPENING,
    REBALANCE,
    REDUCING,
    ROWS,
    RUIN,
    SPLIT,
    STOP,
)
from grn.quant.engine.portfolio.panel import Panel, PanelEvaluator
from grn.quant.engine.series import Binding
from grn.quant.engine.terms import write_terms
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import Weights

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[np.float64]

KINDS = {
    OPENING: "open", ADDING: "add", REDUCING: "reduce", CLOSING: "close",
    SPLIT: "split", CARRY: "carry", LENDING: "interest",
}  # fmt: skip
REASONS = {REBALANCE: "rebalance", STOP: "stop", CALL: "margin call", RUIN: "ruin"}
LEGS = (OPENING, ADDING, REDUCING, CLOSING)


@dataclass(frozen=True)
class PortfolioPath:
    """One account's way over the bars of several symbols.

    Attributes
    ----------
    symbol
        Name of the account.
    symbols
        Symbols, sorted: the columns of `units` and `close`.
    cash, equity, gross
        float64 [T], after the orders of each bar, at its close; `gross` is the value of
        all positions by size.
    units, close
        float64 [T, S]; the close is the last one known, missing before a symbol's first bar.
    entries
        float64 [L, 10]: bar, order, kind, symbol, signed units, price, value, fees, equity before the order,
        reason (see `grn.quant.engine.portfolio.book`).
    """

    symbol: str
    symbols: tuple[str, ...]
    ts_ns: npt.NDArray[np.int64]
    initial: float
    cash: Array
    equity: Array
    gross: Array
    units: Array
    close: Array
    entries: Array
    multiplier: float

    @cached_property
    def returns(self) -> Array:
        """Return of each bar, the first against the initial cash: float64 [T]; zero after a ruin."""
        return returns_of(self.equity, self.initial)

    @cached_property
    def tallies(self) -> dict[str, float]:
        """Accumulators that orders alone determine: trades, turnover, fees."""
        from grn.quant.engine.portfolio.reference import accumulate_entries

        return accumulate_entries(self.entries.tolist())

    @cached_property
    def legs(self) -> Array:
        """Entries that are parts of orders."""
        return self.entries[np.isin(self.entries[:, 2], LEGS)]

    def bars_frame(self) -> pl.DataFrame:
        """Per bar: ts, cash, gross (value of all positions by size), equity."""
        import polars as pl

        columns = {"cash": self.cash, "gross": self.gross, "equity": self.equity}
        return pl.DataFrame({"ts": self._stamps(np.arange(len(self.ts_ns))), **columns})

    def units_frame(self) -> pl.DataFrame:
        """Per bar: ts, and the units held of each symbol."""
        import polars as pl

        held = {name: self.units[:, s] for s, name in enumerate(self.symbols)}
        return pl.DataFrame({"ts": self._stamps(np.arange(len(self.ts_ns))), **held})

    def weights_frame(self) -> pl.DataFrame:
        """Per bar: ts, and the value of each position over equity at the close (missing without equity)."""
        import polars as pl

        with np.errstate(all="ignore"):
            value = np.where(self.units == 0.0, 0.0, self.units * self.close * self.multiplier)
            part = np.where(self.equity[:, None] > 0.0, value / self.equity[:, None], np.nan)
        columns = {name: part[:, s] for s, name in enumerate(self.symbols)}
        return pl.DataFrame({"ts": self._stamps(np.arange(len(self.ts_ns))), **columns})

    def orders(self) -> pl.DataFrame:
        """Per order: order, ts, symbol, side, units, price, value, fees, reason, forced."""
        import polars as pl

        legs = self.legs
        numbers, first = np.unique(legs[:, 1], return_index=True)
        groups = np.split(np.arange(len(legs)), first[1:]) if len(legs) else []
        units = np.array([legs[g, 4].sum() for g in groups], dtype=np.float64)
        return pl.DataFrame(
            {
                "order": numbers.astype(np.int64),
                "ts": self._stamps(legs[first, 0].astype(np.int64)),
                "symbol": [self.symbols[int(s)] for s in legs[first, 3]],
                "side": ["buy" if u > 0.0 else "sell" for u in units],
                "units": np.abs(units),
                "price": legs[first, 5],
                "value": np.array([legs[g, 6].sum() for g in groups], dtype=np.float64),
                "fees": np.array([legs[g, 7].sum() for g in groups], dtype=np.float64),
                "reason": [REASONS[int(k)] for k in legs[first, 9]],
                "forced": np.isin(legs[first, 9], (CALL, RUIN)),
            },
            schema_overrides={
                "symbol": pl.String, "side": pl.String, "reason": pl.String, "forced": pl.Boolean,
            },
        )  # fmt: skip

    def carried(self) -> pl.DataFrame:
        """What moved without an order: ts, symbol (null: the account's interest), kind, units, cash."""
        import polars as pl

        rows = self.entries[~np.isin(self.entries[:, 2], LEGS)]
        return pl.DataFrame(
            {
                "ts": self._stamps(rows[:, 0].astype(np.int64)),
                "symbol": [self.symbols[int(s)] if s >= 0.0 else None for s in rows[:, 3]],
                "kind": [KINDS[int(k)] for k in rows[:, 2]],
                "units": rows[:, 4],
                "cash": rows[:, 6],
            },
            schema_overrides={"symbol": pl.String, "kind": pl.String},
        )

    def trades(self) -> pl.DataFrame:
        """Per stretch of a symbol between two flat positions, in the order of opening.

        `units` is the most that was held, `entry_price` and `exit_price` are averages over what was traded,
        `pnl` is the cash moved (fees, `carried` dividends and costs of holding included), `return` is on the
        value bought (sold short).  An open trade is marked at the last close, without the fees of a closing
        order.
        """
        import polars as pl

        found: list[_Trade] = []
        now: dict[int, _Trade] = {}
        for row in self.entries.tolist():
            kind, s = int(row[2]), int(row[3])
            if kind == OPENING:
                now[s] = _Trade(s, int(row[0]), 1.0 if row[4] > 0.0 else -1.0)
                found.append(now[s])
            if kind in LEGS:
                now[s].fill(row)
            elif kind == CARRY:
                now[s].carried += row[6]
            elif kind == SPLIT:
                now[s].split(row)
            if kind == CLOSING:
                now.pop(s).end = int(row[0])
        last = len(self.ts_ns) - 1
        m = self.multiplier
        marks = [0.0 if x.end is not None else x.held * self.close[last, x.symbol] * m for x in found]
        pnl = [x.cash + x.carried + mark for x, mark in zip(found, marks, strict=True)]
        ends = [last if x.end is None else x.end for x in found]
        return pl.DataFrame(
            {
                "trade": np.arange(len(found), dtype=np.int64),
                "symbol": [self.symbols[x.symbol] for x in found],
                "direction": ["long" if x.side > 0.0 else "short" for x in found],
                "units": [x.most for x in found],
                "entry_ts": self._stamps(np.array([x.start for x in found], dtype=np.int64)),
                "entry_price": [x.value_in / (x.units_in * m) for x in found],
                "exit_ts": self._stamps(np.array(ends, dtype=np.int64)),
                "exit_price": [x.value_out / (x.units_out * m) if x.units_out else None for x in found],
                "fees": [x.fees for x in found],
                "carried": [x.carried for x in found],
                "pnl": pnl,
                "return": [p / x.value_in for p, x in zip(pnl, found, strict=True)],
                "bars": [e - x.start for e, x in zip(ends, found, strict=True)],
                "status": ["open" if x.end is None else "closed" for x in found],
                "reason": [REASONS[x.reason] if x.end is not None else None for x in found],
            },
            schema_overrides={
                "symbol": pl.String, "direction": pl.String, "status": pl.String, "reason": pl.String,
                "exit_price": pl.Float64, "units": pl.Float64, "entry_price": pl.Float64, "fees": pl.Float64,
                "carried": pl.Float64, "pnl": pl.Float64, "return": pl.Float64, "bars": pl.Int64,
            },
        ).with_columns(exit_ts=pl.when(pl.col("status") == "closed").then("exit_ts"))  # fmt: skip

    def positions(self) -> pl.DataFrame:
        """Per stretch of bars with the same units: symbol, from, to, bars, units, value at its end."""
        import polars as pl

        parts = []
        for s, name in enumerate(self.symbols):
            held = self.units[:, s]
            starts = np.flatnonzero(np.r_[True, held[1:] != held[:-1]])
            ends = np.r_[starts[1:], len(held)] - 1
            keep = held[starts] != 0.0
            starts, ends = starts[keep], ends[keep]
            parts.append(
                pl.DataFrame(
                    {
                        "symbol": pl.Series([name] * len(starts), dtype=pl.String),
                        "from": self._stamps(starts),
                        "to": self._stamps(ends),
                        "bars": ends - starts + 1,
                        "units": held[starts],
                        "value": held[starts] * self.close[ends, s] * self.multiplier,
                    }
                )
            )
        return pl.concat(parts).sort("from", "symbol")

    def drawdowns(self) -> pl.DataFrame:
        """Per spell below the running peak, deepest first: peak, trough, recovery (or null), depth, bars."""
        return list_drawdowns(self.ts_ns, self.equity, self.initial)

    def _stamps(self, bars: npt.NDArray[np.int64]) -> pl.Series:
        import polars as pl

        return pl.Series(self.ts_ns[bars], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))


class _Trade:
    """One stretch of a symbol between two flat positions, as it grows."""

    def __init__(self, symbol: int, start: int, side: float) -> None:
        self.symbol, self.start, self.side = symbol, start, side
        self.end: int | None = None
        self.held = self.most = self.fees = self.cash = self.carried = 0.0
        self.units_in = self.value_in = self.units_out = self.value_out = 0.0
        self.reason = REBALANCE

    def fill(self, row: list[float]) -> None:
        """Take a leg."""
        units, value, fees = row[4], row[6], row[7]
        self.held += units
        self.most = max(self.most, abs(self.held))
        self.fees += fees
        self.cash += value - fees if units < 0.0 else -(value + fees)
        self.reason = int(row[9])
        if units * self.side > 0.0:
            self.units_in += abs(units)
            self.value_in += value
        else:
            self.units_out += abs(units)
            self.value_out += value

    def split(self, row: list[float]) -> None:
        """Restate units traded so far in new units."""
        ratio = row[5]
        self.held += row[4]
        self.most *= ratio
        self.units_in *= ratio
        self.units_out *= ratio


def trace_portfolio(
    weights: Weights, panel: Panel, rules: Rules, binding: Binding, *, jit: bool = True
) -> PortfolioPath:
    """Run one combination and keep its path; the same bits as in any engine.

    `jit` says whether indicators and steps run compiled, as the cpu engine runs them.
    """
    from grn.quant.engine.portfolio.compiled import prepare, walk
    from grn.quant.engine.portfolio.cpu import compiled_desk, empty_book
    from grn.quant.engine.portfolio.desk import build_desk

    n_bars, n = len(panel.ts_ns), len(panel.bars)
    table = PanelEvaluator(panel, jit=jit).weights(weights.weight, binding)
    market = panel.market(rules)._replace(due=panel.due(weights, rules, binding))
    desk = compiled_desk(build_desk(weights, rules, panel.symbols, binding))
    series, units = np.empty((3, n_bars)), np.zeros((n_bars, n))
    rows = 0
    for _ in range(2):  # the first time to count the entries
        book = empty_book(weights, panel.symbols, rows)
        arguments = (
            table, market, desk, np.array(write_terms(rules)), book, rules.cash,
            series[0], series[1], series[2], units,
        )  # fmt: skip
        prepare(walk, arguments)
        walk(*arguments)
        rows = int(book.a[ROWS])
    return PortfolioPath(
        weights.name, panel.symbols, panel.ts_ns, rules.cash, series[0], series[1], series[2], units,
        market.close, book.log[:rows], rules.instrument.multiplier,
    )  # fmt: skip
