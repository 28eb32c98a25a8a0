"""The verdict on a sweep: its winner against every trial counted on the data, and against shuffled bars."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.ledger import TrialCount
from grn.ledger.trials import moments
from grn.quant.engine.grid import Lattice
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.metrics.from_accumulators import sharpe_per_period
from grn.quant.metrics.registry import parse_metrics
from grn.quant.result import SweepResult
from grn.quant.search.desk import Market
from grn.quant.search.method import Method
from grn.quant.search.run import recall_method, search_again
from grn.quant.validate.shuffle import shuffle_market
from grn.quant.validate.validation import Validation
from grn.quant.validate.verdict import TrialStats, judge

Array = npt.NDArray[np.float64]


def validate(
    result: SweepResult,
    *,
    shuffles: int = 50,
    block: int = 20,
    seed: int = 0,
    trials: TrialCount | None = None,
    progress: Callable[[int], None] | None = None,
) -> Validation:
    """Judge the best row (by Sharpe ratio) of a sweep.

    The winner is deflated by the trials that the ledger has counted on its data up to the run's watermark,
    and compared with the winners that the same sweep finds in block-shuffled data.

    Parameters
    ----------
    result
        A recorded sweep.
    shuffles
        Shuffled data sets to sweep (0: skip them; then nothing passes).
    block
        Bars per block; longer blocks keep more of the data's own memory.
    seed
        Seed of the first shuffle; shuffle k uses ``seed + k``.
    trials
        Count to use instead of the one at the run's watermark.
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
    if shuffles < 0 or block < 1:
        raise UsageError("shuffles must be >= 0 and block >= 1", seen=f"shuffles={shuffles}, block={block}")
    row = result.best("sharpe")
    details = result.details(row)
    path = result.path(row)
    winner = TrialStats(
        name=result.label(row),
        sharpe_per_period=float(result.trial_sharpes[row // len(result.grid)][row % len(result.grid)]),
        n_bars=len(path.equity),
        skew=details["skew"],
        kurtosis=details["kurtosis"],
        ppy=result.ppy,
        trades=int(details["trades"]),
        search_variance=moments(np.unique(np.concatenate(result.trial_sharpes)))[1],
    )
    best = sweep_shuffled(result, shuffles=shuffles, block=block, seed=seed, progress=progress)
    return Validation(judge(winner=winner, trials=count, null_best=best), row, best, shuffles, block, seed)


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
    best = np.full(shuffles, np.nan)
    for k in range(shuffles):
        market = shuffle_market(result.bars, block=block, seed=seed + k)
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
    lattice = Lattice.of(result.strategy)
    for k in range(shuffles):
        bars = shuffle_market(result.bars, block=block, seed=seed + k)
        market = Market(result.strategy, bars, result.rules, parse_metrics(by), result.choice, result.ppy)
        for found in search_again(method, by, market, lattice):
            sharpes = np.concatenate(found.trial_sharpes)
            if not np.isnan(sharpes).all():
                best[k] = np.fmax(best[k], np.nanmax(sharpes))
        if progress is not None:
            progress(k + 1)
    annual: Array = best * np.sqrt(result.ppy)
    return annual
