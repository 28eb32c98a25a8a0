"""Target weights: reference and cpu give the same bits, money adds up, nothing looks ahead.

A failure prints the number of its case; `make_case(SEED)` makes it again.  `GRN_NIGHTLY=1` runs more.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from grn.quant.engine.plan import Grid
from grn.quant.engine.portfolio import cpu, reference
from grn.quant.engine.portfolio.book import CARRY, LENDING, SPLIT
from grn.quant.engine.portfolio.panel import Panel, PanelEvaluator
from grn.quant.engine.portfolio.path import trace_portfolio
from grn.quant.engine.portfolio.sums import NAMES
from grn.quant.metrics.accumulators import GROUPS, accumulator_names
from grn.quant.strategy.weights import check_weights
from tests.property.cases import same_bits
from tests.property.panels import CASES, CASES_PER_TEST, Case, make_case

GROUP_NAMES = tuple(g.name for g in GROUPS if g.name != "always")
BLOCKS = CASES // CASES_PER_TEST


def cases_of(block: int) -> list[Case]:
    """The cases that one test runs; what contradicts itself is refused by its own tests."""
    return [make_case(seed) for seed in range(block * CASES_PER_TEST, (block + 1) * CASES_PER_TEST)]


def test_the_sums_are_those_of_the_metrics() -> None:
    """What the compiled walk sums up has the names and the order of the accumulators."""
    assert accumulator_names(GROUP_NAMES) == NAMES


def test_the_generated_cases_are_many_and_trade() -> None:
    """At least 300 cases; most of them trade, and every rule is met by some."""
    cases = [make_case(seed) for seed in range(CASES)]
    assert len(cases) >= 300
    traded = stopped = ruined = 0
    for case in cases[:120]:
        path = trace_portfolio(case.weights, case.panel, case.rules, case.grid.binding(0))
        reasons = path.orders()["reason"].to_list()
        traded += bool(reasons)
        stopped += "stop" in reasons
        ruined += "ruin" in reasons or "margin call" in reasons
    assert traded >= 75
    assert stopped >= 8
    assert ruined >= 3


@pytest.mark.parametrize("block", range(BLOCKS))
def test_reference_and_cpu_agree_on_every_bit(block: int) -> None:
    """All accumulators of all combinations, and the traced path, are the same bits in every case."""
    for case in cases_of(block):
        truth = reference.run(case.weights, case.grid, case.panel, case.rules, GROUP_NAMES)
        found = cpu.run(case.weights, case.grid, case.panel, case.rules, GROUP_NAMES, threads=1)
        assert same_bits(truth, found), str(case)
        row = len(case.grid) - 1
        path = trace_portfolio(case.weights, case.panel, case.rules, case.grid.binding(row))
        plain = reference.follow(case.weights, case.panel, case.rules, case.grid.binding(row))
        assert same_bits(path.equity, np.array(plain.equity)), str(case)
        assert same_bits(path.cash, np.array(plain.cash)), str(case)
        assert same_bits(path.units, np.array(plain.units)), str(case)
        assert same_bits(path.entries, np.array(plain.entries).reshape(-1, 10)), str(case)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_money_is_conserved(block: int) -> None:
    """Cash is what the entries moved, units are what they traded, profits add up to the change of equity."""
    for case in cases_of(block):
        path = trace_portfolio(case.weights, case.panel, case.rules, case.grid.binding(0))
        m = case.rules.instrument.multiplier
        value = np.where(path.units == 0.0, 0.0, path.units * path.close * m).sum(axis=1)
        scale = max(1.0, float(np.abs(path.equity).max()), float(path.gross.max()))
        assert np.abs(path.cash + value - path.equity).max() <= 1e-9 * scale, str(case)
        moved = case.rules.cash
        held = np.zeros(len(path.symbols))
        interest = 0.0
        for _, _, kind, s, units, _, worth, fees, _, _ in path.entries.tolist():
            scale = max(scale, abs(moved), worth)
            if kind in (CARRY, LENDING):
                moved += worth
                interest += worth if kind == LENDING else 0.0
                continue
            held[int(s)] += units
            if kind != SPLIT:
                moved += worth - fees if units < 0.0 else -(worth + fees)
        assert math.isclose(moved, path.cash[-1], abs_tol=1e-9 * scale, rel_tol=1e-9), str(case)
        sizes = np.maximum(1.0, np.abs(path.units).max(axis=0))
        assert (np.abs(held - path.units[-1]) <= 1e-9 * sizes).all(), str(case)
        pnl = float(path.trades()["pnl"].sum()) + interest
        gain = path.equity[-1] - case.rules.cash
        assert math.isclose(pnl, gain, abs_tol=1e-8 * scale, rel_tol=1e-9), str(case)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_limits_hold_after_a_rebalance(block: int) -> None:
    """Never more positions than `most`, no lot broken, no order above its share of the volume."""
    for case in cases_of(block):
        binding = case.grid.binding(0)
        path = trace_portfolio(case.weights, case.panel, case.rules, binding)
        lot = case.rules.instrument.lot
        legs = path.legs[(path.legs[:, 9] == 1.0) & (path.legs[:, 2] <= 2.0)]
        if lot and case.rules.events.splits is None:
            parts = legs[:, 4] / lot
            assert (np.abs(parts - np.round(parts)) <= 1e-6).all(), str(case)
        if case.rules.volume_share is not None:
            volume = case.panel.market(case.rules).volume
            for bar, _, _, s, units, *_ in legs.tolist():
                most = case.rules.volume_share * volume[int(bar), int(s)]
                assert abs(units) <= most * (1.0 + 1e-9) + 1e-12, str(case)
        here = case.panel.here
        for row in path.legs[path.legs[:, 9] <= 2.0].tolist():
            assert here[int(row[0]), int(row[3])], str(case)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_nothing_looks_ahead(block: int) -> None:
    """Cutting the data off changes nothing before the cut."""
    for case in cases_of(block):
        ts = case.panel.ts_ns
        rng = np.random.default_rng([case.seed, 13])
        cut = int(rng.integers(1, len(ts) + 1))
        first = [b for b in case.bars if b.ts_ns[0] <= ts[cut - 1]]
        if len(first) < len(case.bars):
            continue  # a symbol that is not there at all is another portfolio
        short = Panel(tuple(b.head(int(np.searchsorted(b.ts_ns, ts[cut - 1], side="right"))) for b in first))
        binding = case.grid.binding(0)
        whole = trace_portfolio(case.weights, case.panel, case.rules, binding)
        part = trace_portfolio(case.weights, short, case.rules, binding)
        assert same_bits(whole.equity[:cut], part.equity), str(case)
        assert same_bits(whole.units[:cut], part.units), str(case)


@pytest.mark.parametrize("seed", range(0, CASES, 8))
def test_the_order_of_symbols_and_threads_change_nothing(seed: int) -> None:
    """Symbols in another order, more threads, and combinations alone: the same bits."""
    case = make_case(seed)
    whole = cpu.run(case.weights, case.grid, case.panel, case.rules, GROUP_NAMES, threads=1)
    turned = Panel(case.bars[::-1])
    again = cpu.run(case.weights, case.grid, turned, case.rules, GROUP_NAMES, threads=3)
    assert same_bits(whole, again), str(case)
    for row in range(len(case.grid)):
        alone = Grid(case.grid.params, np.ascontiguousarray(case.grid.values[row : row + 1]))
        found = cpu.run(case.weights, alone, case.panel, case.rules, GROUP_NAMES, threads=1)
        assert same_bits(whole[row : row + 1], found), str(case)


@pytest.mark.parametrize("seed", range(0, CASES, 8))
def test_weights_as_arrays_are_weights_bar_by_bar(seed: int) -> None:
    """The matrix that cpu reads holds what the definition gives, missing values included."""
    case = make_case(seed)
    binding = case.grid.binding(0)
    table = PanelEvaluator(case.panel).weights(case.weights.weight, binding)
    reader = reference.Reader(case.panel, binding)
    n = len(case.bars)
    truth = [[reader.known(case.weights.weight, s, ts) for s in range(n)] for ts in case.panel.ts_ns.tolist()]
    assert same_bits(table, np.array(truth)), str(case)


def test_costs_only_cost() -> None:
    """Without trading there are no fees, and an account that never trades keeps its cash to the bit."""
    case = make_case(0)
    still = replace(case, weights=replace(case.weights, weight=0.0, stop=None))
    check_weights(still.weights, still.rules, case.panel.symbols)
    path = trace_portfolio(still.weights, still.panel, still.rules, still.grid.binding(0))
    assert (path.equity == still.rules.cash).all()
    assert not len(path.entries)
