from __future__ import annotations

import polars as pl
import pytest

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import Const, param
from grn.quant.strategy.indicators import session_vwap, sma
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.strategy import NEVER, Strategy, is_never
from grn.quant.strategy.words import close, col, high, log, low, open_, tf, volume
from tests.quant.strategy.nodes import decay

UP, DOWN, HIGH, LOW = close > 1, close < 1, high > 1, low < 1
fast, slow = param("fast", [2, 3]), param("slow", [3, 5])


def signals(strategy: Strategy) -> list[object]:
    """The four conditions by key, absent sides as None."""
    return [None if is_never(s) else s.key for s in strategy.signals]


def test_long_by_default() -> None:
    """Without a word about shorts there are none."""
    strategy = Strategy(UP, DOWN)
    assert strategy.direction == "long"
    assert signals(strategy) == [UP.key, DOWN.key, None, None]


def test_short_uses_entry_and_exit_for_the_shorts() -> None:
    """direction="short": `entry` opens a short, `exit` closes it."""
    assert signals(Strategy(UP, DOWN, direction="short")) == [None, None, UP.key, DOWN.key]


def test_both_without_short_conditions_turns_the_position() -> None:
    """direction="both" alone: `exit` is the entry of the other side, and nothing leaves the market."""
    assert signals(Strategy(UP, DOWN, direction="both")) == [UP.key, None, DOWN.key, None]


def test_a_short_condition_makes_it_both() -> None:
    """Giving one short condition is enough; the one left out never holds."""
    whole = Strategy(UP, DOWN, short_entry=HIGH, short_exit=LOW)
    assert whole.direction == "both"
    assert signals(whole) == [UP.key, DOWN.key, HIGH.key, LOW.key]
    assert signals(Strategy(UP, DOWN, short_entry=HIGH)) == [UP.key, DOWN.key, HIGH.key, None]
    assert signals(Strategy(UP, DOWN, short_exit=LOW)) == [UP.key, DOWN.key, None, LOW.key]


@pytest.mark.parametrize("direction", ["long", "short"])
def test_short_conditions_beside_one_direction_are_refused(direction: str) -> None:
    """Which of the two was meant cannot be guessed; the condition is named."""
    with pytest.raises(StrategyError, match="short conditions beside") as caught:
        Strategy(UP, DOWN, short_exit=LOW, direction=direction)  # type: ignore[arg-type]
    assert str(LOW) in str(caught.value)


@pytest.mark.parametrize("direction", ["Long", "", "up", 1])
def test_an_unknown_direction_is_refused(direction: object) -> None:
    """The message shows the three that there are."""
    with pytest.raises(StrategyError, match="unknown direction"):
        Strategy(UP, DOWN, direction=direction)  # type: ignore[arg-type]


def test_entry_and_exit_are_needed() -> None:
    """None is no condition; a strategy that never leaves says so with False."""
    for entry, leave in ((None, DOWN), (UP, None), ("close > 1", DOWN)):
        with pytest.raises(StrategyError, match="cannot be part of a strategy"):
            Strategy(entry, leave)  # type: ignore[arg-type]
    assert signals(Strategy(UP, False)) == [UP.key, None, None, None]  # type: ignore[arg-type]


def test_numbers_and_polars_expressions_are_conditions() -> None:
    """Ready-made signals of one's own frame need no words around them."""
    strategy = Strategy(col("my_entry"), pl.col("my_exit") > 0)  # type: ignore[arg-type]
    assert [s.kind for s in strategy.signals] == ["bool"] * 4
    assert strategy.columns == ("my_entry", "my_exit")


@pytest.mark.parametrize(
    "where",
    [close > fast, log(fast) > 1, tf("1w", close) > fast, sma(close, fast) > 1, fast.lag(1) > 2,
     decay(close, 0.5) > fast, pl.col("close") > 1],
    ids=["column", "log", "timeframe", "indicator", "lag", "step", "polars"],
)  # fmt: skip
def test_where_is_about_parameters_only(where: object) -> None:
    """It is asked once per combination, before there are bars."""
    with pytest.raises(StrategyError, match="`where` may use parameters only"):
        Strategy(UP, DOWN, where=where)  # type: ignore[arg-type]


def test_where_knows_arithmetic_and_logic() -> None:
    """Conditions between parameters can be as long as needed."""
    where = (fast * 2 < slow) & ~(abs(fast - slow) == 3) | (fast >= 7)
    assert Strategy(sma(close, fast) > 1, sma(close, slow) < 1, where=where).where is where


def test_parameters_of_signals_come_before_those_of_where() -> None:
    """The grid's columns stand in order of first appearance."""
    third = param("third", [1])
    strategy = Strategy(sma(close, slow) > 1, sma(close, fast) < 1, where=third < fast)
    assert [p.name for p in strategy.params] == ["slow", "fast", "third"]


def test_one_name_declared_twice_is_found_across_signals_and_where() -> None:
    """The clash is an error of the strategy, wherever the two stand."""
    other = param("fast", [9])
    with pytest.raises(StrategyError, match="declared twice"):
        Strategy(sma(close, fast) > 1, sma(close, other) < 1)
    with pytest.raises(StrategyError, match="declared twice"):
        Strategy(sma(close, fast) > 1, DOWN, where=other > 2)


def test_columns_are_those_that_the_signals_read() -> None:
    """Sorted, each once, whatever stands between: timeframes, steps, Polars expressions."""
    strategy = Strategy(
        tf("1w", sma(volume, 2)) > decay(high, 0.5), open_ * fast < pl.col("score") + pl.col("volume")
    )
    assert strategy.columns == ("high", "open", "score", "volume")
    assert Strategy(UP, DOWN, short_entry=col("s")).columns == ("close", "s")


AT_CLOSE = Rules(fill="close")


def test_needs_adds_the_prices_of_the_fill() -> None:
    """`close` marks the account; `open` is needed to fill at it; the day is derived from the timestamps."""
    plain = Strategy(col("score") > 1, HIGH)
    assert plain.needs(AT_CLOSE) == ("close", "high", "score")
    assert plain.needs(Rules()) == ("close", "high", "open", "score")
    assert Strategy(session_vwap() > 1, DOWN).needs(AT_CLOSE) == ("close", "high", "low", "volume")
    by_weekday = Strategy(pl.col("ts").dt.weekday() == 1, DOWN)  # type: ignore[arg-type]
    assert by_weekday.needs(AT_CLOSE) == ("close",)


def test_the_identity_is_the_four_conditions() -> None:
    """The same conditions given another way are the same strategy; name and `where` do not matter."""
    short = Strategy(UP, DOWN, direction="short")
    spelt = Strategy(NEVER, NEVER, short_entry=UP, short_exit=DOWN, name="other", where=fast < slow)
    assert short.canonical == spelt.canonical
    assert Strategy(UP, DOWN).canonical != short.canonical
    assert Strategy(UP, DOWN).canonical != Strategy(DOWN, UP).canonical
    assert Strategy(UP, DOWN).canonical == Strategy(UP, DOWN, short_entry=False, direction="both").canonical  # type: ignore[arg-type]


def test_its_text_says_what_it_does() -> None:
    """Reports and the dry run print it; what is absent is not mentioned."""
    assert str(Strategy(UP, DOWN)) == "entry: (close > 1); exit: (close < 1)"
    text = str(Strategy(UP, DOWN, short_entry=HIGH, short_exit=LOW, where=fast < slow))
    assert text.endswith(
        "short entry: (high > 1); short exit: (low < 1); direction: both; where: (fast < slow)"
    )
    assert str(Strategy(UP, DOWN, direction="short")).endswith("; direction: short")


def test_never_is_the_constant_false() -> None:
    """A side that is the constant false is absent; zero is a number and not false."""
    assert is_never(NEVER)
    assert is_never(Const(False))
    assert not is_never(Const(0.0))
    assert not is_never(close > close)
