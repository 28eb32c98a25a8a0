"""The reference engine: plain Python, one bar at a time, written to be read.  The truth for all others.

Nothing here is shared with the cpu engine but the specified recurrences themselves: the indicators (run on
lists), the account and the walk.  Conditions are evaluated bar by bar from their definition, and
the accumulators follow `metrics.accumulators` on the finished path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from grn.quant.engine.plan import Grid, Plan
from grn.quant.engine.series import Binding, Evaluator, check_lag
from grn.quant.engine.walk import OPEN_LEG, walk
from grn.quant.metrics.accumulators import GROUPS, accumulator_names
from grn.quant.schema import Bars
from grn.quant.strategy.expr import Binary, Const, Expr, Key, Lag, Param, Unary, When
from grn.quant.strategy.rules import Rules


def run(plan: Plan, grid: Grid, bars: Bars, rules: Rules, groups: Sequence[str]) -> npt.NDArray[np.float64]:
    """Accumulators of every combination on one symbol: float64 [C, accumulators]."""
    check_lag(plan.pad, len(bars))
    evaluator = Evaluator(bars, jit=False)
    names = accumulator_names(groups)
    out = np.empty((len(grid), len(names)))
    for row in range(len(grid)):
        binding = grid.binding(row)
        signals = [truths(s, evaluator, binding) for s in plan.signals]
        equity, position, legs = path(signals, bars, rules)
        sums = accumulate(equity, position, legs, rules.cash)
        out[row] = [sums[name] for name in names]
    return out


def truths(condition: Expr, evaluator: Evaluator, binding: Binding) -> list[bool]:
    """Truth of a condition on every bar."""
    leaves: dict[Key, list[float]] = {}

    def leaf(node: Expr) -> list[float]:
        if node.key not in leaves:
            leaves[node.key] = evaluator.numbers(node, binding).tolist()
        return leaves[node.key]

    def at(node: Expr, t: int) -> float | bool:
        if node.series:
            x = leaf(node)[t] if t >= 0 else math.nan
            return x if node.kind == "float" else x == 1.0
        match node:
            case Const():
                return node.value
            case Param():
                return binding[node.name]
            case Lag():
                return at(
                    node.operand, t - (int(binding[node.n.name]) if isinstance(node.n, Param) else node.n)
                )
            case When():
                return at(node.yes, t) if at(node.test, t) else at(node.no, t)
            case Unary():
                return unary(node.op, at(node.operand, t))
            case Binary():
                return binary(node.op, at(node.left, t), at(node.right, t))
        raise AssertionError(type(node).__name__)

    return [bool(at(condition, t)) for t in range(len(evaluator.bars))]


def unary(op: str, x: float | bool) -> float | bool:
    """One operand: `neg`, `abs`, `sqrt`, `not`, `truth`, `missing`."""
    match op:
        case "neg":
            return -x
        case "abs":
            return abs(x)
        case "sqrt":
            return math.sqrt(x) if x >= 0.0 else math.nan
        case "not":
            return not x
        case "truth":
            return x < 0.0 or x > 0.0
        case "missing":
            return x != x
    raise AssertionError(op)


def binary(op: str, a: float | bool, b: float | bool) -> float | bool:
    """Two operands; IEEE 754 arithmetic, and no comparison holds with a missing value."""
    match op:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "div":
            return divide(a, b)
        case "minimum":
            return a if a < b or a != a else b
        case "maximum":
            return a if a > b or a != a else b
        case "lt":
            return a < b
        case "le":
            return a <= b
        case "gt":
            return a > b
        case "ge":
            return a >= b
        case "eq":
            return a == b
        case "ne":
            return a < b or a > b
        case "and":
            return a and b
        case "or":
            return a or b
        case "xor":
            return a != b
    raise AssertionError(op)


def divide(a: float, b: float) -> float:
    """Division as IEEE 754 has it: by zero gives an infinity, 0/0 and NaN give NaN."""
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def path(
    signals: Sequence[list[bool]], bars: Bars, rules: Rules
) -> tuple[list[float], list[float], list[list[float]]]:
    """Walk one account: equity [T], position [T] and the legs written (see `walk`)."""
    close = bars.column("close").tolist()
    at_next_bar = rules.fill == "next_open"
    fill = bars.column("open").tolist() if at_next_bar else close
    n = len(close)
    cash, position, equity = [0.0] * n, [0.0] * n, [0.0] * n
    legs = [[0.0] * 8 for _ in range(2 * n + 1)]
    long_entry, long_exit, short_entry, short_exit = signals
    count = walk(
        long_entry, long_exit, short_entry, short_exit, fill, close, at_next_bar,
        rules.costs.fee, rules.costs.fixed_fee, rules.costs.slippage,
        rules.size.code, float(rules.size.value), rules.cash, cash, position, equity, legs,
    )  # fmt: skip
    return equity, position, legs[:count]


def accumulate(
    equity: Sequence[float], position: Sequence[float], legs: Sequence[Sequence[float]], initial: float
) -> dict[str, float]:
    """Every accumulator of `metrics.accumulators` from a finished path, in the order specified there."""
    a = dict.fromkeys(accumulator_names(g.name for g in GROUPS), 0.0)
    previous = peak = a["dd_peak"] = a["dd_trough"] = initial
    below = 0
    for worth, held in zip(equity, position, strict=True):
        r = worth / previous - 1.0 if previous > 0.0 else 0.0
        previous = worth
        a["s1"] += r
        a["s2"] += r * r
        a["s3"] += r * r * r
        a["s4"] += (r * r) * (r * r)
        if r < 0.0:
            a["d2"] += r * r
            a["loss"] -= r
        elif r > 0.0:
            a["gain"] += r
        if worth > peak:
            peak = worth
        elif worth * a["dd_peak"] < a["dd_trough"] * peak:
            a["dd_peak"], a["dd_trough"] = peak, worth
        below = below + 1 if worth < peak else 0
        a["dd_bars"] = max(a["dd_bars"], float(below))
        if held != 0.0:
            a["bars_in"] += 1.0
    a["equity"] = equity[-1]
    return a | accumulate_legs(legs)


def accumulate_legs(legs: Sequence[Sequence[float]]) -> dict[str, float]:
    """Accumulators that orders alone determine: trades, turnover, fees."""
    a = dict.fromkeys(accumulator_names(("trades", "turnover", "fees")), 0.0)
    del a["equity"]
    basis = 0.0
    volume: dict[float, tuple[float, float]] = {}
    for _, order, leg, units, _, value, fees, before in legs:
        a["fees"] += fees
        volume[order] = (volume.get(order, (0.0, 0.0))[0] + value, before)
        if leg == OPEN_LEG:
            a["opened"] += 1.0
            basis = value + fees if units > 0.0 else value - fees
            continue
        pnl = (value - fees) - basis if units < 0.0 else basis - (value + fees)
        a["closed"] += 1.0
        if pnl > 0.0:
            a["wins"] += 1.0
            a["win_sum"] += pnl
        elif pnl < 0.0:
            a["loss_sum"] -= pnl
    for traded, before in volume.values():
        if before > 0.0:
            a["traded"] += traded / before
    return a
