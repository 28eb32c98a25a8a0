"""Quantitative research: data in, expressions in, frames out.

The words of a strategy; names are handed on lazily, so that importing this package costs nothing.  What runs
them (`grn.sweep`, `grn.backtest`, `grn.validate`) is one level up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grn.quant.leaks import find_leaks
    from grn.quant.result import SweepResult
    from grn.quant.samples import sample
    from grn.quant.schema import Bars, load_bars
    from grn.quant.strategy.expr import Expr, param
    from grn.quant.strategy.indicators import (
        atr,
        bollinger,
        correlation,
        donchian,
        ema,
        kalman_trend,
        macd,
        obv,
        roc,
        rolling_max,
        rolling_min,
        rolling_std,
        rolling_sum,
        rsi,
        session_vwap,
        slope,
        sma,
        stochastic,
        vwap,
        wma,
        zscore,
    )
    from grn.quant.strategy.rules import AllCash, Costs, Fraction, Quantity, Rules, Value
    from grn.quant.strategy.step import step
    from grn.quant.strategy.strategy import Strategy
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
        polars,
        tf,
        volume,
        when,
    )
    from grn.quant.validate.validation import Validation

# One line per name: where it lives.  tests/house hold it against the imports above.
_HOME_OF = {
    "AllCash": "grn.quant.strategy.rules",
    "Bars": "grn.quant.schema",
    "Costs": "grn.quant.strategy.rules",
    "Expr": "grn.quant.strategy.expr",
    "Fraction": "grn.quant.strategy.rules",
    "Quantity": "grn.quant.strategy.rules",
    "Rules": "grn.quant.strategy.rules",
    "Strategy": "grn.quant.strategy.strategy",
    "SweepResult": "grn.quant.result",
    "Validation": "grn.quant.validate.validation",
    "Value": "grn.quant.strategy.rules",
    "atr": "grn.quant.strategy.indicators",
    "bollinger": "grn.quant.strategy.indicators",
    "close": "grn.quant.strategy.words",
    "col": "grn.quant.strategy.words",
    "correlation": "grn.quant.strategy.indicators",
    "donchian": "grn.quant.strategy.indicators",
    "ema": "grn.quant.strategy.indicators",
    "exp": "grn.quant.strategy.words",
    "find_leaks": "grn.quant.leaks",
    "high": "grn.quant.strategy.words",
    "is_missing": "grn.quant.strategy.words",
    "kalman_trend": "grn.quant.strategy.indicators",
    "load_bars": "grn.quant.schema",
    "log": "grn.quant.strategy.words",
    "low": "grn.quant.strategy.words",
    "macd": "grn.quant.strategy.indicators",
    "maximum": "grn.quant.strategy.words",
    "minimum": "grn.quant.strategy.words",
    "obv": "grn.quant.strategy.indicators",
    "open_": "grn.quant.strategy.words",
    "param": "grn.quant.strategy.expr",
    "polars": "grn.quant.strategy.words",
    "roc": "grn.quant.strategy.indicators",
    "rolling_max": "grn.quant.strategy.indicators",
    "rolling_min": "grn.quant.strategy.indicators",
    "rolling_std": "grn.quant.strategy.indicators",
    "rolling_sum": "grn.quant.strategy.indicators",
    "rsi": "grn.quant.strategy.indicators",
    "sample": "grn.quant.samples",
    "session_vwap": "grn.quant.strategy.indicators",
    "slope": "grn.quant.strategy.indicators",
    "sma": "grn.quant.strategy.indicators",
    "step": "grn.quant.strategy.step",
    "stochastic": "grn.quant.strategy.indicators",
    "tf": "grn.quant.strategy.words",
    "volume": "grn.quant.strategy.words",
    "vwap": "grn.quant.strategy.indicators",
    "when": "grn.quant.strategy.words",
    "wma": "grn.quant.strategy.indicators",
    "zscore": "grn.quant.strategy.indicators",
}

__all__ = [
    "AllCash",
    "Bars",
    "Costs",
    "Expr",
    "Fraction",
    "Quantity",
    "Rules",
    "Strategy",
    "SweepResult",
    "Validation",
    "Value",
    "atr",
    "bollinger",
    "close",
    "col",
    "correlation",
    "donchian",
    "ema",
    "exp",
    "find_leaks",
    "high",
    "is_missing",
    "kalman_trend",
    "load_bars",
    "log",
    "low",
    "macd",
    "maximum",
    "minimum",
    "obv",
    "open_",
    "param",
    "polars",
    "roc",
    "rolling_max",
    "rolling_min",
    "rolling_std",
    "rolling_sum",
    "rsi",
    "sample",
    "session_vwap",
    "slope",
    "sma",
    "step",
    "stochastic",
    "tf",
    "volume",
    "vwap",
    "when",
    "wma",
    "zscore",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), __all__, n=3)
        meant = f"; did you mean {' or '.join(near)}?" if near and not name.startswith("_") else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
