from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from grn.kit.canonical import canonical_json
from grn.kit.errors import StrategyError
from grn.quant.engine.plan import build_grid
from grn.quant.engine.series import Evaluator
from grn.quant.schema import load_bars
from grn.quant.strategy.expr import Const, Expr, condition, lift, param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.plain import find_steps, from_plain, to_plain
from grn.quant.strategy.step import step
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close, col
from tests.quant.markets import random_walk
from tests.quant.strategy.nodes import EVERY_NODE, decay

BARS = load_bars(
    random_walk(80).with_columns(score=pl.col("close") - 99.0),
    ("open", "high", "low", "volume", "score"),
)[0]
price = pl.col("close")


def through_json(strategy: Strategy) -> Strategy:
    """Restore a strategy from the text that the ledger keeps."""
    return from_plain(json.loads(canonical_json(to_plain(strategy))))


def truths(strategy: Strategy) -> list[bytes]:
    """Bytes of every condition at the first and the last setting."""
    grid, series = build_grid(strategy, 1.0), Evaluator(BARS, jit=False)
    settings = [grid.binding(row) for row in (0, len(grid) - 1)]
    return [series.condition(s, b).tobytes() for s in strategy.signals for b in settings]


@pytest.mark.parametrize("expr", [c.expr for c in EVERY_NODE.values()], ids=EVERY_NODE.keys())
def test_every_node_comes_back_from_json(expr: Expr) -> None:
    """Restored from its text a strategy has the same canonical form, text, parameters and answers."""
    strategy = Strategy(condition(expr), close < expr if expr.kind == "float" else ~expr, name="one")
    again = through_json(strategy)
    assert canonical_json(to_plain(again)) == canonical_json(to_plain(strategy))
    assert again.canonical == strategy.canonical
    assert [str(s) for s in again.signals] == [str(s) for s in strategy.signals]
    assert [(p.name, p.values, p.integer) for p in again.params] == [
        (p.name, p.values, p.integer) for p in strategy.params
    ]
    assert truths(again) == truths(strategy)


@pytest.mark.parametrize(
    "strategy",
    [
        Strategy(close > 1, close < 1, direction="short", name="short"),
        Strategy(close > 1, close < 1, direction="both"),
        Strategy(close > 1, close < 1, short_entry=col("s"), short_exit=Const(True)),
        Strategy(
            sma(close, param("b", [3, 2])) > 1,
            sma(close, param("a", [2, 5])) < 1,
            where=param("b", [3, 2]) * 2 < param("c", [4.5, 8.0]),
            name="a / b",
        ),
    ],
    ids=["short", "turning", "both", "where"],
)
def test_directions_where_and_names_come_back(strategy: Strategy) -> None:
    """What is not part of the identity, but of the run, comes back as well."""
    again = through_json(strategy)
    assert [s.key for s in again.signals] == [s.key for s in strategy.signals]
    assert again.name == strategy.name
    assert (again.where is None) == (strategy.where is None)
    if strategy.where is not None and again.where is not None:
        assert again.where.key == strategy.where.key
    assert [p.name for p in again.params] == [p.name for p in strategy.params]
    assert build_grid(again, 1.0).values.tobytes() == build_grid(strategy, 1.0).values.tobytes()


def test_whole_and_other_numbers_stay_what_they_are() -> None:
    """JSON has one kind of number: 2.0 in a float parameter must not become an int parameter."""
    strategy = Strategy(close > param("x", [1.0, 2.0]), close < param("n", [1, 2]))
    assert [(p.values, p.integer) for p in through_json(strategy).params] == [
        ((1.0, 2.0), False),
        ((1, 2), True),
    ]
    assert all(isinstance(v, float) for v in through_json(strategy).params[0].values)


def test_one_step_called_twice_is_one_step() -> None:
    """The same function with other parameters is defined, and compiled, once."""
    strategy = Strategy(decay(close, 0.5) > 1, decay(close, 0.1) < 1)
    assert len(find_steps(strategy)) == 1
    assert len(find_steps(through_json(strategy))) == 1


def test_a_plain_python_step_stays_one() -> None:
    """What must not be compiled is not compiled in a replay either, however it was declared."""

    def trail(state: Any, x: float) -> float:
        state[0] = max(state[0], x)
        return float(state[0])

    strategy = Strategy(step(state=1, jit=False)(trail)(close) > 1, close < 1)
    assert [s.jit for s in find_steps(through_json(strategy))] == [False]
    assert [s.jit for s in find_steps(through_json(Strategy(decay(close, 0.5), close)))] == [True]


def test_steps_at_hand_are_used_instead_of_their_source() -> None:
    """With the file loaded, its own functions go on being used."""
    strategy = Strategy(decay(close, 0.5) > 1, close < 1)
    again = from_plain(to_plain(strategy), find_steps(strategy))
    assert find_steps(again) == (decay,)


def test_an_unknown_word_is_refused() -> None:
    """A record of a newer version is not half understood."""
    plain: dict[str, Any] = to_plain(Strategy(close > 1, close < 1))
    plain["signals"][0] = ["fractal", ["column", "close"]]
    with pytest.raises(StrategyError, match="unknown expression") as caught:
        from_plain(plain)
    assert "fractal" in str(caught.value)
    assert "newer version" in str(caught.value.hint)


PYTHON_INSIDE: dict[str, Callable[[], pl.Expr]] = {
    "of this module": lambda: price.map_batches(_above_mean, return_dtype=pl.Float64),
    "of each element": lambda: price.map_elements(lambda x: x, return_dtype=pl.Float64),
    "of each window": lambda: price.rolling_map(lambda s: s.sum(), 3),
    "below an operator": lambda: 1.0 - price.map_batches(_above_mean, return_dtype=pl.Float64),
    "of several columns": lambda: pl.map_batches(["open", "close"], lambda x: x[0]),
    "of a fold": lambda: pl.fold(0.0, lambda a, b: a + b, [price, pl.col("open")]),
    "of a reduction": lambda: pl.reduce(lambda a, b: a + b, [price, pl.col("open")]),
    "of a name": lambda: price.name.map(lambda name: name + "!"),
}


@pytest.mark.parametrize("where", PYTHON_INSIDE)
def test_a_python_function_in_a_polars_expression_is_refused(where: str) -> None:
    """Polars pickles a function by its name: another one of that name would have the same key."""
    with pytest.raises(StrategyError, match="must not call a Python function") as caught:
        Strategy(lift(PYTHON_INSIDE[where]()) > 1, close < 1)
    assert caught.value.hint == (
        "use a step function, or compute the column beforehand and read it with col(...)"
    )


@pytest.mark.parametrize(
    "expression",
    [
        price.is_in([128, 5, 149]),
        price > pl.lit(pl.Series([128, 5, 149], dtype=pl.UInt8)).max(),
        pl.lit("AnonymousFunction") == "AnonymousFunction",
        pl.col("AnonymousFunction") > price.rolling_mean(3),
        pl.when(price > 1).then(pl.max_horizontal("open", "close")).otherwise(price.ewm_mean(span=3)),
    ],
    ids=str,
)
def test_a_polars_expression_without_python_is_taken(expression: pl.Expr) -> None:
    """Data, text and column names that look like a function are none."""
    assert lift(expression).key[0] == "polars"


def _above_mean(prices: pl.Series) -> pl.Series:
    return prices - 100.0
