"""Nothing is created or lost: cash and shares on every bar, prices, times and the portfolio's sum.

The paths come from `trace`; that they are those of the engines is held by `test_engines`.
"""

from __future__ import annotations

from fractions import Fraction as Rational

import numpy as np
import pytest

from grn.quant import Bars, Rules
from grn.quant.compute import compute
from grn.quant.engine.account import CLOSE_LEG, FORCED_LEG, MARGIN_LEG, OPEN_LEG
from grn.quant.engine.choose import Choice
from grn.quant.engine.path import Path, trace
from grn.quant.engine.plan import Grid
from grn.quant.engine.series import Evaluator
from grn.quant.metrics.registry import parse_metrics
from tests.property.cases import NIGHTLY, SHAPES, Case, make_case, make_shape, same_bits
from tests.property.markets import make_bars

CASES = 28 if NIGHTLY else 10
BLOCKS = range(0, SHAPES, 16) if not NIGHTLY else range(0, SHAPES, 50)
ULP = 2.0**-52


def cases(start: int) -> list[Case]:
    """Cases of a block of shapes, those that only the reference runs left out."""
    stop = min(SHAPES, start + (BLOCKS.step))
    found = [make_shape(seed) for seed in range(start, stop)]
    return [make_case(s, number) for s in found if s.engine == "cpu" for number in range(CASES)]


def path_of(case: Case) -> Path:
    """Path of the case's combination."""
    return trace(
        case.shape.strategy,
        case.bars,
        case.rules,
        case.shape.grid.binding(case.number % len(case.shape.grid)),
    )


def fees_by_hand(value: float, units: float, rules: Rules) -> float:
    """Fees of a leg without its fixed part, from the words of `Costs`."""
    costs = rules.costs
    starts = [start for start, _ in costs.tiers] + [np.inf]
    rates = [rate for _, rate in costs.tiers]
    sliced = sum(
        rate * max(0.0, min(value, end) - start)
        for rate, start, end in zip(rates, starts, starts[1:], strict=False)
    )
    return max(costs.minimum_fee, value * costs.fee + sliced + units * costs.unit_fee)


@pytest.mark.parametrize("start", BLOCKS)
def test_cash_and_units_add_up_on_every_bar(start: int) -> None:
    """Cash changes by the legs and by what holding moved, units by the legs and by splits; nothing else.

    In exact arithmetic: what is left over is a few roundings of the amounts involved.
    """
    legs_seen = 0
    for case in cases(start):
        path, bars, rules = path_of(case), case.bars, case.rules
        splits = np.nan_to_num(bars.column("split"), nan=1.0)
        cash, units, carried, k = rules.cash, 0.0, 0.0, 0
        multiplier = rules.instrument.multiplier
        alive = True
        for t in range(len(bars)):
            if rules.events.splits is not None and alive and t > 0:
                units *= splits[t]
                if rules.instrument.lot:
                    units = kept_in_lots(units, path, k, t)
            exact = Rational(cash) + (Rational(float(path.carried[t])) - Rational(carried))
            size = max(abs(cash), rules.cash, abs(float(path.carried[t])))
            while k < len(path.legs) and path.legs[k, 0] == t:
                _, _, kind, signed, price, value, fees, _, held, *_ = path.legs[k].tolist()
                assert held == pytest.approx(units, rel=1e-12, abs=0.0), case
                assert value == pytest.approx(abs(signed) * price * multiplier, rel=1e-12), case
                exact += (Rational(value) if signed < 0.0 else -Rational(value)) - Rational(fees)
                size = max(size, value, fees)
                units = float(held + signed)
                alive = alive and kind != FORCED_LEG
                k += 1
            cash, carried = float(path.cash[t]), float(path.carried[t])
            assert abs(exact - Rational(cash)) <= 64 * ULP * size, case
            assert path.position[t] == pytest.approx(units, rel=1e-12, abs=0.0), case
            assert path.equity[t] == cash + path.position[t] * bars.column("close")[t] * multiplier, case
            units = float(path.position[t])
        assert k == len(path.legs), case
        legs_seen += k
    assert legs_seen > 100


def kept_in_lots(units: float, path: Path, k: int, t: int) -> float:
    """Units after a split left whole lots: what the next leg, or the close, says was held."""
    moved = k < len(path.legs) and path.legs[k, 0] == t
    kept = float(path.legs[k, 8] if moved else path.position[t])
    assert abs(kept) <= abs(units) * (1 + 1e-9)
    return kept


@pytest.mark.parametrize("start", BLOCKS)
def test_profits_of_all_trades_are_the_change_of_equity(start: int) -> None:
    """Closed trades and the open one, marked at the last close, add up to final equity less initial cash."""
    for case in cases(start):
        path = path_of(case)
        gross = max(float(path.legs[:, 5].sum()), float(np.abs(path.carried).max()), case.rules.cash)
        change = path.equity[-1] - case.rules.cash
        assert path.trades()["pnl"].sum() == pytest.approx(change, abs=1e-12 * gross), case


@pytest.mark.parametrize("start", BLOCKS)
def test_no_order_at_a_price_from_elsewhere(start: int) -> None:
    """Each leg fills inside its own bar, a signal's at its own price after slippage; and it pays its fees."""
    for case in cases(start):
        path, rules, bars = path_of(case), case.rules, case.bars
        costs, tick = rules.costs, rules.instrument.tick
        low, high, close = (bars.column(name) for name in ("low", "high", "close"))
        fill = bars.column(rules.fill_column)
        order = case.shape.strategy.entry_order
        previous = -1.0
        for bar, number, kind, units, price, value, fees, *_ in path.legs.tolist():
            t = int(bar)
            side = 1.0 if units > 0.0 else -1.0
            slack = 1e-9 * price + 2.0 * tick  # rounded once when slipped, once when pressed
            if kind in (FORCED_LEG, MARGIN_LEG) or (kind in (OPEN_LEG, CLOSE_LEG) and order is None):
                base = close[t] if kind in (FORCED_LEG, MARGIN_LEG) else fill[t]
                slipped = base * (1.0 + side * costs.slippage)
                pressed = slipped * costs.impact
                away = side * (price - max(slipped, 0.0))
                assert -slack <= away <= pressed + slack, case
            else:
                room = high[t] * (costs.slippage + costs.impact) + slack
                assert low[t] - room <= price <= high[t] + room, case
            expected = fees_by_hand(value, abs(units), rules) + (
                costs.fixed_fee if number != previous else 0.0
            )
            assert fees == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(rules.cash, value)), case
            previous = number


@pytest.mark.parametrize("start", BLOCKS)
def test_no_entry_without_its_signal(start: int) -> None:
    """A position is opened on the bar its signal allows: its own, the next, or while its order works."""
    for case in cases(start):
        path, rules = path_of(case), case.rules
        binding = case.shape.grid.binding(case.number % len(case.shape.grid))
        evaluator = Evaluator(case.bars)
        long_in, _, short_in, _ = (evaluator.condition(s, binding) for s in case.shape.plan.signals)
        order = case.shape.strategy.entry_order
        for bar, _, kind, units, *_ in path.legs.tolist():
            if kind != OPEN_LEG:
                continue
            t = int(bar)
            wanted = long_in if units > 0.0 else short_in
            if order is None:
                s = t - int(rules.at_next_bar)
                assert s >= 0, case
                assert wanted[s], case
            else:
                first = 0 if order.expires is None else max(0, t - order.expires)
                assert wanted[first:t].any(), case


@pytest.mark.parametrize("start", BLOCKS)
def test_cutting_the_future_off_changes_nothing_before(start: int) -> None:
    """With the data cut at any bar, all bars before have the same cash, position, equity and legs."""
    for case in cases(start):
        whole = path_of(case)
        rng = np.random.default_rng([case.shape.seed, 5, case.number])
        cut = int(rng.integers(1, len(case.bars) + 1))
        short = Case(case.shape, case.number, case.bars.head(cut), case.rules)
        part = path_of(short)
        assert same_bits(part.equity, whole.equity[:cut]), f"cut at {cut}: {case}"
        assert same_bits(part.cash, whole.cash[:cut]), f"cut at {cut}: {case}"
        assert same_bits(part.position, whole.position[:cut]), f"cut at {cut}: {case}"
        assert same_bits(part.legs, whole.legs[whole.legs[:, 0] < cut]), f"cut at {cut}: {case}"


@pytest.mark.parametrize("seed", range(6))
def test_the_portfolio_is_the_sum_of_its_parts(seed: int) -> None:
    """At every timestamp equity is the sum of the symbols' accounts: first initial cash, then last value."""
    shape = next(s for s in map(make_shape, range(10 * seed, SHAPES)) if s.engine == "cpu" and s.groups)
    rng = np.random.default_rng([seed, 6])
    bars = tuple(make_bars(rng, symbol=name, n_bars=n) for name, n in (("A", 60), ("B", 20), ("C", 40)))
    case = make_case(shape, 0)
    grid = Grid(shape.grid.params, shape.grid.values[:1].copy())
    result = compute(
        shape.strategy,
        bars,
        grid,
        case.rules,
        parse_metrics(["total_return"]),
        Choice("reference", "test"),
        ppy=252.0,
    )
    frame = result.portfolio(0)
    stamps = frame["ts"].dt.timestamp("ns").to_numpy()
    assert set(stamps.tolist()) == set(np.concatenate([b.ts_ns for b in bars]).tolist())
    total = np.zeros(len(stamps))
    for k, one in enumerate(bars):
        own = result.path(k).equity
        total = total + [value_at(one, own, case.rules.cash, int(ts)) for ts in stamps]
    assert same_bits(frame["equity"].to_numpy(), total)
    assert same_bits(frame["equity"].to_numpy(), sum_of(frame.select("A", "B", "C").to_numpy()))


def value_at(bars: Bars, equity: np.ndarray, initial: float, ts_ns: int) -> float:
    """Equity of an account at a time: its last close at or before it."""
    past = np.flatnonzero(bars.ts_ns <= ts_ns)
    return float(equity[past[-1]]) if len(past) else initial


def sum_of(columns: np.ndarray) -> np.ndarray:
    """Columns added from left to right."""
    total = np.zeros(len(columns))
    for k in range(columns.shape[1]):
        total = total + columns[:, k]
    return total
