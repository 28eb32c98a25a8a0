"""The complete verdict on a search: one function of the returns of its trials.

Three questions, and the winner needs all three answers:

1. *Is it more than the best of that much luck?* The deflated Sharpe ratio, at the effective number of trials.
   It pays for every trial that the ledger counted, also for those whose returns are gone.
2. *Is it more than the best of these trials would show without skill?* Hansen's test for superior predictive
   ability on the trials' own returns: their dependence, tails and clustered volatility are in it.
3. *Does choosing by the past help?* Combinatorially symmetric cross-validation: the best trial of half the
   bars must not lose in the other half more often than not.

Where a sweep can be run again, a fourth: *is it more than the market's drift?* The same sweep is run on
shuffled bars, which drift as the real ones do and hold nothing to learn. The other three compare with a
return of 0, and in a market that rises whoever is long beats that.

What luck is measured by. Without skill a Sharpe ratio over n bars has the variance 1 / (n - 1) (Lo 2002,
eq. 8 at 0), whatever the strategy. The spread across the trials of a sweep is not used: real skill that
trials share widens it, so does a fee that ruins some, and clones narrow it, and none of that is luck.
`benchmarks.calibrate` measures how often this verdict is wrong.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.autocorrelation import adjusted_sharpe_ratio, memory_of
from grn.quant.validate.clusters import MOST, count_clusters
from grn.quant.validate.haircut import haircut_sharpe
from grn.quant.validate.overfitting import BLOCKS, measure_overfitting
from grn.quant.validate.reasons import give_reasons, say_change
from grn.quant.validate.resampling import usual_block
from grn.quant.validate.returns import keep_defined, shape_of, sharpe_ratios
from grn.quant.validate.sharpe import (
    deflated_sharpe_ratio,
    deflated_track_record_length,
    expected_max_sharpe,
    max_trials,
    probabilistic_sharpe_ratio,
    required_sharpe,
)
from grn.quant.validate.superiority import measure_superiority
from grn.quant.validate.verdict import PASS_DSR, Assessment, Noise, decide

RESAMPLES: Final = 1_000
"""A p-value of 0.05 from these is known to 0.007 (one standard error)."""
MOST_RESAMPLES: Final = 10_000
"""For searches of which a sample is judged. Above 500 times the sample no p-value of 0.05 can be shown."""


def assess(
    returns: npt.ArrayLike,
    *,
    ppy: float,
    sampled: int | None = None,
    counted: int | None = None,
    elsewhere: float | None = None,
    best: int | None = None,
    series: npt.ArrayLike | None = None,
    null_best: npt.ArrayLike | None = None,
    resamples: int = RESAMPLES,
    block: int | None = None,
    blocks: int = BLOCKS,
    seed: int = 0,
    threads: int | None = None,
) -> Assessment:
    """Decide whether the best of many trials is more than luck.

    ``pass`` needs an effective deflated Sharpe ratio of at least 0.95, a p-value of superiority of at most
    0.05, and a share of lost splits of at most one half; ``weak`` 0.90 and 0.10; everything else is
    ``reject``, and so is a search in which nothing is defined. Where shuffled sweeps are asked for, their
    p-value has the same bounds; fewer than nine cannot show 0.10, and leave it at ``weak`` as long as none of
    them reached the winner. With a single trial nothing was chosen, and the third question falls away.

    Parameters
    ----------
    returns
        Returns per bar of the trials, float [bars, trials], the winner among them; at most
        `grn.quant.validate.clusters.MOST` trials. A trial with a NaN or constant returns counts and cannot
        win.
    ppy
        Bars of the winner per year.
    sampled
        Trials of this search, where the columns are a sample of them.
    counted
        Trials ever made on this data, where they are more than those of this search.
    elsewhere
        Independent trials, at most, among those counted beyond this search. Default: as many as they are.
    best
        Column of the winner; by default the one of the highest Sharpe ratio.
    series
        The winner's returns on bars of its own, float [its bars], where the table has others: sums of weeks,
        or bars of other symbols too.
    null_best
        Best annual Sharpe ratio of each shuffled sweep, float [shuffles]; NaN for one that had none. None:
        not asked for.
    resamples, block, seed
        Of the bootstrap: resamples (so many times more as the search is larger than the sample, up to
        `MOST_RESAMPLES`), bars per block (default: the cube root of the bars, or as far as the winner's
        returns remember if that is more), and seed.
    blocks
        Of the cross-validation, even.
    threads
        Default: as many as there are processors. The numbers do not depend on it.

    Raises
    ------
    UsageError
        Too many trials, or an argument out of its range.
    """
    if not ppy > 0.0:
        raise UsageError("bars per year must be above 0", seen=ppy)
    matrix = np.asarray(returns, dtype=np.float64)
    trials = keep_defined(matrix)
    if trials.given > MOST:
        raise UsageError(
            "too many trials at once",
            seen=f"{trials.given:,}",
            hint=f"give the winner and a sample of the others, at most {MOST:,}, and their number as counted",
        )
    if best is not None and not 0 <= best < trials.given:
        raise UsageError("no such trial", seen=best, hint=f"0 to {trials.given - 1}")
    total = max(trials.given, sampled or 0, counted or 0)
    ratios = sharpe_ratios(trials.returns)
    top = _place(ratios, trials.columns, best)
    own = np.empty(0)
    if top >= 0:
        own = trials.returns[:, top] if series is None else np.asarray(series, dtype=np.float64)
    n, year = trials.n_bars if top < 0 else own.size, math.sqrt(ppy)
    sharpe = float(sharpe_ratios(own[:, None])[0]) if top >= 0 else math.nan
    skew, kurtosis = shape_of(own)
    memory, _ = memory_of(own)
    # Returns that follow from each other say less: a mean of them is as well known as one of fewer bars.
    worth = 1.0 + (n - 1.0) / memory
    searched = max(trials.given, sampled or 0)
    beyond = min(float(total - searched), math.inf if elsewhere is None else elsewhere)
    clusters, times = count_clusters(matrix, sampled=sampled)
    effective = max(clusters * times + beyond, 1.0)
    variance = 1.0 / (worth - 1.0) if n > 1 else math.nan
    shape = {"skew": skew, "kurtosis": kurtosis}

    def deflate(number: float) -> tuple[float, float]:
        dsr = deflated_sharpe_ratio(sharpe, worth, n_trials=number, variance=variance, **shape)
        return expected_max_sharpe(number, variance), dsr

    luck, dsr = deflate(float(total))
    effective_luck, effective_dsr = deflate(effective)
    draws = min(MOST_RESAMPLES, resamples * math.ceil(times))
    if block is None:
        block = usual_block(max(1, trials.n_bars))
        block = max(block, memory_of(trials.returns[:, top])[1]) if top >= 0 else block
    spa = measure_superiority(matrix, resamples=draws, block=block, seed=seed, threads=threads)
    column = int(trials.columns[top]) if top >= 0 else -1
    cscv = measure_overfitting(matrix, blocks=blocks, threads=threads)
    noise = None if null_best is None else compare(sharpe * year, null_best)
    allowed = max_trials(sharpe, worth, variance=variance, confidence=PASS_DSR, **shape)
    needed = deflated_track_record_length(sharpe, effective, **shape)
    required = required_sharpe(worth, effective, **shape)
    found = Assessment(
        decision="reject",
        reasons=("", "", ""),
        change="",
        best=column,
        sharpe=sharpe * year,
        adjusted_sharpe=adjusted_sharpe_ratio(own, max(1, round(ppy))),
        **shape,
        psr=probabilistic_sharpe_ratio(sharpe, 0.0, worth, **shape),
        counted=total,
        effective=effective,
        luck=luck * year,
        dsr=dsr,
        effective_luck=effective_luck * year,
        effective_dsr=effective_dsr,
        memory=memory,
        skill_score=float(spa.scores[column]) if column >= 0 else math.nan,
        skill_p=_of_all(spa.p_of(column), times),
        years_held=n / ppy,
        years_needed=(1.0 + (needed - 1.0) * memory) / ppy,
        sharpe_needed=required * year,
        trials_allowed=_in_trials(allowed, effective, total),
        noise=noise,
        superiority=spa,
        overfitting=cscv,
        haircuts=haircut_sharpe(ratios, trials.n_bars, best=top, tests=total) if top >= 0 else (),
    )
    decided = dataclasses.replace(found, decision=decide(found))
    return dataclasses.replace(decided, reasons=give_reasons(decided), change=say_change(decided))


def compare(sharpe: float, null_best: npt.ArrayLike) -> Noise:
    """Rank a winner's annual Sharpe ratio among the best of shuffled sweeps, float [shuffles]."""
    best = np.asarray(null_best, dtype=np.float64)
    best = best[~np.isnan(best)]
    reached, n = int(np.count_nonzero(best >= sharpe)), int(best.size)
    return Noise(
        shuffles=n,
        median=statistics.median(best.tolist()) if n else math.nan,
        highest=float(best.max()) if n else math.nan,
        reached=reached,
        p_value=math.nan if not n or math.isnan(sharpe) else (1 + reached) / (1 + n),
    )


def _of_all(p: float, times: float) -> float:
    """Probability that the best of so many samples reaches what the best of one does with ``p``.

    As if they were independent, which is the most that it can be where they are alike.
    """
    return p if times == 1.0 else 1.0 - (1.0 - p) ** times


def _place(ratios: npt.NDArray[np.float64], columns: npt.NDArray[np.int64], best: int | None) -> int:
    """Place of the winner among the trials that take part; -1 for none."""
    if best is None:
        return int(np.argmax(ratios)) if ratios.size else -1
    place = int(np.searchsorted(columns, best))
    return place if place < columns.size and columns[place] == best else -1


def _in_trials(allowed: int, effective: float, total: int) -> int:
    """Turn a number of independent trials into trials that are counted."""
    if allowed >= effective:
        return total + int(allowed - effective)
    return int(allowed * (total / effective))
