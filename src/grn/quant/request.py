"""A run that is asked for: checked and described before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grn.kit.config import load_settings
from grn.kit.errors import StrategyError, UsageError
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant import holdout, record
from grn.quant.engine.choose import Choice, Work, choose_engine
from grn.quant.engine.contradictions import check_contradictions
from grn.quant.engine.cpu import default_threads
from grn.quant.metrics.annualise import common_periods_per_year
from grn.quant.metrics.registry import Metric, parse_metrics
from grn.quant.schema import Bars, load_bars
from grn.quant.strategy.plain import from_plain
from grn.quant.strategy.rules import Rules
from grn.quant.strategy.weights import AnyStrategy, Weights, check_weights

if TYPE_CHECKING:
    from grn.quant.schema import BarSource


@dataclass(frozen=True)
class Request:
    """A run that has been checked: nothing in it can be misunderstood any more.

    Attributes
    ----------
    columns
        Columns of the bars that the strategy and its rules read.
    command
        Name of the run in the ledger.
    inputs
        All that decides the numbers, as the ledger keeps it.
    """

    strategy: AnyStrategy
    bars: tuple[Bars, ...]
    rules: Rules
    metrics: tuple[Metric, ...]
    choice: Choice
    ppy: float
    columns: tuple[str, ...]
    command: str
    inputs: dict[str, Any]

    def begin(self, book: Ledger) -> str:
        """Enter the data, and then the run that names it, in the ledger; returns the run's id.

        Raises
        ------
        HoldoutError
            The data reach into a period that is locked, and nothing was computed.
        """
        data, locks = record.unknown_data(book, self.strategy, self.bars), []
        if book.holdouts():
            # A locked market is known again by what its data look like: they have to be there first.
            book.enter_data(data)
            data, locks = [], holdout.check(book, self.bars)
        names = book.put_blobs([record.pack_bars(one, self.columns) for one in self.bars])
        named = zip(self.inputs["data"], names, strict=True)
        inputs = {**self.inputs, "data": [{**e, "blob": name} for e, name in named]}
        return book.begin(self.command, inputs, data=data, opens=locks)


def prepare(
    strategy: AnyStrategy,
    data: BarSource,
    rules: Rules,
    *,
    grid: Mapping[str, Any],
    metrics: str | Sequence[str] | None,
    engine: str,
    ppy: float | None,
    command: str,
) -> Request:
    """Check everything that can be wrong, and describe the run.

    Parameters
    ----------
    grid
        Which combinations are run, as plain data for the ledger.

    Raises
    ------
    DataError, StrategyError, UnsupportedError, UsageError
        The inputs do not make sense, or not together.
    """
    chosen = parse_metrics(metrics)
    taken = {"symbol", *(m.name for m in chosen)} & {p.name for p in strategy.params}
    if taken:
        raise UsageError(
            "a parameter is called like another column of the result",
            seen=", ".join(sorted(taken)),
            hint="rename it in the strategy",
        )
    columns = strategy.needs(rules)
    bars = holdout.cut(load_bars(data, columns))
    if isinstance(strategy, Weights):
        check_weights(strategy, rules, [b.symbol for b in bars])
    check_contradictions(strategy, rules, bars)
    choice = choose_engine(strategy, engine, _work(grid, bars))
    year = common_periods_per_year({b.symbol: b.ts_ns for b in bars}) if ppy is None else ppy
    inputs = record.describe(strategy, bars, rules, columns, [m.name for m in chosen], year)
    inputs["grid"] = dict(grid)
    return Request(strategy, bars, rules, chosen, choice, year, columns, command, inputs)


def recall(
    inputs: Mapping[str, Any], bars: tuple[Bars, ...], *, engine: str = "auto", command: str
) -> Request:
    """A run that was described before, from what was written down of it.

    Parameters
    ----------
    inputs
        As the ledger keeps them.
    bars
        Its data, held against their digests (:func:`grn.quant.record.recall_bars`).
    """
    strategy, rules = from_plain(inputs["strategy"]), Rules.from_canonical(inputs["rules"])
    described = {**inputs, "data": [{k: v for k, v in e.items() if k != "blob"} for e in inputs["data"]]}
    return Request(
        strategy, bars, rules, parse_metrics(inputs["metrics"]), choose_engine(strategy, engine),
        float(inputs["periods_per_year"]), strategy.needs(rules), command, described,
    )  # fmt: skip


def _work(grid: Mapping[str, Any], bars: Sequence[Bars]) -> Work | None:
    """How much there is to do, where the number of combinations is known."""
    if "combinations" not in grid:
        return None
    threads = load_settings().threads or default_threads()
    return Work(int(grid["combinations"]), sum(map(len, bars)), threads)


def check_arguments(strategy: object, ledger: object, ppy: object) -> None:
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


@contextmanager
def opened(ledger: Ledger | None) -> Iterator[Ledger]:
    """The ledger given, left open, or the node's own, closed in the end."""
    if ledger is not None:
        yield ledger
        return
    with Ledger.open(ledger_dir()) as book:
        yield book
