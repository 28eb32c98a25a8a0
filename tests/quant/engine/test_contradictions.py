"""Rules that contradict each other on the data: refused with both values, before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import grn
from grn.kit.errors import DataError, GrnError, UsageError
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import (
    AllCash,
    Costs,
    EquityFraction,
    Events,
    Fraction,
    Instrument,
    Limit,
    Margin,
    Quantity,
    Rules,
    StopLoss,
    StopRules,
    Strategy,
    TakeProfit,
    Value,
    VolatilityTarget,
    col,
    param,
)
from grn.quant.engine.contradictions import check_contradictions
from tests.quant.engine.accounts import FOUR, LONG, SHORT, make_range, with_orders

FLAT = (100.0, 101.0, 99.0, 100.0)
ROWS = [FLAT, (100.0, 106.0, 98.0, 104.0), (104.0, 105.0, 100.0, 102.0)]
"""Opens from 100 to 104, and 98 to 106 inside the bars."""
NAN, INF = float("nan"), float("inf")


def check(strategy: Strategy = LONG, columns: dict[str, Any] | None = None, **rules: Any) -> None:
    check_contradictions(strategy, Rules(**rules), [make_range(ROWS, columns=columns, long_in=[0])])


def scaled(by: object) -> Strategy:
    return with_orders(LONG, scale=by)


HALF = StopLoss(0.05, part=0.5)
REFUSED: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "part of a late stop": (
        lambda: check(with_orders(LONG, stops=[HALF]), stop_rules=StopRules(stop_fill="signal")),
        ("StopLoss(0.05, part=0.5)", "stop_fill 'signal'"),
    ),
    "part of a late target": (
        lambda: check(
            with_orders(LONG, stops=[TakeProfit(0.05, part=0.5)]), stop_rules=StopRules(target_fill="signal")
        ),
        ("TakeProfit(0.05, part=0.5)", "target_fill 'signal'"),
    ),
    "lot beyond the cash": (
        lambda: check(instrument=Instrument(lot=150)),
        ("lot 150 costs 15000", "10000 to spend", "HAND"),
    ),
    "lot beyond the leverage": (
        lambda: check(instrument=Instrument(lot=250), size=Quantity(300), margin=Margin(leverage=2)),
        ("lot 250 costs 25000", "20000 to spend"),
    ),
    "lot of contracts": (
        lambda: check(instrument=Instrument(lot=1, multiplier=200)),
        ("lot 1 costs 20000", "10000 to spend"),
    ),
    "lot beyond the fraction": (
        lambda: check(instrument=Instrument(lot=20), size=Fraction(0.1)),
        ("lot 20 costs 2000", "1000 to spend"),
    ),
    "lot beyond the value": (
        lambda: check(instrument=Instrument(lot=20), size=Value(1_500)),
        ("lot 20 costs 2000", "1500 to spend"),
    ),
    "lot beyond a volatility target": (
        lambda: check(instrument=Instrument(lot=60), size=VolatilityTarget(0.1, most=0.5)),
        ("lot 60 costs 6000", "5000 to spend"),
    ),
    "smallest units beyond the cash": (
        lambda: check(instrument=Instrument(lot=1, min_units=150)),
        ("min_units 150 costs 15000", "10000 to spend"),
    ),
    "smallest value beyond the fraction": (
        lambda: check(instrument=Instrument(min_value=2_000), size=EquityFraction(0.1)),
        ("min_value 2000", "at most 1000"),
    ),
    "smallest value beyond the quantity": (
        lambda: check(instrument=Instrument(min_value=2_000), size=Quantity(10)),
        ("min_value 2000", "at most 1040"),
    ),
    "fees beyond the cash": (
        lambda: check(costs=Costs(fixed_fee=9_000, minimum_fee=2_000)),
        ("fees of 11000", "10000 to spend"),
    ),
    "lot beyond the volume": (
        lambda: check(
            columns={"volume": [500, 600, 700]},
            instrument=Instrument(lot=10),
            size=AllCash(),
            volume_share=0.01,
        ),
        ("lot 10", "at most 7 units"),
    ),
    "short beyond the margin": (
        lambda: check(SHORT, instrument=Instrument(lot=150), size=Quantity(150), margin=Margin()),
        ("lot 150 costs 15000", "10000 to spend"),
    ),
    "both sides": (
        lambda: check(FOUR, instrument=Instrument(lot=150), margin=Margin()),
        ("lot 150 costs 15000", "10000 to spend"),
    ),
    "tick above the price": (
        lambda: check(instrument=Instrument(tick=250)),
        ("tick 250", "lowest price 98"),
    ),
    "slippage of the whole price": (
        lambda: check(instrument=Instrument(tick=1), costs=Costs(slippage_ticks=98)),
        ("tick 1, slippage_ticks 98", "lowest price 98"),
    ),
    "stop above every entry": (
        lambda: check(with_orders(LONG, stops=[StopLoss(price=110)])),
        ("StopLoss(price=110)", "highest fill 104"),
    ),
    "target below every entry": (
        lambda: check(with_orders(LONG, stops=[TakeProfit(price=99)])),
        ("TakeProfit(price=99)", "lowest fill 100"),
    ),
    "stop below every short": (
        lambda: check(with_orders(SHORT, stops=[StopLoss(price=90)])),
        ("StopLoss(price=90)", "lowest fill 100"),
    ),
    "every value of a parameter": (
        lambda: check(with_orders(LONG, stops=[StopLoss(price=param("p", [110, 120]))])),
        ("StopLoss(price=p)", "highest fill 104"),
    ),
    "fill outside the bar": (
        lambda: check(columns={"vwap": [100, 107, 102]}, fill="next:vwap"),
        ("107, low 98, high 106 on bar 1 of HAND",),
    ),
    "fill that is missing": (
        lambda: check(columns={"vwap": [100, NAN, 102]}, fill="next:vwap"),
        ("'vwap' must be above 0", "nan on bar 1"),
    ),
    "endless dividend": (
        lambda: check(columns={"d": [0, INF, 0]}, events=Events(dividends="d")),
        ("'d' is infinite", "bar 1"),
    ),
    "split into nothing": (
        lambda: check(columns={"s": [1, 0, 1]}, events=Events(splits="s")),
        ("'s' must be above 0", "0 on bar 1"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_contradiction_is_refused_with_both_values(case: str) -> None:
    """The message has the rule and what it contradicts, as numbers."""
    make, says = REFUSED[case]
    with pytest.raises((UsageError, DataError)) as caught:
        make()
    for part in says:
        assert part in str(caught.value)


ALLOWED: dict[str, Callable[[], None]] = {
    "the largest lot that the lowest price allows": lambda: check(instrument=Instrument(lot=100)),
    "the same through leverage": lambda: check(
        instrument=Instrument(lot=200), size=Quantity(200), margin=Margin(leverage=2)
    ),
    "a limit inside the bars reaches lower": lambda: check(
        with_orders(LONG, entry_order=Limit(col("low"))), instrument=Instrument(lot=102)
    ),
    "a short by quantity needs no cash": lambda: check(
        SHORT, instrument=Instrument(lot=150), size=Quantity(150)
    ),
    "one side is enough": lambda: check(FOUR, instrument=Instrument(lot=150), size=Quantity(150)),
    "a scale may raise a fraction": lambda: check(
        scaled(col("close")), instrument=Instrument(lot=20), size=Fraction(0.1)
    ),
    "a late stop without parts": lambda: check(
        with_orders(LONG, stops=[StopLoss(0.05), TakeProfit(0.1, part=0.5)]),
        stop_rules=StopRules(stop_fill="signal"),
    ),
    "a stop below one entry": lambda: check(with_orders(LONG, stops=[StopLoss(price=103)])),
    "a parameter with one good value": lambda: check(
        with_orders(LONG, stops=[StopLoss(price=param("p", [90, 120]))])
    ),
    "a slipped entry above the stop": lambda: check(
        with_orders(LONG, stops=[StopLoss(price=105)]), costs=Costs(slippage=0.02)
    ),
    "an average a rounding above its bar": lambda: check(
        columns={"vwap": [100, 106.00000000000001, 102]}, fill="next:vwap"
    ),
    "missing dividends and splits": lambda: check(
        columns={"d": [NAN, 1, NAN], "s": [NAN, 2, NAN]}, events=Events(dividends="d", splits="s")
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_some_price_allows_is_not_refused(case: str) -> None:
    """A refusal needs that no bar of the data, and no value of a parameter, makes it work."""
    ALLOWED[case]()


def test_a_run_is_refused_before_it_is_recorded() -> None:
    """Sweeps and backtests ask first: neither run nor trial is in the ledger afterwards."""
    bars = make_range(ROWS, long_in=[0])
    for run in (grn.sweep, grn.backtest):
        with pytest.raises(UsageError, match="lot 150 costs 15000"):
            run(LONG, bars, rules=Rules(instrument=Instrument(lot=150)))
    if ledger_dir().exists():
        with Ledger.open(ledger_dir()) as ledger:
            assert ledger.watermark() == 0


def test_a_fill_at_a_column_needs_the_range_it_must_lie_in() -> None:
    """High and low are read with it: data without them is refused by name; a bar's own price needs none."""
    assert LONG.needs(Rules("next:vwap")) == ("close", "high", "long_in", "long_out", "low", "vwap")
    assert LONG.needs(Rules("next:close")) == ("close", "long_in", "long_out")
    with pytest.raises(GrnError, match="vwap"):
        grn.backtest(LONG, make_range(ROWS, long_in=[0]), rules=Rules("next:vwap"))
