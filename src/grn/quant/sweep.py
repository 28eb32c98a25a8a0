"""Sweeps: a strategy over all its parameter combinations and symbols, priced, run, recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grn.kit.config import load_settings
from grn.kit.errors import BudgetError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.engine import cpu, reference
from grn.quant.engine.choose import Choice, choose_engine
from grn.quant.engine.plan import Grid, build_grid, build_layout, build_plan, pin_grid, price_memory
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.metrics.annualise import periods_per_year as infer_ppy
from grn.quant.metrics.from_accumulators import metric_columns, sharpe_per_period
from grn.quant.metrics.registry import Metric, groups_needed, parse_metrics
from grn.quant.result import SweepResult
from grn.quant.schema import Bars, load_bars
from grn.quant.strategy.rules import AllCash, Costs, Fill, Rules, Size
from grn.quant.strategy.strategy import Strategy

if TYPE_CHECKING:
    from grn.quant.schema import BarSource

Array = npt.NDArray[np.float64]


def sweep(
    strategy: Strategy,
    data: BarSource,
    *,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    size: Size | None = None,
    cash: float = 10_000.0,
    metrics: str | Sequence[str] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    memory_gib: float | None = None,
    periods_per_year: float | None = None,
    ledger: Ledger | None = None,
    progress: Callable[[int], None] | None = None,
    command: str = "sweep",
) -> SweepResult:
    """Run every parameter combination on every symbol and count each as a trial.

    Parameters
    ----------
    strategy : what to run; its parameters span the grid.
    data : a Polars frame, a file, a sample name or bars (see `load_bars`).
    costs, fill, size, cash : the rules (see :class:`Rules`); each symbol has an account of its own.
    metrics : names, "default" (all that one pass gives) or "all".
    engine : "auto", "cpu" or "reference"; the numbers are the same bits.
    threads : threads of the cpu engine; default all processors of this process.  No number depends on it.
    memory_gib : memory budget; default from the configuration (24 GiB).
    periods_per_year : bars per year for annual figures; default inferred from the timestamps.
    ledger : where the trials are recorded; default the node's own ledger.
    progress : called with the number of combinations just finished.
    command : name of the run in the ledger.

    Raises
    ------
    BudgetError : priced above the memory budget; nothing was run.
    DataError, StrategyError, UsageError : the inputs do not make sense.
    """
    rules = Rules(fill=fill, costs=costs or Costs(), size=size or AllCash(), cash=cash)
    budget = load_settings().memory_gib if memory_gib is None else memory_gib
    grid = build_grid(strategy, budget)
    return _record(
        strategy,
        data,
        grid,
        rules,
        metrics,
        engine,
        threads,
        budget,
        periods_per_year,
        ledger,
        command,
        pinned=False,
        progress=progress,
    )


def backtest(
    strategy: Strategy,
    data: BarSource,
    params: Mapping[str, float] | None = None,
    *,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    size: Size | None = None,
    cash: float = 10_000.0,
    metrics: str | Sequence[str] | None = "all",
    engine: str = "auto",
    periods_per_year: float | None = None,
    ledger: Ledger | None = None,
    command: str = "backtest",
) -> SweepResult:
    """Run one parameter setting on every symbol: a sweep of one, and one more trial.

    `params` gives a value for every parameter that has several; values outside a parameter's list are fine.
    The other arguments are those of :func:`sweep`.
    """
    rules = Rules(fill=fill, costs=costs or Costs(), size=size or AllCash(), cash=cash)
    grid = pin_grid(strategy, params or {})
    budget = load_settings().memory_gib
    return _record(
        strategy,
        data,
        grid,
        rules,
        metrics,
        engine,
        1,
        budget,
        periods_per_year,
        ledger,
        command,
        pinned=True,
    )


def _record(
    strategy: Strategy,
    data: BarSource,
    grid: Grid,
    rules: Rules,
    metrics: str | Sequence[str] | None,
    engine: str,
    threads: int | None,
    budget_gib: float,
    ppy: float | None,
    ledger: Ledger | None,
    command: str,
    *,
    pinned: bool,
    progress: Callable[[int], None] | None = None,
) -> SweepResult:
    """Run, and enter the run and its trials in the ledger."""
    needs = strategy.needs(rules.fill)
    chosen = parse_metrics(metrics)
    choice = choose_engine(strategy, engine)
    bars = load_bars(data, needs)
    year = infer_ppy(bars[0].ts_ns)[0] if ppy is None else ppy
    if not year > 0:
        raise UsageError("periods_per_year must be positive", seen=year)
    inputs = record.describe(strategy, bars, rules, needs, [m.name for m in chosen], year)
    inputs["grid"] = {
        "combinations": len(grid),
        "sha256": sha256_hex(grid.values.tobytes()),
        "pinned": grid.binding(0) if pinned else None,
    }
    opened: AbstractContextManager[Ledger] = (
        Ledger.open(ledger_dir()) if ledger is None else nullcontext(ledger)
    )
    need_gib = price(strategy, grid, bars, chosen)
    if need_gib > budget_gib:
        raise BudgetError(
            f"the sweep needs {need_gib:,.1f} GiB of a budget of {budget_gib:g} GiB",
            seen=f"{len(grid):,} combinations, {len(bars)} symbols, {max(map(len, bars)):,} bars",
            hint="take fewer values or fewer metrics, or raise memory_gib in the configuration",
        )
    with opened as book:
        for entry, one in zip(inputs["data"], bars, strict=True):  # type: ignore[call-overload]  # a list of dicts
            entry["blob"] = book.put_blob(record.pack_bars(one, needs))
        key = record.result_key(inputs)
        run = book.begin(command, inputs)
        try:
            result = compute(
                strategy, bars, grid, rules, chosen, choice, ppy=year, threads=threads, progress=progress
            )
        except BaseException:
            book.finish(run, exit_code=2)
            raise
        watermark = 0
        name = record.strategy_key(strategy)
        for one, sharpes in zip(bars, result.trial_sharpes, strict=True):
            keys = record.trial_keys(strategy, grid, rules, one.identity)
            watermark = book.record_trials(
                run, data_id=one.identity, strategy_key=name, keys=keys, sharpes=sharpes
            )
        book.finish(
            run,
            exit_code=0,
            result_key=key,
            watermark=watermark,
            timings_s=result.timings_s,
            outputs={"frame_sha256": result.frame_sha256, "rows": len(result.frame), "engine": choice.engine},
        )
        trials = book.count_trials([b.identity for b in bars], watermark=watermark)
    return result.named(run=run, result_key=key, trials=trials)


def price(strategy: Strategy, grid: Grid, bars: Sequence[Bars], metrics: Sequence[Metric]) -> float:
    """Peak memory of a sweep in GiB, computed before anything is allocated."""
    plan = build_plan(strategy)
    groups = _groups(metrics)
    return price_memory(
        plan,
        build_layout(plan, grid),
        grid,
        len(bars),
        max(map(len, bars)),
        len(accumulator_names(groups)),
        len(metrics),
    )


def _groups(metrics: Sequence[Metric]) -> tuple[str, ...]:
    # Moments always: a trial's Sharpe ratio goes into the ledger whatever was asked for.
    needed = set(groups_needed(metrics)) | {"moments"}
    return tuple(sorted(needed - {"always"}))


def compute(
    strategy: Strategy,
    bars: tuple[Bars, ...],
    grid: Grid,
    rules: Rules,
    metrics: Sequence[Metric],
    choice: Choice,
    *,
    ppy: float,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> SweepResult:
    """The numbers alone: no ledger, no files.  Used by replays and by sweeps of shuffled data."""
    began = clock()
    groups = _groups(metrics)
    names = accumulator_names(groups)
    sums = run_engine(strategy, bars, grid, rules, groups, choice.engine, threads, progress)
    ran = clock()
    columns: dict[str, list[Array]] = {m.name: [] for m in metrics}
    sharpes: list[Array] = []
    for one, values in zip(bars, sums, strict=True):
        table = {name: values[:, k] for k, name in enumerate(names)}
        sharpes.append(sharpe_per_period(table, n_bars=len(one)))
        part = metric_columns(table, n_bars=len(one), initial=rules.cash, ppy=ppy, metrics=metrics)
        for name, column in part.items():
            columns[name].append(column)
    result = SweepResult.assemble(
        strategy, bars, grid, rules, metrics, columns, choice=choice, ppy=ppy, trial_sharpes=tuple(sharpes)
    )
    result = result.with_second_pass() if any(m.second_pass for m in metrics) else result
    return result.timed({"run": ran - began, "total": clock() - began})


def run_engine(
    strategy: Strategy,
    bars: Sequence[Bars],
    grid: Grid,
    rules: Rules,
    groups: Sequence[str],
    engine: str,
    threads: int | None,
    progress: Callable[[int], None] | None = None,
) -> list[Array]:
    """Accumulators per symbol: float64 [C, accumulators] each."""
    plan = build_plan(strategy)
    if engine == "reference":
        return [reference.run(plan, grid, one, rules, groups) for one in bars]
    layout = build_layout(plan, grid)
    workers = threads or load_settings().threads or cpu.default_threads()
    return [
        cpu.run(plan, layout, grid, one, rules, groups, threads=workers, progress=progress) for one in bars
    ]
