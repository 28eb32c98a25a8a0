"""Costs: tiers of fees, and what `value_for` and `fees_of` make of them together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant.engine.tariff import fees_of, in_lots, market_price, on_tick, value_for
from grn.quant.engine.terms import write_terms
from grn.quant.strategy.costs import MOST_TIERS, Costs
from grn.quant.strategy.rules import Instrument, Rules


def terms(costs: Costs = Costs(), instrument: Instrument = Instrument()) -> list[float]:  # noqa: B008 - frozen
    return write_terms(Rules(costs=costs, instrument=instrument))


@pytest.mark.parametrize(
    ("value", "fees"),
    [(100.0, 0.2), (500.0, 1.0), (501.0, 1.001), (1_000.0, 1.5), (1_001.0, 1.5), (9_000.0, 1.5)],
)
def test_tiers_charge_slices(value: float, fees: float) -> None:
    """0.2 % of the first 500, 0.1 % up to 1,000, nothing above: by hand."""
    r = terms(Costs(tiers=((0, 0.002), (500, 0.001), (1_000, 0))))
    assert fees_of(value, 1.0, 0.0, r) == pytest.approx(fees, rel=1e-15)


COSTS = [
    Costs(),
    Costs(fee=0.001, fixed_fee=2.0),
    Costs(unit_fee=0.01, minimum_fee=1.0),
    Costs(fee=0.3, minimum_fee=5.0, fixed_fee=1.0),
    Costs(tiers=((0, 0.002), (500, 0.001), (1_000, 0)), unit_fee=0.005),
    Costs(tiers=((0, 0.0), (50, 0.02)), fixed_fee=0.5, minimum_fee=0.25),
]


@pytest.mark.parametrize("costs", COSTS, ids=str)
def test_what_is_spent_is_value_and_fees(costs: Costs) -> None:
    """`value_for` inverts `fees_of`, for spends from less than the fees to far above every tier."""
    r = terms(costs)
    for spend in np.geomspace(8.0, 1e6, 60):
        value = value_for(float(spend), 10.0, costs.fixed_fee, r)
        if value > 0.0:
            fees = fees_of(value, value / 10.0, costs.fixed_fee, r)
            assert value + fees == pytest.approx(spend, rel=1e-12)


def test_prices_and_units_are_rounded_against_the_account() -> None:
    """A buy up, a sell down, units down; 0.3 is three ticks of 0.1 though 0.3 / 0.1 is 2.9999999999999996."""
    r = terms(Costs(slippage=0.001), Instrument(lot=0.1, tick=0.25))
    assert (market_price(102.0, 1, r), market_price(101.0, -1, r)) == (102.25, 100.75)
    assert (on_tick(95.1, 0, r), on_tick(95.125, 0, r)) == (95.0, 95.25)
    assert in_lots(0.3, r) == pytest.approx(0.3, rel=1e-15)
    assert in_lots(0.29999, r) == pytest.approx(0.2, rel=1e-15)
    assert market_price(0.1, -1, r) == 0.0


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "beside a fee": (lambda: Costs(fee=0.1, tiers=((0, 0.1),)), "fee 0.1, tiers ((0.0, 0.1),)"),
    "not from zero": (lambda: Costs(tiers=((5, 0.1),)), "start at 0"),
    "falling": (lambda: Costs(tiers=((0, 0.1), (5, 0.1), (5, 0.2))), "0, 5, 5"),
    "too many": (
        lambda: Costs(tiers=tuple((k, 0.1) for k in range(MOST_TIERS + 1))),
        f"at most {MOST_TIERS}",
    ),
    "no pairs": (lambda: Costs(tiers=(0.1, 0.2)), "pairs of (value from, fee)"),  # type: ignore[arg-type]
    "fee of one": (lambda: Costs(tiers=((0, 1.0),)), "below 1"),
    "endless start": (lambda: Costs(tiers=((0, 0.1), (float("inf"), 0.1))), "finite number"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_tiers_are_refused(fault: str) -> None:
    """With what was seen."""
    make, says = FAULTS[fault]
    with pytest.raises(UsageError) as caught:
        make()
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["unit_fee", "minimum_fee", "slippage_ticks", "impact"])
@pytest.mark.parametrize("value", [-1, float("nan"), "1", True])
def test_amounts_are_checked_by_name(name: str, value: object) -> None:
    """Negative, missing, text and truth are no amounts."""
    with pytest.raises(UsageError, match=f"{name} must be"):
        Costs(**{name: value})  # type: ignore[arg-type]
