"""Sweeps and backtests: checked, priced, run, and every trial recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grn.kit.errors import StrategyError, UsageError
from grn.kit.files import sha256_hex
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import Advance, check_price, compute, memory_budget_gib
from grn.quant.engine.choose import Choice, choose_engine
from grn.quant.engine.contradictions import check_contradictions
from grn.quant.engine.cpu import check_threads
from grn.quant.engine.plan import Grid, build_grid, pin_grid
from grn.quant.metrics.annualise import common_periods_per_year
from grn.quant.metrics.registry import Metric, parse_metrics
from grn.quant.result import SweepResult
from grn.quant.schema import Bars, load_bars
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules, merge_rules
from grn.quant.strategy.settings import with_values
from grn.quant.strategy.sizes import Size
from grn.quant.strategy.weights import AnyStrategy, Weights, check_weights

if TYPE_CHECKING:
    from grn.quant.schema import BarSource


def sweep(
    strategy: AnyStrategy,
    data: BarSource,
    *,
    rules: Rules | None = None,
    costs: Costs | None = None,
    fill: str | None = None,
    size: Size | None = None,
    cash: float | None = None,
    metrics: str | Sequence[str] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    memory_gib: float | None = None,
    periods_per_year: float | None = None,
    ledger: Ledger | None = None,
    progress: Advance | None = None,
    command: str = "sweep",
) -> SweepResult:
    """Run every parameter combination on every symbol (or on all of them together) and count each as a trial.

    Parameters
    ----------
    strategy
        What to run: signals (`Strategy`), each symbol for itself, or target weights (`Weights`), one account
        for all; its parameters span the grid.
    data
        A Polars frame, a file, a sample name or bars (see `load_bars`).
    rules
        The rules of execution (see :class:`Rules`).
    costs, fill, size, cash
        These rules in place of those in `rules`.
    metrics
        names, "default" (all that one pass gives) or "all".
    engine
        "auto", "cpu" or "reference"; the numbers are the same bits.
    threads
        Threads of the cpu engine; default all processors of this process.  No number depends on it.
    memory_gib
        Memory budget; default from the configuration (24 GiB), and never more than is available.
    periods_per_year
        Bars per year for annual figures; default inferred from the timestamps.
    ledger
        Where the trials are recorded; default the node's own ledger.
    progress
        Called with the number of combinations just finished.
    command
        Name of the run in the ledger.

    Raises
    ------
    BudgetError
        Priced above the memory budget; nothing was run.
    DataError, StrategyError, UsageError
        The inputs do not make sense.
    """
    rules = merge_rules(rules, costs=costs, fill=fill, size=size, cash=cash)
    _check_arguments(strategy, ledger, periods_per_year)
    check_threads(threads)
    budget_gib, source = memory_budget_gib(memory_gib)
    grid = build_grid(strategy, budget_gib)
    request = _prepare(strategy, data, grid, rules, metrics, engine, periods_per_year, command, pinned=False)
    check_price(strategy, rules, grid, request.bars, request.metrics, budget_gib, source)
    return _run(request, ledger, threads=threads, progress=progress)


def backtest(
    strategy: AnyStrategy,
    data: BarSource,
    params: Mapping[str, float] | None = None,
    *,
    rules: Rules | None = None,
    costs: Costs | None = None,
    fill: str | None = None,
    size: Size | None = None,
    cash: float | None = None,
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
    _check_arguments(strategy, ledger, periods_per_year)
    if params is not None and not isinstance(params, Mapping):
        raise UsageError(
            "params maps names to values", seen=repr(params)[:60], hint='{"fast": 10, "slow": 50}'
        )
    rules = merge_rules(rules, costs=costs, fill=fill, size=size, cash=cash)
    # Built again with these values: what the engines derive from a parameter's values (how far a lag reaches
    # back, whether a window is allowed) must hold for the value that is run.
    strategy = with_values(strategy, params or {})
    grid = pin_grid(strategy, {})
    request = _prepare(strategy, data, grid, rules, metrics, engine, periods_per_year, command, pinned=True)
    return _run(request, ledger, threads=1, progress=None)


def _check_arguments(strategy: object, ledger: object, ppy: object) -> None:
    """Say what an argument of the wrong kind should have been, before anything fails further down."""
    if not isinstance(strategy, AnyStrategy):
        raise StrategyError(
            "this is no strategy",
            seen=f"{type(strategy).__name__} {strategy!r:.60}",
            hint="Strategy(entry=..., exit=...), or Weights(...)",
        )
    if ledger is not None and not isinstance(ledger, Ledger):
        raise UsageError("ledger must be an open Ledger", seen=repr(ledger), hint="Ledger.open(Path(folder))")
    if ppy is not None and not (isinstance(ppy, int | float) and 0 < ppy < math.inf):
        raise UsageError("periods_per_year must be positive", seen=repr(ppy))


@dataclass(frozen=True)
class _Request:
    """A run that has been checked: nothing in it can be misunderstood any more."""

    strategy: AnyStrategy
    bars: tuple[Bars, ...]
    grid: Grid
    rules: Rules
    metrics: tuple[Metric, ...]
    choice: Choice
    ppy: float
    columns: tuple[str, ...]
    command: str
    inputs: dict[str, Any]


def _prepare(
    strategy: AnyStrategy,
    data: BarSource,
    grid: Grid,
    rules: Rules,
    metrics: str | Sequence[str] | None,
    engine: str,
    ppy: float | None,
    command: str,
    *,
    pinned: bool,
) -> _Request:
    """Check everything that can be wrong, and describe the run; nothing is computed yet."""
    chosen = parse_metrics(metrics)
    taken = {"symbol", *(m.name for m in chosen)} & {p.name for p in grid.params}
    if taken:
        raise UsageError(
            "a parameter is called like another column of the result",
            seen=", ".join(sorted(taken)),
            hint="rename it in the strategy",
        )
    choice = choose_engine(strategy, engine)
    columns = strategy.needs(rules)
    bars = load_bars(data, columns)
    if isinstance(strategy, Weights):
        check_weights(strategy, rules, [b.symbol for b in bars])
    check_contradictions(strategy, rules, bars)
    year = common_periods_per_year({b.symbol: b.ts_ns for b in bars}) if ppy is None else ppy
    inputs = record.describe(strategy, bars, rules, columns, [m.name for m in chosen], year)
    inputs["grid"] = {
        "combinations": len(grid),
        "sha256": sha256_hex(grid.values.tobytes()),
        "pinned": grid.binding(0) if pinned else None,
    }
    return _Request(strategy, bars, grid, rules, chosen, choice, year, columns, command, inputs)


def _run(
    request: _Request, ledger: Ledger | None, *, threads: int | None, progress: Advance | None
) -> SweepResult:
    """Compute, and enter the run and its trials in the ledger."""
    bars, inputs = request.bars, request.inputs
    opened: AbstractContextManager[Ledger] = (
        Ledger.open(ledger_dir()) if ledger is None else nullcontext(ledger)
    )
    with opened as book:
        key = record.result_key(inputs)
        for entry, one in zip(inputs["data"], bars, strict=True):
            entry["blob"] = book.put_blob(record.pack_bars(one, request.columns))
        run = book.begin(request.command, inputs)
        try:
            result = compute(
                request.strategy, bars, request.grid, request.rules, request.metrics, request.choice,
                ppy=request.ppy, threads=threads, progress=progress,
            )  # fmt: skip
            watermark = record.record_trials(book, run, result)
        except BaseException as error:
            book.finish(run, exit_code=record.exit_code_of(error))
            raise
        book.finish(
            run,
            exit_code=0,
            result_key=key,
            watermark=watermark,
            timings_s=result.timings_s,
            outputs={
                "frame_sha256": result.frame_sha256,
                "rows": len(result.frame),
                "engine": request.choice.engine,
            },
        )
        trials = book.count_trials(record.data_ids(request.strategy, bars), watermark=watermark)
    return result.named(run=run, result_key=key, trials=trials)
