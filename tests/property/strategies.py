"""Generated strategies: random expressions over everything that the language has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from grn.quant import Strategy, exp, is_missing, log, maximum, minimum, param, tf, when
from grn.quant.indicators.registry import INDICATORS, ParamSpec
from grn.quant.strategy.expr import DAY, Const, Expr, Param, lift
from grn.quant.strategy.indicators import build
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

    def strategy(self) -> Strategy:
        """A strategy in one of the five forms that signals can take."""
        depth = int(self.rng.integers(1, 4))
        form = str(self.rng.choice(["long", "short", "both", "four", "four", "entry-only"]))
        where = None
        if self.rng.random() < 0.2:
            where = (self.length > 2) | (self.level < 10.0)
        entry, leave = self.signal(depth), self.signal(depth)
        match form:
            case "long" | "short" | "both":
                return Strategy(entry, leave, direction=form, where=where)
            case "entry-only":
                return Strategy(entry, lift(False), where=where)
        return Strategy(entry, leave, self.signal(depth), self.signal(depth), where=where)

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
