"""Trades: the legs of an account paired into entries and exits.

A trade ends whenever a part of the position is closed; it carries the average entry of what was held then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grn.quant.engine.account import OPEN_LEG


@dataclass(frozen=True)
class Trade:
    """One trade; `exit_bar` is None while it is open."""

    long: bool
    units: float
    entry_bar: int
    entry_price: float
    entry_value: float
    exit_bar: int | None
    exit_price: float
    fees: float
    pnl: float


def pair_legs(
    legs: Sequence[Sequence[float]], last_close: float, multiplier: float, units: float, basis: float
) -> list[Trade]:
    """Trades in the order in which they closed, the open one last.

    Parameters
    ----------
    legs
        As the account writes them, columns of `account.LEG`.
    last_close, multiplier, units, basis
        What marks the open trade: the close, the contract's multiplier, the units held at the end, and what
        they cost (a long) or brought (a short).
    """
    trades: list[Trade] = []
    value = fees = price = 0.0
    entry_bar = 0
    for bar, _, kind, signed, fill, traded, paid, _, held, pnl, _ in legs:
        if kind == OPEN_LEG:
            if held == 0.0:
                value = fees = price = 0.0
                entry_bar = int(bar)
            before, added = abs(held), abs(signed)
            price = (price * before + fill * added) / (before + added)
            value += traded
            fees += paid
            continue
        share = abs(signed) / abs(held)
        trades.append(
            Trade(
                held > 0.0,
                abs(signed),
                entry_bar,
                price,
                value * share,
                int(bar),
                fill,
                fees * share + paid,
                pnl,
            )
        )
        value -= value * share
        fees -= fees * share
    if units != 0.0:
        worth = abs(units) * last_close * multiplier
        pnl = worth - basis if units > 0.0 else basis - worth
        trades.append(Trade(units > 0.0, abs(units), entry_bar, price, value, None, last_close, fees, pnl))
    return trades
