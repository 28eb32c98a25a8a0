"""Quantitative research: data in, expressions in, frames out.

Names are handed on lazily, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "grn.quant.strategy.words": (
        "close", "col", "exp", "high", "is_missing", "log", "low", "maximum", "minimum", "open_", "tf", "volume", "when",
    ),
    "grn.quant.strategy.expr": ("Expr", "param"),
    "grn.quant.strategy.step": ("step",),
    "grn.quant.strategy.strategy": ("Strategy",),
    "grn.quant.strategy.rules": ("AllCash", "Costs", "Fraction", "Quantity", "Rules", "Value"),
    "grn.quant.strategy.indicators": (
        "atr", "bollinger", "correlation", "donchian", "ema", "kalman_trend", "macd", "obv", "roc", "rolling_max",
        "rolling_min", "rolling_std", "rsi", "session_vwap", "slope", "sma", "stochastic", "vwap", "wma", "zscore",
    ),
    "grn.quant.schema": ("Bars", "load_bars"),
    "grn.quant.samples": ("sample",),
    "grn.quant.sweep": ("backtest", "sweep"),
    "grn.quant.result": ("SweepResult",),
    "grn.quant.judge": ("Validation", "validate"),
    "grn.quant.leaks": ("find_leaks",),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  # the table above is the one list of exported names


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
