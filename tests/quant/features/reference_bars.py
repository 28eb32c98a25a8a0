"""Bars the slow way: one list of trades per symbol, looked at again and again."""

from __future__ import annotations

from tests.quant.features.markets import Trade

Row = tuple[object, ...]
"""ts, symbol, open, high, low, close, volume, value, bought, trades, known_ts, finished."""


def signs_by_rule(trades: list[Trade]) -> list[int]:
    """The tick rule of one symbol: the direction of the last change, 0 before the first."""
    found: list[int] = []
    for i, trade in enumerate(trades):
        if i and trade.price != trades[i - 1].price:
            found.append(1 if trade.price > trades[i - 1].price else -1)
        else:
            found.append(found[-1] if found else 0)
    return found


def signs_of(trades: list[Trade], signs: str) -> list[int]:
    if signs == "tick_rule":
        return signs_by_rule(trades)
    return [{"buy": 1, "sell": -1}.get(t.side or "", 0) for t in trades]


def one_bar(trades: list[Trade], signs: list[int], ts: int, known: int, finished: bool) -> Row:
    prices = [t.price for t in trades]
    volume = value = bought = 0.0
    for trade, sign in zip(trades, signs, strict=True):
        volume += trade.amount
        value += trade.price * trade.amount
        bought += trade.amount if sign > 0 else 0.0
    return (
        ts, trades[0].symbol, prices[0], max(prices), min(prices), prices[-1],
        volume, value, bought, len(trades), known, finished,
    )  # fmt: skip


def by_time(trades: list[Trade], every: int, signs: str, origin: int = 0) -> list[Row]:
    """Windows of one symbol, the last one unfinished."""
    sign = signs_of(trades, signs)
    windows = sorted({(t.ts - origin) // every * every + origin for t in trades})
    bars = []
    for window in windows:
        inside = [i for i, t in enumerate(trades) if window <= t.ts < window + every]
        rows = [trades[i] for i in inside]
        bars.append(one_bar(rows, [sign[i] for i in inside], window, window + every, window != windows[-1]))
    return bars


def by_measure(trades: list[Trade], size: float, measure: str, signs: str) -> list[Row]:
    """Bars of one symbol that close when `measure` adds up to `size`."""
    sign = signs_of(trades, signs)
    bars: list[Row] = []
    held: list[int] = []
    total, label = 0.0, None
    for i, trade in enumerate(trades):
        held.append(i)
        total += {"trades": 1.0, "volume": trade.amount, "value": trade.price * trade.amount}[measure]
        if total >= size or i == len(trades) - 1:
            label = trade.ts if label is None else max(trade.ts, label + 1)
            rows = [trades[k] for k in held]
            bars.append(one_bar(rows, [sign[k] for k in held], label, trade.ts, total >= size))
            held, total = [], 0.0
    return bars


def mean(values: list[float], window: int) -> float:
    """Exponentially weighted, the newest value last, weights 1, k, k^2 ... with k = 1 - 2 / (window + 1)."""
    keep = 1.0 - 2.0 / (window + 1)
    weights = [keep**age for age in range(len(values))]
    return sum(w * v for w, v in zip(weights, reversed(values), strict=True)) / sum(weights)


def by_imbalance(
    trades: list[Trade],
    unit: str,
    first: int,
    window: int,
    bars_window: int | None,
    bounds: tuple[float, float],
    signs: str,
) -> list[Row]:
    """Closed imbalance bars of one symbol."""
    sign = signs_of(trades, signs)
    bars: list[Row] = []
    held: list[int] = []
    history: list[float] = []
    lengths: list[float] = []
    expected_trades, expected, theta, label = float(first), None, 0.0, None
    for i, trade in enumerate(trades):
        held.append(i)
        one = {"trade": 1.0, "volume": trade.amount, "dollar": trade.amount * trade.price}[unit]
        history.append(sign[i] * one)
        theta += sign[i] * one
        if expected is None and len(history) >= expected_trades:
            expected = mean(history[-window:], min(window, len(history)))
        if expected is not None and abs(theta) > expected_trades * abs(expected):
            label = trade.ts if label is None else max(trade.ts, label + 1)
            bars.append(one_bar([trades[k] for k in held], [sign[k] for k in held], label, trade.ts, True))
            if bars_window is not None:
                lengths.append(float(len(held)))
                expected_trades = mean(lengths[-bars_window:], bars_window)
                expected_trades = min(max(expected_trades, bounds[0]), bounds[1])
            expected = None
            if len(history) >= expected_trades:
                expected = mean(history[-window:], min(window, len(history)))
            held, theta = [], 0.0
    return bars


def of_each_symbol(trades: list[Trade]) -> dict[str, list[Trade]]:
    found: dict[str, list[Trade]] = {}
    for trade in trades:
        found.setdefault(trade.symbol, []).append(trade)
    return found
