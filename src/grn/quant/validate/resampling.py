"""Block bootstraps of bars: the stationary one, and the circular one, as runs of neighbouring bars.

A resample is kept as its runs, not as its indices: what a statistic adds up over a run is a difference of two
running sums. The random numbers are drawn as `arch` draws them, so that an equal seed gives equal resamples:
one `numpy.random.Generator`, resample after resample.

Sources: Politis, D. N. and Romano, J. P. (1994). The Stationary Bootstrap. Journal of the American
Statistical Association 89, 1303-1313. Politis, D. N. and Romano, J. P. (1992). A Circular Block-Resampling
Procedure for Stationary Data. In: Exploring the Limits of Bootstrap, Wiley.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from grn.kit.errors import UsageError
from grn.quant.validate.kernels import CUT_RESAMPLES, Integers, compiled, cut_resample

Kind = Literal["stationary", "circular"]
KINDS: Final[tuple[Kind, ...]] = ("stationary", "circular")


@dataclass(frozen=True, eq=False)
class Resamples:
    """Some resamples of ``n_bars`` bars, as runs ``starts[i] <= bar < ends[i]``.

    The runs of resample k are those from ``offsets[k]`` to ``offsets[k + 1]``: int64 [resamples + 1]. A block
    that goes around the end of the data is two runs. The lengths of a resample's runs add up to ``n_bars``.
    """

    n_bars: int
    offsets: Integers
    starts: Integers
    ends: Integers

    def __len__(self) -> int:
        return int(self.offsets.size) - 1

    def indices(self, resample: int) -> Integers:
        """Bars of one resample in their order: int64 [n_bars]."""
        runs = range(int(self.offsets[resample]), int(self.offsets[resample + 1]))
        return np.concatenate([np.arange(self.starts[run], self.ends[run]) for run in runs])


class Bootstrap:
    """Draws resamples, one batch after the other.

    Parameters
    ----------
    n_bars
        Bars to draw from, and per resample; at least 1.
    block
        Bars per block: the mean length of the stationary bootstrap's, the length of the circular one's.
    seed
        Of ``numpy.random.default_rng``. In batches or at once, the resamples are the same.
    kind
        ``stationary`` or ``circular``.

    Raises
    ------
    UsageError
        The kind is unknown, the block is shorter than a bar or (circular) longer than the data.
    """

    def __init__(self, n_bars: int, block: int, seed: int, kind: Kind = "stationary") -> None:
        if kind not in KINDS:
            raise UsageError("unknown bootstrap", seen=kind, hint="one of " + ", ".join(KINDS))
        if n_bars < 1 or block < 1 or (kind == "circular" and block > n_bars):
            raise UsageError("the block does not fit the bars", seen=f"{block} for {n_bars} bars")
        if seed < 0:
            raise UsageError("the seed must not be negative", seen=seed)
        self.n_bars, self.block, self.kind = n_bars, block, kind
        self._rng = np.random.default_rng(seed)

    def draw(self, count: int) -> Resamples:
        """Return the next ``count`` resamples."""
        return self._stationary(count) if self.kind == "stationary" else self._circular(count)

    def _stationary(self, count: int) -> Resamples:
        n, cut = self.n_bars, compiled(cut_resample, CUT_RESAMPLES)
        offsets = np.zeros(count + 1, dtype=np.int64)
        # Room for what is usual; a resample has at most one run per bar, and one more for each time around.
        room = 2 * n + int(1.5 * count * (n / self.block + 3))
        starts, ends, at = np.empty(room, np.int64), np.empty(room, np.int64), np.zeros(1, np.int64)
        for k in range(count):
            if room - int(at[0]) < 2 * n:
                room *= 2
                starts, ends = (np.concatenate((runs, np.empty_like(runs))) for runs in (starts, ends))
                room = starts.size
            draws = self._rng.integers(n, size=n, dtype=np.int64)
            cut(draws, self._rng.random(n), 1.0 / self.block, starts, ends, at)
            offsets[k + 1] = at[0]
        used = int(at[0])
        return Resamples(n, offsets, starts[:used].copy(), ends[:used].copy())

    def _circular(self, count: int) -> Resamples:
        n, block = self.n_bars, self.block
        blocks = -(-n // block)
        first = self._rng.integers(n, size=(count, blocks), dtype=np.int64)
        length = np.full(blocks, block, dtype=np.int64)
        length[-1] = n - (blocks - 1) * block
        last = first + length
        # Each block as a run up to the end of the data and one from its beginning, the second mostly empty.
        starts = np.stack((first, np.zeros_like(first)), axis=-1).reshape(count, -1)
        ends = np.stack((np.minimum(last, n), np.maximum(last - n, 0)), axis=-1).reshape(count, -1)
        some = ends > starts
        offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(some.sum(axis=1))))
        return Resamples(n, offsets, starts[some], ends[some])


def usual_block(n_bars: int) -> int:
    """Bars per block where nobody says: the cube root of their number, the rate that is best for a mean.

    Hall, P., Horowitz, J. L. and Jing, B.-Y. (1995). On Blocking Rules for the Bootstrap with Dependent Data.
    Biometrika 82(3), 561-574.
    """
    return max(1, round(math.cbrt(n_bars)))
