"""The rules of execution as a row of numbers, which compiled and interpreted code read alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from grn.quant.strategy.costs import MOST_TIERS
from grn.quant.strategy.rules import Both, LevelFill, Opposite, Rules, Same
from grn.quant.strategy.sizes import VolatilityTarget

FEE: Final = 0
FIXED_FEE: Final = 1
UNIT_FEE: Final = 2
MINIMUM_FEE: Final = 3
SLIPPAGE: Final = 4
SLIPPAGE_TICKS: Final = 5
IMPACT: Final = 6
LOT: Final = 7
TICK: Final = 8
MULTIPLIER: Final = 9
MIN_UNITS: Final = 10
MIN_VALUE: Final = 11
VOLUME_SHARE: Final = 12
SIZE_KIND: Final = 13
SIZE: Final = 14
ADDS: Final = 15
REDUCES: Final = 16
REJECTS: Final = 17
LEVERAGE: Final = 18
SHORTS_LIMITED: Final = 19
MAINTENANCE: Final = 20
BORROW: Final = 21
INTEREST: Final = 22
SAME: Final = 23
BOTH: Final = 24
OPPOSITE: Final = 25
TARGET_FIRST: Final = 26
STOP_FILL: Final = 27
TARGET_FILL: Final = 28
TRAILS_CLOSE: Final = 29
REPLACES: Final = 30
SKIPS: Final = 31
TIERS: Final = 32
FIRST_TIER: Final = 33
COUNT: Final = FIRST_TIER + 2 * MOST_TIERS

KINDS: Final = (
    ADDS, REDUCES, SAME, BOTH, OPPOSITE, TARGET_FIRST, STOP_FILL, TARGET_FILL, TRAILS_CLOSE, REPLACES, SKIPS,
)  # fmt: skip
"""Places that hold a kind of behaviour and no amount."""
NEUTRAL: Final = (
    {FIXED_FEE: 0.0, UNIT_FEE: 0.0, MINIMUM_FEE: 0.0, TIERS: 0.0},
    {LOT: 0.0, TICK: 0.0, SLIPPAGE_TICKS: 0.0, MIN_UNITS: 0.0, MIN_VALUE: 0.0, MULTIPLIER: 1.0},
    {IMPACT: 0.0, VOLUME_SHARE: 0.0},
    {LEVERAGE: 1.0, SHORTS_LIMITED: 0.0, MAINTENANCE: 0.0, BORROW: 0.0, INTEREST: 0.0},
)
"""Groups of places that most rules leave alone, each with the number that says so."""

SIZE_FRACTION: Final = 0
SIZE_QUANTITY: Final = 1
SIZE_VALUE: Final = 2
SIZE_EQUITY: Final = 3
SIZE_VOLATILITY: Final = 4

CANCEL, ENTRY, EXIT = 0, 1, 2
FOR_LONG, FOR_SHORT = 1, 2
REVERSE, CLOSE_ONLY, IGNORE = 0, 1, 2
AT_MARKET, AT_LIMIT, AT_SIGNAL = 0, 1, 2


def write_terms(rules: Rules) -> list[float]:
    """Every number of the rules, at the places named above."""
    costs, instrument, stops = rules.costs, rules.instrument, rules.stop_rules
    terms = [0.0] * COUNT
    terms[FEE], terms[FIXED_FEE] = costs.fee, costs.fixed_fee
    terms[UNIT_FEE], terms[MINIMUM_FEE] = costs.unit_fee, costs.minimum_fee
    terms[SLIPPAGE], terms[SLIPPAGE_TICKS], terms[IMPACT] = costs.slippage, costs.slippage_ticks, costs.impact
    terms[LOT], terms[TICK], terms[MULTIPLIER] = instrument.lot, instrument.tick, instrument.multiplier
    terms[MIN_UNITS], terms[MIN_VALUE] = instrument.min_units, instrument.min_value
    terms[VOLUME_SHARE] = 0.0 if rules.volume_share is None else rules.volume_share
    # The fraction of a volatility target comes with each entry (see `plan`).
    size = 1.0 if isinstance(rules.size, VolatilityTarget) else rules.size.value
    terms[SIZE_KIND], terms[SIZE] = float(rules.size.code), size
    terms[ADDS] = float(rules.accumulate in ("add", "both"))
    terms[REDUCES] = float(rules.accumulate in ("reduce", "both"))
    terms[REJECTS] = float(rules.shortfall == "reject")
    terms[LEVERAGE], terms[SHORTS_LIMITED] = rules.leverage, float(rules.margin is not None)
    if rules.margin is not None:
        terms[MAINTENANCE] = rules.margin.maintenance
        terms[BORROW], terms[INTEREST] = rules.margin.borrow, rules.margin.interest
    terms[SAME] = float(get_args(Same).index(rules.conflicts.same))
    terms[BOTH] = float(get_args(Both).index(rules.conflicts.both))
    terms[OPPOSITE] = float(get_args(Opposite).index(rules.conflicts.opposite))
    terms[TARGET_FIRST] = float(stops.first == "target")
    terms[STOP_FILL] = float(get_args(LevelFill).index(stops.stop_fill))
    terms[TARGET_FILL] = float(get_args(LevelFill).index(stops.target_fill))
    terms[TRAILS_CLOSE] = float(stops.trail == "close")
    terms[REPLACES] = float(stops.on_add == "replace")
    terms[SKIPS] = float(stops.after == "skip")
    terms[TIERS] = float(len(costs.tiers))
    for k, (start, fee) in enumerate(costs.tiers):
        terms[FIRST_TIER + 2 * k], terms[FIRST_TIER + 2 * k + 1] = start, fee
    return terms


def known_terms(terms: Sequence[float]) -> dict[int, float]:
    """Numbers that a kernel is made for: every kind, and each group of `NEUTRAL` left alone as a whole.

    All others may change without another kernel.
    """
    known = {k: terms[k] for k in KINDS}
    for group in NEUTRAL:
        if all(terms[k] == v for k, v in group.items()):
            known |= group
    return known
