"""Nothing is created or lost: cash and shares on every bar, prices, times and the portfolio's sum.

The paths come from `trace`; that they are those of the engines is held by `test_engines`.
"""

from __future__ import annotations

from fractions import Fraction as Rational

import numpy as np
import pytest

from grn.quant import AllCash, Bars, Fraction, Rules
from grn.quant.compute import compute
from grn.quant.engine.choose import Choice
from grn.quant.engine.path import Path, trace
from grn.quant.engine.plan import Grid
from grn.quant.engine.series import Evaluator
from grn.quant.engine.walk import CLOSE_LEG, FORCED_LEG, OPEN_LEG
from grn.quant.metrics.registry import parse_metrics
from tests.property.cases import NIGHTLY, SHAPES, Case, make_case, make_shape, same_bits
from tests.property.markets import make_bars

CASES = 28 if NIGHTLY else 8
BLOCKS = range(0, SHAPES, 19) if not NIGHTLY else range(0, SHAPES, 50)
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


def settle(cash: float, leg: np.ndarray, rules: Rules) -> float:
    """Cash after a leg, with the operations that the account specifies."""
    _, _, kind, units, _, value, fees, _ = (float(x) for x in leg)
    if kind != OPEN_LEG:
        return cash + (value - fees) if units < 0.0 else cash - (value + fees)
    if units < 0.0:
        return cash + (value - fees)
    if isinstance(rules.size, AllCash | Fraction):
        return cash - rules.size.value * cash
    # A purchase that was cut to the cash leaves none; its fees are what was left over.
    return 0.0 if fees == cash - value else cash - (value + fees)


@pytest.mark.parametrize("start", BLOCKS)
def test_cash_and_shares_add_up_on_every_bar(start: int) -> None:
    """From the legs alone follow cash, position and equity of every bar, bit for bit.

    In exact arithmetic each leg moves value and fees and nothing else: what is left over is below four
    roundings of the amounts involved.
    """
    legs_seen = 0
    for case in cases(start):
        path, close = path_of(case), case.bars.column("close")
        cash, position, k = case.rules.cash, 0.0, 0
        for t in range(len(case.bars)):
            while k < len(path.legs) and path.legs[k, 0] == t:
                leg = path.legs[k]
                if leg[2] == OPEN_LEG:
                    assert position == 0.0, case
                    assert leg[3] < 0.0 or leg[5] + leg[6] <= cash * (1 + 2 * ULP), (
                        f"bought on credit: {case}"
                    )
                    position = leg[3]
                else:
                    assert leg[3] == -position, case
                    position = 0.0
                after = settle(cash, leg, case.rules)
                signed = Rational(leg[5]) if leg[3] < 0.0 else -Rational(leg[5])
                exact = Rational(cash) + signed - Rational(leg[6])
                assert abs(exact - Rational(after)) <= 4 * ULP * max(abs(cash), abs(after), leg[5], leg[6]), (
                    case
                )
                cash = after
                k += 1
            assert path.cash[t] == cash, case
            assert path.position[t] == position, case
            assert path.equity[t] == cash + position * close[t], case
        assert k == len(path.legs), case
        legs_seen += k
    assert legs_seen > 100


@pytest.mark.parametrize("start", BLOCKS)
def test_no_order_at_a_price_from_elsewhere(start: int) -> None:
    """Each leg fills at its own bar's price after slippage, on the bar that its signal allows.

    The fill is the bar's open one bar after the signal, or the close of the signal's bar; only a forced close
    needs no signal. Value and fees follow from price and units.
    """
    for case in cases(start):
        path, rules = path_of(case), case.rules
        costs, wait = rules.costs, 1 if rules.fill == "next_open" else 0
        prices = case.bars.column("open" if wait else "close")
        binding = case.shape.grid.binding(case.number % len(case.shape.grid))
        evaluator = Evaluator(case.bars)
        long_in, long_out, short_in, short_out = (
            evaluator.condition(s, binding) for s in case.shape.plan.signals
        )
        previous = -1.0
        for bar, order, kind, units, price, value, fees, _ in path.legs.tolist():
            t = int(bar)
            base = case.bars.column("close")[t] if kind == FORCED_LEG else prices[t]
            assert price == base * (1.0 + costs.slippage if units > 0.0 else 1.0 - costs.slippage), case
            assert value == pytest.approx(abs(units) * price, rel=1e-15), case
            cut = kind == OPEN_LEG and units > 0.0
            expected = value * costs.fee + (costs.fixed_fee if order != previous else 0.0)
            assert fees == (
                pytest.approx(expected, rel=1e-9, abs=1e-12 * rules.cash + 4 * ULP * value)
                if cut
                else expected
            ), case
            previous = order
            if kind == FORCED_LEG:
                continue
            s = t - wait
            assert s >= 0, case
            if kind == OPEN_LEG:
                wanted, cancelled = (long_in, long_out) if units > 0.0 else (short_in, short_out)
                assert wanted[s], case
                assert not cancelled[s], case
            else:
                assert kind == CLOSE_LEG
                leave, opposite = (long_out, short_in) if units < 0.0 else (short_out, long_in)
                assert leave[s] or opposite[s], case


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
