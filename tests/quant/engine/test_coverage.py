"""The coverage matrix: what each engine runs, and what it refuses by name. An unexpected pass fails too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest

import grn.quant as q
from grn.kit.errors import UnsupportedError, UsageError
from grn.quant import Costs, Rules, Strategy, close, col, param
from grn.quant.compute import compute
from grn.quant.engine.choose import ENGINES, choose_engine, refusals
from grn.quant.engine.plan import build_grid
from grn.quant.metrics.registry import METRICS, parse_metrics
from grn.quant.strategy.expr import Expr
from tests.property.markets import make_bars
from tests.property.steps import leaky_mean, through_text

N = param("n", [3, 5])
K = param("k", [0, 2])


def crossing(line: Expr) -> Strategy:
    """In above the close, out below: a line becomes a strategy."""
    return Strategy(close.crosses_above(line), close.crosses_below(line))


def signals(**options: object) -> Strategy:
    return Strategy(close > q.sma(close, N), close < q.sma(close, N), **options)  # type: ignore[arg-type]


STRATEGIES: Mapping[str, Callable[[], Strategy]] = {
    "indicator": lambda: crossing(q.sma(close, N)),
    "nested indicator": lambda: crossing(q.ema(q.sma(close, N), N)),
    "recursive indicator": lambda: crossing(q.kalman_trend(close, 0.1, 0.01).level),
    "indicator with several outputs": lambda: crossing(q.bollinger(close, N, 1.0).lower),
    "indicator of the whole bar": lambda: crossing(q.vwap(N)),
    "lag": lambda: Strategy(close > close.lag(2), close < close.lag(1)),
    "lag by a parameter": lambda: Strategy(close > close.lag(K), close.lag(K) > close.lag(1)),
    "lag of a condition": lambda: Strategy((close > q.open_).lag(2), (close < q.open_).lag(K)),
    "arithmetic": lambda: Strategy((close - q.open_) / (q.high - q.low) > 0.1, -(close / q.open_) > -1.0),
    "absolute value and root": lambda: Strategy(abs(col("score")) > 1.0, col("score").sqrt() > 0.5),
    "logic": lambda: Strategy(
        (close > q.open_) ^ (col("flag") > 0.0), ~(close > q.open_) | (col("flag") > 0.0)
    ),
    "minimum, maximum, when": lambda: Strategy(
        q.when(col("flag") > 0.0, q.minimum(close, q.open_), q.maximum(close, q.open_)) > close.lag(1),
        close < q.open_,
    ),
    "missing values": lambda: Strategy(q.is_missing(col("score")), col("score") > 0.0),
    "logarithm and exponential": lambda: Strategy(
        q.log(close / close.lag(1)) > 0.0, q.exp(col("score")) < 1.0
    ),
    "further column as a signal": lambda: Strategy(col("flag"), ~(col("flag") > 0.0)),
    "higher timeframe": lambda: crossing(q.tf("1d", q.sma(close, 3))),
    "Polars expression": lambda: Strategy(pl.col("close") > pl.col("close").shift(1), pl.col("flag") > 0),
    "step function": lambda: crossing(leaky_mean(close + 0.0, q.open_)),
    "step function, jit=False": lambda: Strategy(
        through_text(close) >= 3.0, through_text(col("score")) > 5.0
    ),
    "condition between parameters": lambda: signals(where=N > 3),
    "no parameters": lambda: Strategy(close > q.open_, close < q.open_),
    "long": lambda: signals(direction="long"),
    "short": lambda: signals(direction="short"),
    "both, reversing": lambda: signals(direction="both"),
    "both, four signals": lambda: Strategy(
        close > q.sma(close, N), close < q.open_, close < q.sma(close, N), close > q.open_
    ),
}
RULES: Mapping[str, Rules] = {
    "fill at the next open": Rules("next_open"),
    "fill at the close": Rules("close"),
    "proportional fee": Rules(costs=Costs(fee=0.001)),
    "fixed fee": Rules(costs=Costs(fixed_fee=1.0)),
    "slippage": Rules(costs=Costs(slippage=0.001)),
    "all cash": Rules(size=q.AllCash()),
    "fraction": Rules(size=q.Fraction(0.5)),
    "quantity": Rules(size=q.Quantity(5)),
    "value": Rules(size=q.Value(500)),
}
FEATURES: Mapping[str, tuple[Callable[[], Strategy], Rules, str]] = {
    **{name: (make, Rules(costs=Costs(fee=0.001)), "default") for name, make in STRATEGIES.items()},
    **{name: (signals, rules, "default") for name, rules in RULES.items()},
    **{f"metric {name}": (signals, Rules(), name) for name in METRICS},
}
REFUSED: Mapping[tuple[str, str], str] = {
    ("step function, jit=False", "cpu"): "step through_text is declared jit=False and cannot be compiled",
}
"""(feature, engine) -> what the refusal says. Everything else must run."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("feature", FEATURES)
def test_an_engine_runs_a_feature_or_refuses_it_by_name(feature: str, engine: str) -> None:
    """What is listed is refused with its reason; everything else runs and equals the reference's bytes."""
    make, rules, metrics = FEATURES[feature]
    strategy = make()
    reason = REFUSED.get((feature, engine))
    if reason is not None:
        with pytest.raises(UnsupportedError, match=reason):
            choose_engine(strategy, engine)
        return
    bars = (make_bars(np.random.default_rng(2), n_bars=120, kind="walk"),)
    grid, wanted = build_grid(strategy, 1.0), parse_metrics(metrics)
    found, truth = (
        compute(strategy, bars, grid, rules, wanted, choose_engine(strategy, e), ppy=252.0)
        for e in (engine, "reference")
    )
    assert found.choice.engine == engine
    assert found.frame_sha256 == truth.frame_sha256
    assert feature.startswith("metric") or float(found.frame["trades"].max() or 0.0) > 0.0


def test_the_matrix_names_only_what_there_is() -> None:
    """Refusals name a feature and an engine of the matrix, and the reference refuses nothing."""
    for feature, engine in REFUSED:
        assert feature in FEATURES
        assert engine in ENGINES
        assert engine != "reference"


def test_auto_takes_the_next_engine_and_says_why() -> None:
    """`auto` prefers cpu; what cpu refuses goes to the reference, with cpu's reason."""
    fast = choose_engine(signals())
    assert (fast.engine, fast.reason) == ("cpu", "fused kernels cover everything the strategy uses")
    slow = choose_engine(STRATEGIES["step function, jit=False"]())
    assert slow.engine == "reference"
    assert slow.reason == "cpu: " + REFUSED["step function, jit=False", "cpu"]


def test_an_engine_asked_for_is_taken() -> None:
    """`reference` runs what cpu could run too, because it was asked for."""
    assert choose_engine(signals(), "reference").engine == "reference"
    assert set(refusals(signals())) == set(ENGINES)


def test_an_unknown_engine_is_refused() -> None:
    """The error shows the name given and lists the engines."""
    with pytest.raises(UsageError, match="unknown engine") as caught:
        choose_engine(signals(), "gpu")
    assert "cpu, reference" in (caught.value.hint or "")
