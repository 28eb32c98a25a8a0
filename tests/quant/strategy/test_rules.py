from __future__ import annotations

import json
import math

import pytest

from grn.kit.canonical import canonical_json
from grn.kit.errors import UsageError
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Margin, Rules
from grn.quant.strategy.sizes import AllCash, Fraction, Quantity, Size, Value

ALL = [
    Rules(),
    Rules("close", Costs(0.001, 1.5, 0.0002), Fraction(0.5), 5_000.0),
    Rules("next_open", Costs(fixed_fee=2), Quantity(10), 1),
    Rules("close", Costs(slippage=0.01), Value(1_000.0), 1e6),
]


@pytest.mark.parametrize("rules", ALL, ids=lambda r: type(r.size).__name__)
def test_rules_come_back_from_plain_data(rules: Rules) -> None:
    """What the ledger keeps restores equal rules, through JSON as well."""
    assert Rules.from_canonical(rules.canonical) == rules
    assert Rules.from_canonical(json.loads(canonical_json(rules.canonical))) == rules


def test_equal_rules_have_equal_bytes() -> None:
    """2 and 2.0, 0.0 and -0.0, are one value: writing it differently makes no new trial."""
    a = Rules(costs=Costs(fee=0.0, fixed_fee=2), cash=10_000)
    b = Rules(costs=Costs(fee=-0.0, fixed_fee=2.0), cash=10_000.0)
    assert canonical_json(a.canonical) == canonical_json(b.canonical)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("fee", -0.1, "at least 0 and below 1"),
        ("fee", 1.0, "at least 0 and below 1"),
        ("fee", math.nan, "finite number"),
        ("fee", "0.1", "finite number"),
        ("fee", True, "finite number"),
        ("fixed_fee", -1, "at least 0"),
        ("fixed_fee", math.inf, "finite number"),
        ("slippage", 1.0, "below 1"),
        ("slippage", None, "finite number"),
    ],
)
def test_costs_are_checked_by_name_and_value(name: str, value: object, says: str) -> None:
    """A fee of 10 (meant: 10 %) or of NaN is refused, naming the field and the value."""
    with pytest.raises(UsageError, match=f"{name} must be") as caught:
        Costs(**{name: value})  # type: ignore[arg-type]
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("make", "value"),
    [(Fraction, 0.0), (Fraction, -1), (Quantity, 0), (Quantity, math.inf), (Value, -5),
     (Value, math.nan), (Value, True)],
)  # fmt: skip
def test_sizes_are_checked(make: type[Fraction], value: float) -> None:
    """Nothing, less than nothing, and what is no number are no sizes."""
    with pytest.raises(UsageError, match=f"{make.__name__} must be"):
        make(value)


def test_a_fraction_may_be_all() -> None:
    """Fraction(1) is allowed, one above it takes leverage, and the message names both numbers."""
    assert Rules(size=Fraction(1)).size.value == 1.0
    with pytest.raises(UsageError, match=r"above the leverage.*Fraction\(value=2.0\), leverage 1"):
        Rules(size=Fraction(2))
    assert Rules(size=Fraction(2), margin=Margin(leverage=2)).leverage == 2.0


def test_rules_refuse_what_is_no_rule() -> None:
    """A bare number for costs or size is the slip the hints are for."""
    with pytest.raises(UsageError, match="unknown fill"):
        Rules(fill="open")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="costs must be"):
        Rules(costs=0.001)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown size"):
        Rules(size=0.5)  # type: ignore[arg-type]
    for cash in (0, -1, math.nan):
        with pytest.raises(UsageError, match="cash must be"):
            Rules(cash=cash)


def test_every_size_says_how_the_kernels_read_it() -> None:
    """AllCash is the fraction one: same code, same value."""
    assert (AllCash.code, AllCash().value) == (Fraction.code, Fraction(1.0).value)
    assert {s.code for s in (AllCash, Quantity, Value)} == {0, 1, 2}
    assert isinstance(AllCash(), Size)


def test_all_cash_and_the_fraction_one_are_one_rule() -> None:
    """Writing it the other way makes no new trial."""
    assert Rules(size=Fraction(1.0)).canonical == Rules(size=AllCash()).canonical
    assert Rules(size=Fraction(0.5)).canonical != Rules(size=AllCash()).canonical
