"""How many independent trials a sweep amounts to: neighbouring parameters trade alike.

Trials are joined by average linkage on the distance 1 - correlation, and the tree is cut where the mean
correlation between two clusters falls below a bound. Trials that share nothing stay apart, and clones are
one. A trial and its mirror image (short where the other is long) stay apart: one of them is lucky where the
other is not.

Why a fixed bound, where López de Prado and Lewis choose the number of clusters by their silhouettes: a
silhouette compares clusterings and cannot say that there is nothing to cluster. Trials of pure noise would
come out as a handful of clusters, and the number of trials far too low.

Sources: López de Prado, M. and Lewis, M. J. (2019). Detection of False Investment Strategies Using
Unsupervised Learning Methods. Quantitative Finance 19(9), 1555-1565: what the number is for. Müllner, D.
(2011). Modern Hierarchical, Agglomerative Clustering Algorithms: the linkage.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.validate.returns import Columns, keep_defined

ALIKE = 0.8
"""Mean correlation from which two groups of trials count as one.

Chosen by what the number is for, the luck of the best: on 1,000 moving-average crossings of a market without
drift (`benchmarks.calibrate`) it finds 7 to 12 clusters, and the best of the resampled trials is as lucky as
that of 7 to 8 independent ones. 0.7 finds 3 to 5, 0.9 finds 35 to 50 (2026-11-23)."""
LEAST = 50
"""Trials of which half a sample must have, or clusters grow in proportion."""
MOST = 2_000
"""Trials clustered at most: the tree takes memory and time with their square."""


def cluster_trials(returns: npt.ArrayLike, *, alike: float = ALIKE) -> Columns:
    """Cluster of each trial: int64 [trials], numbered by first appearance; -1 without a Sharpe ratio.

    Parameters
    ----------
    returns
        Float [bars, trials].
    alike
        Correlation at which two clusters are joined, above 0 and at most 1.

    Raises
    ------
    UsageError
        ``alike`` is out of range, or there are more than `MOST` trials.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if not 0.0 < alike <= 1.0:
        raise UsageError("alike must be above 0 and at most 1", seen=alike)
    trials = keep_defined(returns)
    if trials.kept > MOST:
        raise UsageError(
            "too many trials to cluster", seen=f"{trials.kept:,}", hint=f"give a sample of at most {MOST:,}"
        )
    labels = np.full(trials.given, -1, dtype=np.int64)
    if trials.kept < 2:
        labels[trials.columns] = 0
        return labels
    centred = trials.returns - trials.returns.mean(axis=0)
    centred /= np.sqrt(np.einsum("ij,ij->j", centred, centred))
    # Rounded, so that the order in which a BLAS adds up decides nothing.
    distance = np.round(1.0 - centred.T @ centred, 9)
    np.fill_diagonal(distance, 0.0)
    np.maximum(distance, 0.0, out=distance)
    tree = linkage(squareform(distance, checks=False), "average")
    cut = fcluster(tree, 1.0 - alike, "distance")
    _, first, inverse = np.unique(cut, return_index=True, return_inverse=True)
    number = np.empty(first.size, dtype=np.int64)
    number[np.argsort(first)] = np.arange(first.size)
    labels[trials.columns] = number[inverse]
    return labels


def effective_trials(
    returns: npt.ArrayLike,
    *,
    sampled: int | None = None,
    counted: int | None = None,
    alike: float = ALIKE,
) -> float:
    """Return the number of independent trials that a search amounts to: clusters, and what was not kept.

    0.0 where no trial is defined and none is counted beyond the search. Trials without a Sharpe ratio form no
    cluster.

    Parameters
    ----------
    returns
        Float [bars, trials]: all trials of a search, or an even sample of them.
    sampled
        Trials of that search, where ``returns`` is a sample of them; see :func:`count_clusters`.
    counted
        Trials in all. Those beyond the search were made elsewhere, nothing is known of them, and each counts
        as one: clones in this search make nothing of them smaller.
    alike
        See :func:`cluster_trials`.
    """
    clusters, times = count_clusters(returns, sampled=sampled, alike=alike)
    matrix = np.asarray(returns)
    searched = max(matrix.shape[1] if matrix.ndim > 1 else 1, sampled or 0)
    return clusters * times + float(max(0, (counted or 0) - searched))


def count_clusters(
    returns: npt.ArrayLike, *, sampled: int | None = None, alike: float = ALIKE
) -> tuple[int, float]:
    """Return the clusters of a sample of a search, and how many times as many the whole search has.

    Of unrelated trials twice as many make twice as many clusters; of a dense grid the others lie between
    those that are there. So half of the sample (drawn with a fixed seed) is clustered as well, and clusters
    are taken to grow on with that power of the number of trials: between its root and in proportion. The root
    where even fewer are found, because trials that are joined at a correlation of 0.8 still have some luck
    of their own: on 40 searches of 4,000 crossings each, in markets without drift, p-values of at most 0.05
    came in 18 % where the sample stood for all (2026-11-23).

    Parameters
    ----------
    returns, sampled, alike
        See :func:`effective_trials`.
    """
    trials = keep_defined(returns)
    labels = cluster_trials(returns, alike=alike)
    clusters = int(labels.max(initial=-1)) + 1
    searched = max(trials.given, sampled or 0)
    if not trials.kept or searched == trials.given:
        return clusters, 1.0
    # Trials without a Sharpe ratio are none of either, in the share that the sample has of them.
    times = searched / trials.given
    half = np.random.default_rng(0).permutation(trials.kept)[: trials.kept // 2]
    if half.size < LEAST:
        return clusters, times
    fewer = int(cluster_trials(trials.returns[:, np.sort(half)], alike=alike).max()) + 1
    power = math.log(clusters / fewer) / math.log(trials.kept / half.size)
    return clusters, times ** min(max(power, 0.5), 1.0)
