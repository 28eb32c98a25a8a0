"""Stops and entry orders: what they take, what they refuse, and how they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grn.kit.canonical import canonical_json
from grn.kit.errors import GrnError
from grn.quant import (
    Limit,
    Rules,
    StopEntry,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    atr,
    close,
    low,
    open_,
    param,
)
from grn.quant.strategy.orders import MOST_STOPS
from grn.quant.strategy.plain import from_plain, to_plain

RISE, FALL = close > open_, close < open_


def strategy(*stops: Any, **more: Any) -> Strategy:
    return Strategy(RISE, FALL, stops=stops, **more)


ALL = {
    "stops": lambda: strategy(StopLoss(0.05), TakeProfit(0.1), TrailingStop(0.03), TimeStop(20)),
    "ladder": lambda: strategy(
        TakeProfit(0.05, part=0.5), TakeProfit(0.1), StopLoss(distance=2.0 * atr(14)),
        StopLoss(price=low.lag(1)),
    ),
    "parameters": lambda: strategy(
        StopLoss(param("loss", [0.02, 0.05])), TrailingStop(distance=param("k", [1.0, 2.0]) * atr(14)),
        TimeStop(param("held", [5, 10])),
    ),
    "limit": lambda: strategy(entry_order=Limit(close * 0.99, expires=3)),
    "stop entry": lambda: strategy(StopLoss(0.05), entry_order=StopEntry(close * param("up", [1.01, 1.02]))),
    "scale": lambda: strategy(scale=1.0 / atr(14)),
    "short": lambda: strategy(StopLoss(0.05), direction="short", entry_order=Limit(close * 1.01)),
    "both": lambda: strategy(TrailingStop(0.05), direction="both", scale=param("size", [0.5, 1.0])),
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_a_strategy_with_orders_comes_back_from_plain_data(name: str) -> None:
    """Through JSON: the same identity, the same parameters, the same text."""
    made = ALL[name]()
    again = from_plain(json.loads(json.dumps(to_plain(made))))
    assert isinstance(again, Strategy)
    assert canonical_json(again.canonical) == canonical_json(made.canonical)
    assert [(p.name, p.values) for p in again.params] == [(p.name, p.values) for p in made.params]
    # A strategy that only turns around comes back with its four conditions written out.
    assert made.direction == "both" or str(again) == str(made)


def test_every_property_of_an_order_is_part_of_the_identity() -> None:
    """No two of these are one trial."""
    made = [
        strategy(),
        strategy(StopLoss(0.05)),
        strategy(StopLoss(0.06)),
        strategy(StopLoss(0.05, part=0.5)),
        strategy(StopLoss(distance=0.05)),
        strategy(StopLoss(price=0.05)),
        strategy(TakeProfit(0.05)),
        strategy(TrailingStop(0.05)),
        strategy(TimeStop(5)),
        strategy(TimeStop(6)),
        strategy(StopLoss(0.05), TakeProfit(0.05)),
        strategy(entry_order=Limit(close)),
        strategy(entry_order=Limit(close, expires=1)),
        strategy(entry_order=StopEntry(close)),
        strategy(scale=close),
    ]
    keys = [canonical_json(one.canonical) for one in made]
    assert len(set(keys)) == len(keys)


def test_a_strategy_without_orders_keeps_the_identity_it_had() -> None:
    """Trials recorded before there were orders are still found."""
    assert set(strategy().canonical) == {"signals"}


def test_numbers_may_be_written_either_way() -> None:
    """2 and 2.0, positional and by name, one stop and a list of one: one strategy."""
    a = Strategy(RISE, FALL, stops=StopLoss(0.05))  # type: ignore[arg-type]
    b = Strategy(RISE, FALL, stops=[StopLoss(percent=0.05, part=1)])
    assert a.canonical == b.canonical
    assert TimeStop(5).key == TimeStop(5.0).key


def test_orders_say_what_they_are() -> None:
    """As they are written."""
    assert str(StopLoss(0.05)) == "StopLoss(0.05)"
    assert str(TakeProfit(distance=2, part=0.5)) == "TakeProfit(distance=2, part=0.5)"
    assert str(StopLoss(price=low)) == "StopLoss(price=low)"
    assert str(TimeStop(param("n", [1, 2]))) == "TimeStop(n)"
    assert str(Limit(close * 0.99, expires=3)) == "Limit((close * 0.99), expires=3)"
    text = str(strategy(StopLoss(0.05), entry_order=StopEntry(105), scale=low))
    assert text.endswith("order: StopEntry(105); stops: StopLoss(0.05); scale: low")


def test_what_happens_inside_a_bar_needs_its_range() -> None:
    """Levels and orders read open, high and low; a time stop and a scale do not."""
    assert strategy(TimeStop(5), scale=close).needs(Rules()) == ("close", "open")
    assert strategy(StopLoss(0.05)).needs(Rules()) == ("close", "high", "low", "open")
    assert strategy(entry_order=Limit(close)).needs(Rules()) == ("close", "high", "low", "open")


FAULTS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "no measure": (lambda: StopLoss(), ("one of percent, distance or price", "none")),
    "two measures": (lambda: StopLoss(0.05, distance=3), ("percent=0.05 and distance=3",)),
    "trailing at a price": (lambda: TrailingStop(price=3), ("one of percent or distance", "price=3")),
    "loss of zero": (lambda: StopLoss(0), ("above 0", "0")),
    "loss of five hundred percent": (lambda: StopLoss(5), ("below 1", "5")),
    "loss of everything": (lambda: TrailingStop(1.0), ("below 1", "1")),
    "one bad value of a parameter": (lambda: StopLoss(param("s", [0.05, 5])), ("below 1", "5")),
    "negative profit": (lambda: TakeProfit(-0.1), ("above 0", "-0.1")),
    "profit that is missing": (lambda: TakeProfit(float("nan")), ("above 0", "nan")),
    "condition": (lambda: StopLoss(close > 1.0), ("must be a number", "(close > 1)")),
    "part of nothing": (lambda: StopLoss(0.05, part=0), ("above 0 and at most 1", "0")),
    "part of more than all": (lambda: TakeProfit(0.05, part=1.5), ("above 0 and at most 1", "1.5")),
    "no bars": (lambda: TimeStop(0), ("at least 1", "0")),
    "half a bar": (lambda: TimeStop(1.5), ("whole number", "1.5")),
    "bars from the data": (lambda: TimeStop(close), ("whole number", "close")),
    "price of zero": (lambda: Limit(0), ("above 0", "0")),
    "endless price": (lambda: StopEntry(float("inf")), ("above 0 and finite", "inf")),
    "expired at once": (lambda: Limit(close, expires=0), ("at least 1", "0")),
    "expiry of a fraction": (lambda: Limit(close, expires=1.5), ("whole number", "1.5")),  # type: ignore[arg-type]
    "stop as a number": (lambda: Strategy(RISE, FALL, stops=0.05), ("list of stops", "0.05")),  # type: ignore[arg-type]
    "list of numbers": (lambda: strategy(0.05), ("no stop", "0.05")),
    "order as a stop": (lambda: strategy(Limit(close)), ("no stop", "Limit")),
    "stop as an order": (lambda: strategy(entry_order=StopLoss(0.05)), ("no entry order", "StopLoss")),
    "two time stops": (lambda: strategy(TimeStop(2), TimeStop(3)), ("TimeStop(2) and TimeStop(3)",)),
    "too many": (lambda: strategy(*[StopLoss(0.05)] * (MOST_STOPS + 1)), (f"at most {MOST_STOPS}", "9")),
    "stop above the entry": (
        lambda: strategy(StopLoss(price=105), entry_order=Limit(100)),
        ("StopLoss(price=105) and Limit(100)",),
    ),
    "target below the entry": (
        lambda: strategy(TakeProfit(price=95), entry_order=StopEntry(100)),
        ("StopEntry(100) and TakeProfit(price=95)",),
    ),
    "stop above the target": (
        lambda: strategy(StopLoss(price=105), TakeProfit(price=100)),
        ("StopLoss(price=105) and TakeProfit(price=100)",),
    ),
    "short with its stop below": (
        lambda: strategy(StopLoss(price=95), entry_order=Limit(100), direction="short"),
        ("for a short", "StopLoss(price=95) and Limit(100)"),
    ),
    "one price for both sides": (
        lambda: strategy(StopLoss(price=95), direction="both"),
        ("StopLoss(price=95) with direction 'both'",),
    ),
    "short that wins its whole price": (
        lambda: strategy(TakeProfit(1.5), direction="short"),
        ("TakeProfit(1.5) with direction 'short'",),
    ),
    "scale of zero": (lambda: strategy(scale=0.0), ("scale must be above 0", "0")),
    "scale as a condition": (lambda: strategy(scale=close > 1.0), ("must be a number", "(close > 1)")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_order_is_refused_where_it_is_written(fault: str) -> None:
    """The message has every value that takes part."""
    make, says = FAULTS[fault]
    with pytest.raises(GrnError) as caught:
        make()
    for part in says:
        assert part in str(caught.value)


def test_a_long_may_win_more_than_its_price() -> None:
    """150 % is a target of a long, and of a strategy that trades both sides."""
    assert str(strategy(TakeProfit(1.5)).stops[0]) == "TakeProfit(1.5)"
    assert strategy(TakeProfit(1.5), direction="both").stops
