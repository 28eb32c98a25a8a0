"""The numbers of a sweep alone: priced, run, put into a frame.  No ledger, no files."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grn.hw.memory import read_memory
from grn.hw.pin import place_sweep
from grn.kit.config import load_settings
from grn.kit.errors import BudgetError, UnsupportedError, UsageError
from grn.quant.engine import cpu, reference
from grn.quant.engine.choose import Choice
from grn.quant.engine.grid import GIB, Grid
from grn.quant.engine.plan import build_layout, build_plan
from grn.quant.engine.portfolio import run as portfolio
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.metrics.from_accumulators import metric_columns, sharpe_per_period
from grn.quant.metrics.registry import Metric, groups_needed
from grn.quant.result import SweepResult
from grn.quant.schema import Bars
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.tree import find_params
from grn.quant.strategy.weights import AnyStrategy, Weights

Array = npt.NDArray[np.float64]
Advance = Callable[[int], None]
"""Called with the number of combinations just finished."""


def memory_budget_gib(wanted_gib: float | None = None) -> tuple[float, str]:
    """Memory that a sweep may plan with, and where the figure comes from.

    The smaller of the budget (argument, else configuration) and what the machine has left now.
    """
    if wanted_gib is not None and not 0 < wanted_gib < math.inf:
        raise UsageError("memory_gib must be a positive number of GiB", seen=repr(wanted_gib))
    budget = load_settings().memory_gib if wanted_gib is None else wanted_gib
    available = read_memory(Path("/")).available
    if available is not None and available / GIB < budget:
        return available / GIB, f"memory available now; the budget is {budget:g} GiB"
    return budget, "memory budget"


def price_gib(
    strategy: AnyStrategy, rules: Rules, n_combinations: int, bars: Sequence[Bars], metrics: Sequence[Metric]
) -> float:
    """Peak memory of a sweep in GiB, from its sizes alone: nothing is allocated.

    Counted: the tables of series of two symbols (the one that is run, and the next one), what each
    combination reads and sums up, and the frame of all symbols (twice: it is assembled from columns).
    """
    n_params = len(strategy.params)
    n_sums = len(accumulator_names(_groups(metrics)))
    if isinstance(strategy, Weights):
        threads = load_settings().threads or cpu.default_threads()
        tables = portfolio.table_bytes(strategy, bars, threads)
        row = n_params + n_sums + 2 * (n_params + len(metrics) + 2)
        return float(tables + n_combinations * row * 8) / GIB
    plan = build_plan(strategy, rules)
    every = [math.prod(len(p.values) for p in find_params(leaf)) for leaf in plan.leaves]
    rows = sum(min(n, n_combinations) for n in every)
    table = 2 * rows * (plan.pad + max(map(len, bars))) * 8
    lanes = n_combinations * (len(plan.leaves) * (4 + 8) + n_params * 8 + len(bars) * n_sums * 8)
    frame = 2 * len(bars) * n_combinations * (n_params + len(metrics) + 2) * 8
    return float(table + lanes + frame) / GIB


def check_price(
    strategy: AnyStrategy,
    rules: Rules,
    n_combinations: int,
    bars: Sequence[Bars],
    metrics: Sequence[Metric],
    budget_gib: float,
    source: str,
) -> None:
    """Refuse a sweep that is priced above its budget.

    Raises
    ------
    BudgetError
        The message has the price and the budget.
    """
    need_gib = price_gib(strategy, rules, n_combinations, bars, metrics)
    if need_gib > budget_gib:
        raise BudgetError(
            f"the sweep needs {need_gib:,.3g} GiB of {budget_gib:.3g} GiB ({source})",
            seen=f"{n_combinations:,} combinations, {len(bars)} symbols, {max(map(len, bars)):,} bars",
            hint="take fewer values or fewer metrics, or raise memory_gib in the configuration",
        )


def compute(
    strategy: AnyStrategy,
    bars: tuple[Bars, ...],
    grid: Grid,
    rules: Rules,
    metrics: Sequence[Metric],
    choice: Choice,
    *,
    ppy: float,
    threads: int | None = None,
    progress: Advance | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> SweepResult:
    """Run a grid and compute its metrics; used by sweeps and by replays."""
    began = clock()
    groups = _groups(metrics)
    sums = run_engine(strategy, bars, grid, rules, groups, choice.engine, threads, progress)
    ran = clock()
    result = _tabulate(sums, strategy, bars, grid, rules, metrics, choice, ppy=ppy)
    if any(m.second_pass for m in metrics):
        result = result.with_second_pass()
    return result.timed({"run": ran - began, "total": clock() - began})


def guess(
    strategy: AnyStrategy,
    bars: tuple[Bars, ...],
    grid: Grid,
    rules: Rules,
    metrics: Sequence[Metric],
    choice: Choice,
    *,
    ppy: float,
    progress: Advance | None = None,
) -> tuple[SweepResult, npt.NDArray[np.bool_]]:
    """What float32 on the cards makes of a grid, and in which combinations a decision is in doubt: bool [C].

    Raises
    ------
    MissingError
        There is no card, or no CuPy.
    UnsupportedError
        The card does not run such strategies or rules.
    """
    # Not at the top: nobody else needs it.
    from grn.quant.engine.cuda import launch

    if isinstance(strategy, Weights):
        raise UnsupportedError(
            "a card runs strategies of signals only",
            seen=repr(strategy)[:60],
            hint="sweep, or search at random",
        )
    groups = _groups(metrics)
    plan = build_plan(strategy, rules)
    layout = build_layout(plan, grid)
    sums = [
        launch.run(plan, layout, grid, one, rules, groups, real="float", progress=progress) for one in bars
    ]
    doubts = np.logical_or.reduce([table[:, -1] != 0.0 for table in sums])
    tables = [np.ascontiguousarray(table[:, :-1]) for table in sums]
    return _tabulate(tables, strategy, bars, grid, rules, metrics, choice, ppy=ppy), doubts


def _tabulate(
    sums: Sequence[Array],
    strategy: AnyStrategy,
    bars: tuple[Bars, ...],
    grid: Grid,
    rules: Rules,
    metrics: Sequence[Metric],
    choice: Choice,
    *,
    ppy: float,
) -> SweepResult:
    """Make metrics of accumulators, those of one pass."""
    names = accumulator_names(_groups(metrics))
    columns: dict[str, list[Array]] = {m.name: [] for m in metrics}
    sharpes: list[Array] = []
    for n_bars, values in zip(count_bars(strategy, bars), sums, strict=True):
        table = {name: values[:, k] for k, name in enumerate(names)}
        sharpes.append(sharpe_per_period(table, n_bars=n_bars))
        part = metric_columns(table, n_bars=n_bars, initial=rules.cash, ppy=ppy, metrics=metrics)
        for name, column in part.items():
            columns[name].append(column)
    return SweepResult.assemble(
        strategy, bars, grid, rules, metrics, columns, choice=choice, ppy=ppy, trial_sharpes=tuple(sharpes)
    )


def count_bars(strategy: AnyStrategy, bars: Sequence[Bars]) -> list[int]:
    """Bars of each account: of each symbol, or of the calendar of all."""
    if isinstance(strategy, Weights):
        return [len(np.unique(np.concatenate([b.ts_ns for b in bars])))]
    return [len(b) for b in bars]


def run_engine(
    strategy: AnyStrategy,
    bars: Sequence[Bars],
    grid: Grid,
    rules: Rules,
    groups: Sequence[str],
    engine: str,
    threads: int | None,
    progress: Advance | None = None,
) -> list[Array]:
    """Accumulators per account: float64 [C, accumulators] each."""
    settings = load_settings()
    workers = settings.threads or cpu.default_threads() if threads is None else threads
    placement = place_sweep() if settings.pin and threads is None and settings.threads is None else None
    if isinstance(strategy, Weights):
        return [portfolio.run(strategy, bars, grid, rules, groups, engine, workers, progress)]
    plan = build_plan(strategy, rules)
    if engine == "reference":
        sums = []
        for one in bars:
            sums.append(reference.run(plan, grid, one, rules, groups))
            if progress is not None:
                progress(len(grid))
        return sums
    layout = build_layout(plan, grid)
    if engine == "cuda":
        # Not at the top: nobody else needs it.
        from grn.quant.engine.cuda import launch

        return [launch.run(plan, layout, grid, one, rules, groups, progress=progress) for one in bars]
    return cpu.run_all(
        plan, layout, grid, bars, rules, groups, threads=placement.threads if placement else workers,
        placement=placement, progress=progress,
    )  # fmt: skip


def _groups(metrics: Sequence[Metric]) -> tuple[str, ...]:
    # Moments always: a trial's Sharpe ratio goes into the ledger whatever was asked for.
    needed = set(groups_needed(metrics)) | {"moments"}
    return tuple(sorted(needed - {"always"}))
