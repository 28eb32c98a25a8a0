from __future__ import annotations

import inspect

import pytest

from grn import quant
from grn.kit.errors import GrnError, StrategyError
from grn.quant.indicators.registry import INDICATORS
from grn.quant.strategy import indicators as words
from grn.quant.strategy.expr import Expr, param
from grn.quant.strategy.leaves import Indicator
from grn.quant.strategy.words import close


@pytest.mark.parametrize("name", INDICATORS)
def test_every_registered_indicator_is_a_word(name: str) -> None:
    """An indicator that is registered can be written down in a strategy, with the registered defaults."""
    spec = INDICATORS[name]
    word = getattr(words, name)
    assert getattr(quant, name) is word
    signature = inspect.signature(word)
    required = [
        p for p in signature.parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]  # fmt: skip
    declared = {p.name: p for p in spec.params}
    made = word(*(close if p.name not in declared else declared[p.name].minimum + 3 for p in required))
    outputs = (made,) if isinstance(made, Expr) else tuple(made)
    assert all(isinstance(x, Indicator) and x.name == name for x in outputs)
    assert [x.output for x in outputs] == list(spec.outputs)
    for p in signature.parameters.values():
        if p.name in declared and p.default is not p.empty:
            assert p.default == declared[p.name].default


def test_outputs_of_one_indicator_are_one_family() -> None:
    """Upper, middle and lower band are computed together: same family, different keys."""
    bands = words.bollinger(close, 5)
    assert len({b.family for b in bands}) == 1
    assert len({b.key for b in bands}) == 3


@pytest.mark.parametrize("length", [0, -3, 2.5, float("nan"), float("inf")])
def test_a_length_out_of_range_is_refused_where_it_is_written(length: float) -> None:
    """The author of the strategy sees the fault, not the one who runs it."""
    with pytest.raises(GrnError, match="sma"):
        words.sma(close, length)  # type: ignore[arg-type]


def test_every_value_of_a_parameter_is_checked() -> None:
    """One bad value among many is found before anything runs."""
    with pytest.raises(StrategyError, match="sma"):
        words.sma(close, param("n", [5, 3, 0]))
    with pytest.raises(StrategyError, match="sma"):
        words.sma(close, param("n", [5, 2.5]))


def test_a_length_cannot_change_from_bar_to_bar() -> None:
    """A length that is an expression is refused by name."""
    with pytest.raises(StrategyError, match="'n' must be a number or a param"):
        words.sma(close, close)  # type: ignore[arg-type]


def test_a_condition_as_input_is_a_series_of_ones_and_zeros() -> None:
    """`rolling_sum(close > 1, 5)` counts the bars on which the condition held."""
    assert words.rolling_sum(close > 1, 5).kind == "float"
