"""Generated strategies: random expressions over everything that the language has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from grn.quant import (
    Limit,
    StopEntry,
    StopLoss,
    Strategy,
    TakeProfit,
    TimeStop,
    TrailingStop,
    exp,
    is_missing,
    log,
    maximum,
    minimum,
    param,
    tf,
    when,
)
from grn.quant.indicators.registry import INDICATORS, ParamSpec
from grn.quant.strategy.expr import DAY, Const, Expr, Param, lift
from grn.quant.strategy.indicators import build
from grn.quant.strategy.orders import EntryOrder, Stop
from grn.quant.strategy.words import col
from tests.property import steps

COLUMNS = ("close", "close", "close", "open", "high", "low", "volume", "score", "flag", DAY)
CONSTANTS = (0.0, 1.0, -1.0, 2.0, 0.5, 10.0, 100.0, -0.25, 1e-3)
FRAMES = ("1h", "4h", "1d", "1w", "45m")
LONGEST = 9
"""Longest window of an indicator: the bars are few."""


def polars_columns() -> tuple[pl.Expr, ...]:
    """Polars expressions that look back only."""
    price, score = pl.col("close"), pl.col("score")
    return (
        price.rolling_mean(3),
        price.shift(2) - price,
        score.fill_nan(0.0).cum_sum(),
        price > pl.col("open"),
        pl.col("high") - pl.col("low"),
        price.diff(),
        pl.col("flag").cast(pl.Boolean),
    )


class Author:
    """Writes one strategy; every choice comes from the generator it is given."""

    def __init__(self, rng: np.random.Generator, *, compiled_only: bool = False) -> None:
        self.rng = rng
        self.compiled_only = compiled_only
        lengths = sorted(
            rng.choice(np.arange(2, LONGEST + 1), size=int(rng.integers(1, 4)), replace=False).tolist()
        )
        lags = sorted(rng.choice(np.arange(0, 5), size=2, replace=False).tolist())
        levels = [round(float(v), 3) for v in rng.normal(0.0, 1.0, 2)]
        self.length = param("length", lengths)
        self.lag = param("lag", [int(v) for v in lags])
        self.level = param("level", dict.fromkeys(levels))  # two draws in thousands are equal

    def pick(self, options: Sequence[Callable[[], Expr]]) -> Expr:
        return options[int(self.rng.integers(len(options)))]()

    def number(self, depth: int) -> Expr:
        """A number per bar."""
        if depth <= 0 or self.rng.random() < 0.15:
            return self.pick([self.column, self.column, self.column, self.constant, lambda: self.level])
        down = depth - 1

        def two(combine: Callable[[Expr, Expr], Expr]) -> Callable[[], Expr]:
            return lambda: combine(self.number(down), self.number(down))

        return self.pick(
            [
                two(lambda a, b: a + b), two(lambda a, b: a - b), two(lambda a, b: a * b),
                two(lambda a, b: a / b), two(minimum), two(maximum),
                lambda: -self.number(down), lambda: abs(self.number(down)), lambda: self.number(down).sqrt(),
                lambda: log(self.number(down)), lambda: exp(minimum(self.number(down), 5.0)),
                lambda: self.number(down).lag(int(self.rng.integers(0, 4))),
                lambda: self.number(down).lag(self.lag),
                lambda: when(self.truth(down), self.number(down), self.number(down)),
                lambda: self.indicator(down), lambda: self.indicator(down), lambda: self.indicator(down),
                lambda: self.indicator(down), lambda: self.frame(self.number(down)), self.polars,
                lambda: self.step(down),
            ]
        )  # fmt: skip

    def truth(self, depth: int) -> Expr:
        """A condition per bar."""
        if depth <= 0:
            return self.pick([lambda: col("flag") > 0.0, lambda: self.column() > self.column(), self.cross])
        down = depth - 1

        def compare(op: Callable[[Expr, Expr], Expr]) -> Callable[[], Expr]:
            return lambda: op(self.number(down), self.number(down))

        return self.pick(
            [
                compare(lambda a, b: a < b), compare(lambda a, b: a <= b), compare(lambda a, b: a > b),
                compare(lambda a, b: a >= b), compare(lambda a, b: a == b), compare(lambda a, b: a != b),
                compare(lambda a, b: a.crosses_above(b)), compare(lambda a, b: a.crosses_below(b)),
                compare(lambda a, b: a.crosses_above(b)), self.cross,
                lambda: self.truth(down) & self.truth(down), lambda: self.truth(down) | self.truth(down),
                lambda: self.truth(down) ^ self.truth(down), lambda: ~self.truth(down),
                lambda: when(self.truth(down), self.truth(down), self.truth(down)),
                lambda: self.truth(down).lag(int(self.rng.integers(0, 3))),
                lambda: self.truth(down).lag(self.lag),
                lambda: is_missing(self.number(down)), lambda: self.frame(self.truth(down)),
                lambda: lift(bool(self.rng.random() < 0.5)),
            ]
        )  # fmt: skip

    def cross(self) -> Expr:
        """What most strategies are made of, so that most generated ones trade."""
        line = self.indicator(0) if self.rng.random() < 0.2 else col("close")
        other = self.average() if self.rng.random() < 0.8 else self.indicator(0)
        if self.rng.random() < 0.4:
            return line < other if self.rng.random() < 0.5 else line > other
        return line.crosses_above(other) if self.rng.random() < 0.5 else line.crosses_below(other)

    def average(self) -> Expr:
        """A short average of the close."""
        (line,) = build(str(self.rng.choice(["sma", "ema", "wma"])), [col("close")], [self.length])
        return line

    def column(self) -> Expr:
        return col(str(self.rng.choice(COLUMNS)))

    def constant(self) -> Expr:
        return Const(float(self.rng.choice(CONSTANTS)))

    def indicator(self, depth: int) -> Expr:
        """Any registered indicator, of anything, with constants or parameters."""
        spec = INDICATORS[str(self.rng.choice(sorted(INDICATORS)))]
        inputs: list[Expr] = []
        for name in spec.inputs:
            bar_column = {"day": DAY}.get(name, name)
            known = bar_column in ("high", "low", "close", "volume", DAY)
            inputs.append(col(bar_column) if known and self.rng.random() < 0.7 else self.number(depth - 1))
        outputs = build(spec.name, inputs, [self.setting(p) for p in spec.params])
        return outputs[int(self.rng.integers(len(outputs)))]

    def setting(self, spec: ParamSpec) -> Param | float:
        """A value or a parameter that an indicator accepts."""
        if spec.kind == "float":
            return round(float(self.rng.uniform(0.0, 3.0)), 3)
        if spec.maximum is not None:
            return int(self.rng.integers(int(spec.minimum), int(spec.maximum) + 1))
        if self.rng.random() < 0.4:
            return self.length
        return int(self.rng.integers(max(2, int(spec.minimum)), LONGEST + 1))

    def frame(self, inner: Expr) -> Expr:
        return tf(str(self.rng.choice(FRAMES)), inner)

    def polars(self) -> Expr:
        options = polars_columns()
        return lift(options[int(self.rng.integers(len(options)))])

    def step(self, depth: int) -> Expr:
        options: list[Callable[[], Expr]] = [
            lambda: steps.count_rises(self.number(depth) + 0.0, self.level),
            lambda: steps.leaky_mean(self.number(depth) + 0.0, self.column()),
            lambda: steps.toggle(self.number(depth) + 0.0),
        ]
        if not self.compiled_only and self.rng.random() < 0.08:
            return steps.through_text(self.column())
        return self.pick(options)

    def strategy(self, *, simple: bool = True, parts: bool = True) -> Strategy:
        """A strategy in one of the five forms that signals can take; a simple one has no stops and orders."""
        depth = int(self.rng.integers(1, 4))
        form = str(self.rng.choice(["long", "short", "both", "four", "four", "entry-only"]))
        where = None
        if self.rng.random() < 0.2:
            where = (self.length > 2) | (self.level < 10.0)
        entry, leave = self.signal(depth), self.signal(depth)
        orders = {} if simple else self.orders(parts=parts)
        if not simple and self.rng.random() < 0.7:
            # Orders and stops show what they do where there are entries.
            entry = (col("flag") > 0.0) ^ (entry & (col("score") > 0.5))
        match form:
            case "long" | "short" | "both":
                return Strategy(entry, leave, direction=form, where=where, **orders)
            case "entry-only":
                return Strategy(entry, lift(False), where=where, **orders)
        return Strategy(entry, leave, self.signal(depth), self.signal(depth), where=where, **orders)

    def orders(self, *, parts: bool) -> dict[str, Any]:
        """Stops, an entry order and a scale, each now and then."""
        stops: list[Stop] = []
        if self.rng.random() < 0.75:
            kinds = (StopLoss, TakeProfit, TrailingStop)
            for _ in range(int(self.rng.integers(1, 5))):
                kind = kinds[int(self.rng.integers(3))]
                part = float(self.rng.choice([1.0, 0.5, 0.3])) if parts else 1.0
                stops.append(kind(**self.level_of(kind), part=part))
        if self.rng.random() < 0.3:
            bars = param("bars", [1, 4]) if self.rng.random() < 0.5 else int(self.rng.integers(1, 6))
            stops.append(TimeStop(bars))
        order: EntryOrder | None = None
        if self.rng.random() < 0.35:
            maker = (Limit, StopEntry)[int(self.rng.integers(2))]
            expires = None if self.rng.random() < 0.3 else int(self.rng.integers(1, 5))
            near = col("close") * float(self.rng.choice([0.99, 0.997, 1.0, 1.003, 1.01]))
            order = maker(abs(self.number(1)) + 0.5 if self.rng.random() < 0.08 else near, expires)
        scale = None
        if self.rng.random() < 0.15:
            scale = abs(col("score")) if self.rng.random() < 0.5 else lift(0.5)
        return {"stops": stops, "entry_order": order, "scale": scale}

    def level_of(self, kind: type[StopLoss | TakeProfit | TrailingStop]) -> dict[str, Any]:
        """Where a level lies: near the entry, so that bars reach it."""
        choice = self.rng.random()
        if choice < 0.5:
            share = float(self.rng.choice([0.001, 0.01, 0.03]))
            return {"percent": param("share", [0.004, 0.02]) if self.rng.random() < 0.3 else share}
        if choice < 0.8 or kind is TrailingStop:
            spread = col("high") - col("low")
            return {"distance": spread * 0.7 if self.rng.random() < 0.85 else abs(self.number(1)) + 1e-3}
        return {"price": abs(self.number(1)) + 0.5 if self.rng.random() < 0.1 else col("low") * 0.998}

    def signal(self, depth: int) -> Expr:
        """A condition that tends to hold now and then: a random one is often true always or never."""
        match int(self.rng.integers(5)):
            case 0:
                return self.truth(depth)
            case 1:
                return self.cross() | (self.cross() & self.truth(depth))
            case 2:
                return self.cross() & ~(self.cross() & self.truth(depth))
            case 3:
                return self.cross() ^ (self.truth(depth - 1) & (col("flag") > 0.0))
        return when(self.truth(depth - 1), self.cross(), self.cross())
