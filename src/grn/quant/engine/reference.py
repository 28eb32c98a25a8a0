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

from grn.quant.engine.account import LEG, SLOTS, TALLIES
from grn.quant.engine.forms import FIRST_LEVEL, STOPS
from grn.quant.engine.market import Market, build_market
from grn.quant.engine.plan import Grid, Plan
from grn.quant.engine.series import Binding, Evaluator, check_lag
from grn.quant.engine.terms import write_terms
from grn.quant.engine.walk import walk
from grn.quant.metrics.accumulators import GROUPS, accumulator_names
from grn.quant.schema import Bars
from grn.quant.strategy.expr import Binary, Const, Expr, Key, Lag, Param, Unary, When
from grn.quant.strategy.rules import Rules


def run(plan: Plan, grid: Grid, bars: Bars, rules: Rules, groups: Sequence[str]) -> npt.NDArray[np.float64]:
    """Accumulators of every combination on one symbol: float64 [C, accumulators]."""
    check_lag(plan.pad, len(bars))
    evaluator = Evaluator(bars, jit=False)
    market = build_market(bars, rules)
    names = accumulator_names(groups)
    out = np.empty((len(grid), len(names)))
    for row in range(len(grid)):
        equity, position, account, _ = path(plan, evaluator, grid.binding(row), market, rules)
        sums = accumulate(equity, position, account, rules.cash)
        out[row] = [sums[name] for name in names]
    return out


def truths(condition: Expr, evaluator: Evaluator, binding: Binding) -> list[bool]:
    """Truth of a condition on every bar."""
    return [bool(x) for x in values(condition, evaluator, binding)]


def values(node: Expr, evaluator: Evaluator, binding: Binding) -> list[float | bool]:
    """Value of an expression on every bar."""
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

    return [at(node, t) for t in range(len(evaluator.bars))]


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
    plan: Plan, evaluator: Evaluator, binding: Binding, market: Market, rules: Rules
) -> tuple[list[float], list[float], list[float], list[list[float]]]:
    """Walk one account: equity [T], position [T], the account at the end, and the legs (see `walk`)."""
    form = list(plan.form.numbers)
    stops = int(form[STOPS])
    n = len(evaluator.bars)
    signals = [truths(s, evaluator, binding) for s in plan.signals]
    tickets = [
        values(node, evaluator, binding) if k in plan.form.asked else [1.0] * n
        for k, node in enumerate(plan.form.ticket)
    ]
    columns = [column.tolist() for column in market]
    account = [0.0] * SLOTS
    out = [[0.0] * n for _ in range(4)]
    # On one bar: a reversal at the open, every level twice, a working order, a reversal at the close, a
    # forced close.
    log = [[0.0] * LEG for _ in range((7 + 2 * stops) * n)]
    long_entry, long_exit, short_entry, short_exit = signals
    count = walk(
        long_entry, long_exit, short_entry, short_exit, tickets, columns, form, write_terms(rules),
        rules.cash, account, [1.0] * (FIRST_LEVEL + stops),
        [math.nan] * (2 * stops), out, log,
    )  # fmt: skip
    return out[2], out[1], account, log[:count]


def accumulate(
    equity: Sequence[float], position: Sequence[float], account: Sequence[float], initial: float
) -> dict[str, float]:
    """Every accumulator of `metrics.accumulators` from a finished path."""
    tallies = {name: account[slot] for name, slot in TALLIES.items()}
    return accumulate_bars(equity, position, initial) | tallies


def accumulate_bars(equity: Sequence[float], invested: Sequence[float], initial: float) -> dict[str, float]:
    """Accumulators that the bars of a path determine, in the order specified in `metrics.accumulators`.

    `invested` is zero on a bar without a position.  Those that orders determine are left at zero.
    """
    a = dict.fromkeys(accumulator_names(g.name for g in GROUPS), 0.0)
    previous = peak = a["dd_peak"] = a["dd_trough"] = initial
    below = 0
    for worth, held in zip(equity, invested, strict=True):
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
    return a
