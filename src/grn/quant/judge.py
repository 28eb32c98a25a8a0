"""The verdict on a sweep: what its trials' returns say, with every trial counted on the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger, TrialCount
from grn.ledger.holdouts import Holdout
from grn.quant import holdout, record
from grn.quant.asked import Asked, enter_verdict, verdicts_on
from grn.quant.elsewhere import worth_elsewhere
from grn.quant.engine.grid import Lattice
from grn.quant.examination import examine
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.metrics.from_accumulators import sharpe_per_period
from grn.quant.metrics.registry import parse_metrics
from grn.quant.result import SweepResult
from grn.quant.returns import pick_rows, trial_returns
from grn.quant.search.desk import Market
from grn.quant.search.method import Method
from grn.quant.search.run import recall_method, search_again
from grn.quant.strategy.rules import Rules
from grn.quant.validate.assessment import assess
from grn.quant.validate.shuffle import shuffle_market
from grn.quant.validation import Validation

Array = npt.NDArray[np.float64]


def validate(
    result: SweepResult,
    *,
    shuffles: int = 50,
    block: int = 20,
    seed: int = 0,
    trials: TrialCount | None = None,
    ledger: Ledger | None = None,
    progress: Callable[[int], None] | None = None,
) -> Validation:
    """Judge the best row (by Sharpe ratio) of a sweep.

    The returns of its trials are computed (of a sample where they are more than a thousand, see
    :func:`grn.quant.returns.pick_rows`) and judged by :func:`grn.quant.validate.assessment.assess`, with the
    number of trials that the ledger has counted on the data up to the run's watermark, and with the winners
    that the same sweep finds in block-shuffled data.

    Parameters
    ----------
    result
        A recorded sweep.
    shuffles
        Shuffled data sets to sweep. With fewer than 19 nothing passes.
    block
        Bars per shuffled block; longer blocks keep more of the data's own memory.
    seed
        Seed of the first shuffle; shuffle k uses ``seed + k``. Also of the resamples.
    trials
        Count to use instead of the one at the run's watermark.
    ledger
        Where the returns of trials are kept, hold-outs are known and the verdict is entered. Default: the
        node's, where the run was recorded in it.
    progress
        Called with the number of shuffles done.
    """
    count = trials or result.trials
    if count is None:
        raise UsageError(
            "the result has no trial count",
            seen=repr(result),
            hint="run it through grn.sweep, which records its trials",
        )
    if shuffles < 0 or block < 1 or seed < 0:
        raise UsageError(
            "shuffles and seed must be >= 0 and block >= 1", seen=f"shuffles={shuffles}, {block=}, {seed=}"
        )
    row = result.winner
    best = sweep_shuffled(result, shuffles=shuffles, block=block, seed=seed, progress=progress)
    path = result.path(row)
    with _known(result, ledger) as book:
        returns = trial_returns(result, np.union1d(pick_rows(result), [row]), ledger=book)
        holdouts = [] if book is None else _holdouts(result, row, book)
        elsewhere = None if book is None or trials is not None else _elsewhere(result, count, book)
    verdict = assess(
        returns.returns,
        ppy=result.ppy,
        sampled=len(result),
        counted=count.n,
        elsewhere=elsewhere,
        best=int(np.searchsorted(returns.rows, row)),
        series=path.returns,
        null_best=best,
        seed=seed,
    )
    validation = Validation(
        verdict=verdict,
        winner=result.label(row),
        row=row,
        trades=int(path.tallies["opened"]),
        watermark=count.watermark,
        examination=examine(result, row, returns, holdouts=holdouts, seed=seed),
        null_best=best,
        shuffles=shuffles,
        block=block,
        seed=seed,
    )
    with _known(result, ledger) as book:
        if book is None or not result.result_key:
            return validation
        return _entered(validation, result, book)


def _entered(validation: Validation, result: SweepResult, ledger: Ledger) -> Validation:
    """Enter the verdict, and add those that were asked for before."""
    asked = Asked(
        shuffles=validation.shuffles,
        block=validation.block,
        seed=validation.seed,
        counted=validation.verdict.counted,
        decision=validation.decision,
    )
    others = [one for one in verdicts_on(ledger, result.result_key) if one != asked]
    enter_verdict(ledger, result.run, result.result_key, asked, validation.watermark)
    return dataclasses.replace(validation, asked=tuple(others))


@contextmanager
def _known(result: SweepResult, ledger: Ledger | None) -> Iterator[Ledger | None]:
    """Give the ledger that was given, else the node's where it knows the run, else none."""
    if ledger is not None or not Ledger.exists(ledger_dir()):
        yield ledger
        return
    with Ledger.open(ledger_dir()) as own:
        yield own if result.run and own.knows(result.run) else None


def _elsewhere(result: SweepResult, count: TrialCount, ledger: Ledger) -> float:
    """Independent trials, at most, beyond the result's own: of other runs, and settings that it dropped."""
    ids = record.data_ids(result.strategy, result.bars)
    others = worth_elsewhere(ledger, ids, watermark=count.watermark, but=result.run)
    return others + max(0, ledger.show(result.run).n_trials - len(result))


def _holdouts(result: SweepResult, row: int, ledger: Ledger) -> list[Holdout]:
    """Locked periods of the markets that a row ran on."""
    alone = len(result.accounts) == len(result.bars)
    return holdout.locks_on(ledger, result.bars[row // len(result.grid) :][:1] if alone else result.bars)


def sweep_shuffled(
    result: SweepResult,
    *,
    shuffles: int,
    block: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Array:
    """Best annualised Sharpe ratio of the same sweep on each shuffled data set: float64 [shuffles].

    A search that learns from the data is made anew on each shuffled data set.  These sweeps look at no real
    data in its real order; they are not trials and are not counted.
    """
    from grn.quant.compute import count_bars, run_engine

    if result.search is not None:
        method, by = recall_method(result.search)
        if method.adaptive:
            return _search_shuffled(result, method, by, shuffles, block, seed, progress)
    names = accumulator_names(["moments"])
    levels = _levels(result.rules)
    best = np.full(shuffles, np.nan)
    for k in range(shuffles):
        market = shuffle_market(result.bars, block=block, seed=seed + k, levels=levels)
        sums = run_engine(
            result.strategy, market, result.grid, result.rules, ["moments"], result.choice.engine, None
        )
        for n_bars, values in zip(count_bars(result.strategy, market), sums, strict=True):
            sharpes = sharpe_per_period(dict(zip(names, values.T, strict=True)), n_bars=n_bars)
            if not np.isnan(sharpes).all():
                best[k] = np.fmax(best[k], np.nanmax(sharpes))
        if progress is not None:
            progress(k + 1)
    annual: Array = best * np.sqrt(result.ppy)
    return annual


def _search_shuffled(
    result: SweepResult,
    method: Method,
    by: str,
    shuffles: int,
    block: int,
    seed: int,
    progress: Callable[[int], None] | None,
) -> Array:
    best = np.full(shuffles, np.nan)
    levels = _levels(result.rules)
    lattice = Lattice.of(result.strategy)
    for k in range(shuffles):
        bars = shuffle_market(result.bars, block=block, seed=seed + k, levels=levels)
        market = Market(result.strategy, bars, result.rules, parse_metrics(by), result.choice, result.ppy)
        for found in search_again(method, by, market, lattice):
            sharpes = np.concatenate(found.trial_sharpes)
            if not np.isnan(sharpes).all():
                best[k] = np.fmax(best[k], np.nanmax(sharpes))
        if progress is not None:
            progress(k + 1)
    annual: Array = best * np.sqrt(result.ppy)
    return annual


def _levels(rules: Rules) -> list[str]:
    """Columns that a simulation reads as money per unit: the price to fill at, dividends in cash."""
    dividends = rules.events.dividends
    return [rules.fill_column, *([] if dividends is None else [dividends])]
