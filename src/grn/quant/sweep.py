"""Sweeps and backtests: checked, priced, run, and every trial recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from grn.kit.errors import UsageError
from grn.kit.files import sha256_hex
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import Advance, check_price, compute, memory_budget_gib
from grn.quant.engine.cpu import check_threads
from grn.quant.engine.grid import Grid, build_grid, pin_grid
from grn.quant.request import Request, check_arguments, opened, prepare
from grn.quant.result import SweepResult, account_names
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules, merge_rules
from grn.quant.strategy.settings import with_values
from grn.quant.strategy.sizes import Size
from grn.quant.strategy.weights import AnyStrategy

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
    expect: Callable[[int], None] | None = None,
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
    expect
        Called once, with the number of combinations to come, each account's counted.
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
    check_arguments(strategy, ledger, periods_per_year)
    check_threads(threads)
    budget_gib, source = memory_budget_gib(memory_gib)
    grid = build_grid(strategy, budget_gib)
    request = prepare(
        strategy, data, rules, grid=_describe(grid, pinned=False), metrics=metrics, engine=engine,
        ppy=periods_per_year, command=command,
    )  # fmt: skip
    check_price(strategy, rules, len(grid), request.bars, request.metrics, budget_gib, source)
    if expect is not None:
        expect(len(grid) * len(account_names(strategy, request.bars)))
    return _run(request, grid, ledger, threads=threads, progress=progress)


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
    check_arguments(strategy, ledger, periods_per_year)
    if params is not None and not isinstance(params, Mapping):
        raise UsageError(
            "params maps names to values", seen=repr(params)[:60], hint='{"fast": 10, "slow": 50}'
        )
    rules = merge_rules(rules, costs=costs, fill=fill, size=size, cash=cash)
    # Built again with these values: what the engines derive from a parameter's values (how far a lag reaches
    # back, whether a window is allowed) must hold for the value that is run.
    strategy = with_values(strategy, params or {})
    grid = pin_grid(strategy, {})
    request = prepare(
        strategy, data, rules, grid=_describe(grid, pinned=True), metrics=metrics, engine=engine,
        ppy=periods_per_year, command=command,
    )  # fmt: skip
    return _run(request, grid, ledger, threads=1, progress=None)


def _describe(grid: Grid, *, pinned: bool) -> dict[str, Any]:
    return {
        "combinations": len(grid),
        "sha256": sha256_hex(grid.values.tobytes()),
        "pinned": grid.binding(0) if pinned else None,
    }


def _run(
    request: Request, grid: Grid, ledger: Ledger | None, *, threads: int | None, progress: Advance | None
) -> SweepResult:
    """Compute, and enter the run and its trials in the ledger."""
    with opened(ledger) as book:
        key = record.result_key(request.inputs)
        run = request.begin(book)
        try:
            result = compute(
                request.strategy, request.bars, grid, request.rules, request.metrics, request.choice,
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
        ids = record.data_ids(request.strategy, request.bars)
        count = record.CountLater(book.folder.resolve(), run, tuple(ids), watermark)
    return result.named(run=run, result_key=key, trials=count)
