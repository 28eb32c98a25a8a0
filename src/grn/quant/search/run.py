"""A search: checked, priced, run, and every setting that it looked at recorded as a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from grn.kit.errors import UsageError
from grn.kit.versions import package_version
from grn.ledger import Ledger
from grn.quant import record
from grn.quant.compute import Advance, check_price, memory_budget_gib
from grn.quant.engine.cpu import check_threads
from grn.quant.engine.grid import Grid, Lattice
from grn.quant.metrics.registry import METRICS, Metric, parse_metrics
from grn.quant.request import Request, check_arguments, opened, prepare
from grn.quant.result import SweepResult
from grn.quant.schema import Bars
from grn.quant.search.desk import Market, MarketDesk, join
from grn.quant.search.draws import LatinHypercube, Random
from grn.quant.search.halving import Halving
from grn.quant.search.method import Method, describe
from grn.quant.search.proposals import Optuna
from grn.quant.search.screening import Screen
from grn.quant.strategy.costs import Costs
from grn.quant.strategy.rules import Rules, merge_rules
from grn.quant.strategy.sizes import Size
from grn.quant.strategy.weights import AnyStrategy

if TYPE_CHECKING:
    from grn.quant.schema import BarSource

METHODS: Final[Mapping[str, type[Random | LatinHypercube | Halving | Optuna | Screen]]] = {
    m.name: m for m in (Random, LatinHypercube, Halving, Optuna, Screen)
}
_LIBRARIES: Final = {"latin": "scipy", "optuna": "optuna"}
"""What else decides which settings a method picks: its version is part of the result's key."""


def search(
    strategy: AnyStrategy,
    data: BarSource,
    method: str | Method = "random",
    *,
    n: int | None = None,
    seed: int | None = None,
    by: str = "sharpe",
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
    command: str = "search",
) -> SweepResult:
    """Run some of the parameter combinations, picked by a method, and count each as a trial.

    Parameters
    ----------
    strategy, data, rules, costs, fill, size, cash, metrics, engine, threads, memory_gib
        As for :func:`grn.sweep`, and so are `periods_per_year`, `ledger`, `progress` and `command`.
    method
        "random", "latin", "halving", "optuna" (the extra ``search``) or "screen" (a card), or one of their
        classes with more settings: ``Halving(n=243, eta=3)``.
    n
        How many combinations are looked at; default that of the method.  "screen" looks at all of them, and
        this is how many of the best it is certain of.
    seed
        Equal seeds pick equal combinations; default 0.
    by
        Metric that methods which learn maximise (or minimise, where less is better); over several symbols its
        mean.

    Returns
    -------
    SweepResult
        One row per symbol and combination that was run on all bars, in the order in which they were picked.
        `search` says how they were found.  Combinations that were dropped earlier have no row, but they are
        trials, and count in the verdict.

    Raises
    ------
    BudgetError
        Priced above the memory budget; nothing was run.
    MissingExtraError
        The method needs a package that is not installed.
    DataError, StrategyError, UsageError
        The inputs do not make sense, or there are fewer combinations than are looked for.
    """
    rules = merge_rules(rules, costs=costs, fill=fill, size=size, cash=cash)
    check_arguments(strategy, ledger, periods_per_year)
    check_threads(threads)
    chosen = make_method(method, n=n, seed=seed)
    objective = _objective(by)
    budget_gib, source = memory_budget_gib(memory_gib)
    lattice = Lattice.of(strategy)
    library = _LIBRARIES.get(chosen.name)
    asked: dict[str, Any] = {**describe(chosen), "by": objective.name}
    made_with = {"numpy": package_version("numpy")}
    if library is not None:
        made_with[library] = package_version(library)
    names = [m.name for m in parse_metrics(metrics)]
    if objective.name not in (*names, "sharpe"):
        names.append(objective.name)
    if chosen.name == "screen" and objective.second_pass:
        raise UsageError(
            "a screen needs a metric that one pass gives", seen=objective.name, hint="sharpe, calmar, sortino"
        )
    request = prepare(
        strategy, data, rules, grid={"search": asked, "picked_with": made_with}, metrics=names, engine=engine,
        ppy=periods_per_year, command=command,
    )  # fmt: skip
    check_price(strategy, rules, chosen.looks(lattice), request.bars, request.metrics, budget_gib, source)
    return _run(request, chosen, lattice, objective, ledger, threads=threads, progress=progress)


def make_method(method: str | Method, *, n: int | None = None, seed: int | None = None) -> Method:
    """The method of that name, or the one given, checked.

    Raises
    ------
    UsageError
        There is no such method, or its settings make no sense.
    """
    given = {k: v for k, v in {"n": n, "seed": seed}.items() if v is not None}
    if isinstance(method, str):
        if method not in METHODS:
            raise UsageError("unknown search method", seen=repr(method), hint=", ".join(METHODS))
        kind: Any = METHODS[method]
        made: Method = kind(**given)
    elif isinstance(method, tuple(METHODS.values())):
        if given:
            raise UsageError(
                "n and seed are settings of the method",
                seen=", ".join(given),
                hint=f"{type(method).__name__}(n=..., seed=...)",
            )
        made = method
    else:
        raise UsageError("unknown search method", seen=repr(method)[:60], hint=", ".join(METHODS))
    made.check()
    return made


def recall_method(plain: Mapping[str, Any]) -> tuple[Method, str]:
    """Method and objective from a run's record."""
    kind: Any = METHODS[plain["method"]]
    return kind(**{f.name: plain[f.name] for f in fields(kind)}), str(plain["by"])


def search_again(
    method: Method, by: str, market: Market, lattice: Lattice, *, threads: int | None = None
) -> tuple[SweepResult, ...]:
    """The same search on other bars: what it ran on all of them.  Nothing is recorded."""
    desk = MarketDesk(market, by, threads=threads)
    method.run(lattice, desk)
    return tuple(desk.results)


def _objective(by: str) -> Metric:
    name = str(by).strip().lower()
    if name not in METRICS:
        raise UsageError("no such metric", seen=repr(by), hint=", ".join(METRICS))
    if METRICS[name].higher_is_better is None:
        raise UsageError(
            "a search needs a metric of which more, or less, is better",
            seen=name,
            hint="sharpe, cagr, calmar",
        )
    return METRICS[name]


def _run(
    request: Request,
    method: Method,
    lattice: Lattice,
    by: Metric,
    ledger: Ledger | None,
    *,
    threads: int | None,
    progress: Advance | None,
) -> SweepResult:
    market = Market(
        request.strategy, request.bars, request.rules, request.metrics, request.choice, request.ppy
    )
    with opened(ledger) as book:
        key = record.result_key(request.inputs)
        run = request.begin(book)
        clerk = _Clerk(book, run, request)
        desk = MarketDesk(
            market,
            by.name,
            threads=threads,
            progress=progress,
            looked=clerk.look,
            evaluated=clerk.enter,
            dropped=clerk.drop,
        )
        try:
            method.run(lattice, desk)
            result = join(desk.results)
            settings = book.put_blob(result.grid.values.tobytes())
        except BaseException as error:
            book.finish(run, exit_code=record.exit_code_of(error))
            raise
        found = {"tried": clerk.tried, "rounds": [asdict(r) for r in desk.rounds]}
        book.finish(
            run,
            exit_code=0,
            result_key=key,
            watermark=clerk.watermark,
            timings_s=result.timings_s,
            outputs={
                "frame_sha256": result.frame_sha256,
                "rows": len(result.frame),
                "engine": request.choice.engine,
                "settings": settings,
                **found,
            },
        )
        trials = book.count_trials(record.data_ids(request.strategy, request.bars), watermark=clerk.watermark)
    named = result.named(run=run, result_key=key, trials=trials)
    return named.found_by({**request.inputs["grid"]["search"], **found})


class _Clerk:
    """Enters trials as they are made.

    A setting run on all bars is a trial of the data, as in a sweep.  One that is run on the first bars, or
    guessed, is a trial of the whole data too, without a Sharpe ratio: the search chooses among it, so it
    counts, also if the search is killed there, but nobody knows what it gives.
    """

    def __init__(self, book: Ledger, run: str, request: Request) -> None:
        self._book = book
        self._run = run
        self._request = request
        self._key = record.strategy_key(request.strategy)
        self._seen: set[bytes] = set()
        self.watermark = 0
        self.tried = 0

    def look(self, grid: Grid) -> None:
        """Enter settings under all bars, before anything is known of them there."""
        bars = self._request.bars
        self._enter(bars, grid, [np.full(len(grid), np.nan)] * len(self._ids(bars)))

    def enter(self, market: Market, result: SweepResult, share: float) -> None:
        """Enter an evaluation under the bars that it saw."""
        if share < 1.0:
            values = result.grid.values
            new = [k for k, row in enumerate(values) if row.tobytes() not in self._seen]
            self._seen.update(values[k].tobytes() for k in new)
            if new:
                self.look(Grid(result.grid.params, np.ascontiguousarray(values[new])))
        self._enter(market.bars, result.grid, result.trial_sharpes)
        self.tried += len(result.grid) if share >= 1.0 else 0

    def drop(self, grid: Grid) -> None:
        """Count settings that will never see all bars."""
        self.tried += len(grid)

    def _ids(self, bars: Sequence[Bars]) -> list[str]:
        return record.data_ids(self._request.strategy, bars)

    def _enter(self, bars: Sequence[Bars], grid: Grid, sharpes: Sequence[Any]) -> None:
        one = self._request
        digests = record.data_digests(one.strategy, bars, one.columns)
        for data_id, digest, values in zip(self._ids(bars), digests, sharpes, strict=True):
            keys = record.trial_keys(one.strategy, grid, one.rules, digest)
            self.watermark = self._book.record_trials(
                self._run, data_id=data_id, strategy_key=self._key, keys=keys, sharpes=values
            )
