"""The coverage matrix: what each engine runs, and what it refuses by name. An unexpected pass fails too.

The features of the cuda engine, which needs a card, are run in `tests/quant/engine/cuda/test_features.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import polars as pl
import pytest

import grn.quant as q
from grn.kit.errors import UnsupportedError, UsageError
from grn.quant import Costs, Rules, Strategy, close, col, param
from grn.quant.compute import compute
from grn.quant.engine.choose import ANYWHERE, ENGINES, choose_engine, refusals
from grn.quant.engine.plan import build_grid
from grn.quant.metrics.registry import METRICS, parse_metrics
from grn.quant.result import SweepResult
from grn.quant.strategy.expr import Expr
from tests.property.cases import NIGHTLY
from tests.property.markets import make_bars
from tests.property.steps import leaky_mean, through_text

N = param("n", [3, 5])
K = param("k", [0, 2])


def crossing(line: Expr) -> Strategy:
    """In above the close, out below: a line becomes a strategy."""
    return Strategy(close.crosses_above(line), close.crosses_below(line))


def signals(**options: object) -> Strategy:
    return Strategy(close > q.sma(close, N), close < q.sma(close, N), **options)  # type: ignore[arg-type]


def two_sided() -> Strategy:
    """Four conditions that contradict each other now and then."""
    line, peak = q.sma(close, N), q.high.lag(1)
    return Strategy(close > line, close < q.open_, short_entry=close < peak, short_exit=close > peak)


def guarded() -> Strategy:
    """Every kind of stop on positions that grow."""
    return signals(stops=[q.StopLoss(0.02), q.TakeProfit(0.012), q.TrailingStop(0.008)])


def stop_rules_with(rule: q.StopRules) -> Rules:
    """A rule for stops where it matters: with slippage, and adding."""
    return Rules(costs=Costs(slippage=0.001), size=q.Fraction(0.3), accumulate="add", stop_rules=rule)


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
    "fraction of the equity": Rules(size=q.EquityFraction(0.5)),
    "volatility target": Rules(size=q.VolatilityTarget(0.1, window=5)),
    "fill at a column": Rules("next:typical"),
    "fee per unit": Rules(costs=Costs(unit_fee=0.05)),
    "minimum fee": Rules(costs=Costs(minimum_fee=5.0)),
    "tiers of fees": Rules(costs=Costs(tiers=((0.0, 0.003), (2_000.0, 0.001)))),
    "slippage in ticks": Rules(costs=Costs(slippage_ticks=2), instrument=q.Instrument(tick=0.05)),
    "impact": Rules(costs=Costs(impact=0.1)),
    "lot": Rules(instrument=q.Instrument(lot=7)),
    "tick": Rules(instrument=q.Instrument(tick=0.5)),
    "multiplier": Rules(size=q.Quantity(5), instrument=q.Instrument(multiplier=10)),
    "smallest units": Rules(size=q.Value(500), instrument=q.Instrument(min_units=5)),
    "smallest value": Rules(size=q.Quantity(5), instrument=q.Instrument(min_value=500)),
    "entry before exit": Rules(conflicts=q.Conflicts(same="entry")),
    "exit before entry": Rules(conflicts=q.Conflicts(same="exit")),
    "long before short": Rules(conflicts=q.Conflicts(both="long")),
    "short before long": Rules(conflicts=q.Conflicts(both="short")),
    "opposite entry closes": Rules(conflicts=q.Conflicts(opposite="close")),
    "opposite entry is ignored": Rules(conflicts=q.Conflicts(opposite="ignore")),
    "adding": Rules(size=q.Fraction(0.3), accumulate="add"),
    "reducing": Rules(size=q.Fraction(0.3), accumulate="reduce"),
    "adding and reducing": Rules(size=q.Fraction(0.3), accumulate="both"),
    "rejected for lack of cash": Rules(size=q.Value(9_500), shortfall="reject"),
    "volume share": Rules(volume_share=0.05),
    "leverage": Rules(size=q.Fraction(2), margin=q.Margin(leverage=2)),
    "maintenance": Rules(size=q.Fraction(4), margin=q.Margin(leverage=4, maintenance=0.24)),
    "borrow fee": Rules(margin=q.Margin(borrow=0.5)),
    "interest": Rules(size=q.Fraction(2), margin=q.Margin(leverage=2, interest=0.5)),
    "dividends": Rules(events=q.Events(dividends="dividend")),
    "splits": Rules(events=q.Events(splits="split")),
    "funding": Rules(events=q.Events(funding="funding")),
}
"""On `two_sided`, whose signals contradict each other now and then."""
PLAIN: Mapping[str, Rules] = {
    "interest": Rules(size=q.Fraction(2), margin=q.Margin(leverage=2)),
    "maintenance": Rules(size=q.Fraction(4), margin=q.Margin(leverage=4)),
    "multiplier": Rules(size=q.Quantity(5)),
    "smallest units": Rules(size=q.Value(500)),
    "smallest value": Rules(size=q.Quantity(5)),
    "adding": Rules(size=q.Fraction(0.3)),
    "reducing": Rules(size=q.Fraction(0.3)),
    "adding and reducing": Rules(size=q.Fraction(0.3)),
    "rejected for lack of cash": Rules(size=q.Value(9_500)),
}
"""What a rule has to differ from, where that is not `Rules()`."""
SAME = ("fill at the next open", "all cash")
"""Rules under their second name: the default."""
ORDERS: Mapping[str, Mapping[str, object]] = {
    "stop-loss": {"stops": [q.StopLoss(0.02)]},
    "stop-loss by a parameter": {"stops": [q.StopLoss(q.param("loss", [0.01, 0.02]))]},
    "stop-loss by ATR": {"stops": [q.StopLoss(distance=1.5 * q.atr(5))]},
    "stop-loss at a price": {"stops": [q.StopLoss(price=q.low.lag(2) * 0.99)]},
    "take-profit": {"stops": [q.TakeProfit(0.02)]},
    "ladder": {"stops": [q.TakeProfit(0.01, part=0.5), q.TakeProfit(0.03)]},
    "trailing stop": {"stops": [q.TrailingStop(0.02)]},
    "trailing stop by a distance": {"stops": [q.TrailingStop(distance=2.0)]},
    "time stop": {"stops": [q.TimeStop(2)]},
    "limit": {"entry_order": q.Limit(close * 0.995)},
    "limit with an expiry": {"entry_order": q.Limit(close * 0.99, expires=1)},
    "stop entry": {"entry_order": q.StopEntry(close * 1.005)},
    "scale": {"scale": 0.5 + 0.4 * col("flag")},
}
STOP_RULES: Mapping[str, q.StopRules] = {
    "target first": q.StopRules(first="target"),
    "stop without slippage": q.StopRules(stop_fill="limit"),
    "target with slippage": q.StopRules(target_fill="market"),
    "late stop": q.StopRules(stop_fill="signal"),
    "late target": q.StopRules(target_fill="signal"),
    "trailing closes": q.StopRules(trail="close"),
    "levels replaced": q.StopRules(on_add="replace"),
    "signals skipped after a stop": q.StopRules(after="skip"),
}
FEATURES: Mapping[str, tuple[Callable[[], Strategy], Rules, str]] = {
    **{name: (make, Rules(costs=Costs(fee=0.001)), "default") for name, make in STRATEGIES.items()},
    **{name: (two_sided, rules, "default") for name, rules in RULES.items()},
    **{name: (partial(signals, **orders), Rules(), "default") for name, orders in ORDERS.items()},
    **{name: (guarded, stop_rules_with(rule), "default") for name, rule in STOP_RULES.items()},
    **{f"metric {name}": (signals, Rules(), name) for name in METRICS},
}
REFUSED: Mapping[tuple[str, str], str] = {
    ("step function, jit=False", "cpu"): "step through_text is declared jit=False and cannot be compiled",
    ("step function, jit=False", "cuda"): "step through_text is declared jit=False and cannot be compiled",
}
"""(feature, engine) -> what the refusal says. Everything else must run."""
ORDERED = "total_return,trades,win_rate,profit_factor,avg_win,avg_loss,exposure,turnover,fees"
"""What orders decide: a kernel of these alone is compiled in two thirds of the time.  Sums over bars are
compared by the features named after them, and under every rule by `tests/property/test_engines.py`."""


@pytest.mark.parametrize("engine", ANYWHERE)
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
    metrics = metrics if feature.startswith("metric") or NIGHTLY else ORDERED
    found, truth = (ran(strategy, rules, metrics, e) for e in (engine, "reference"))
    assert found.choice.engine == engine
    assert found.frame_sha256 == truth.frame_sha256
    assert feature.startswith("metric") or float(found.frame["trades"].max() or 0.0) > 0.0


def ran(strategy: Strategy, rules: Rules, metrics: str = "default", engine: str = "reference") -> SweepResult:
    """The strategy's grid on 120 bars."""
    bars = (make_bars(np.random.default_rng(2), n_bars=120, kind="walk"),)
    grid, wanted = build_grid(strategy, 1.0), parse_metrics(metrics)
    return compute(strategy, bars, grid, rules, wanted, choose_engine(strategy, engine), ppy=252.0)


@pytest.mark.parametrize("name", [*RULES, *ORDERS, *STOP_RULES])
def test_a_rule_of_the_matrix_decides_something(name: str) -> None:
    """Without it the same strategy gives other numbers: a rule that never acts would prove nothing."""
    make, rules, _ = FEATURES[name]
    strategy, plain = make(), PLAIN.get(name, Rules())
    if name in ORDERS:
        found, without = ran(strategy, rules).frame.drop("loss", strict=False), ran(signals(), rules).frame
        assert not found["total_return"].is_in(without["total_return"].implode()).all()
        return
    if name in STOP_RULES:
        plain = stop_rules_with(q.StopRules())
    same = ran(strategy, rules).frame.equals(ran(strategy, plain).frame)
    assert same == (name in SAME)


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
    assert "cpu, cuda, reference" in (caught.value.hint or "")
