"""Generated rules: a style decides which rules there are, and each case draws their numbers.

A kernel is printed for a style; the numbers reach it when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grn.quant import (
    AllCash,
    Conflicts,
    Costs,
    EquityFraction,
    Events,
    Fraction,
    Instrument,
    Margin,
    Quantity,
    Rules,
    StopRules,
    Value,
    VolatilityTarget,
)

FILLS = ("next_open", "next_open", "close", "next:typical")


@dataclass(frozen=True)
class Style:
    """Which rules a shape has beside costs, size and cash."""

    fill: str
    conflicts: Conflicts
    stop_rules: StopRules
    accumulate: str
    margin: bool
    maintenance: bool
    volume: bool
    dividends: bool
    splits: bool
    funding: bool
    volatility: VolatilityTarget | None
    fees: bool = False
    """Whether there are fees beside a share of the value, at least one of them."""
    instrument: bool = False

    def example(self) -> Rules:
        """Rules of this style: one kernel serves them all."""
        return make_rules(np.random.default_rng(0), self)


def draw_style(rng: np.random.Generator, *, simple: bool, parts: bool) -> Style:
    """A style; a simple one fills at the open or the close and has no more; `parts` excludes late stops."""

    def pick(*options: Any, first: float) -> Any:
        if rng.random() < first:
            return options[0]
        return options[int(rng.integers(1, len(options)))]

    fill = str(rng.choice(FILLS))
    if simple:
        fill = "close" if fill == "close" else "next_open"
        rules = Conflicts(), StopRules()
        return Style(fill, *rules, "no", *(False,) * 6, None, fees=bool(rng.random() < 0.3))
    conflicts = Conflicts(
        pick("cancel", "entry", "exit", first=0.6),
        pick("cancel", "long", "short", first=0.6),
        pick("reverse", "close", "ignore", first=0.6),
    )
    fills = ("market", "limit") if parts else ("market", "limit", "signal")
    stop_rules = StopRules(
        pick("stop", "target", first=0.5),
        pick(*fills, first=0.5),
        pick("limit", "market", *fills[2:], first=0.5),
        pick("extreme", "close", first=0.6),
        pick("keep", "replace", first=0.5),
        pick("read", "skip", first=0.6),
    )
    margin = bool(rng.random() < 0.4)
    volatility = None
    if rng.random() < 0.15:
        volatility = VolatilityTarget(
            float(rng.choice([0.05, 0.3])), int(rng.integers(2, 6)), float(rng.uniform(0.2, 1))
        )
    return Style(
        fill, conflicts, stop_rules, pick("no", "add", "reduce", "both", first=0.5), margin,
        margin and bool(rng.random() < 0.5), *(bool(rng.random() < p) for p in (0.25, 0.25, 0.25, 0.2)),
        volatility, fees=bool(rng.random() < 0.5), instrument=bool(rng.random() < 0.6),
    )  # fmt: skip


def make_rules(rng: np.random.Generator, style: Style) -> Rules:
    """Rules of a style, with costs from none to ruinous."""

    def some(*options: float) -> float:
        return float(rng.choice(options))

    fixed_fee = some(0.5, 40.0) if style.fees else 0.0
    costs = Costs(fee=some(0.0, 0.001, 0.02), fixed_fee=fixed_fee, slippage=some(0, 0, 5e-4, 0.03))
    sizes: list[Any] = [
        AllCash(), AllCash(), Fraction(float(rng.uniform(0.05, 1.0))), Quantity(some(1.0, 3.5, 70.0, 1e4)),
        Value(some(50.0, 900.0, 2e4)),
    ]  # fmt: skip
    cash = some(10_000.0, 1_000.0, 37.5)
    plain = Style(style.fill, Conflicts(), StopRules(), "no", *(False,) * 6, None, fees=style.fees)
    if style == plain:
        return Rules(style.fill, costs, sizes[int(rng.integers(len(sizes)))], cash)
    leverage = some(1.0, 2.0, 4.0) if style.margin else 1.0
    sizes += [
        EquityFraction(leverage),
        EquityFraction(float(rng.uniform(0.05, leverage))),
        Fraction(leverage),
    ]
    size = sizes[int(rng.integers(len(sizes)))]
    if style.volatility is not None:
        size = style.volatility
    if style.fees and rng.random() < 0.6:
        costs = Costs(
            fixed_fee=some(0.0, 0.0, 0.5), slippage=costs.slippage, unit_fee=some(0.001, 0.005),
            minimum_fee=some(0.0, 1.0),
            tiers=((0.0, 0.003), (500.0, 0.001), (4_000.0, 0.0)) if rng.random() < 0.6 else (),
            impact=some(0.0, 0.1) if style.volume else 0.0,
        )  # fmt: skip
    cash = some(10_000.0, 100_000.0, 1_000.0)
    instrument = Instrument()
    if style.instrument:
        lot, tick = some(0.0, 0.0, 0.0, 0.25, 1.0), some(0.0, 0.0, 0.0, 0.01, 0.5)
        if isinstance(size, Quantity) and lot > size.value:
            lot = 0.0
        multiplier = some(1.0, 10.0, 0.1) if lot or tick else some(10.0, 0.1)
        instrument = Instrument(lot, tick, multiplier, some(*[0.0] * 7, 0.5), some(*[0.0] * 7, 20.0))
    margin = None
    if style.margin:
        called = float(rng.uniform(0.6, 0.98)) / leverage if style.maintenance else 0.0
        margin = Margin(leverage, called, some(0.0, 0.05, 2.0), some(0.0, 0.08))
    return Rules(
        fill=style.fill,
        costs=costs,
        size=size,
        cash=cash,
        conflicts=style.conflicts,
        stop_rules=style.stop_rules,
        instrument=instrument,
        margin=margin,
        events=Events(
            dividends="dividend" if style.dividends else None,
            splits="split" if style.splits else None,
            funding="funding" if style.funding else None,
        ),
        accumulate=style.accumulate,  # type: ignore[arg-type]  # drawn from its words
        shortfall="reject" if rng.random() < 0.1 else "cut",
        volume_share=some(0.05, 1.0) if style.volume else None,
    )
