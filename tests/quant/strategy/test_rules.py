from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest

from grn.kit.canonical import canonical_json
from grn.kit.errors import UsageError
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Conflicts, Events, Instrument, Margin, Rules, StopRules, merge_rules
from grn.quant.strategy.sizes import (
    AllCash,
    EquityFraction,
    Fraction,
    Quantity,
    Size,
    Value,
    VolatilityTarget,
)

ALL = [
    Rules(),
    Rules("close", Costs(0.001, 1.5, 0.0002), Fraction(0.5), 5_000.0),
    Rules("next_open", Costs(fixed_fee=2), Quantity(10), 1),
    Rules("close", Costs(slippage=0.01), Value(1_000.0), 1e6),
    Rules("next:vwap", size=EquityFraction(1.5), margin=Margin(2, 0.25, 0.03, 0.05)),
    Rules(size=VolatilityTarget(0.1, 30, 0.8, 365.0), accumulate="both", shortfall="reject"),
    Rules(
        costs=Costs(0, 1, 0.001, 0.005, 2, ((0, 0.002), (1_000, 0.001)), 1, 0.1),
        instrument=Instrument(10, 0.01, 50, 20, 1_000),
        conflicts=Conflicts("exit", "short", "ignore"),
        stop_rules=StopRules("target", "limit", "signal", "close", "replace", "skip"),
        events=Events("dividend", "split", "rate"),
        volume_share=0.1,
    ),
]


@pytest.mark.parametrize("rules", ALL, ids=lambda r: f"{r.fill} {type(r.size).__name__}")
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


DIFFERENT = [
    Rules(),
    Rules("close"),
    Rules("next:vwap"),
    *(Rules(costs=Costs(**{n: 1})) for n in ("unit_fee", "minimum_fee", "impact")),
    Rules(costs=Costs(tiers=((0, 0.1),))),
    *(Rules(size=s) for s in (Fraction(0.5), EquityFraction(0.5), VolatilityTarget(0.5))),
    *(Rules(instrument=Instrument(**{n: 2})) for n in ("lot", "tick", "multiplier", "min_units")),
    Rules(instrument=Instrument(min_value=2)),
    Rules(instrument=Instrument(tick=1), costs=Costs(slippage_ticks=1)),
    *(Rules(margin=m) for m in (Margin(), Margin(2), Margin(1, 0.5))),
    *(Rules(margin=m) for m in (Margin(borrow=0.1), Margin(interest=0.1))),
    *(Rules(conflicts=c) for c in (Conflicts("entry"), Conflicts("exit"), Conflicts(both="long"))),
    *(Rules(conflicts=Conflicts(opposite=o)) for o in ("close", "ignore")),
    *(Rules(stop_rules=s) for s in (StopRules("target"), StopRules(stop_fill="limit"))),
    *(Rules(stop_rules=s) for s in (StopRules(target_fill="signal"), StopRules(trail="close"))),
    *(Rules(stop_rules=s) for s in (StopRules(on_add="replace"), StopRules(after="skip"))),
    *(Rules(events=Events(**{n: "x"})) for n in ("dividends", "splits", "funding")),
    *(Rules(accumulate=a) for a in ("add", "reduce", "both")),
    Rules(shortfall="reject"),
    Rules(volume_share=1.0),
]  # fmt: skip


def test_every_rule_is_part_of_the_identity() -> None:
    """No two different sets of rules are one trial; `Margin()` differs from none, for it limits shorts."""
    keys = [canonical_json(rules.canonical) for rules in DIFFERENT]
    assert len(set(keys)) == len(keys)


def test_a_rule_at_its_default_leaves_no_trace() -> None:
    """A rule that did not exist when a trial was recorded changes nothing about its key."""
    assert set(Rules().canonical) == {"fill", "costs", "size", "cash"}
    assert Rules().canonical["costs"] == {"fee": 0.0, "fixed_fee": 0.0, "slippage": 0.0}
    assert Rules(conflicts=Conflicts("cancel"), margin=None).canonical == Rules().canonical


CONTRADICTIONS = {
    "size and leverage": (lambda: Rules(size=EquityFraction(3), margin=Margin(2)), ("value=3", "leverage 2")),
    "target and leverage": (lambda: Rules(size=VolatilityTarget(0.1, most=2)), ("most=2", "leverage 1")),
    "leverage and maintenance": (lambda: Margin(4, 0.25), ("leverage 4", "maintenance 0.25")),
    "ticks without a tick": (lambda: Rules(costs=Costs(slippage_ticks=1)), ("slippage_ticks 1", "tick 0")),
    "quantity and lot": (
        lambda: Rules(size=Quantity(5), instrument=Instrument(lot=10)),
        ("Quantity(value=5.0)", "lot 10"),
    ),
    "quantity and smallest units": (
        lambda: Rules(size=Quantity(5), instrument=Instrument(min_units=6)),
        ("Quantity(value=5.0)", "min_units 6"),
    ),
    "value and smallest value": (
        lambda: Rules(size=Value(500), instrument=Instrument(min_value=1_000)),
        ("Value(value=500.0)", "min_value 1000"),
    ),
    "one column, two meanings": (lambda: Events("x", "x"), ("dividends and splits", "'x'")),
    "two names of one fill": (lambda: Rules("next:open"), ("next:open",)),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_rules_that_contradict_each_other_are_refused(case: str) -> None:
    """The message has both values."""
    make, says = CONTRADICTIONS[case]
    with pytest.raises(UsageError) as caught:
        make()
    for part in says:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rules(accumulate="yes"),
        lambda: Rules(shortfall="wait"),
        lambda: Conflicts(same="both"),
        lambda: Conflicts(both="exit"),
        lambda: Conflicts(opposite="hedge"),
        lambda: StopRules(first="low"),
        lambda: StopRules(stop_fill="stop"),
        lambda: StopRules(trail="high"),
        lambda: StopRules(on_add="move"),
        lambda: StopRules(after="wait"),
    ],
)
def test_an_unknown_word_is_answered_with_the_known_ones(make: Callable[[], object]) -> None:
    """The hint lists what may stand there."""
    with pytest.raises(UsageError, match="unknown") as caught:
        make()
    assert "use '" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Instrument(lot=-1),
        lambda: Instrument(tick=math.nan),
        lambda: Instrument(multiplier=0),
        lambda: Margin(leverage=0.5),
        lambda: Margin(maintenance=1),
        lambda: Margin(borrow=-0.1),
        lambda: Rules(volume_share=0),
        lambda: Rules(volume_share=1.5),
        lambda: Rules(fill="next:"),
        lambda: Rules(margin=2),
        lambda: Rules(instrument=100),
        lambda: Events(dividends=""),
        lambda: Events(splits=2),
    ],
)
def test_numbers_outside_their_range_are_refused(make: Callable[[], object]) -> None:
    """Each where it is written down, with the value seen."""
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.seen is not None


def test_rules_given_by_name_replace_those_of_the_object() -> None:
    """`sweep(rules=..., cash=...)`: the name wins, the rest stays."""
    base = Rules("close", Costs(fee=0.01), cash=5.0)
    merged = merge_rules(base, cash=7.0, size=None)
    assert (merged.fill, merged.costs.fee, merged.cash) == ("close", 0.01, 7.0)
    with pytest.raises(UsageError, match="rules must be"):
        merge_rules(Costs(), cash=7.0)  # type: ignore[arg-type]
