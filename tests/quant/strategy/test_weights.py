from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grn.kit.errors import GrnError, StrategyError, UsageError
from grn.quant import Costs, Fraction, Rules, close, param, roc, when
from grn.quant.strategy.cross import of, rank, top
from grn.quant.strategy.orders import StopLoss
from grn.quant.strategy.rules import Conflicts, Instrument, Margin, StopRules
from grn.quant.strategy.weights import PortfolioStop, Weights, check_weights

PAIRS = {"tech": ("A", "B"), "food": ("C",)}


def refusal(make: Callable[[], object]) -> GrnError:
    """The error that something raises."""
    with pytest.raises(GrnError) as caught:
        make()
    return caught.value


def test_parameters_are_found_everywhere() -> None:
    """In the weight, in the settings, in the stop and in `where`, each once, in that order."""
    n, most, loss = param("n", [5, 10]), param("most", [2, 3]), param("loss", [0.05, 0.1])
    weights = Weights(
        when(top(roc(close, n), most), 1.0 / most, 0.0),
        every=param("every", [5, 21]),
        most=most,
        drift=param("drift", [0.0, 0.01]),
        groups=PAIRS,
        group_limit={"tech": param("limit", [0.3, 0.5])},
        stop=PortfolioStop(loss, scope="group"),
        where=most < n,
    )
    assert [p.name for p in weights.params] == ["n", "most", "every", "drift", "limit", "loss"]
    assert weights.columns == ("close",)
    assert weights.needs(Rules()) == ("close", "open")
    assert weights.needs(Rules(fill="close")) == ("close",)


def test_the_identity_has_no_values_of_parameters() -> None:
    """Other values, another name and another `where` are the same strategy; another limit is another."""

    def make(values: list[int], **more: Any) -> Weights:
        n = param("n", values)
        return Weights(when(top(roc(close, n), 2), 0.5, 0.0), **more)

    assert make([5]).canonical == make([5, 10], name="other").canonical
    assert make([5]).canonical != make([5], gross_limit=0.9).canonical
    assert make([5]).canonical != make([5], every="week").canonical


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"weight": close > 1.0}, ("(close > 1)",)),
        ({"every": "fortnight"}, ("fortnight",)),
        ({"every": 0}, ("0",)),
        ({"every": param("e", [1, 0])}, ("0",)),
        ({"most": 0}, ("0",)),
        ({"most": 2.5}, ("2.5",)),
        ({"drift": -0.1}, ("-0.1",)),
        ({"gross_limit": 0.0}, ("0",)),
        ({"order": "fastest"}, ("fastest",)),
        ({"order": ("A", "A")}, ("A, A",)),
        ({"cash_short": "later"}, ("later",)),
        ({"cash_short": "pro_rata", "order": "by_name"}, ("pro_rata", "by_name")),
        ({"groups": {"x": ("A",), "y": ("A",)}}, ("'x'", "'y'")),
        ({"groups": {"x": "AB"}}, ("x",)),
        ({"group_limit": 0.3}, ("0.3", "groups {}")),
        ({"groups": PAIRS, "group_limit": {"cars": 0.3}}, ("tech, food",)),
        ({"groups": PAIRS, "group_limit": 0.5, "gross_limit": 0.4}, ("0.5", "0.4")),
        ({"groups": PAIRS, "group_limit": -1.0}, ("-1",)),
        ({"stop": StopLoss(0.05)}, ("StopLoss",)),
        ({"stop": PortfolioStop(0.05, scope="group")}, ("group", "groups {}")),
        ({"where": close > 1.0}, ("close",)),
        ({"name": "x", "weight": "close"}, ("close",)),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    given: dict[str, Any], named: tuple[str, ...]
) -> None:
    """The message has the values that do not fit."""
    error = refusal(lambda: Weights(**({"weight": close / close} | given)))
    assert isinstance(error, StrategyError | UsageError)
    for text in named:
        assert text in str(error)


@pytest.mark.parametrize("loss", [0.0, 1.0, -0.1, param("loss", [0.1, 1.5])])
def test_a_stop_takes_a_fraction(loss: Any) -> None:
    """5 is not 5 %."""
    assert "above 0 and below 1" in str(refusal(lambda: PortfolioStop(loss)))


@pytest.mark.parametrize("given", [{"scope": "symbol"}, {"reentry": "never"}, {"trail": 1}])
def test_a_stop_takes_known_words(given: dict[str, Any]) -> None:
    """An unknown word is an error, not a default."""
    assert isinstance(refusal(lambda: PortfolioStop(0.1, **given)), UsageError)


@pytest.mark.parametrize(
    ("weights", "rules", "named"),
    [
        (Weights(rank(close)), Rules(size=Fraction(0.5)), ("size", "Fraction(value=0.5)", "rank(close)")),
        (Weights(rank(close)), Rules(conflicts=Conflicts(same="exit")), ("conflicts", "same='exit'")),
        (Weights(rank(close)), Rules(stop_rules=StopRules(first="target")), ("stop_rules", "target")),
        (Weights(rank(close)), Rules(accumulate="add"), ("accumulate=add",)),
        (Weights(0.5), Rules(), ("3 of 0.5", "1.5", "leverage 1")),
        (Weights(param("w", [0.1, 0.6]), most=2), Rules(), ("2 of 0.6", "leverage 1")),
        (Weights(1.0), Rules(margin=Margin(leverage=2.0)), ("3 of 1", "leverage 2")),
        (
            Weights(rank(close), gross_limit=3.0),
            Rules(margin=Margin(leverage=2.0)),
            ("gross_limit 3", "leverage 2"),
        ),
        (Weights(rank(close), groups={"x": ("A", "Q")}), Rules(), ("Q", "groups")),
        (Weights(rank(close), order=("A", "B", "C", "Q")), Rules(), ("Q", "order")),
        (Weights(rank(close), order=("A", "B")), Rules(), ("C", "order")),
        (Weights(of("Q", close)), Rules(), ("Q", "of(...)")),
        (Weights(rank(close), cash_short="pro_rata"), Rules(shortfall="reject"), ("reject", "pro_rata")),
    ],
)
def test_what_contradicts_rules_or_data_is_refused(
    weights: Weights, rules: Rules, named: tuple[str, ...]
) -> None:
    """Both values are in the message."""
    error = refusal(lambda: check_weights(weights, rules, ["C", "A", "B"]))
    for text in named:
        assert text in str(error)


def test_what_fits_passes() -> None:
    """More room for positions than symbols is no contradiction; a third each of three is the whole."""
    rules = Rules(costs=Costs(fee=0.001), instrument=Instrument(lot=1.0), shortfall="reject")
    check_weights(Weights(1.0 / 3.0, most=10), rules, ["A", "B", "C"])
    check_weights(Weights(0.9, gross_limit=1.0), rules, ["A", "B", "C"])


def test_it_says_what_it_is() -> None:
    """The text names what differs from the default."""
    weights = Weights(
        rank(close), every="week", most=3, groups=PAIRS, group_limit=0.5, drift=0.02, stop=PortfolioStop(0.05)
    )
    assert str(weights) == (
        "weight: rank(close); every: week; most: 3; group_limit tech: 0.5; group_limit food: 0.5; "
        "drift: 0.02; stop: PortfolioStop(0.05, scope='portfolio', reentry='fresh')"
    )
