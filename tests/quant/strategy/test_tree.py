from __future__ import annotations

import pytest

from grn.kit.errors import StrategyError
from grn.quant.strategy.expr import param
from grn.quant.strategy.indicators import bollinger, sma
from grn.quant.strategy.tree import find_params, nodes
from grn.quant.strategy.words import close, tf, when


def test_nodes_come_once_and_children_first() -> None:
    """Equal keys are one node, and whatever a node needs comes before it."""
    n = param("n", [2])
    root = (sma(close, n) > sma(close, n)) & when(close > 1, close > 2, close > 1)
    listed = list(nodes(root))
    keys = [node.key for node in listed]
    assert len(keys) == len(set(keys))
    for at, node in enumerate(listed):
        assert all(keys.index(child.key) < at for child in node.children)
    assert listed[-1] is root


def test_parameters_come_in_order_of_first_appearance() -> None:
    """The order of the parameters is the order of the result's columns: it must not depend on names."""
    z, a, m = param("z", [2]), param("a", [3]), param("m", [4])
    roots = (bollinger(close, z, a).upper > tf("1w", sma(close, m)).lag(a), close > z)
    assert [p.name for p in find_params(*roots)] == ["z", "a", "m"]


def test_a_lag_parameter_and_a_step_parameter_are_found() -> None:
    """Parameters are found wherever they stand."""
    assert [p.name for p in find_params(close.lag(param("k", [1])))] == ["k"]


def test_one_name_means_one_set_of_values() -> None:
    """Two declarations of one name with other values are refused; with the same values they are one."""
    first, same, other = param("n", [2, 3]), param("n", [2, 3]), param("n", [2, 4])
    assert find_params(sma(close, first) > sma(close, same)) == (first,)
    with pytest.raises(StrategyError, match="'n' is declared twice") as caught:
        find_params(sma(close, first) > sma(close, other))
    assert "same object" in str(caught.value.hint)
