"""Hand-made bars whose signals are columns, and one way to run them everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from grn.quant import Bars, Costs, Rules, Strategy, col
from grn.quant.engine import cpu, reference
from grn.quant.engine.account import (
    CLOSE_LEG,
    FORCED_LEG,
    LEG,
    MARGIN_LEG,
    OPEN_LEG,
    STOP_LEG,
    TARGET_LEG,
    TRAIL_LEG,
)
from grn.quant.engine.market import build_market
from grn.quant.engine.path import Path, trace
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.engine.series import Evaluator
from grn.quant.metrics.accumulators import GROUPS, accumulator_names
from grn.quant.strategy.sizes import AllCash, Size
from tests.property.cases import NIGHTLY

ALL_GROUPS = tuple(g.name for g in GROUPS if g.name != "always")
ORDERED = ("moments", "trades", "exposure", "turnover", "fees")
"""What orders decide, and returns: a kernel without the other sums is compiled in two thirds of the time."""
LEGS = {
    OPEN_LEG: "open", CLOSE_LEG: "close", FORCED_LEG: "forced", STOP_LEG: "stop", TARGET_LEG: "target",
    TRAIL_LEG: "trail", MARGIN_LEG: "margin",
}  # fmt: skip
SIDES = ("long_in", "long_out", "short_in", "short_out")
DAY_NS = 86_400_000_000_000

FOUR = Strategy(col("long_in"), col("long_out"), col("short_in"), col("short_out"))
LONG = Strategy(col("long_in"), col("long_out"))
SHORT = Strategy(col("short_in"), col("short_out"), direction="short")
TURNING = Strategy(col("long_in"), col("short_in"), direction="both")


def make_bars(
    close: Sequence[float],
    *,
    opens: Sequence[float] | None = None,
    columns: Mapping[str, Sequence[float]] | None = None,
    step_days: float = 1.0,
    **signals: Sequence[int],
) -> Bars:
    """Bars of the closes (and opens), a day apart; each of `SIDES` by the numbers of the bars it holds on.

    `columns` are further ones, and those in place of the high and low that open and close span.
    """
    n = len(close)
    first = np.array(opens or close, dtype=float)
    last = np.array(close, dtype=float)
    found = {"close": last, "open": first, "high": np.maximum(first, last), "low": np.minimum(first, last)}
    for side in SIDES:
        found[side] = np.isin(np.arange(n), list(signals.get(side, ()))).astype(float)
    found |= {name: np.array(values, dtype=float) for name, values in (columns or {}).items()}
    ts_ns = (DAY_NS * step_days * np.arange(1, n + 1)).astype(np.int64)
    return Bars(symbol="HAND", ts_ns=ts_ns, columns=found)


def make_range(rows: Sequence[tuple[float, float, float, float]], **given: object) -> Bars:
    """Bars from rows of (open, high, low, close); the rest as in :func:`make_bars`."""
    opens, highs, lows, closes = (list(x) for x in zip(*rows, strict=True))
    extra = dict(given.pop("columns", None) or {})  # type: ignore[call-overload]
    return make_bars(closes, opens=opens, columns={"high": highs, "low": lows, **extra}, **given)  # type: ignore[arg-type]


def run(
    bars: Bars,
    strategy: Strategy = FOUR,
    *,
    rules: Rules | None = None,
    fill: str = "close",
    size: Size | None = None,
    fee: float = 0.0,
    fixed_fee: float = 0.0,
    slippage: float = 0.0,
    cash: float = 1_000.0,
    groups: Sequence[str] = ORDERED,
) -> tuple[Path, dict[str, float]]:
    """Run on reference, cpu and as a trace, hold all three to the same bits, and return path and sums.

    `rules` are taken as they are; without them the other arguments make some.  The sums are those of
    `groups`, in the nightly run of all.
    """
    if rules is None:
        rules = Rules(fill, Costs(fee, fixed_fee, slippage), size or AllCash(), cash)
    groups = ALL_GROUPS if NIGHTLY else groups
    plan, grid = build_plan(strategy, rules), build_grid(strategy, 1.0)
    truth = reference.run(plan, grid, bars, rules, groups)
    fused = cpu.run(plan, build_layout(plan, grid), grid, bars, rules, groups, threads=1)
    assert truth.tobytes() == fused.tobytes()
    evaluator = Evaluator(bars, jit=False)
    equity, position, _, legs = reference.path(plan, evaluator, {}, build_market(bars, rules), rules)
    traced = trace(strategy, bars, rules, {})
    assert np.array(equity).tobytes() == traced.equity.tobytes()
    assert np.array(position).tobytes() == traced.position.tobytes()
    assert np.array(legs).reshape(-1, LEG).tobytes() == traced.legs.tobytes()
    return traced, dict(zip(accumulator_names(groups), truth[0].tolist(), strict=True))


def with_orders(strategy: Strategy, **orders: object) -> Strategy:
    """A strategy with stops, an entry order or a scale beside its signals."""
    return replace(strategy, **orders)  # type: ignore[arg-type]


def legs_of(path: Path) -> list[tuple[int, str, float, float, float]]:
    """Legs as (bar, leg, signed units, fill price, fees)."""
    return [(int(x[0]), LEGS[int(x[2])], float(x[3]), float(x[4]), float(x[6])) for x in path.legs]
