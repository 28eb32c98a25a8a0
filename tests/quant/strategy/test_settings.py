from __future__ import annotations

import pytest

from grn.kit.errors import GrnError, StrategyError, UsageError
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import sma
from grn.quant.strategy.plain import find_steps
from grn.quant.strategy.settings import with_values
from grn.quant.strategy.strategy import Strategy
from grn.quant.strategy.words import close
from tests.quant.markets import cross
from tests.quant.strategy.nodes import decay


def test_other_values_change_the_grid_and_nothing_else() -> None:
    """Conditions, `where`, name and the order of the parameters stay."""
    one = cross([2, 3], [5, 8])
    other = with_values(one, {"slow": [13, 21], "fast": 7})
    assert [(p.name, p.values) for p in other.params] == [("fast", (7,)), ("slow", (13, 21))]
    assert other.canonical == one.canonical
    assert (other.name, str(other.where)) == (one.name, str(one.where))


def test_nothing_asked_for_is_nothing_changed() -> None:
    """Without settings it is the very strategy that was given."""
    one = cross()
    assert with_values(one, {}) is one


def test_the_type_of_a_parameter_stays() -> None:
    """2.0 is a whole number; 2.5 is none; 2 in a float parameter is 2.0."""
    assert with_values(cross(), {"fast": [2.0]}).params[0].values == (2,)
    with pytest.raises(UsageError, match="'fast' takes whole numbers"):
        with_values(cross(), {"fast": [2, 2.5]})
    levels = with_values(Strategy(close > param("x", [1.5]), close < 1), {"x": [2]})
    assert (levels.params[0].values, levels.params[0].integer) == ((2.0,), False)
    assert isinstance(levels.params[0].values[0], float)


def test_an_unknown_parameter_is_named_with_those_there_are() -> None:
    """The message lists what could have been meant."""
    with pytest.raises(UsageError, match="no parameter 'length'") as caught:
        with_values(cross(), {"length": 3})
    assert "fast, slow" in str(caught.value)
    assert caught.value.hint is None
    with pytest.raises(UsageError, match="no parameter 'Fats'") as caught:
        with_values(cross(), {"Fats": 3})
    assert caught.value.hint == "did you mean fast?"
    with pytest.raises(UsageError, match="no parameter") as caught:
        with_values(Strategy(close > 1, close < 1), {"length": 3})
    assert "it has none" in str(caught.value)


@pytest.mark.parametrize("values", [[], [float("nan")], [2, 2], ["2"]])
def test_new_values_are_checked_like_the_first(values: list[float]) -> None:
    """Empty, missing, repeated and textual values are refused."""
    with pytest.raises(StrategyError, match="'fast'"):
        with_values(cross(), {"fast": values})


def test_new_values_are_held_to_what_the_strategy_can_take() -> None:
    """A window of 0 bars and a lag into the future are refused, though the list written down was sound."""
    with pytest.raises(GrnError, match="sma"):
        with_values(Strategy(sma(close, param("n", [2])) > 1, close < 1), {"n": [0]})
    with pytest.raises(StrategyError, match="lag"):
        with_values(Strategy(close > close.lag(param("k", [1])), close < 1), {"k": [-1]})


def test_step_functions_are_the_file_s_own() -> None:
    """They are not defined again: what they use of their file stays at hand."""
    one = Strategy(decay(close, param("w", [0.5])) > 1, close < 1)
    assert find_steps(with_values(one, {"w": [0.25]})) == (decay,)
