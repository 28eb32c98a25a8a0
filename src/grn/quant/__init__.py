"""Quantitative research: data in, expressions in, frames out.

The words of a strategy; names are handed on lazily, so that importing this package costs nothing.  What runs
them (`grn.sweep`, `grn.backtest`, `grn.validate`) is one level up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grn.quant.features.arrow_cache import map_arrow
    from grn.quant.features.as_of import join_as_of
    from grn.quant.features.bars import dollar_bars, tick_bars, time_bars, volume_bars
    from grn.quant.features.calendar import exchange_sessions, with_calendar, with_sessions
    from grn.quant.features.collecting import collect
    from grn.quant.features.cross_section import with_cross_section
    from grn.quant.features.imbalance import imbalance_bars
    from grn.quant.features.labels import triple_barrier
    from grn.quant.features.returns import with_returns
    from grn.quant.features.volatility import with_volatility
    from grn.quant.leaks import find_leaks
    from grn.quant.result import SweepResult
    from grn.quant.samples import sample
    from grn.quant.schema import Bars, load_bars
    from grn.quant.strategy.costs import Costs
    from grn.quant.strategy.cross import cross_mean, cross_sum, demean, hold, of, rank, share, top
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
    from grn.quant.strategy.orders import Limit, StopEntry, StopLoss, TakeProfit, TimeStop, TrailingStop
    from grn.quant.strategy.rules import Conflicts, Events, Instrument, Margin, Rules, StopRules
    from grn.quant.strategy.sizes import (
        AllCash,
        EquityFraction,
        Fraction,
        Quantity,
        Value,
        VolatilityTarget,
    )
    from grn.quant.strategy.step import step
    from grn.quant.strategy.strategy import Strategy
    from grn.quant.strategy.weights import PortfolioStop, Weights
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
    from grn.quant.validate.assessment import assess
    from grn.quant.validate.autocorrelation import adjusted_sharpe_ratio
    from grn.quant.validate.chance import rotate_positions, shuffle_trades
    from grn.quant.validate.clusters import cluster_trials, effective_trials
    from grn.quant.validate.folds import Folds
    from grn.quant.validate.frictions import estimate_capacity, stress_costs
    from grn.quant.validate.haircut import haircut_sharpe
    from grn.quant.validate.overfitting import Overfitting, measure_overfitting
    from grn.quant.validate.regimes import measure_decay, split_regimes, volatility_regimes
    from grn.quant.validate.selection import cross_validate, walk_forward
    from grn.quant.validate.stability import measure_stability
    from grn.quant.validate.superiority import (
        Superiority,
        confidence_set,
        measure_superiority,
        superior_trials,
    )
    from grn.quant.validate.verdict import Assessment
    from grn.quant.validation import Validation

# One line per name: where it lives.  tests/house hold it against the imports above.
_HOME_OF = {
    "AllCash": "grn.quant.strategy.sizes",
    "Assessment": "grn.quant.validate.verdict",
    "Bars": "grn.quant.schema",
    "Conflicts": "grn.quant.strategy.rules",
    "Costs": "grn.quant.strategy.costs",
    "EquityFraction": "grn.quant.strategy.sizes",
    "Events": "grn.quant.strategy.rules",
    "Expr": "grn.quant.strategy.expr",
    "Folds": "grn.quant.validate.folds",
    "Fraction": "grn.quant.strategy.sizes",
    "Instrument": "grn.quant.strategy.rules",
    "Limit": "grn.quant.strategy.orders",
    "Margin": "grn.quant.strategy.rules",
    "Overfitting": "grn.quant.validate.overfitting",
    "PortfolioStop": "grn.quant.strategy.weights",
    "Quantity": "grn.quant.strategy.sizes",
    "Rules": "grn.quant.strategy.rules",
    "StopEntry": "grn.quant.strategy.orders",
    "StopLoss": "grn.quant.strategy.orders",
    "StopRules": "grn.quant.strategy.rules",
    "Strategy": "grn.quant.strategy.strategy",
    "Superiority": "grn.quant.validate.superiority",
    "SweepResult": "grn.quant.result",
    "TakeProfit": "grn.quant.strategy.orders",
    "TimeStop": "grn.quant.strategy.orders",
    "TrailingStop": "grn.quant.strategy.orders",
    "Validation": "grn.quant.validation",
    "Value": "grn.quant.strategy.sizes",
    "VolatilityTarget": "grn.quant.strategy.sizes",
    "Weights": "grn.quant.strategy.weights",
    "adjusted_sharpe_ratio": "grn.quant.validate.autocorrelation",
    "assess": "grn.quant.validate.assessment",
    "atr": "grn.quant.strategy.indicators",
    "bollinger": "grn.quant.strategy.indicators",
    "close": "grn.quant.strategy.words",
    "cluster_trials": "grn.quant.validate.clusters",
    "col": "grn.quant.strategy.words",
    "collect": "grn.quant.features.collecting",
    "confidence_set": "grn.quant.validate.superiority",
    "correlation": "grn.quant.strategy.indicators",
    "cross_mean": "grn.quant.strategy.cross",
    "cross_sum": "grn.quant.strategy.cross",
    "cross_validate": "grn.quant.validate.selection",
    "demean": "grn.quant.strategy.cross",
    "dollar_bars": "grn.quant.features.bars",
    "donchian": "grn.quant.strategy.indicators",
    "effective_trials": "grn.quant.validate.clusters",
    "ema": "grn.quant.strategy.indicators",
    "estimate_capacity": "grn.quant.validate.frictions",
    "exchange_sessions": "grn.quant.features.calendar",
    "exp": "grn.quant.strategy.words",
    "find_leaks": "grn.quant.leaks",
    "haircut_sharpe": "grn.quant.validate.haircut",
    "high": "grn.quant.strategy.words",
    "hold": "grn.quant.strategy.cross",
    "imbalance_bars": "grn.quant.features.imbalance",
    "is_missing": "grn.quant.strategy.words",
    "join_as_of": "grn.quant.features.as_of",
    "kalman_trend": "grn.quant.strategy.indicators",
    "load_bars": "grn.quant.schema",
    "log": "grn.quant.strategy.words",
    "low": "grn.quant.strategy.words",
    "macd": "grn.quant.strategy.indicators",
    "map_arrow": "grn.quant.features.arrow_cache",
    "maximum": "grn.quant.strategy.words",
    "measure_decay": "grn.quant.validate.regimes",
    "measure_overfitting": "grn.quant.validate.overfitting",
    "measure_stability": "grn.quant.validate.stability",
    "measure_superiority": "grn.quant.validate.superiority",
    "minimum": "grn.quant.strategy.words",
    "obv": "grn.quant.strategy.indicators",
    "of": "grn.quant.strategy.cross",
    "open_": "grn.quant.strategy.words",
    "param": "grn.quant.strategy.expr",
    "polars": "grn.quant.strategy.words",
    "rank": "grn.quant.strategy.cross",
    "roc": "grn.quant.strategy.indicators",
    "rolling_max": "grn.quant.strategy.indicators",
    "rolling_min": "grn.quant.strategy.indicators",
    "rolling_std": "grn.quant.strategy.indicators",
    "rolling_sum": "grn.quant.strategy.indicators",
    "rotate_positions": "grn.quant.validate.chance",
    "rsi": "grn.quant.strategy.indicators",
    "sample": "grn.quant.samples",
    "session_vwap": "grn.quant.strategy.indicators",
    "share": "grn.quant.strategy.cross",
    "shuffle_trades": "grn.quant.validate.chance",
    "slope": "grn.quant.strategy.indicators",
    "sma": "grn.quant.strategy.indicators",
    "split_regimes": "grn.quant.validate.regimes",
    "step": "grn.quant.strategy.step",
    "stochastic": "grn.quant.strategy.indicators",
    "stress_costs": "grn.quant.validate.frictions",
    "superior_trials": "grn.quant.validate.superiority",
    "tf": "grn.quant.strategy.words",
    "tick_bars": "grn.quant.features.bars",
    "time_bars": "grn.quant.features.bars",
    "top": "grn.quant.strategy.cross",
    "triple_barrier": "grn.quant.features.labels",
    "volatility_regimes": "grn.quant.validate.regimes",
    "volume": "grn.quant.strategy.words",
    "volume_bars": "grn.quant.features.bars",
    "vwap": "grn.quant.strategy.indicators",
    "walk_forward": "grn.quant.validate.selection",
    "when": "grn.quant.strategy.words",
    "with_calendar": "grn.quant.features.calendar",
    "with_cross_section": "grn.quant.features.cross_section",
    "with_returns": "grn.quant.features.returns",
    "with_sessions": "grn.quant.features.calendar",
    "with_volatility": "grn.quant.features.volatility",
    "wma": "grn.quant.strategy.indicators",
    "zscore": "grn.quant.strategy.indicators",
}

__all__ = [
    "AllCash",
    "Assessment",
    "Bars",
    "Conflicts",
    "Costs",
    "EquityFraction",
    "Events",
    "Expr",
    "Folds",
    "Fraction",
    "Instrument",
    "Limit",
    "Margin",
    "Overfitting",
    "PortfolioStop",
    "Quantity",
    "Rules",
    "StopEntry",
    "StopLoss",
    "StopRules",
    "Strategy",
    "Superiority",
    "SweepResult",
    "TakeProfit",
    "TimeStop",
    "TrailingStop",
    "Validation",
    "Value",
    "VolatilityTarget",
    "Weights",
    "adjusted_sharpe_ratio",
    "assess",
    "atr",
    "bollinger",
    "close",
    "cluster_trials",
    "col",
    "collect",
    "confidence_set",
    "correlation",
    "cross_mean",
    "cross_sum",
    "cross_validate",
    "demean",
    "dollar_bars",
    "donchian",
    "effective_trials",
    "ema",
    "estimate_capacity",
    "exchange_sessions",
    "exp",
    "find_leaks",
    "haircut_sharpe",
    "high",
    "hold",
    "imbalance_bars",
    "is_missing",
    "join_as_of",
    "kalman_trend",
    "load_bars",
    "log",
    "low",
    "macd",
    "map_arrow",
    "maximum",
    "measure_decay",
    "measure_overfitting",
    "measure_stability",
    "measure_superiority",
    "minimum",
    "obv",
    "of",
    "open_",
    "param",
    "polars",
    "rank",
    "roc",
    "rolling_max",
    "rolling_min",
    "rolling_std",
    "rolling_sum",
    "rotate_positions",
    "rsi",
    "sample",
    "session_vwap",
    "share",
    "shuffle_trades",
    "slope",
    "sma",
    "split_regimes",
    "step",
    "stochastic",
    "stress_costs",
    "superior_trials",
    "tf",
    "tick_bars",
    "time_bars",
    "top",
    "triple_barrier",
    "volatility_regimes",
    "volume",
    "volume_bars",
    "vwap",
    "walk_forward",
    "when",
    "with_calendar",
    "with_cross_section",
    "with_returns",
    "with_sessions",
    "with_volatility",
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
