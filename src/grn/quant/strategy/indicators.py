"""Indicators as words of a strategy: ``sma(close, 20)``, ``bollinger(close, 20, 2).upper``.

Definitions, formulas and sources are in `grn.quant.indicators` (``grn quant indicators``).  A length or
factor is a number or a `param`.  Indicators of the whole bar read `high`, `low`, `close` and `volume`
unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import DAY, Column, Const, Expr, Param, lift
from grn.quant.strategy.leaves import Indicator
from grn.quant.strategy.words import close as _close
from grn.quant.strategy.words import high as _high
from grn.quant.strategy.words import low as _low
from grn.quant.strategy.words import volume as _volume

Number: TypeAlias = float | Param
Length: TypeAlias = int | Param


class Bands(NamedTuple):
    """Three lines around a price."""

    upper: Expr
    middle: Expr
    lower: Expr


class Macd(NamedTuple):
    """Outputs of :func:`macd`."""

    line: Expr
    signal: Expr
    histogram: Expr


class Stochastic(NamedTuple):
    """Outputs of :func:`stochastic`."""

    k: Expr
    d: Expr


class Trend(NamedTuple):
    """Outputs of :func:`kalman_trend`."""

    level: Expr
    slope: Expr


def build(name: str, inputs: Sequence[object], params: Sequence[object]) -> tuple[Indicator, ...]:
    """Expressions of every output of a registered indicator, in declared order.

    Raises
    ------
    StrategyError
        A parameter is no number or `param`, or one of its values is outside the range.
    """
    from grn.quant.indicators.registry import get

    spec = get(name)
    values: list[Const | Param] = []
    for declared, given in zip(spec.params, params, strict=True):
        value = lift(given)
        if not isinstance(value, Const | Param):
            raise StrategyError(
                f"{name}: {declared.name!r} must be a number or a param",
                seen=str(value),
                hint="it cannot change from bar to bar",
            )
        # Every value that a sweep would try is checked here, where the author of the strategy can see it.
        for number in value.values if isinstance(value, Param) else (value.value,):
            declared.check(name, int(number) if float(number).is_integer() else number)
        values.append(value)
    series = tuple(lift(x) for x in inputs)
    return tuple(Indicator(name, output, series, tuple(values)) for output in spec.outputs)


def sma(x: object, n: Length) -> Expr:
    """Simple moving average over `n` bars."""
    return build("sma", [x], [n])[0]


def ema(x: object, n: Length) -> Expr:
    """Exponential moving average with smoothing 2 / (n + 1)."""
    return build("ema", [x], [n])[0]


def wma(x: object, n: Length) -> Expr:
    """Linearly weighted moving average over `n` bars."""
    return build("wma", [x], [n])[0]


def rsi(x: object, n: Length = 14) -> Expr:
    """Relative strength index (Wilder), 0 to 100."""
    return build("rsi", [x], [n])[0]


def roc(x: object, n: Length) -> Expr:
    """Rate of change over `n` bars, in percent."""
    return build("roc", [x], [n])[0]


def macd(x: object, fast: Length = 12, slow: Length = 26, signal: Length = 9) -> Macd:
    """Moving average convergence divergence: line, signal, histogram."""
    return Macd(*build("macd", [x], [fast, slow, signal]))


def bollinger(x: object, n: Length = 20, k: Number = 2.0) -> Bands:
    """Bollinger bands: the mean of `n` bars and `k` population standard deviations around it."""
    return Bands(*build("bollinger", [x], [n, k]))


def donchian(n: Length = 20, *, high: object = _high, low: object = _low) -> Bands:
    """Donchian channel: highest high and lowest low of the last `n` bars, this one included."""
    return Bands(*build("donchian", [high, low], [n]))


def atr(n: Length = 14, *, high: object = _high, low: object = _low, close: object = _close) -> Expr:
    """Average true range (Wilder)."""
    return build("atr", [high, low, close], [n])[0]


def stochastic(
    n: Length = 14,
    smooth_k: Length = 3,
    smooth_d: Length = 3,
    *,
    high: object = _high,
    low: object = _low,
    close: object = _close,
) -> Stochastic:
    """Stochastic oscillator: %K and %D, 0 to 100."""
    return Stochastic(*build("stochastic", [high, low, close], [n, smooth_k, smooth_d]))


def obv(*, close: object = _close, volume: object = _volume) -> Expr:
    """On-balance volume."""
    return build("obv", [close, volume], [])[0]


def vwap(
    n: Length, *, high: object = _high, low: object = _low, close: object = _close, volume: object = _volume
) -> Expr:
    """Volume-weighted average of the typical price over the last `n` bars."""
    return build("vwap", [high, low, close, volume], [n])[0]


def session_vwap(
    *, high: object = _high, low: object = _low, close: object = _close, volume: object = _volume
) -> Expr:
    """Volume-weighted average of the typical price since the start of the UTC day."""
    return build("session_vwap", [high, low, close, volume, Column(DAY)], [])[0]


def rolling_sum(x: object, n: Length) -> Expr:
    """Sum of the last `n` values."""
    return build("rolling_sum", [x], [n])[0]


def rolling_std(x: object, n: Length, ddof: Length = 0) -> Expr:
    """Standard deviation of the last `n` values."""
    return build("rolling_std", [x], [n, ddof])[0]


def rolling_min(x: object, n: Length) -> Expr:
    """Smallest of the last `n` values."""
    return build("rolling_min", [x], [n])[0]


def rolling_max(x: object, n: Length) -> Expr:
    """Largest of the last `n` values."""
    return build("rolling_max", [x], [n])[0]


def zscore(x: object, n: Length, ddof: Length = 0) -> Expr:
    """Distance from the mean of the last `n` values in standard deviations."""
    return build("zscore", [x], [n, ddof])[0]


def correlation(x: object, y: object, n: Length) -> Expr:
    """Correlation of two series over the last `n` bars."""
    return build("correlation", [x, y], [n])[0]


def slope(x: object, n: Length) -> Expr:
    """Least-squares slope per bar over the last `n` bars."""
    return build("slope", [x], [n])[0]


def kalman_trend(x: object, q_level: Number = 0.01, q_slope: Number = 0.0001) -> Trend:
    """Local linear trend filtered by a Kalman filter: level and slope per bar."""
    return Trend(*build("kalman_trend", [x], [q_level, q_slope]))
