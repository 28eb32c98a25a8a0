"""Hand-made bars whose signals are columns, and one way to run them everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grn.quant import Bars, Costs, Rules, Strategy, col
from grn.quant.engine import cpu, reference
from grn.quant.engine.account import CLOSE_LEG, FORCED_LEG, LEG, OPEN_LEG
from grn.quant.engine.market import build_market
from grn.quant.engine.path import Path, trace
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.engine.series import Evaluator
from grn.quant.metrics.accumulators import GROUPS, accumulator_names
from grn.quant.strategy.sizes import AllCash, Size

GROUP_NAMES = tuple(g.name for g in GROUPS if g.name != "always")
LEGS = {OPEN_LEG: "open", CLOSE_LEG: "close", FORCED_LEG: "forced"}
SIDES = ("long_in", "long_out", "short_in", "short_out")

FOUR = Strategy(col("long_in"), col("long_out"), col("short_in"), col("short_out"))
LONG = Strategy(col("long_in"), col("long_out"))
SHORT = Strategy(col("short_in"), col("short_out"), direction="short")
TURNING = Strategy(col("long_in"), col("short_in"), direction="both")


def make_bars(
    close: Sequence[float], *, opens: Sequence[float] | None = None, **signals: Sequence[int]
) -> Bars:
    """Daily bars; each of `SIDES` is given by the numbers of the bars on which it holds."""
    n = len(close)
    columns = {"close": np.array(close, dtype=float), "open": np.array(opens or close, dtype=float)}
    for side in SIDES:
        columns[side] = np.isin(np.arange(n), list(signals.get(side, ()))).astype(float)
    return Bars(
        symbol="HAND", ts_ns=86_400_000_000_000 * np.arange(1, n + 1, dtype=np.int64), columns=columns
    )


def run(
    bars: Bars,
    strategy: Strategy = FOUR,
    *,
    fill: str = "close",
    size: Size | None = None,
    fee: float = 0.0,
    fixed_fee: float = 0.0,
    slippage: float = 0.0,
    cash: float = 1_000.0,
) -> tuple[Path, dict[str, float]]:
    """Run on reference, cpu and as a trace, hold all three to the same bits, and return path and sums."""
    rules = Rules(fill, Costs(fee, fixed_fee, slippage), size or AllCash(), cash)
    plan, grid = build_plan(strategy, rules), build_grid(strategy, 1.0)
    truth = reference.run(plan, grid, bars, rules, GROUP_NAMES)
    fused = cpu.run(plan, build_layout(plan, grid), grid, bars, rules, GROUP_NAMES, threads=1)
    assert truth.tobytes() == fused.tobytes()
    evaluator = Evaluator(bars, jit=False)
    equity, position, _, legs = reference.path(plan, evaluator, {}, build_market(bars, rules), rules)
    traced = trace(strategy, bars, rules, {})
    assert np.array(equity).tobytes() == traced.equity.tobytes()
    assert np.array(position).tobytes() == traced.position.tobytes()
    assert np.array(legs).reshape(-1, LEG).tobytes() == traced.legs.tobytes()
    return traced, dict(zip(accumulator_names(GROUP_NAMES), truth[0].tolist(), strict=True))


def legs_of(path: Path) -> list[tuple[int, str, float, float, float]]:
    """Legs as (bar, leg, signed units, fill price, fees)."""
    return [(int(x[0]), LEGS[int(x[2])], float(x[3]), float(x[4]), float(x[6])) for x in path.legs]
