"""The words a strategy file is written in: columns, indicators, and functions of expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grn.quant.schema.timeframe import parse_every
from grn.quant.strategy.expr import Binary, Column, Expr, Unary, When, lift
from grn.quant.strategy.leaves import HostFunction, Timeframe

if TYPE_CHECKING:
    import polars as pl

open_ = Column("open")
high = Column("high")
low = Column("low")
close = Column("close")
volume = Column("volume")


def col(name: str) -> Column:
    """Any column of the data by name: ``col("score") > 0.5``, ``col("my_entry")``."""
    return Column(name)


def polars(expression: pl.Expr) -> Expr:
    """A Polars expression as a value of this language.

    Needed only where it stands on the left of an operator: ``polars(pl.col("score")) > close``; on the right
    it is taken as it is.
    """
    return lift(expression)


def tf(every: str, expression: object) -> Expr:
    """An expression on a higher timeframe, such as ``tf("1d", sma(close, 20))`` inside 15-minute bars.

    Only closed bars are seen: a day's value appears with the first base bar of a later day.
    `every` is a number and a unit out of ``m h d w`` (weeks start on Monday).
    """
    parse_every(every)
    return Timeframe(every, lift(expression))


def minimum(a: object, b: object) -> Expr:
    """The smaller of two values per bar; missing when one is missing."""
    return Binary("minimum", lift(a), lift(b))


def maximum(a: object, b: object) -> Expr:
    """The larger of two values per bar; missing when one is missing."""
    return Binary("maximum", lift(a), lift(b))


def when(test: object, yes: object, no: object) -> Expr:
    """`yes` where the condition holds, `no` elsewhere."""
    return When(lift(test), lift(yes), lift(no))


def is_missing(x: object) -> Expr:
    """True where the value is missing (NaN)."""
    return Unary("missing", lift(x))


def log(x: object) -> Expr:
    """Natural logarithm, computed once on the host."""
    return HostFunction("log", lift(x))


def exp(x: object) -> Expr:
    """Exponential function, computed once on the host."""
    return HostFunction("exp", lift(x))
