"""Sizes: what they take, and the fraction that a volatility target works out."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from grn.kit.errors import UsageError
from grn.quant import Rules, Strategy, close, col, open_
from grn.quant.engine.forms import SCALE, fill_form
from grn.quant.engine.series import Evaluator
from grn.quant.strategy.sizes import (
    SIZES,
    AllCash,
    EquityFraction,
    Fraction,
    Quantity,
    Value,
    VolatilityTarget,
)
from tests.quant.engine.accounts import make_bars

STRATEGY = Strategy(close > open_, close < open_)


def fractions(closes: list[float], size: VolatilityTarget, strategy: Strategy = STRATEGY) -> list[float]:
    """The number that every entry's size is multiplied with, bar by bar."""
    bars = make_bars(closes, columns={"weight": [0.5] * len(closes)})
    ticket = fill_form(strategy, Rules(size=size)).ticket
    return [float(x) for x in Evaluator(bars, jit=False).numbers(ticket[SCALE], {})]


def test_a_volatility_target_by_hand() -> None:
    """Returns +2 % and -1 %: deviation 1.5 %, over 100 bars 15 %; 6 % is 0.4 of it, 30 % at most all."""
    closes = [100.0, 102.0, 100.98]
    low = fractions(closes, VolatilityTarget(0.06, window=2, periods_per_year=100))
    assert np.isnan(low[:2]).all()
    assert low[2] == pytest.approx(0.4, rel=1e-12)
    assert fractions(closes, VolatilityTarget(0.3, window=2, periods_per_year=100))[2] == 1.0
    assert fractions(closes, VolatilityTarget(0.3, 2, most=0.7, periods_per_year=100))[2] == 0.7


def test_prices_that_stand_still_have_no_volatility_to_aim_at() -> None:
    """The fraction is missing, not infinite: no entry is made."""
    assert np.isnan(fractions([10.0] * 5, VolatilityTarget(0.1, window=2))).all()


def test_a_scale_multiplies_the_target() -> None:
    """0.4 of the equity, halved."""
    strategy = Strategy(close > open_, close < open_, scale=col("weight"))
    size = VolatilityTarget(0.06, window=2, periods_per_year=100)
    assert fractions([100.0, 102.0, 100.98], size, strategy)[2] == pytest.approx(0.2, rel=1e-12)


def test_every_size_has_a_name_and_a_code() -> None:
    """Names restore sizes from the ledger; AllCash and Fraction share a code, no others do."""
    assert set(SIZES) == {"AllCash", "Fraction", "Quantity", "Value", "EquityFraction", "VolatilityTarget"}
    codes = [c.code for c in (AllCash, Quantity, Value, EquityFraction, VolatilityTarget)]
    assert codes == sorted(set(codes))
    assert Fraction.code == AllCash.code


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "no fraction": (lambda: EquityFraction(0), "EquityFraction must be above 0"),
    "no target": (lambda: VolatilityTarget(0), "VolatilityTarget value must be above 0"),
    "endless target": (lambda: VolatilityTarget(math.inf), "finite number"),
    "one return": (lambda: VolatilityTarget(0.1, window=1), "at least 2"),
    "half a return": (lambda: VolatilityTarget(0.1, window=2.5), "whole number"),  # type: ignore[arg-type]
    "no most": (lambda: VolatilityTarget(0.1, most=0), "most must be above 0"),
    "no year": (lambda: VolatilityTarget(0.1, periods_per_year=-1), "periods_per_year must be above 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_size_is_refused(fault: str) -> None:
    """By its name, with the value seen."""
    make, says = FAULTS[fault]
    with pytest.raises(UsageError) as caught:
        make()
    assert says in str(caught.value)
