"""The order form of a strategy: what it asks for beside its four conditions, as a row of numbers.

A form is fixed for a run.  The numbers of one entry (its size, its price, its stops) are its *ticket*: a row
of expressions, read on the bar that decides the entry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.quant.engine.account import LEG, SLOTS
from grn.quant.strategy.expr import Binary, Const, Expr, When, lift
from grn.quant.strategy.indicators import rolling_std
from grn.quant.strategy.orders import TimeStop
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import VolatilityTarget
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, minimum

STOPS: Final = 0
"""Number of stops, the time stop apart."""
ORDER: Final = 1
"""How an entry is made: at the market (0), by a limit (1) or a stop entry (2)."""
EXPIRES: Final = 2
SIZED: Final = 3
"""Whether the ticket says how large the entry is."""
TIMED: Final = 4
TRAILS: Final = 5
AT_NEXT: Final = 6
"""Whether signals fill on the bar after."""
AT_OPEN: Final = 7
"""Whether they fill at the open, so that the whole bar comes after the fill."""
CARRIES: Final = 8
"""Whether holding a position, or a bar, moves money."""
FIRST_STOP: Final = 9
STOP_WIDTH: Final = 3
KIND, MEASURE, PART = 0, 1, 2

AT_MARKET, BY_LIMIT, BY_STOP = 0, 1, 2

SCALE: Final = 0
PRICE: Final = 1
BARS: Final = 2
FIRST_LEVEL: Final = 3

ONE = Const(1.0)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Form:
    """What a strategy asks for under its rules.

    Attributes
    ----------
    numbers
        The form as a row of numbers, at the places named above.
    ticket
        One expression per place of a ticket: scale of the size, price of the order, bars of the time stop,
        then the number of each stop.  Places that nothing asks for hold the constant 1.
    """

    numbers: tuple[float, ...]
    ticket: tuple[Expr, ...]

    @property
    def asked(self) -> tuple[int, ...]:
        """Places of the ticket that something asks for."""
        n = self.numbers
        head = [k for k, flag in ((SCALE, SIZED), (PRICE, ORDER), (BARS, TIMED)) if n[flag]]
        return (*head, *range(FIRST_LEVEL, FIRST_LEVEL + int(n[STOPS])))

    def open_books(self) -> tuple[Array, Array, Array, Array]:
        """What a simulation works with: an account, a ticket, the levels of a position, and no log."""
        places = len(self.ticket)
        return np.zeros(SLOTS), np.ones(places), np.full(2 * places, np.nan), np.zeros((0, LEG))


def fill_form(strategy: Strategy, rules: Rules) -> Form:
    """The form of a strategy under its rules."""
    stops = [s for s in strategy.stops if not isinstance(s, TimeStop)]
    time = next((s for s in strategy.stops if isinstance(s, TimeStop)), None)
    order = strategy.entry_order
    scale = _scale(strategy, rules)
    numbers = [0.0] * (FIRST_STOP + STOP_WIDTH * len(stops))
    numbers[STOPS] = float(len(stops))
    if order is not None:
        numbers[ORDER] = float(order.code)
        numbers[EXPIRES] = math.inf if order.expires is None else float(order.expires)
    numbers[SIZED] = float(scale is not None)
    numbers[TIMED] = float(time is not None)
    numbers[TRAILS] = float(any(s.trails for s in stops))
    numbers[AT_NEXT] = float(rules.at_next_bar)
    numbers[AT_OPEN] = float(rules.fill == "next_open")
    numbers[CARRIES] = float(bool(rules.events.columns) or rules.margin is not None)
    for i, stop in enumerate(stops):
        place = FIRST_STOP + STOP_WIDTH * i
        numbers[place : place + STOP_WIDTH] = [float(stop.kind), float(stop.measure), stop.part]
    ticket = (
        ONE if scale is None else scale,
        ONE if order is None else order.value,
        ONE if time is None else time.value,
        *(s.value for s in stops),
    )
    return Form(tuple(numbers), ticket)


def _scale(strategy: Strategy, rules: Rules) -> Expr | None:
    """What the size is multiplied with: the strategy's own scale, and the fraction of a volatility target."""
    if not isinstance(rules.size, VolatilityTarget):
        return strategy.scale
    size = rules.size
    deviation = rolling_std(close / close.lag(1) - 1.0, size.window)
    yearly = deviation * lift(math.sqrt(size.periods_per_year))
    wanted = When(deviation > 0.0, minimum(size.value / yearly, size.most), lift(math.nan))
    return wanted if strategy.scale is None else Binary("mul", wanted, strategy.scale)
