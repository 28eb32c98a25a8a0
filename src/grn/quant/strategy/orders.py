"""Stops, and entries at a price: what a strategy asks of its broker beside "buy" and "sell".

Every number here may be a constant, a parameter or an expression of the bars.  It is read on the bar that
decides the entry and stays what it was there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from grn.kit.errors import StrategyError
from grn.quant.strategy.bounds import check_number
from grn.quant.strategy.expr import Const, Expr, Key, Param, lift

PERCENT, DISTANCE, PRICE = 0, 1, 2
LOSS, PROFIT, TRAIL = 0, 1, 2
MOST_STOPS = 8


def _number(name: str, value: object) -> Expr:
    expr = lift(value)
    if expr.kind != "float":
        raise StrategyError(f"{name} must be a number", seen=str(expr))
    return expr


def known_values(expr: Expr) -> tuple[float, ...]:
    """What is known of a number before any bar is read: a constant, or the values of a parameter."""
    if isinstance(expr, Const):
        return (float(expr.value),)
    return tuple(map(float, expr.values)) if isinstance(expr, Param) else ()


def check_known(name: str, expr: Expr, *, below: float | None = None) -> None:
    """Hold what is known of a number to its range: above 0, finite, and `below` if that is given."""
    for value in known_values(expr):
        if not 0.0 < value < math.inf:
            raise StrategyError(f"{name} must be above 0 and finite", seen=f"{value:g}")
        if below is not None and not value < below:
            raise StrategyError(
                f"{name} must be below {below:g}",
                seen=f"{value:g}",
                hint=f"{value:g} is {value:.0%}; 0.05 is 5 %",
            )


@dataclass(frozen=True, eq=False)
class _Level:
    """A price at which a position is closed, or a part of it.

    Give one of: `percent` of the entry's fill price, `distance` from it in price units, or the `price`.

    Parameters
    ----------
    percent
        Fraction of the fill price (0.05 is 5 %).
    distance
        Distance in price, such as ``2 * atr(14)``.
    price
        The price itself, such as the low of a channel.
    part
        Fraction of the position to close; the position is what it was after its last entry.
    """

    percent: object = None
    distance: object = None
    price: object = None
    part: float = 1.0

    kind: ClassVar[int]
    word: ClassVar[str]
    takes_price: ClassVar[bool] = True

    def __post_init__(self) -> None:
        given = [m for m in ("percent", "distance", "price") if getattr(self, m) is not None]
        if len(given) != 1 or (given == ["price"] and not self.takes_price):
            allowed = "percent, distance or price" if self.takes_price else "percent or distance"
            raise StrategyError(
                f"{type(self).__name__} takes one of {allowed}",
                seen=" and ".join(f"{m}={getattr(self, m)!r}" for m in given) or "none",
                hint=f"{type(self).__name__}(0.05)",
            )
        name = f"{type(self).__name__} {given[0]}"
        value = _number(name, getattr(self, given[0]))
        object.__setattr__(self, given[0], value)
        # A long cannot lose more than its price; a profit may be any multiple of it.
        check_known(name, value, below=1.0 if given[0] == "percent" and self.kind != PROFIT else None)
        part = check_number(
            f"{type(self).__name__} part", self.part, lambda x: 0.0 < x <= 1.0, "above 0 and at most 1"
        )
        object.__setattr__(self, "part", part)

    @property
    def measure(self) -> int:
        """`PERCENT`, `DISTANCE` or `PRICE`."""
        return PERCENT if self.percent is not None else DISTANCE if self.distance is not None else PRICE

    @property
    def trails(self) -> bool:
        """Whether the level follows the price."""
        return self.kind == TRAIL

    @property
    def value(self) -> Expr:
        """The number given."""
        found = (
            self.percent
            if self.percent is not None
            else self.distance
            if self.distance is not None
            else self.price
        )
        assert isinstance(found, Expr)
        return found

    @cached_property
    def key(self) -> Key:
        """Canonical form."""
        return (
            self.word,
            ("percent", "distance", "price")[self.measure],
            self.value.key,
            ("const", self.part),
        )

    def __str__(self) -> str:
        measure = ("", "distance=", "price=")[self.measure]
        part = "" if self.part == 1.0 else f", part={self.part:g}"
        return f"{type(self).__name__}({measure}{self.value}{part})"


class StopLoss(_Level):
    """Close the position, or a part of it, at a loss."""

    kind, word = LOSS, "stop_loss"


class TakeProfit(_Level):
    """Close the position, or a part of it, at a profit.  Several with a `part` each make a ladder."""

    kind, word = PROFIT, "take_profit"


class TrailingStop(_Level):
    """Close the position when the price falls back from the best one since the entry.

    The level of a bar comes from the bars before it: its own best price counts from the next bar on.
    """

    kind, word, takes_price = TRAIL, "trailing_stop", False


@dataclass(frozen=True, eq=False)
class TimeStop:
    """Close the position `bars` bars after the entry's fill, like an exit signal."""

    bars: object
    word: ClassVar[str] = "time_stop"

    def __post_init__(self) -> None:
        value = _number("TimeStop bars", self.bars)
        known = known_values(value)
        if not known or any(v < 1 or v != int(v) for v in known):
            raise StrategyError(
                "TimeStop takes a whole number of bars, at least 1, or a parameter of such",
                seen=str(value),
                hint="TimeStop(20)",
            )
        object.__setattr__(self, "bars", value)

    @property
    def value(self) -> Expr:
        """The number of bars."""
        assert isinstance(self.bars, Expr)
        return self.bars

    @cached_property
    def key(self) -> Key:
        """Canonical form."""
        return (self.word, self.value.key)

    def __str__(self) -> str:
        return f"TimeStop({self.value})"


Stop = StopLoss | TakeProfit | TrailingStop | TimeStop


@dataclass(frozen=True, eq=False)
class _Resting:
    """An entry that waits in the market for its price.

    Parameters
    ----------
    price
        The order's price.  It is read on the bar of the signal; the order works from the next bar on.
    expires
        Bars for which it works, at least 1; None: until it fills, is replaced, or is cancelled by an exit.
    """

    price: object
    expires: int | None = None

    code: ClassVar[int]
    word: ClassVar[str]

    def __post_init__(self) -> None:
        name = type(self).__name__
        price = _number(f"{name} price", self.price)
        check_known(f"{name} price", price)
        object.__setattr__(self, "price", price)
        n = self.expires
        if n is not None and (type(n) is not int or n < 1):
            raise StrategyError(
                f"{name} expires after a whole number of bars, at least 1, or never (None)", seen=repr(n)
            )

    @property
    def value(self) -> Expr:
        """The price."""
        assert isinstance(self.price, Expr)
        return self.price

    @cached_property
    def key(self) -> Key:
        """Canonical form."""
        return (self.word, self.value.key, 0 if self.expires is None else self.expires)

    def __str__(self) -> str:
        expires = "" if self.expires is None else f", expires={self.expires}"
        return f"{type(self).__name__}({self.value}{expires})"


class Limit(_Resting):
    """Enter at this price or a better one: a long when the price falls to it, a short when it rises to it."""

    code, word = 1, "limit"


class StopEntry(_Resting):
    """Enter when the price breaks through: a long when it rises to it, a short when it falls to it."""

    code, word = 2, "stop_entry"


EntryOrder = Limit | StopEntry


def check_stops(stops: object, entry_order: object, sides: str) -> tuple[Stop, ...]:
    """Stops as a tuple, none of which contradicts another or the entry's price.

    Raises
    ------
    StrategyError
        The message names both values.
    """
    listed = (stops,) if isinstance(stops, Stop) else stops
    if not isinstance(listed, Iterable) or isinstance(listed, str):
        raise StrategyError("stops must be a list of stops", seen=repr(stops), hint="stops=[StopLoss(0.05)]")
    found: list[Stop] = []
    for stop in listed:
        if not isinstance(stop, Stop):
            raise StrategyError(
                "this is no stop",
                seen=repr(stop),
                hint="StopLoss(0.05), TakeProfit(0.1), TrailingStop(0.05), TimeStop(20)",
            )
        found.append(stop)
    if len(found) > MOST_STOPS:
        raise StrategyError(f"at most {MOST_STOPS} stops", seen=str(len(found)))
    if sum(isinstance(s, TimeStop) for s in found) > 1:
        raise StrategyError(
            "one TimeStop is enough", seen=" and ".join(str(s) for s in found if isinstance(s, TimeStop))
        )
    for stop in found:
        if isinstance(stop, TakeProfit) and stop.measure == PERCENT and sides == "short":
            known = known_values(stop.value)
            if known and min(known) >= 1.0:
                raise StrategyError(
                    "a short cannot win its whole price",
                    seen=f"{stop} with direction 'short'",
                    hint=f"{min(known):g} is {min(known):.0%}; 0.05 is 5 %",
                )
    _check_fixed_prices(found, entry_order, sides)
    return tuple(found)


def _check_fixed_prices(stops: Iterable[Stop], entry_order: object, sides: str) -> None:
    """Compare what is known as a plain price: entry, stop and target must stand in that order."""
    priced = [(s, known_values(s.value)) for s in stops if isinstance(s, _Level) and s.measure == PRICE]
    named: list[tuple[str, int, tuple[float, ...]]] = [
        (str(s), -1 if s.kind == LOSS else 1, known) for s, known in priced if known
    ]
    if isinstance(entry_order, _Resting) and known_values(entry_order.value):
        named.append((str(entry_order), 0, known_values(entry_order.value)))
    if sides == "both" and any(rank for _, rank, _ in named):
        text = next(name for name, rank, _ in named if rank)
        raise StrategyError(
            "one fixed price cannot be a stop for longs and for shorts",
            seen=f"{text} with direction 'both'",
            hint="use percent or distance, or two strategies",
        )
    for lower, low_rank, low in named:
        for upper, high_rank, high in named:
            if low_rank >= high_rank:
                continue
            wrong = max(low) >= min(high) if sides == "long" else min(low) <= max(high)
            if wrong:
                word = "above" if sides == "long" else "below"
                raise StrategyError(
                    f"for a {sides} neither the stop may stand {word} the entry nor that {word} the target",
                    seen=f"{lower} and {upper}",
                )
