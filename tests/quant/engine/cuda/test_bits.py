"""The source printed for a card gives the bits of the cpu engine, compiled for this machine and run here.

In CI the truth is the reference engine for all shapes but the first: the cpu engine is held to it on the same
cases (`tests/property/test_engines.py`), and costs seconds of compilation for each shape.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grn.quant.engine import cpu, reference
from grn.quant.engine.cuda.tables import build_tables, cut_batch
from grn.quant.engine.plan import build_layout
from grn.quant.metrics.accumulators import accumulator_names
from tests.property.cases import NIGHTLY, make_case, same_bits
from tests.quant.engine.cuda.shapes import BLOCKS, CASES, kernel_of, shapes_of
from tests.quant.engine.cuda.shim import build


@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_shim_and_engines_agree_on_every_bit(block: int, tmp_path: Path) -> None:
    """All accumulators of all combinations, under every rule, stop and order that the generator knows."""
    shapes = shapes_of(block)
    library = build(tmp_path, map(kernel_of, shapes))
    traded = 0.0
    for number, shape in enumerate(shapes):
        layout, names = build_layout(shape.plan, shape.grid), accumulator_names(shape.groups)
        for case in (make_case(shape, k) for k in range(CASES)):
            truth = reference.run(shape.plan, shape.grid, case.bars, case.rules, shape.groups)
            if NIGHTLY or block == number == 0:
                fast = cpu.run(shape.plan, layout, shape.grid, case.bars, case.rules, shape.groups, threads=1)
                assert same_bits(truth, fast)
            tables = build_tables(shape.plan, layout, case.bars, case.rules)
            batch = cut_batch(shape.grid, layout, 0, len(shape.grid))
            found = library.run(number, tables, batch, len(names)).T
            differing = [n for k, n in enumerate(names) if not same_bits(truth[:, k], found[:, k])]
            assert not differing, f"{', '.join(differing)} differ in {case}"
            traded += float(np.abs(truth[:, 0] - case.rules.cash).sum())
    assert traded > 0.0, "nothing traded: these cases prove nothing"
