"""Marks of a price history, drawn a chunk of bars at a time (what they are for is said in `sketch`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

SCALES: Final = ("bar", "day", "week", "month", "point")
STEP: Final = 1e-5
"""Rounding of log returns. Larger takes similar symbols for one; smaller is blinded by float32 prices."""
KEPT: Final = 4
"""Marks kept of each month and scale."""
CHUNK: Final = 2**15
"""Bars that are looked at together: a quarter of a MiB for each array, which a processor's cache holds."""

_DAY_NS: Final = 86_400 * 10**9
_MONDAY_NS: Final = 4 * _DAY_NS  # 1970-01-05
_RUN: Final = 3  # returns in a mark
_ALL: Final = 2**64 - 1


@dataclass(frozen=True)
class Marks:
    """Marks of one scale, ascending uint64: ``month << 32 | hash``, months from 1970-01 on plus 2**15."""

    values: Hashes

    @property
    def months(self) -> Ints:
        """``(n,)`` months."""
        return (self.values >> np.uint64(32)).astype(np.int64)

    def shared(self, other: Marks) -> tuple[int, int]:
        """Months of which both have half of the marks, and months of the shorter history; or zeros."""
        common = Marks(np.intersect1d(self.values, other.values, assume_unique=True)).months
        if not len(common):
            return 0, 0
        mine, n_mine = np.unique(self.months, return_counts=True)
        theirs, n_theirs = np.unique(other.months, return_counts=True)
        fewer = min(len(mine), len(theirs))
        months, n_common = np.unique(common, return_counts=True)
        least = np.minimum(n_mine[np.searchsorted(mine, months)], n_theirs[np.searchsorted(theirs, months)])
        return int(np.count_nonzero(2 * n_common >= least)), fewer


def draw_marks(ts_ns: Ints, close: Floats) -> tuple[Marks, ...]:
    """Marks of each of `SCALES` (see :func:`grn.ledger.sketch.draw_sketch`)."""
    n = 0
    ends: list[tuple[Ints, Floats]] = [(np.empty(0, np.int64), np.empty(0))]
    for stamps, prices in _known(ts_ns, close):
        n += len(stamps)
        last = _lasts(stamps // _DAY_NS)
        ends.append((stamps[last], prices[last]))
    # The last bar of a week, and of a month, is the last one of its day.
    stamps, prices = map(np.concatenate, zip(*ends, strict=True))
    last = _lasts(stamps // _DAY_NS)
    stamps, log = stamps[last], np.log(prices[last])
    months = _months_of(stamps)
    weekly, monthly = _lasts((stamps - _MONDAY_NS) // (7 * _DAY_NS)), _lasts(months)
    bars, points = _draw_bars(ts_ns, close, short=n > 1.5 * len(stamps))
    return (
        bars,
        _draw_closes(1, log, months),
        _draw_closes(2, log[weekly], months[weekly]),
        _draw_closes(3, log[monthly], months[monthly]),
        points,
    )


def _known(ts_ns: Ints, close: Floats) -> Iterator[tuple[Ints, Floats]]:
    """Stamps and closes, `CHUNK` bars at a time; what is no price is left out."""
    for a in range(0, len(close), CHUNK):
        stamps = np.ascontiguousarray(ts_ns[a : a + CHUNK])
        prices = np.ascontiguousarray(close[a : a + CHUNK])
        known = (prices > 0.0) & (prices < np.inf)
        yield (stamps, prices) if known.all() else (stamps[known], prices[known])


def _draw_bars(ts_ns: Ints, close: Floats, *, short: bool) -> tuple[Marks, Marks]:
    """Marks of runs of bars, if they are `short`er than a day, and of single bars."""
    runs, points = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    log = np.empty(0)
    for stamps, prices in _known(ts_ns, close):
        if not len(stamps):
            continue
        months = _months_of(stamps)
        hashes = _mix(stamps.view(np.uint64).copy())
        with np.errstate(over="ignore"):
            hashes ^= prices.astype(np.float32).view(np.uint32)
        points.append(_smallest(_mix(hashes), None, months))
        if short:
            # A run may begin before the chunk.
            log = np.concatenate([log[-_RUN:], np.log(prices)])
            made = max(0, len(log) - _RUN)
            days = (stamps // _DAY_NS)[len(stamps) - made :]
            runs.append(_smallest(*_hash_runs(0, log, days), months[len(stamps) - made :]))
    return _merge(runs), _merge(points)


def _draw_closes(scale: int, log: Floats, months: Ints) -> Marks:
    """Marks of three consecutive returns between closes, one a day or less often."""
    months = months[_RUN:]
    return _merge([_smallest(*_hash_runs(scale, log, months), months)])


def _hash_runs(scale: int, log: Floats, key: Ints) -> tuple[Hashes, Truths]:
    """Hash of the three returns that end at each close but the first three, and whether it tells anything.

    `key`, of the same length, goes into the hash.
    """
    returns = np.diff(log)
    returns /= STEP
    whole = np.rint(returns, out=returns).astype(np.int64)
    a, b, c = (whole[k : k + len(key)] for k in range(_RUN))
    # All bits of `turn` are set where the first return that is not zero is negative: x becomes -x.
    turn = np.where(a != 0, a, np.where(b != 0, b, c)) >> 63
    state = _mix(key.view(np.uint64) ^ np.uint64(scale + 1 << 56))
    for part in (a, b, c):
        state ^= ((part ^ turn) - turn).view(np.uint64)
        _mix(state)
    # A price that hardly moves says nothing about which market it is.
    moved = [part != 0 for part in (a, b, c)]
    return state, (moved[0] & moved[1]) | (moved[2] & (moved[0] | moved[1]))


def _smallest(hashes: Hashes, telling: Truths | None, months: Ints) -> Hashes:
    """Marks among which are the smallest different ones of each month; months ascend."""
    if not len(hashes):
        return hashes
    starts = np.flatnonzero(np.r_[True, months[1:] != months[:-1]])
    if len(hashes) <= 256 * len(starts):
        placed = _placed(months, hashes >> np.uint64(32))
        return placed if telling is None else placed[telling]
    # Long months: to look for what lies below a limit is cheaper than sorting all of them.
    parts = []
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(hashes)], strict=True):
        limit = min(_ALL, 16 * KEPT * _ALL // (b - a))
        while True:
            found = a + np.flatnonzero(hashes[a:b] <= np.uint64(limit))
            if telling is not None:
                found = found[telling[found]]
            smallest = np.unique(hashes[found] >> np.uint64(32))[:KEPT]
            if len(smallest) == KEPT or limit == _ALL:
                break
            limit = min(_ALL, 16 * limit)
        parts.append(_placed(months[a], smallest))
    return np.concatenate(parts)


def _merge(parts: Sequence[Hashes]) -> Marks:
    """The smallest marks of each month among those of all parts."""
    values = np.unique(np.concatenate(parts))
    month = values >> np.uint64(32)
    first = np.flatnonzero(np.r_[True, month[1:] != month[:-1]]) if len(values) else np.empty(0, np.int64)
    rank = np.arange(len(values)) - np.repeat(first, np.diff(np.r_[first, len(values)]))
    return Marks(values[rank < KEPT])


def _placed(months: Ints | np.int64, hashes: Hashes) -> Hashes:
    placed: Hashes = (np.asarray(months + 2**15).astype(np.uint64) << np.uint64(32)) | hashes
    return placed


def _lasts(group: Ints) -> Ints:
    """Index of the last element of each stretch of equal values."""
    if not len(group):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.r_[group[1:] != group[:-1], True])


def _months_of(ts_ns: Ints) -> Ints:
    """Months since 1970-01 of ascending stamps: as often as one begins, which is seldom."""
    if not len(ts_ns):
        return np.empty(0, np.int64)
    first, last = ts_ns[[0, -1]].view("datetime64[ns]").astype("datetime64[M]").astype(np.int64).tolist()
    months = np.arange(first, last + 1)
    begin = months[1:].view("datetime64[M]").astype("datetime64[ns]").astype(np.int64)
    return np.repeat(months, np.diff(np.r_[0, np.searchsorted(ts_ns, begin), len(ts_ns)]))


def _mix(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), in place."""
    x += np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
