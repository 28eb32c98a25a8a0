"""The coverage matrix through the source that is printed for a card: the bits of the reference.

Those of the cpu engine are held to them on the same features and bars, in `test_coverage` one folder up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grn.quant import Strategy
from grn.quant.compute import run_engine
from grn.quant.engine import reference
from grn.quant.engine.choose import refusals
from grn.quant.engine.cuda.source import make_kernel
from grn.quant.engine.cuda.tables import build_tables, cut_batch
from grn.quant.engine.plan import build_grid, build_layout, build_plan
from grn.quant.metrics.registry import groups_needed, parse_metrics
from grn.quant.strategy.rules import Rules
from tests.property.cases import NIGHTLY, same_bits
from tests.property.markets import make_bars
from tests.quant.engine.cuda.shim import build
from tests.quant.engine.test_coverage import FEATURES, REFUSED

BARS = make_bars(np.random.default_rng(2), n_bars=120, kind="walk")
PER_LIBRARY = 24
EVERY = 1 if NIGHTLY else 4
"""In CI each fourth feature: what their kernels are made of runs in `test_bits` too."""
LIBRARIES = 6


def features(library: int) -> list[str]:
    """The features of one library; all metrics are one feature, they differ in the groups asked for."""
    names = [n for n in FEATURES if not n.startswith("metric") and (n, "cuda") not in REFUSED]
    chosen = names if NIGHTLY else [n for k, n in enumerate(names) if k % EVERY == 0]
    return chosen[library::LIBRARIES] if NIGHTLY else chosen


@pytest.mark.timeout(600)
@pytest.mark.parametrize("library", range(LIBRARIES if NIGHTLY else 1))
def test_every_feature_has_the_bits_of_the_reference(library: int, tmp_path: Path) -> None:
    """Strategies, rules, orders and stops of the matrix, one kernel each."""
    names = features(library)
    made = [(strategy_of(name), FEATURES[name][1], groups_of(name)) for name in names]
    plans = [build_plan(strategy, rules) for strategy, rules, _ in made]
    kernels = [
        make_kernel(plan, strategy.params, groups, rules)
        for plan, (strategy, rules, groups) in zip(plans, made, strict=True)
    ]
    compiled = build(tmp_path, kernels)
    for number, (name, plan, (strategy, rules, groups)) in enumerate(zip(names, plans, made, strict=True)):
        grid = build_grid(strategy, 1.0)
        layout = build_layout(plan, grid)
        truth = reference.run(plan, grid, BARS, rules, groups)
        batch = cut_batch(grid, layout, 0, len(grid))
        found = compiled.run(number, build_tables(plan, layout, BARS, rules), batch, truth.shape[1]).T
        assert same_bits(truth, found), name


def strategy_of(feature: str) -> Strategy:
    """The strategy of a feature."""
    return FEATURES[feature][0]()


def groups_of(feature: str) -> tuple[str, ...]:
    """The accumulators of its metrics."""
    needed = set(groups_needed(parse_metrics(FEATURES[feature][2]))) | {"moments"}
    return tuple(sorted(needed - {"always"}))


def test_what_is_refused_is_refused_by_name() -> None:
    """The matrix lists the refusals of the cuda engine: no other feature has one."""
    for name in FEATURES:
        assert refusals(strategy_of(name))["cuda"] == REFUSED.get((name, "cuda"))


def test_the_engine_runs_where_sweeps_run_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`compute` hands a sweep to the launcher, symbol by symbol, with its progress."""
    from grn.quant.engine.cuda import launch
    from tests.quant.engine.cuda.cupy_double import CupyDouble

    strategy, rules = strategy_of("indicator"), Rules()
    grid, groups = build_grid(strategy, 1.0), ("moments",)
    monkeypatch.setattr(launch, "load_cupy", lambda: CupyDouble(tmp_path))
    counted: list[int] = []
    found = run_engine(strategy, [BARS, BARS], grid, rules, groups, "cuda", 1, counted.append)
    truth = run_engine(strategy, [BARS, BARS], grid, rules, groups, "cpu", 1)
    assert [f.tobytes() for f in found] == [t.tobytes() for t in truth]
    assert sum(counted) == 2 * len(grid)
