"""Reference and cpu give the same bits: the claim that everything else stands on.

A failure prints the number of its shape and case; `make_case(make_shape(SHAPE), CASE)` makes it again.
`GRN_NIGHTLY=1` runs thousands of shapes.
"""

from __future__ import annotations

import numpy as np
import pytest

from grn.quant.engine import cpu, reference
from grn.quant.engine.account import LEG
from grn.quant.engine.market import build_market
from grn.quant.engine.path import trace
from grn.quant.engine.plan import Grid, build_layout
from grn.quant.engine.series import Evaluator
from grn.quant.metrics.accumulators import accumulator_names
from tests.property.cases import (
    CASES_PER_SHAPE,
    SHAPES,
    SHAPES_PER_TEST,
    Case,
    cases_of,
    make_case,
    make_shape,
    same_bits,
    shapes_of,
)

BLOCKS = SHAPES // SHAPES_PER_TEST


def test_the_generated_cases_are_many_and_differ() -> None:
    """At least 2,000 cases over at least 60 distinct kernels, and `auto` gives 95 % of all cases to cpu."""
    shapes = [make_shape(seed) for seed in range(SHAPES)]
    compiled = [shape for shape in shapes if shape.engine == "cpu"]
    assert SHAPES == BLOCKS * SHAPES_PER_TEST
    assert len({shape.kernel for shape in compiled}) >= 60
    assert len(compiled) * CASES_PER_SHAPE >= 2_000
    assert len(compiled) >= 0.95 * len(shapes)


def test_a_case_can_be_made_again() -> None:
    """A number names one case: strategy, bars and rules come out the same twice."""
    for seed in range(5):
        first, again = make_case(make_shape(seed), 3), make_case(make_shape(seed), 3)
        assert first.shape.kernel == again.shape.kernel
        assert str(first) == str(again)
        assert first.bars.digest(sorted(first.bars.columns)) == again.bars.digest(sorted(again.bars.columns))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_reference_and_cpu_agree_on_every_bit(block: int) -> None:
    """All accumulators of all combinations, and the traced path, are the same bits in every case."""
    ran = trades = 0
    for shape in shapes_of(block):
        if shape.engine != "cpu":
            continue
        layout = build_layout(shape.plan, shape.grid)
        names = accumulator_names(shape.groups)
        for case in cases_of(shape):
            truth = reference.run(shape.plan, shape.grid, case.bars, case.rules, shape.groups)
            fused = cpu.run(shape.plan, layout, shape.grid, case.bars, case.rules, shape.groups, threads=1)
            if not same_bits(truth, fused):
                differing = [n for k, n in enumerate(names) if not same_bits(truth[:, k], fused[:, k])]
                pytest.fail(f"{', '.join(differing)} differ in {case}")
            trades += compare_paths(case)
            ran += 1
        check_threads(case, layout_row=case.number % len(shape.grid))
    assert ran == CASES_PER_SHAPE * sum(shape.engine == "cpu" for shape in shapes_of(block))
    assert trades > 0, "nothing traded: these cases prove nothing"


def compare_paths(case: Case) -> int:
    """Hold the traced path of one combination to the reference's; returns its number of legs."""
    binding = case.shape.grid.binding(case.number % len(case.shape.grid))
    evaluator = Evaluator(case.bars, jit=False)
    market = build_market(case.bars, case.rules)
    equity, position, _, legs = reference.path(case.shape.plan, evaluator, binding, market, case.rules)
    traced = trace(case.shape.strategy, case.bars, case.rules, binding)
    same = (
        same_bits(np.array(equity), traced.equity)
        and same_bits(np.array(position), traced.position)
        and same_bits(np.array(legs).reshape(-1, LEG), traced.legs)
    )
    assert same, f"the traced path differs at {binding} in {case}"
    return len(legs)


def check_threads(case: Case, layout_row: int) -> None:
    """Repeat the grid until several threads share it: the same bytes with one and with two, row by row."""
    shape = case.shape
    grid = Grid(shape.grid.params, np.tile(shape.grid.values, (2 * cpu.LANES // len(shape.grid) + 2, 1)))
    layout = build_layout(shape.plan, grid)
    one, two = (
        cpu.run(shape.plan, layout, grid, case.bars, case.rules, shape.groups, threads=n) for n in (1, 2)
    )
    assert len(grid) > 2 * cpu.LANES
    assert one.tobytes() == two.tobytes(), f"threads change bytes in {case}"
    row = one[layout_row]
    assert same_bits(
        one[layout_row :: len(shape.grid)],
        np.broadcast_to(row, (len(one[layout_row :: len(shape.grid)]), len(row))),
    )
