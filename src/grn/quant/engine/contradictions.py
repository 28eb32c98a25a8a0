"""Contradictions between strategy, rules and data: refused before anything runs, both values named.

What contradicts itself within the rules or within the strategy is refused where it is written.  Here are the
contradictions that take two of them to see, and those that only the data's prices show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from grn.kit.errors import DataError, UsageError
from grn.quant.engine.market import check_positive
from grn.quant.engine.tariff import NEAR, market_price
from grn.quant.engine.terms import (
    SIZE_EQUITY,
    SIZE_FRACTION,
    SIZE_QUANTITY,
    SIZE_VALUE,
    SIZE_VOLATILITY,
    write_terms,
)
from grn.quant.schema import Bars
from grn.quant.strategy.orders import PRICE, PROFIT, StopLoss, TakeProfit, TimeStop, known_values
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.sizes import VolatilityTarget
from grn.quant.strategy.strategy import Strategy

LONG, SHORT = 1, -1


def check_contradictions(strategy: object, rules: Rules, bars: Sequence[Bars]) -> None:
    """Refuse a run in which one rule makes another one impossible.

    Raises
    ------
    DataError
        A price to fill at that lies outside its bar, a payment or a split that is none.
    UsageError
        Everything else; the message has both values, and the symbol where the data decides.
    """
    if isinstance(strategy, Strategy):
        check_late_parts(strategy, rules)
    for one in bars:
        check_fill_prices(one, rules)
        check_events(one, rules)
        check_sale(one, rules)
        if isinstance(strategy, Strategy):
            check_first_entry(strategy, rules, one)
            check_price_levels(strategy, rules, one)


def check_late_parts(strategy: Strategy, rules: Rules) -> None:
    """A level that fills like an exit signal closes the whole position: it can have no part."""
    for stop in strategy.stops:
        if isinstance(stop, TimeStop) or stop.part == 1.0:
            continue
        name = "target_fill" if stop.kind == PROFIT else "stop_fill"
        if getattr(rules.stop_rules, name) == "signal":
            raise UsageError(
                "a level that fills like an exit signal closes the whole position, not a part of it",
                seen=f"{stop}, {name} 'signal'",
                hint=f"StopRules({name}='market'), or leave `part` out",
            )


def check_fill_prices(bars: Bars, rules: Rules) -> None:
    """A recorded price to fill at lies within its bar: nothing was traded outside."""
    name = rules.fill_column
    fill = bars.column(name)
    check_positive(bars, name, fill)
    if not rules.checks_fill:
        return
    low, high = bars.column("low"), bars.column("high")
    # An average of equal prices may differ from them by a rounding.
    outside = np.flatnonzero((fill < low * (1.0 - NEAR)) | (fill > high * (1.0 + NEAR)))
    if len(outside):
        t = int(outside[0])
        raise DataError(
            f"orders would fill at {name!r} outside the bar",
            seen=f"{fill[t]:g}, low {low[t]:g}, high {high[t]:g} on bar {t:,} of {bars.symbol}",
            hint="is the column adjusted as the bars are, and of the same bar?",
        )


def check_events(bars: Bars, rules: Rules) -> None:
    """What is paid for holding is finite, and a split above zero; a missing value is none."""
    for name in (rules.events.dividends, rules.events.funding):
        if name is None:
            continue
        wrong = np.flatnonzero(np.isinf(bars.column(name)))
        if len(wrong):
            t = int(wrong[0])
            raise DataError(
                f"{name!r} is infinite",
                seen=f"{bars.column(name)[t]:g} on bar {t:,} of {bars.symbol}",
                hint="leave it missing where nothing is paid",
            )
    if rules.events.splits is not None:
        check_positive(bars, rules.events.splits, np.nan_to_num(bars.column(rules.events.splits), nan=1.0))


def check_sale(bars: Bars, rules: Rules) -> None:
    """A sale at the market fills above zero at every price of the data."""
    lowest = _reach(bars, rules.fill_column, inside=True)[0]
    if market_price(lowest, SHORT, write_terms(rules)) > 0.0:
        return
    tick, ticks = rules.instrument.tick, rules.costs.slippage_ticks
    slipped = f", slippage_ticks {ticks:g}" if ticks else ""
    raise UsageError(
        "ticks so large that a sale would fill at 0",
        seen=f"tick {tick:g}{slipped}, lowest price {lowest:g} of {bars.symbol}",
        hint="the tick is in units of the price",
    )


def check_first_entry(strategy: Strategy, rules: Rules, bars: Bars) -> None:
    """Some price of the data allows a first entry.

    Until then the account is its initial cash: if that can never pay the smallest order, nothing is ever
    traded.
    """
    why = [_find_obstacle(strategy, rules, bars, side) for side in _sides(strategy)]
    if None in why:
        return
    seen, hint = next(reason for reason in why if reason is not None)
    raise UsageError("no entry can ever be made", seen=f"{seen} ({bars.symbol})", hint=hint)


def check_price_levels(strategy: Strategy, rules: Rules, bars: Bars) -> None:
    """A stop or target at a fixed price leaves some price of the data on which to enter."""
    if rules.costs.impact > 0.0:
        return  # the size of an order moves its price
    reach = _reach(bars, rules.fill_column, inside=strategy.entry_order is not None)
    side, terms = _sides(strategy)[0], write_terms(rules)
    lowest = min(reach[0], market_price(reach[0], side, terms))
    highest = max(reach[1], market_price(reach[1], side, terms))
    for stop in strategy.stops:
        if not isinstance(stop, StopLoss | TakeProfit) or stop.measure != PRICE:
            continue
        known = known_values(stop.value)
        below = (stop.kind != PROFIT) == (strategy.direction == "long")
        if known and (min(known) >= highest if below else max(known) <= lowest):
            word, bound = ("highest", highest) if below else ("lowest", lowest)
            raise UsageError(
                f"a {strategy.direction} can never be entered on the right side of this level",
                seen=f"{stop}, {word} fill {bound:g} of {bars.symbol}",
                hint="percent and distance are measured from the entry",
            )


def _sides(strategy: Strategy) -> tuple[int, ...]:
    return {"long": (LONG,), "short": (SHORT,)}.get(str(strategy.direction), (LONG, SHORT))


def _reach(bars: Bars, name: str, *, inside: bool) -> tuple[float, float]:
    """Lowest and highest price at which an order can fill: in the column, or (`inside`) anywhere in a bar."""
    fill = bars.column(name)
    low = bars.columns.get("low", fill) if inside else fill
    high = bars.columns.get("high", fill) if inside else fill
    return float(min(low.min(), fill.min())), float(max(high.max(), fill.max()))


def _find_obstacle(strategy: Strategy, rules: Rules, bars: Bars, side: int) -> tuple[str, str] | None:
    """What keeps every entry of a side from being made, as (both values, what to do); None: nothing."""
    lowest, highest = _reach(bars, rules.fill_column, inside=strategy.entry_order is not None)
    terms = write_terms(rules)
    cheapest = min(lowest, market_price(lowest, side, terms)) * rules.instrument.multiplier
    dearest = market_price(highest, LONG, terms) * rules.instrument.multiplier
    fees = rules.costs.fixed_fee + rules.costs.minimum_fee
    room = _spendable(strategy, rules, side) - fees
    if room <= 0.0:
        return f"fees of {fees:g} for an order, {room + fees:g} to spend", "more cash, or a smaller fee"
    kind, size = rules.size.code, rules.size
    if strategy.scale is None and kind == SIZE_VALUE:
        room = min(room, size.value)
    spends = f"{room:g} to spend" if room < math.inf else f"{size}"
    lot, least = rules.instrument.lot, rules.instrument.min_units
    name, units = ("lot", lot) if lot >= least else ("min_units", least)
    if units * cheapest > room * (1.0 + NEAR):
        return (
            f"{name} {units:g} costs {units * cheapest:g} at the lowest price, {spends}",
            "more cash, or a smaller lot",
        )
    value = room
    if strategy.scale is None and kind == SIZE_QUANTITY:
        value = min(value, size.value * dearest)
    if rules.instrument.min_value > value * (1.0 + NEAR):
        return f"min_value {rules.instrument.min_value:g}, an entry of at most {value:g}", "a larger size"
    if rules.volume_share is not None:
        most = rules.volume_share * float(np.nanmax(bars.column("volume"), initial=0.0))
        if units > most * (1.0 + NEAR):
            return f"{name} {units:g}, volume_share of at most {most:g} units", "a larger share"
    return None


def _spendable(strategy: Strategy, rules: Rules, side: int) -> float:
    """The most that a first entry may spend, fees included."""
    size = rules.size
    power = rules.cash * rules.leverage if side == LONG or rules.margin is not None else math.inf
    if strategy.scale is not None or size.code not in (SIZE_FRACTION, SIZE_EQUITY, SIZE_VOLATILITY):
        return power
    share = size.most if isinstance(size, VolatilityTarget) else size.value
    return min(power, share * rules.cash)
