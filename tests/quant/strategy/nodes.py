"""One expression of every kind, with the canonical form, text and kind that it must have."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from grn.quant.strategy import indicators as ta
from grn.quant.strategy.expr import Expr, param
from grn.quant.strategy.step import step
from grn.quant.strategy.words import (
    close,
    col,
    exp,
    high,
    is_missing,
    log,
    low,
    maximum,
    minimum,
    open_,
    tf,
    volume,
    when,
)

n = param("n", [2, 3])
x = param("x", [0.5, 1.5])
NAN = float("nan")


@step(state=2)
def decay(state: np.ndarray, price: float, weight: float) -> float:
    state[0] = weight * state[0] + (1.0 - weight) * price
    state[1] = max(state[1], math.sqrt(price))
    return state[0] - np.floor(state[1])


class Case(NamedTuple):
    """An expression and what it must look like."""

    expr: Expr
    key: Any
    text: str
    kind: str


C, O = ("column", "close"), ("column", "open")  # noqa: E741  # the two columns of most cases
ONE = ("const", 1.0)

EVERY_NODE: dict[str, Case] = {
    "column": Case(close, C, "close", "float"),
    "further column": Case(col("score"), ("column", "score"), "score", "float"),
    "open": Case(open_, O, "open", "float"),
    "high": Case(high, ("column", "high"), "high", "float"),
    "low": Case(low, ("column", "low"), "low", "float"),
    "volume": Case(volume, ("column", "volume"), "volume", "float"),
    "int parameter": Case(n, ("param", "n"), "n", "float"),
    "float parameter": Case(x, ("param", "x"), "x", "float"),
    "add": Case(close + 1, ("add", C, ONE), "(close + 1)", "float"),
    "sub": Case(1 - close, ("sub", ONE, C), "(1 - close)", "float"),
    "mul": Case(close * x, ("mul", C, ("param", "x")), "(close * x)", "float"),
    "div": Case(1 / close, ("div", ONE, C), "(1 / close)", "float"),
    "minimum": Case(minimum(close, open_), ("minimum", C, O), "minimum(close, open)", "float"),
    "maximum": Case(maximum(close, 1), ("maximum", C, ONE), "maximum(close, 1)", "float"),
    "neg": Case(-close, ("neg", C), "-close", "float"),
    "abs": Case(abs(close), ("abs", C), "abs(close)", "float"),
    "sqrt": Case(close.sqrt(), ("sqrt", C), "sqrt(close)", "float"),
    "lt": Case(close < 1, ("lt", C, ONE), "(close < 1)", "bool"),
    "le": Case(close <= 1, ("le", C, ONE), "(close <= 1)", "bool"),
    "gt": Case(close > open_, ("gt", C, O), "(close > open)", "bool"),
    "ge": Case(close >= 1, ("ge", C, ONE), "(close >= 1)", "bool"),
    "eq": Case(close == 1, ("eq", C, ONE), "(close == 1)", "bool"),
    "ne": Case(close != 1, ("ne", C, ONE), "(close != 1)", "bool"),
    "and": Case((close > 1) & close, ("and", ("gt", C, ONE), ("truth", C)), "((close > 1) & truth(close))",
                "bool"),
    "or": Case(False | (close > 1), ("or", ("false",), ("gt", C, ONE)), "(False | (close > 1))", "bool"),
    "xor": Case((close > 1) ^ True, ("xor", ("gt", C, ONE), ("true",)), "((close > 1) ^ True)", "bool"),
    "not": Case(~(close > 1), ("not", ("gt", C, ONE)), "~(close > 1)", "bool"),
    "missing": Case(is_missing(close), ("missing", C), "missing(close)", "bool"),
    "when": Case(when(close > 1, close, 1), ("when", ("gt", C, ONE), C, ONE), "when((close > 1), close, 1)",
                 "float"),
    "when of conditions": Case(when(close, close > 1, False),
                               ("when", ("truth", C), ("gt", C, ONE), ("false",)),
                               "when(truth(close), (close > 1), False)", "bool"),
    "lag": Case(close.lag(3), ("lag", C, 3), "close.lag(3)", "float"),
    "lag of a condition": Case((close > 1).lag(), ("lag", ("gt", C, ONE), 1), "(close > 1).lag(1)", "bool"),
    "lag by a parameter": Case(close.lag(n), ("lag", C, ("param", "n")), "close.lag(n)", "float"),
    "crosses above": Case(
        close.crosses_above(open_),
        ("and", ("gt", C, O), ("le", ("lag", C, 1), ("lag", O, 1))),
        "((close > open) & (close.lag(1) <= open.lag(1)))", "bool",
    ),
    "crosses below": Case(
        close.crosses_below(1),
        ("and", ("lt", C, ONE), ("ge", ("lag", C, 1), ("lag", ONE, 1))),
        "((close < 1) & (close.lag(1) >= 1.lag(1)))", "bool",
    ),
    "log": Case(log(close), ("log", C), "log(close)", "float"),
    "exp": Case(exp(close), ("exp", C), "exp(close)", "float"),
    "missing constant": Case(close + NAN, ("add", C, ("const", "NaN")), "(close + nan)", "float"),
    "infinite constant": Case(close < math.inf, ("lt", C, ("const", math.inf)), "(close < inf)", "bool"),
    "negative zero": Case(close + -0.0, ("add", C, ("const", 0.0)), "(close + 0)", "float"),
    "indicator": Case(ta.sma(close, n), ("indicator", "sma", (C,), (("param", "n"),), "value"),
                      "sma(close, n)", "float"),
    "one of several outputs": Case(
        ta.bollinger(close, 5, x).upper,
        ("indicator", "bollinger", (C,), (("const", 5.0), ("param", "x")), "upper"),
        "bollinger(close, 5, x).upper", "float",
    ),
    "indicator of an indicator": Case(
        ta.ema(ta.sma(close, 2), 3),
        ("indicator", "ema", (("indicator", "sma", (C,), (("const", 2.0),), "value"),), (("const", 3.0),),
         "value"),
        "ema(sma(close, 2), 3)", "float",
    ),
    "timeframe": Case(tf("1w", close), ("timeframe", "1w", C), 'tf("1w", close)', "float"),
    "timeframe of a condition": Case(tf("1w", close > 1), ("timeframe", "1w", ("gt", C, ONE)),
                                     'tf("1w", (close > 1))', "bool"),
    "step": Case(
        decay(close, 0.5),
        ("step", decay.source, 2, (C,), (("const", 0.5),)), "decay(close, 0.5)", "float",
    ),
    "step with a parameter": Case(
        decay(close, x), ("step", decay.source, 2, (C,), (("param", "x"),)), "decay(close, x)", "float",
    ),
    "polars": Case(
        close > pl.col("close").rolling_mean(5),
        ("gt", C, ("polars", pl.col("close").rolling_mean(5).meta.serialize(format="json"))),
        "(close > polars(" + str(pl.col("close").rolling_mean(5)) + "))", "bool",
    ),
}  # fmt: skip
