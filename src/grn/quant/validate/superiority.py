"""Is the best of many better than nothing? Tests that know how the trials depend on each other.

White's reality check, Hansen's test for superior predictive ability, and Romano and Wolf's stepwise version.
The largest mean return among the trials is compared with the largest that resampled bars show once every
trial's own mean is taken away; blocks of bars are drawn for all trials at once, so that trials that trade
alike stay alike. The benchmark is a return of 0 (cash); hand in excess returns for another one.

A resample's mean is a sum over its runs of two differences of running sums: bars / block additions per trial,
where gathering the bars takes as many as there are bars.

Sources: White, H. (2000). A Reality Check for Data Snooping. Econometrica 68(5), 1097-1126. Hansen, P. R.
(2005). A Test for Superior Predictive Ability. Journal of Business & Economic Statistics 23(4), 365-380.
Romano, J. P. and Wolf, M. (2005). Stepwise Multiple Testing as Formalized Data Snooping. Econometrica 73(4).
Hansen, P. R., Lunde, A. and Nason, J. M. (2011). The Model Confidence Set. Econometrica 79(2), 453-497.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.kernels import PEAKS, TILE, Integers, compiled, find_peaks
from grn.quant.validate.resampling import Bootstrap, Kind, usual_block
from grn.quant.validate.returns import Array, Trials, keep_defined, usable_cores

BATCH: Final = 500
"""Resamples drawn while the batch before is added up."""
LEAST_BARS: Final = 16
"""Fewer bars resample to nothing that could be called a distribution, and log(log(bars)) needs three."""
MOST_PAIRS: Final = 20_000_000
"""Resamples times trials squared that the model confidence set may hold: 160 MB, three times over."""


@dataclass(frozen=True, eq=False)
class Superiority:
    """The best trial against what the resampled bars show without any skill.

    Attributes
    ----------
    p_lower, p_consistent, p_upper
        Shares of resamples whose best is above the best observed (Hansen 2005, section 3). ``lower`` drops
        the losing trials from the null, ``upper`` keeps all of them at a mean of 0 (the reality check), and
        ``consistent`` drops those that lose clearly; it is the one to report. NaN with fewer than
        `LEAST_BARS` bars or no trial that has a Sharpe ratio.
    statistic
        The best trial's mean per bar; studentized: times the root of the bars, over the deviation of a bar.
    best
        The column of that trial; -1 when there is none.
    scores
        float64 [trials], that number of every trial; NaN for those that take no part.
    peaks
        float64 [resamples, 3], the best of each resample, ascending in p: lower, consistent, upper.
    resamples, block, studentized
        How it was drawn.
    """

    p_lower: float
    p_consistent: float
    p_upper: float
    statistic: float
    best: int
    scores: Array
    peaks: Array
    resamples: int
    block: int
    studentized: bool

    @property
    def p_value(self) -> float:
        """The consistent p-value with the observed best as one more draw, so that it is never 0."""
        return self.p_of(self.best)

    def p_of(self, column: int) -> float:
        """P-value of any trial: the share of resamples whose best reaches it, itself as one more draw.

        NaN for a trial that takes no part.
        """
        score = float(self.scores[column]) if 0 <= column < len(self.scores) else math.nan
        if math.isnan(score) or math.isnan(self.p_consistent):
            return math.nan
        reached = int(np.count_nonzero(self.peaks[:, 1] >= score))
        return (1 + reached) / (1 + self.resamples)


def measure_superiority(
    returns: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    block: int | None = None,
    seed: int = 0,
    studentize: bool = True,
    kind: Kind = "stationary",
    threads: int | None = None,
) -> Superiority:
    """Test whether the best trial earns more than 0 (Hansen 2005).

    With ``studentize=False`` the numbers are those of ``arch.bootstrap.SPA`` 8.0.0, which takes that argument
    and compares plain means whatever it says; so a trial with large positions drowns a better one with small
    ones. Studentized, trials compete by their Sharpe ratios.

    Trials with a NaN, an infinity or constant returns take no part. The bytes do not depend on ``threads``.

    Parameters
    ----------
    returns
        Returns (or returns above a benchmark's) of every trial, float [bars, trials].
    resamples
        Resamples to draw, at least 1.
    block
        Bars per block; :func:`~grn.quant.validate.resampling.usual_block` by default.
    seed
        Of the resamples.
    studentize
        Divide each mean by the deviation of its bars. Hansen (2005) proposes the bootstrap's own deviation of
        the mean; that one is itself an estimate, and the best of many trials is often one whose deviation
        came out too small: of 600 sets of noise (300 bars, 40 trials) 15 % then had a p-value of 0.10 or
        less, against 11 % so. What bars say about each other stays in the resamples, which keep blocks.
    kind
        ``stationary`` or ``circular``.
    threads
        Default: as many as there are processors for this process.

    Raises
    ------
    UsageError
        No resample, or a block that does not fit.
    """
    if resamples < 1:
        raise UsageError("at least one resample is needed", seen=resamples)
    trials = keep_defined(returns)
    block = usual_block(max(1, trials.n_bars)) if block is None else block
    if not trials.kept or trials.n_bars < LEAST_BARS:
        none = np.full(trials.given, np.nan)
        return Superiority(*(math.nan,) * 4, -1, none, np.empty((0, 3)), resamples, block, studentize)
    drawn = Bootstrap(trials.n_bars, block, seed, kind)
    bench = _Bench.of(trials, block, studentize)
    peaks = bench.find_peaks(np.arange(trials.kept), drawn, resamples, threads)
    best = int(np.argmax(bench.scores))
    statistic = float(bench.scores[best])
    lower, consistent, upper = (peaks > statistic).mean(axis=0).tolist()
    winner = int(trials.columns[best])
    scores = np.full(trials.given, np.nan)
    scores[trials.columns] = bench.scores
    return Superiority(
        lower, consistent, upper, statistic, winner, scores, peaks, resamples, block, studentize
    )


def superior_trials(
    returns: npt.ArrayLike,
    *,
    size: float = 0.05,
    resamples: int = 10_000,
    block: int | None = None,
    seed: int = 0,
    studentize: bool = True,
    kind: Kind = "stationary",
    threads: int | None = None,
) -> Integers:
    """Columns of the trials that earn more than 0, with at most ``size`` for one wrong one: int64, ascending.

    The stepwise test of Romano & Wolf (2005): those above the critical value are taken out, and the test is
    repeated on the rest until none is. Arguments as in :func:`measure_superiority`; with
    ``studentize=False`` the answer is that of ``arch.bootstrap.StepM`` 8.0.0.
    """
    if not 0.0 < size < 1.0:
        raise UsageError("size must be above 0 and below 1", seen=size)
    if resamples < 1:
        raise UsageError("at least one resample is needed", seen=resamples)
    trials = keep_defined(returns)
    block = usual_block(max(1, trials.n_bars)) if block is None else block
    if not trials.kept or trials.n_bars < LEAST_BARS:
        return np.empty(0, dtype=np.int64)
    drawn = Bootstrap(trials.n_bars, block, seed, kind)
    bench, left = _Bench.of(trials, block, studentize), np.arange(trials.kept)
    while left.size:
        peaks = bench.find_peaks(left, drawn, resamples, threads)
        better = bench.scores[left] > np.percentile(peaks[:, 1], 100.0 * (1.0 - size))
        if not better.any():
            break
        left = left[~better]
        # The same resamples again, for those that are left.
        drawn = Bootstrap(trials.n_bars, block, seed, kind)
    found: Integers = np.delete(trials.columns, left)
    return found


def confidence_set(
    returns: npt.ArrayLike,
    *,
    resamples: int = 1_000,
    block: int | None = None,
    seed: int = 0,
    kind: Kind = "stationary",
) -> Array:
    """P-value of each trial for being among the best: float64 [trials] (Hansen, Lunde & Nason 2011).

    Those above 0.05 form the 95 % model confidence set. Computed by ``arch.bootstrap.MCS`` (range statistic)
    from the distinct trials; equal trials share a p-value, and a trial without a Sharpe ratio has NaN.

    Raises
    ------
    UsageError
        The set takes resamples times trials squared numbers, and they are more than `MOST_PAIRS`.
    """
    trials = keep_defined(returns)
    out = np.full(trials.given, np.nan)
    if not trials.kept or trials.n_bars < LEAST_BARS:
        return out
    distinct, place = np.unique(trials.returns, axis=1, return_inverse=True)
    # In the order of their first appearance, as they were given.
    first = np.array([int(np.flatnonzero(place == k)[0]) for k in range(distinct.shape[1])])
    if resamples * first.size**2 > MOST_PAIRS:
        raise UsageError(
            "too many trials for a model confidence set",
            seen=f"{first.size:,} trials, {resamples:,} resamples",
            hint=f"give the best {math.isqrt(MOST_PAIRS // resamples):,}",
        )
    if first.size == 1:
        out[trials.columns] = 1.0
        return out
    from arch.bootstrap import MCS

    order = np.sort(first)
    block = usual_block(trials.n_bars) if block is None else block
    losses = -trials.returns[:, order]
    test = MCS(losses, 0.05, reps=resamples, block_size=block, bootstrap=kind, seed=seed)
    test.compute()
    table = test.pvalues
    p_of = dict(zip(table.index.tolist(), table["Pvalue"].tolist(), strict=True))
    position = {int(column): k for k, column in enumerate(order)}
    out[trials.columns] = [p_of[position[int(first[k])]] for k in place]
    return out


def bootstrap_variances(centred: Array, block: int) -> Array:
    """Variance of the root of n times a stationary resample's mean: float64 [trials] (Politis & Romano 1994).

    The sum over lags of autocovariances times (1 - l / n) q**l + (l / n) q**(n - l) with q = 1 - 1 / block
    (lemma 1; Hansen 2005, section 4). As both are periodic in the lag, it is a sum over frequencies.
    ``centred`` [bars, trials] has means of 0.
    """
    n, q = centred.shape[0], 1.0 - 1.0 / block
    lag = np.arange(n)
    kernel = (1.0 - lag / n) * q**lag + lag / n * q ** (n - lag)
    kernel[0] = 1.0
    weight = np.fft.rfft(kernel).real
    weight[1 : (n + 1) // 2] *= 2.0
    spectrum = np.fft.rfft(centred, axis=0)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    variances: Array = np.einsum("f,fk->k", weight, power) / (n * n)
    return variances


@dataclass(frozen=True, eq=False)
class _Bench:
    """What the resamples of a set of trials are compared with."""

    sums: Array
    """float64 [bars + 1, trials], centred returns from the first bar on."""
    centres: Array
    """float64 [3, trials], taken from a resample's centred mean."""
    scales: Array
    scores: Array

    @classmethod
    def of(cls, trials: Trials, block: int, studentize: bool) -> _Bench:
        """Means, deviations and running sums of the trials."""
        n = trials.n_bars
        mean = trials.returns.mean(axis=0)
        centred = trials.returns - mean
        variance = bootstrap_variances(centred, block)
        sums = np.zeros((n + 1, trials.kept))
        np.cumsum(centred, axis=0, out=sums[1:])
        # Hansen (2005), eq. 3.1: a mean this far below 0 is no part of the null.
        hopeless = mean < -np.sqrt(variance / n * 2.0 * math.log(math.log(n)))
        kept = (np.maximum(mean, 0.0), np.where(hopeless, 0.0, mean), mean)
        scales = np.ones(trials.kept)
        if studentize:
            scales = n / np.sqrt(np.einsum("nk,nk->k", centred, centred))
        return cls(sums, np.stack(kept) - mean, scales, mean * scales)

    def find_peaks(
        self, columns: Integers, bootstrap: Bootstrap, resamples: int, threads: int | None
    ) -> Array:
        """Best of each resample among some of the trials: float64 [resamples, 3]."""
        tiles = -(-columns.size // TILE)
        pad = tiles * TILE - columns.size
        n = bootstrap.n_bars

        def tiled(values: Array, fill: float) -> Array:
            """[rows, columns] as [tiles, rows, TILE]."""
            chosen = np.pad(values[:, columns], ((0, 0), (0, pad)), constant_values=fill)
            return np.ascontiguousarray(chosen.reshape(len(values), tiles, TILE).transpose(1, 0, 2))

        prefix, centres = tiled(self.sums, 0.0), tiled(self.centres, math.inf)
        scales = np.ascontiguousarray(tiled(self.scales[None], 1.0)[:, 0])
        kernel = compiled(find_peaks, PEAKS)
        workers = threads or usable_cores()
        ends = np.linspace(0, tiles, min(tiles, 2 * workers) + 1).astype(int).tolist()
        peaks = np.empty((resamples, 3))

        def work(runs: tuple[Integers, Integers, Integers], count: int, first: int, last: int) -> Array:
            highest = np.full((count, 3), -math.inf)
            kernel(prefix, *runs, float(n), centres, scales, highest, first, last)
            return highest

        running: list[tuple[int, list[Future[Array]]]] = []
        with ThreadPoolExecutor(workers) as pool:
            for begin in range(0, resamples, BATCH):
                drawn = bootstrap.draw(min(BATCH, resamples - begin))
                runs = drawn.offsets, drawn.starts, drawn.ends
                tasks = [pool.submit(work, runs, len(drawn), a, b) for a, b in itertools.pairwise(ends)]
                running.append((begin, tasks))
                if len(running) > 1:
                    _gather(peaks, *running.pop(0))
            for begin, tasks in running:
                _gather(peaks, begin, tasks)
        return peaks


def _gather(peaks: Array, begin: int, tasks: list[Future[Array]]) -> None:
    """Write a batch down; the largest of several largest does not depend on who found them."""
    found = np.maximum.reduce([task.result() for task in tasks])
    peaks[begin : begin + len(found)] = found
