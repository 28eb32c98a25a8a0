from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from grn.kit.errors import DataError, UsageError
from grn.quant.files import load_strategy_file
from grn.quant.leaks import LeakReport, find_leaks
from grn.quant.schema import load_bars
from grn.quant.strategy.expr import lift, param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.step import step
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col, log, tf
from tests.quant.markets import random_walk, two_walks
from tests.quant.strategy.nodes import EVERY_NODE

FRAME = two_walks(90).with_columns(score=pl.col("close").shift(-1) - pl.col("close"))
BARS = load_bars(FRAME, ("open", "high", "low", "close", "volume", "score"))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
price = pl.col("close")

LEAKING: dict[str, Any] = {
    "tomorrow's close": price.shift(-1),
    "mean of everything": price - price.mean(),
    "z-score over everything": (price - price.mean()) / price.std(),
    "rank over everything": price.rank() - 45.0,
    "centred window": price.rolling_mean(5, center=True) - price,
    "filled backwards": price.shift(1).fill_null(strategy="backward").shift(-2),
    "reversed": price.reverse().cum_max().reverse() - price,
    "maximum of everything": price - 0.99 * price.max(),
}
CLEAN: dict[str, Any] = {
    "rolling mean": price - price.rolling_mean(5),
    "yesterday": price.shift(1) - price,
    "expanding": price.cum_max() - price,
    "exponential": price.ewm_mean(span=5, adjust=False) - price,
    "weekday": pl.col("ts").dt.weekday() == 1,
    "filled forwards": price.shift(3).fill_null(strategy="forward"),
}


def check(entry: Any, leave: Any = False, **options: Any) -> LeakReport:
    """Look for leaks in a strategy on the two walks."""
    return find_leaks(Strategy(entry, leave), BARS, **options)


@pytest.mark.parametrize("expression", LEAKING.values(), ids=LEAKING.keys())
def test_polars_expressions_that_look_ahead_are_found(expression: pl.Expr) -> None:
    """Whatever way an expression knows of later bars, on every symbol, and its text is the culprit."""
    found = check(lift(expression) > 0 if "shift(-1)" not in str(expression) else lift(expression) > close)
    assert not found.clean
    assert {leak.symbol for leak in found.leaks} == {"A", "B"}
    assert {leak.culprit for leak in found.leaks} == {f"polars({expression})"}


@pytest.mark.parametrize("expression", CLEAN.values(), ids=CLEAN.keys())
def test_polars_expressions_that_look_back_are_clean(expression: pl.Expr) -> None:
    """Windows, lags and running values of Polars are no leaks."""
    assert check(expression).clean


@pytest.mark.parametrize("name", [k for k, v in EVERY_NODE.items() if v.kind == "bool"])
def test_our_own_conditions_are_clean(name: str) -> None:
    """Expressions of this package look back by construction; timeframes and steps among them."""
    assert check(EVERY_NODE[name].expr, combinations=2, cuts=6).clean


def test_a_higher_timeframe_is_clean() -> None:
    """A week's value appears with the first bar of a later week, and a cut inside a week changes nothing."""
    week = tf("1w", sma(close, 2))
    assert check(close > week, tf("1w", close > sma(close, 2)), cuts=40).clean


def test_the_innermost_culprit_is_named() -> None:
    """Below a timeframe, an indicator and a logarithm it is the Polars expression that leaks."""
    two_days_on = price.shift(-2)
    found = check(log(sma(tf("1d", lift(two_days_on)), 2)) > log(close))
    assert {leak.culprit for leak in found.leaks} == {f"polars({two_days_on})"}
    # Of closed days only yesterday's is seen: what it knew of tomorrow is today.
    assert check(tf("1d", lift(price.shift(-1))) > close).clean


def test_a_leak_says_where_and_what() -> None:
    """Symbol, side, bar, cut, both answers, and the setting at which it was found.

    `close < close of tomorrow` cut off after bar k answers False on bar k (tomorrow is missing), and with all
    data True where the market rises: that bar is the last one before the cut.
    """
    n = param("n", [2, 3, 4])
    found = find_leaks(
        Strategy(close > 0, (sma(close, n) > 0) & (close < price.shift(-1)), direction="short"), BARS[:1]
    )
    assert found.combinations == 3
    assert [leak.params for leak in found.leaks] == [{"n": 2.0}, {"n": 3.0}, {"n": 4.0}]
    for leak in found.leaks:
        assert (leak.symbol, leak.side) == ("A", "short exit")
        assert (leak.seen_whole, leak.seen_cut) == (True, False)
        assert leak.bar == leak.cut - 1
        assert leak.ts_ns == BARS[0].ts_ns[leak.bar]
        prices = BARS[0].column("close")
        assert prices[leak.bar + 1] > prices[leak.bar]


def test_columns_that_came_with_the_data_are_listed_as_unchecked() -> None:
    """Here `score` holds tomorrow's change: no cut can show it, so the report does not call it proven."""
    found = check(col("score") > 0, tf("1w", col("volume")) > pl.col("score"))
    assert found.clean
    assert found.unchecked == ("score",)
    assert check(close > 1).unchecked == ()


@step(state=1, jit=False)
def rolls(state: Any, x: float) -> float:
    return random.random() * x


def test_a_step_that_keeps_something_outside_its_state_is_found() -> None:
    """Its values depend on what ran before: on the same bar it says something else each time."""
    found = check(rolls(close) < 50)
    assert not found.clean
    assert {leak.culprit for leak in found.leaks} == {"rolls(close)"}


def test_the_same_seed_gives_the_same_report() -> None:
    """Cuts are drawn from a seeded generator; every symbol has as many as asked for."""
    one, two = (check(close < price.shift(-1), cuts=10, seed=3) for _ in range(2))
    assert one == two
    assert one.cuts == 10
    assert check(close > 1, cuts=5).cuts == 5


def test_the_last_bars_are_always_among_the_cuts() -> None:
    """An expression that knows only the very last bar is found with few cuts as well."""
    last_only = price - price.last()
    for cuts in (1, 2, 4, 24):
        assert not check(lift(last_only) == 0, cuts=cuts).clean


@pytest.mark.parametrize("n", [2, 3])
def test_very_short_data_are_no_problem(n: int) -> None:
    """With two bars there is one cut."""
    bars = load_bars(random_walk(n))
    assert find_leaks(Strategy(close > 1, close < 1), bars).clean
    assert not find_leaks(Strategy(price.shift(-1) > 0, False), bars).clean  # type: ignore[arg-type]


def test_what_compares_nothing_is_an_error() -> None:
    """One bar, no cut, no setting: none of them may end in "no leak"."""
    strategy = Strategy(close > 1, close < 1)
    with pytest.raises(DataError, match="two bars or more"):
        find_leaks(strategy, load_bars(random_walk(1)))
    for name in ("cuts", "combinations"):
        with pytest.raises(UsageError, match=f"{name} must be at least 1"):
            find_leaks(strategy, BARS, **{name: 0})


RARE = two_walks(1500)
RARE_BARS = load_bars(RARE, ("close",))


@pytest.mark.parametrize("rises", [True, False], ids=["rarely true", "rarely false"])
def test_a_rare_signal_that_knows_tomorrow_is_found(rises: bool) -> None:
    """A handful of bars in 1,500 have the answer of tomorrow: cuts right after them show it, by the signal.

    The levels are the changes' own quantiles, so that 3 bars of 1,500 answer otherwise than the rest.
    """
    bars = RARE_BARS[:1]
    change = np.diff(bars[0].column("close")) / bars[0].column("close")[:-1]
    level = float(np.sort(change)[-4])
    beyond = price.shift(-1) > price * (1.0 + level)
    found = find_leaks(Strategy(lift(beyond if rises else ~beyond) == 1, close < 0), bars)
    assert not found.clean
    (leak,) = found.leaks
    assert isinstance(leak.seen_whole, bool)
    assert leak.seen_whole is not leak.seen_cut


def test_a_series_that_changes_is_a_leak_though_no_condition_did() -> None:
    """Here tomorrow's close is compared with an impossible level: the value itself gives the leak away."""
    found = find_leaks(Strategy(close > 1, lift(price.shift(-1)) < 0.0), BARS[:1])
    (leak,) = found.leaks
    assert leak.side == "long exit"
    assert leak.culprit == f"polars({price.shift(-1)})"
    assert leak.seen_whole == BARS[0].column("close")[leak.bar + 1]
    assert leak.seen_cut != leak.seen_cut


def test_rounding_is_no_leak() -> None:
    """A relative change of 1e-12 is another order of summation; one of 1e-6 is knowledge."""
    knows = price.shift(-1).fill_null(0.0).sign()
    assert check(lift(price * (1.0 + 1e-12 * knows)) > 1e9).clean
    assert not check(lift(price * (1.0 + 1e-6 * knows)) > 1e9).clean


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_is_clean(path: Path) -> None:
    """What we show others must not leak: checked on the first three years of the example's own data."""
    loaded = load_strategy_file(path)
    bars = tuple(b.head(756) for b in load_bars(loaded.data, loaded.strategy.needs(Rules(fill="close"))))
    found = find_leaks(loaded.strategy, bars, cuts=8, combinations=3)
    assert found.clean
    assert found.unchecked == ()
    assert np.all([len(b) == 756 for b in bars])
