"""The registry of comparisons with vectorbt 1.2.0: `tests/parity` proves them, `benchmarks.sweep` times one.

Most run the moving-average crossover of vectorbt's README over every pair of windows 2 to 100.  Those with
stops run it on candles over windows and stop sizes.  Those about conflicts and accumulation run a momentum
strategy whose signals repeat and contradict each other.  A comparison fixes the rules around its strategy.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.candles import candle_market
from benchmarks.market import random_market
from grn.quant import (
    AllCash,
    Bars,
    Conflicts,
    Costs,
    Fraction,
    Instrument,
    Quantity,
    Rules,
    StopLoss,
    StopRules,
    Strategy,
    TakeProfit,
    TrailingStop,
    Value,
    close,
    param,
    sma,
)
from grn.quant.compute import compute
from grn.quant.engine.choose import Choice
from grn.quant.engine.plan import Grid
from grn.quant.metrics.registry import parse_metrics
from grn.quant.strategy.rules import Accumulate, Direction, LevelFill, Shortfall
from grn.quant.strategy.sizes import Size

Table = dict[str, npt.NDArray[np.float64]]
"""Metric name -> float64 [symbols, combinations]."""
Combination = tuple[float, ...]
"""Values of a comparison's parameters, in the order of `Comparison.axes`."""
StopExit = Literal["stoplimit", "stopmarket", "price", "close"]
Market = Literal["walks", "candles", "gaps"]

METRICS = ("total_return", "sharpe", "max_drawdown", "trades")
TRADE_METRICS = ("win_rate", "profit_factor")
PAIRS = tuple(itertools.combinations(range(2, 101), 2))
"""All 4,851 pairs, the fast window varying slowest."""
LAGS = tuple(itertools.product(range(1, 33), repeat=2))
"""1,024 pairs of lags of the momentum strategy."""
PERIODS_PER_YEAR = 365.0
"""vectorbt's year has 365 days; bars are daily (its ``freq="1D"``)."""
CASH = 10_000.0
TOLERANCE = 1e-9
"""Largest absolute and largest relative difference."""

STOP_WINDOWS = ((2, 5), (2, 8), (3, 7), (3, 10), (4, 9), (4, 15), (5, 12), (5, 20))
SIZES = {"candles": np.linspace(0.002, 0.05, 128), "gaps": np.linspace(0.03, 0.15, 128)}
"""Sizes of a stop: on candles without gaps some lie inside a single bar, with gaps none does."""
FILLS: dict[StopExit, LevelFill] = {
    "stoplimit": "limit", "stopmarket": "market", "price": "signal", "close": "signal",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """One set of rules that both programs can express.

    Parameters
    ----------
    name, direction, size, costs, fill, accumulate, conflicts, instrument, shortfall
        As in :class:`grn.quant.Rules`.
    stops
        Any of "stop_loss", "trailing_stop" (not both) and "take_profit".
    stop_exit
        vectorbt's ``stop_exit_price``.
    strategy
        "crossover" or "momentum".
    market
        "walks" of open and close, or "candles", or candles with "gaps".
    """

    name: str
    direction: Direction = "long"
    size: Size = field(default_factory=AllCash)
    costs: Costs = field(default_factory=lambda: Costs(fee=0.001))
    fill: str = "close"
    stops: tuple[str, ...] = ()
    stop_exit: StopExit = "stoplimit"
    accumulate: Accumulate = "no"
    conflicts: Conflicts = field(default_factory=Conflicts)
    instrument: Instrument = field(default_factory=Instrument)
    shortfall: Shortfall = "cut"
    strategy: Literal["crossover", "momentum"] = "crossover"
    market: Market = "walks"

    @property
    def rules(self) -> Rules:
        """The rules as grn takes them."""
        level = FILLS[self.stop_exit]
        stop_rules = StopRules()
        if self.stops:
            stop_rules = StopRules(stop_fill=level, target_fill=level, after="skip")
        return Rules(
            fill=self.fill, costs=self.costs, size=self.size, cash=CASH, accumulate=self.accumulate,
            conflicts=self.conflicts, stop_rules=stop_rules, instrument=self.instrument,
            shortfall=self.shortfall,
        )  # fmt: skip

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return ("fast", "slow", *self.stops) if self.strategy == "crossover" else ("rise", "fall")

    @property
    def combinations(self) -> tuple[Combination, ...]:
        """All parameter combinations, at least 1,000."""
        if self.strategy == "momentum":
            return LAGS
        if not self.stops:
            return PAIRS
        sizes = SIZES[self.market]
        if len(self.stops) == 1:
            return tuple((a, b, s) for (a, b), s in itertools.product(STOP_WINDOWS, sizes.tolist()))
        first, second = sizes[::12].tolist(), (sizes[::11] * 1.5).tolist()
        return tuple((a, b, s, t) for (a, b), s, t in itertools.product(STOP_WINDOWS, first, second))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The numbers compared; those of trades where stops, additions or conflicts shape the trades."""
        plain = self.strategy == "crossover" and not self.stops
        return METRICS if plain else METRICS + TRADE_METRICS


def _stopped(
    *stops: str,
    stop_exit: StopExit,
    slippage: float,
    direction: Direction = "long",
    market: Market = "candles",
) -> Comparison:
    short = {"stop_loss": "stop", "trailing_stop": "trail", "take_profit": "target"}
    parts = ["+".join(short[s] for s in stops), stop_exit]
    parts += [direction] if direction != "long" else []
    parts += ["slips"] if slippage else []
    parts += ["gaps"] if market == "gaps" else []
    costs = Costs(fee=0.001, slippage=slippage)
    return Comparison(
        "-".join(parts), direction, costs=costs, stops=stops, stop_exit=stop_exit, market=market
    )


def _conflicting(same: str, both: str, opposite: str) -> Comparison:
    return Comparison(
        f"conflicts-{same}-{both}-{opposite}", "both", Quantity(20), strategy="momentum",
        conflicts=Conflicts(same, both, opposite),  # type: ignore[arg-type]  # words of the rules, checked there
    )  # fmt: skip


_EXITS: tuple[StopExit, ...] = ("stoplimit", "stopmarket", "price", "close")
_ON_GAPS: tuple[tuple[StopExit, Direction], ...] = (
    ("stoplimit", "long"), ("stopmarket", "short"), ("close", "both"),
)  # fmt: skip
_MOMENTUM: Literal["momentum"] = "momentum"

COMPARISONS = (
    Comparison("readme"),
    Comparison("short", direction="short"),
    Comparison("both", direction="both"),
    Comparison("quantity", size=Quantity(80)),
    Comparison("quantity-short", direction="short", size=Quantity(10)),
    Comparison("quantity-both", direction="both", size=Quantity(15)),
    Comparison("value", size=Value(5_000)),
    Comparison("fraction", size=Fraction(0.5)),
    Comparison("fraction-short", direction="short", size=Fraction(0.5)),
    Comparison("all-costs", direction="both", costs=Costs(fee=0.001, fixed_fee=0.05, slippage=0.0002)),
    Comparison("next-open", fill="next_open"),
    Comparison("lots", instrument=Instrument(lot=1)),
    Comparison("lots-value", size=Value(5_000), instrument=Instrument(lot=0.25)),
    Comparison("least-units", size=Value(5_000), instrument=Instrument(min_units=48)),
    Comparison("reject", size=Quantity(95), shortfall="reject"),
    Comparison("fixed-fee", size=Fraction(0.8), costs=Costs(fixed_fee=2.5)),
    *(
        _stopped(*stops, stop_exit=how, slippage=slippage)
        for stops in (("stop_loss",), ("take_profit",), ("trailing_stop",), ("stop_loss", "take_profit"),
                      ("trailing_stop", "take_profit"))
        for how in _EXITS
        for slippage in (0.0, 0.0005)
    ),
    *(
        _stopped(*stops, stop_exit=how, slippage=0.0005, direction=direction, market="gaps")
        for stops in (("stop_loss",), ("take_profit",), ("trailing_stop",), ("stop_loss", "take_profit"))
        for how, direction in _ON_GAPS
    ),
    Comparison("add-quantity", size=Quantity(3), accumulate="add", strategy=_MOMENTUM),
    Comparison("add-value", size=Value(400), accumulate="add", strategy=_MOMENTUM),
    Comparison("add-fraction", size=Fraction(0.1), accumulate="add", strategy=_MOMENTUM),
    Comparison("add-short", "short", Quantity(1), accumulate="add", strategy=_MOMENTUM),
    Comparison("reduce-quantity", size=Quantity(60), accumulate="reduce", strategy=_MOMENTUM),
    Comparison("reduce-value", size=Value(400), accumulate="reduce", strategy=_MOMENTUM),
    Comparison("both-quantity", size=Quantity(3), accumulate="both", strategy=_MOMENTUM),
    Comparison("both-value", size=Value(400), accumulate="both", strategy=_MOMENTUM),
    Comparison("both-fraction", size=Fraction(0.05), accumulate="both", strategy=_MOMENTUM),
    Comparison("both-short", "short", Quantity(1), accumulate="both", strategy=_MOMENTUM),
    # Every rule meets every other once: same side, both sides, opposite side.
    _conflicting("cancel", "cancel", "reverse"),
    _conflicting("cancel", "long", "close"),
    _conflicting("cancel", "short", "ignore"),
    _conflicting("entry", "cancel", "close"),
    _conflicting("entry", "long", "ignore"),
    _conflicting("entry", "short", "reverse"),
    _conflicting("exit", "cancel", "ignore"),
    _conflicting("exit", "long", "reverse"),
    _conflicting("exit", "short", "close"),
)  # fmt: skip
BY_NAME = {c.name: c for c in COMPARISONS}
TIMED = tuple(c.name for c in COMPARISONS if c.axes == ("fast", "slow") and c.market == "walks")
"""Those that differ from the README's sweep in their rules only: what `benchmarks.sweep` can time."""


def market_of(comparison: Comparison) -> tuple[Bars, ...]:
    """The bars that a comparison runs on."""
    if comparison.market == "walks":
        return random_market() if comparison.strategy == "crossover" else random_market(1)
    return candle_market(1, gaps=comparison.market == "gaps")


def crossover(direction: Direction = "long", *, step: int = 1, stops: tuple[str, ...] = ()) -> Strategy:
    """The strategy of the README: in when the fast average rises above the slow one, out when below.

    `step` takes every so many windows only.
    """
    fast, slow = param("fast", range(2, 101, step)), param("slow", range(2, 101, step))
    a, b = sma(close, fast), sma(close, slow)
    kinds: dict[str, type[StopLoss | TrailingStop | TakeProfit]] = {
        "stop_loss": StopLoss, "trailing_stop": TrailingStop, "take_profit": TakeProfit,
    }  # fmt: skip
    return Strategy(
        entry=a.crosses_above(b),
        exit=a.crosses_below(b),
        direction=direction,
        where=fast < slow,
        name="crossover",
        # The values stand in the grid; a parameter needs at least the smallest and the largest.
        stops=[kinds[kind](param(kind, (1e-4, 0.5))) for kind in stops],
    )


def momentum(direction: Direction) -> Strategy:
    """In while the close is above that of `rise` bars ago, out while below that of `fall` bars ago.

    Both are states: they repeat, and on many bars both hold.  With direction "both" a short enters on the
    second condition, and exits have lags of their own, so that every kind of conflict occurs.
    """
    rise, fall = param("rise", range(1, 33)), param("fall", range(1, 33))
    up, down = close > close.lag(rise), close < close.lag(fall)
    if direction == "both":
        return Strategy(up, close < close.lag(3), down, close > close.lag(5), name="momentum")
    entry, leave = (up, down) if direction == "long" else (down, up)
    return Strategy(entry, leave, direction=direction, name="momentum")


def strategy_of(comparison: Comparison) -> Strategy:
    """The strategy that a comparison runs."""
    if comparison.strategy == "momentum":
        return momentum(comparison.direction)
    return crossover(comparison.direction, stops=comparison.stops)


def run_ours(
    comparison: Comparison, market: tuple[Bars, ...], combinations: tuple[Combination, ...]
) -> Table:
    """The metrics from the cpu engine."""
    strategy = strategy_of(comparison)
    order = [comparison.axes.index(p.name) for p in strategy.params]
    grid = Grid(strategy.params, np.ascontiguousarray(np.array(combinations, dtype=np.float64)[:, order]))
    result = compute(
        strategy,
        market,
        grid,
        comparison.rules,
        parse_metrics(comparison.metrics),
        Choice("cpu", "compared"),
        ppy=PERIODS_PER_YEAR,
    )
    shape = (len(market), len(combinations))
    return {
        name: result.frame[name].to_numpy().astype(np.float64).reshape(shape) for name in comparison.metrics
    }


def largest_differences(ours: Table, theirs: Table) -> dict[str, tuple[float, float]]:
    """Per metric the largest absolute and relative difference; NaN equals NaN and nothing else."""
    assert ours.keys() == theirs.keys(), f"{sorted(ours)} beside {sorted(theirs)}"
    found = {}
    for name in ours:
        a, b = ours[name], theirs[name]
        assert a.shape == b.shape, f"{name}: {a.shape} beside {b.shape}"
        gap = np.where(np.isnan(a) & np.isnan(b), 0.0, np.abs(a - b))
        gap = np.where(np.isnan(gap), np.inf, gap)
        size = np.maximum(np.abs(a), np.abs(b))
        relative = np.where(gap == 0.0, 0.0, gap / np.where(size > 0.0, size, 1.0))
        found[name] = (float(gap.max()), float(relative.max()))
    return found


def agree(differences: dict[str, tuple[float, float]]) -> bool:
    """Whether every difference is within the tolerance."""
    return all(max(pair) <= TOLERANCE for pair in differences.values())
