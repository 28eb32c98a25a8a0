"""Cases of target weights, numbered by a seed: the same number is the same case, anywhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from grn.quant import Bars, Costs, Rules, param, when
from grn.quant.engine.plan import Grid, build_grid
from grn.quant.engine.portfolio.panel import Panel
from grn.quant.strategy.cross import cross_mean, demean, hold, of, rank, share, top
from grn.quant.strategy.expr import Expr, lift
from grn.quant.strategy.rules import Events, Instrument, Margin
from grn.quant.strategy.weights import PortfolioStop, Weights
from grn.quant.strategy.words import col
from tests.property.markets import KINDS, make_bars
from tests.property.strategies import Author

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
CASES = 1_520 if NIGHTLY else 320
CASES_PER_TEST = 40
MOST_ROWS = 3
"""Combinations of a case: the reference is slow."""
HOUR_NS = 3600 * 10**9
NAMES = ("AA", "BB", "CC", "DD", "EE")


@dataclass(frozen=True)
class Case:
    """Target weights, bars and rules."""

    seed: int
    weights: Weights
    bars: tuple[Bars, ...]
    rules: Rules

    @cached_property
    def panel(self) -> Panel:
        return Panel(self.bars)

    @cached_property
    def grid(self) -> Grid:
        """Some combinations of the whole grid."""
        whole = build_grid(self.weights, 1.0)  # type: ignore[arg-type]
        rng = np.random.default_rng([self.seed, 12])
        rows = np.sort(rng.permutation(len(whole))[:MOST_ROWS])
        return Grid(whole.params, np.ascontiguousarray(whole.values[rows]))

    def __str__(self) -> str:
        return f"make_case({self.seed}): {self.weights}; {len(self.bars)} symbols; {self.rules}"


def make_case(seed: int) -> Case:
    """The case of that number."""
    rng = np.random.default_rng([seed, 11])
    bars = make_panel(rng)
    symbols = [b.symbol for b in bars]
    margin = draw_margin(rng)
    return Case(seed, make_weights(rng, symbols, margin), bars, make_rules(rng, margin))


def make_panel(rng: np.random.Generator) -> tuple[Bars, ...]:
    """One to five symbols on one calendar: whole, listed late, ended early, with holes."""
    n = int(rng.integers(2, 70))
    gaps = np.where(rng.random(n) < 0.2, rng.integers(2, 40, n), 1)
    spacing = HOUR_NS * int(rng.choice([1, 8, 24, 24, 24]))
    ts_ns = int(rng.integers(400_000, 440_000)) * HOUR_NS + np.cumsum(gaps).astype(np.int64) * spacing
    names = list(NAMES[: int(rng.integers(1, len(NAMES) + 1))])
    rng.shuffle(names)
    return tuple(make_symbol(rng, name, ts_ns) for name in names)


def make_symbol(rng: np.random.Generator, name: str, ts_ns: np.ndarray) -> Bars:
    """Bars of one symbol on a part of the calendar, with dividends, splits and funding rates."""
    n = len(ts_ns)
    kept = np.ones(n, dtype=bool)
    kind = rng.random()
    if kind < 0.2:
        kept[: int(rng.integers(0, n))] = False
    elif kind < 0.3:
        kept[int(rng.integers(1, n)) :] = False
    elif kind < 0.5:
        kept = rng.random(n) < 0.7
    if not kept.any():
        kept[-1] = True
    count = int(kept.sum())
    weights = [4.0 if k == "walk" else 1.0 for k in KINDS]
    prices = str(rng.choice(KINDS, p=np.array(weights) / sum(weights)))
    base = make_bars(rng, symbol=name, n_bars=count, kind=prices)
    rare = rng.random(count)
    columns = dict(base.columns) | {
        "dividend": np.where(rare < 0.05, base.column("close") * 0.01, np.where(rare > 0.9, np.nan, 0.0)),
        "ratio": np.where(rare < 0.04, 2.0, np.where(rare > 0.97, 0.3, 1.0)),
        "rate": np.where(rare < 0.3, 0.001 * (rare - 0.1), np.nan),
    }
    return Bars(symbol=name, ts_ns=ts_ns[kept], columns=columns)


def draw_margin(rng: np.random.Generator) -> Margin | None:
    """No margin as a rule."""
    if rng.random() < 0.6:
        return None
    return Margin(
        leverage=float(rng.choice([1.0, 1.5, 3.0])),
        maintenance=float(rng.choice([0.0, 0.2])),
        borrow=float(rng.choice([0.0, 0.05])),
        interest=float(rng.choice([0.0, 0.08])),
    )


def make_rules(rng: np.random.Generator, margin: Margin | None) -> Rules:
    """Rules of every kind that a portfolio has."""

    def one(*options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    tick = one(0.0, 0.0, 0.01)
    volumes = rng.random() < 0.25
    tiers = ((0.0, 0.002), (1_000.0, 0.001)) if rng.random() < 0.1 else ()
    costs = Costs(
        fee=0.0 if tiers else one(0.0, 0.001, 0.02),
        fixed_fee=one(0.0, 0.0, 0.0, 0.0, 0.5, 40.0),
        slippage=one(0.0, 0.0, 0.0005, 0.03),
        unit_fee=one(0.0, 0.0, 0.01),
        minimum_fee=one(0.0, 0.0, 2.0),
        tiers=tiers,
        slippage_ticks=one(0.0, 1.0) if tick else 0.0,
        impact=one(0.0, 0.1) if volumes else 0.0,
    )
    instrument = Instrument(
        lot=one(0.0, 0.0, 0.0, 1.0, 0.1), tick=tick, multiplier=one(1.0, 1.0, 5.0),
        min_units=one(0.0, 0.0, 2.0), min_value=one(0.0, 0.0, 100.0),
    )  # fmt: skip
    events = Events()
    if rng.random() < 0.3:
        events = Events(dividends=one(None, "dividend"), splits=one(None, "ratio"), funding=one(None, "rate"))
    return Rules(
        fill=one("next_open", "next_open", "close", "next:high"),
        costs=costs,
        cash=one(10_000.0, 10_000.0, 1_000.0, 1_000.0, 150.0),
        instrument=instrument,
        margin=margin,
        events=events,
        shortfall="reject" if rng.random() < 0.1 else "cut",
        volume_share=one(None, 0.1) if volumes else None,
    )


def make_weights(rng: np.random.Generator, symbols: list[str], margin: Margin | None) -> Weights:
    """Target weights of every form."""
    author = Author(rng, compiled_only=True)

    def one(*options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    groups: dict[str, tuple[str, ...]] = {}
    limit: Any = None
    if rng.random() < 0.4 and len(symbols) > 1:
        cut = int(rng.integers(1, len(symbols)))
        groups = {"first": tuple(symbols[:cut])}
        if rng.random() < 0.7:
            groups["second"] = tuple(symbols[cut:])
        limit = one(None, 0.2, {"first": param("limit", [0.1, 0.5])})
    stop = None
    if rng.random() < 0.4:
        stop = PortfolioStop(
            one(0.01, 0.05, param("loss", [0.002, 0.3])),
            scope=one("portfolio", "group") if groups else "portfolio",
            trail=bool(rng.random() < 0.5),
            reentry=one("fresh", "next"),
        )
    leverage = 1.0 if margin is None else margin.leverage
    return Weights(
        weight=draw_weight(rng, author, symbols),
        every=one("day", "week", "month", "quarter", "year", 1, 1, 2, 5, param("every", [1, 7])),
        most=one(None, None, 1, 2, param("most", [1, 3])),
        order=one("sells_first", "sells_first", "largest_first", "by_name", tuple(symbols)),
        groups=groups,
        group_limit=limit,
        gross_limit=one(None, None, leverage),
        drift=one(0.0, 0.0, 0.05, param("drift", [0.0, 0.2])),
        stop=stop,
        name="generated",
    )


def draw_weight(rng: np.random.Generator, author: Author, symbols: list[str]) -> Expr:
    """A weight that tends to be there, of a size that makes sense, and not always the same."""
    x = author.number(int(rng.integers(0, 3)))
    y = col(str(rng.choice(["close", "score", "open"])))
    size = float(rng.choice([0.1, 0.4, 1.0, 2.5]))
    other = str(rng.choice(symbols))
    scaled = size / lift(float(len(symbols)))
    count = param("count", [1, 2])
    condition = author.truth(int(rng.integers(0, 2)))
    options: list[Any] = [
        lambda: when(top(x, count), size / count, 0.0),
        lambda: when(top(y, 2), scaled, -scaled),
        lambda: size * share(abs(y)),
        lambda: size * share(abs(x)),
        lambda: demean(y) / (1.0 + abs(y)),
        lambda: when(hold(condition, author.truth(0)), scaled, 0.0),
        lambda: when(hold(author.truth(0), author.cross()), scaled, -scaled),
        lambda: when(of(other, y) > y, scaled, -scaled * 0.5),
        lambda: rank(x) / 10.0,
        lambda: when(y > cross_mean(y), scaled, 0.0),
        lambda: col("score") * 0.3,
        lambda: when(condition, scaled, 0.0),
        lambda: rank(demean(x)).lag(1) * 0.05 - 0.1,
        lambda: lift(scaled),
        lambda: x,
    ]
    found: Expr = options[int(rng.integers(len(options)))]()
    return found
