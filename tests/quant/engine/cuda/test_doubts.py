"""Doubts: rows that float32 decides otherwise say so, and the others do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grn.quant.engine import cpu, reference
from grn.quant.engine.cuda.source import make_kernel, print_source
from grn.quant.engine.cuda.tables import build_tables, count_sums, cut_batch
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.metrics.accumulators import accumulator_names
from tests.property.cases import Shape, make_case, make_shape
from tests.property.markets import make_bars
from tests.quant.engine.cuda.shapes import SHAPES, kernel_of
from tests.quant.engine.cuda.shim import build
from tests.quant.engine.cuda.test_screen import GROUPS, RULES, STRATEGIES

CASES = 12


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["averages that cross", "a trend between stops"])
def test_a_row_that_goes_its_own_way_is_in_doubt(name: str, tmp_path: Path) -> None:
    """2,400 rows x 20,000 bars: some trade otherwise than in float64, and each of them is in doubt.

    The rows without a doubt end within a tenth of a per mille; those with one may be per cents off.
    """
    strategy = STRATEGIES[name]
    plan, grid = build_plan(strategy, RULES), build_grid(strategy, 1.0)
    layout, names = build_layout(plan, grid), accumulator_names(GROUPS)
    bars = make_bars(np.random.default_rng(8), n_bars=20_000, kind="walk")
    truth = cpu.run(plan, layout, grid, bars, RULES, GROUPS, threads=1)
    library = build(tmp_path, [make_kernel(plan, grid.params, GROUPS, RULES)], "float")
    batch = cut_batch(grid, layout, 0, len(grid), "float")
    found = library.run(
        0, build_tables(plan, layout, bars, RULES, "float"), batch, count_sums(GROUPS, "float")
    ).T
    doubtful, off = found[:, -1] != 0.0, np.abs(found[:, 0] / truth[:, 0] - 1.0)
    traded = names.index("opened")
    otherwise = (found[:, traded] != truth[:, traded]) | (off > 1e-3)
    assert otherwise.any()
    assert not (otherwise & ~doubtful).any()
    assert off[~doubtful].max() < 2e-4 < 1e-2 < off[doubtful].max()


def shapes() -> list[Shape]:
    """Generated shapes of conditions alone: what a cut or a waiting order compares is not watched."""
    found = []
    for seed in range(SHAPES + 20):
        shape = make_shape(seed)
        strategy, rules = shape.strategy, shape.style.example()
        plain = not (strategy.stops or strategy.entry_order or rules.events.columns)
        if shape.engine == "cpu" and plain and "trades" in shape.groups:
            found.append(shape)
    return found


@pytest.mark.timeout(300)
def test_conditions_of_any_form_are_watched(tmp_path: Path) -> None:
    """Arithmetic, roots, minima, lags: where no comparison was in doubt, trades are those of float64."""
    chosen = shapes()
    library = build(tmp_path, map(kernel_of, chosen), "float")
    rows = doubted = 0
    for number, shape in enumerate(chosen):
        layout, traded = build_layout(shape.plan, shape.grid), accumulator_names(shape.groups).index("opened")
        for case in (make_case(shape, k) for k in range(CASES)):
            truth = reference.run(shape.plan, shape.grid, case.bars, case.rules, shape.groups)
            tables = build_tables(shape.plan, layout, case.bars, case.rules, "float")
            batch = cut_batch(shape.grid, layout, 0, len(shape.grid), "float")
            found = library.run(number, tables, batch, count_sums(shape.groups, "float")).T
            doubtful = found[:, -1] != 0.0
            assert (doubtful | (found[:, traded] == truth[:, traded])).all(), str(case)
            rows, doubted = rows + len(doubtful), doubted + int(doubtful.sum())
    assert 0 < doubted < 0.6 * rows


def test_float64_carries_no_bounds() -> None:
    """Doubts cost only the screening: nothing of them is in the source that is exact."""
    kernel = kernel_of(shapes()[0])
    assert "doubt" not in print_source([kernel])
    assert "note(doubt, is_near(" in print_source([kernel], "float")
