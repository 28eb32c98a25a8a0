"""Sketches of price histories: small, free of scale, and alike where two histories are the same market.

A sketch is a set of *marks*. A mark is a hash of three consecutive log returns, rounded, and of the month
in which the last of them ends; it has no name, no price level and no bar number in it. Of every month the
marks with the smallest hashes are kept (bottom-k sampling, Cohen and Kaplan 2007), so that a cut of a
history has the marks of the months that it kept. Marks are made of the bars themselves, of daily, weekly
and monthly closes, and of single bars:

=========  =====================================  ====================================================
scale      made of                                what it sees through
=========  =====================================  ====================================================
``bar``    bars shorter than a day, and the day   stamps moved by hours
``day``    each UTC day's last close              bars appended or cut off, 1m to 1h to 1d, splits
``week``   each week's last close, from Monday    1d to 1w
``month``  each month's last close                1d or 1w to 1mo
``point``  stamp and close of a bar, as float32   bars left out by any rule
=========  =====================================  ====================================================

A split or a dividend adjustment changes one return, and with it three marks of one month. Returns are
rounded to 1e-5, which two funds on one index do not share for three days in a row, and the first of the
three that is not zero counts as positive: a price and its reciprocal are one market.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import LedgerError

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

SCALES: Final = ("bar", "day", "week", "month", "point")
STEP: Final = 1e-5
"""Rounding of log returns. Larger takes similar symbols for one; smaller is blinded by float32 prices."""
KEPT: Final = 4
"""Marks kept of each month and scale."""
SHARE: Final = 0.25
"""Part of the shorter history's months that two histories of one market share at least ..."""
ENOUGH: Final = 24
"""... or so many months, however long both are."""

_DAY_NS: Final = 86_400 * 10**9
_MONDAY_NS: Final = 4 * _DAY_NS  # 1970-01-05
_RUN: Final = 3  # returns in a mark
_MAGIC: Final = b"grnsketch1"


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


@dataclass(frozen=True)
class Sketch:
    """Marks of a history, one set per entry of `SCALES`."""

    marks: tuple[Marks, ...]

    def same_market(self, other: Sketch) -> bool:
        """Whether two histories share so much at any scale that trials on one are trials on the other."""
        for mine, theirs in zip(self.marks, other.marks, strict=True):
            shared, fewer = mine.shared(theirs)
            if shared and (shared >= SHARE * fewer or shared >= ENOUGH):
                return True
        return False

    def to_bytes(self) -> bytes:
        """The sketch as bytes: some 12 KiB for twenty years of days."""
        parts = [_MAGIC]
        for marks in self.marks:
            packed = marks.values.astype("<u8", copy=False)
            parts += [struct.pack("<I", len(packed)), packed.tobytes()]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Sketch:
        """The sketch that :meth:`to_bytes` wrote.

        Raises
        ------
        LedgerError
            The bytes are something else.
        """
        found, at = [], len(_MAGIC)
        try:
            if not data.startswith(_MAGIC):
                raise ValueError
            for _ in SCALES:
                (n,) = struct.unpack_from("<I", data, at)
                found.append(Marks(np.frombuffer(data, "<u8", n, at + 4).astype(np.uint64)))
                at += 4 + 8 * n
        except (ValueError, struct.error):
            raise LedgerError(
                "the ledger's sketch of a history cannot be read",
                seen=f"{len(data)} bytes",
                hint="restore the ledger's folder from a backup",
            ) from None
        return cls(tuple(found))


def draw_sketch(ts_ns: Ints, close: npt.NDArray[np.float64]) -> Sketch:
    """Draw the sketch of a history.

    Parameters
    ----------
    ts_ns
        int64 ``(T,)``, ascending labels of the bars, nanoseconds since 1970 (UTC).
    close
        float64 ``(T,)``; values that are not positive and finite are passed over.

    Returns
    -------
    Sketch
        Empty at scales of which there are fewer than four closes.
    """
    known = np.isfinite(close) & (close > 0.0)
    ts_ns, close = ts_ns[known], close[known]
    log = np.log(close)
    days = ts_ns // _DAY_NS
    months = _months_of(ts_ns)
    by_day = _lasts(days)
    short = len(ts_ns) > 1.5 * len(by_day)
    every = np.arange(len(ts_ns))
    points = _mix(_mix(ts_ns.view(np.uint64)) ^ close.astype(np.float32).view(np.uint32).astype(np.uint64))
    return Sketch(
        (
            _runs(0, log, every, days, months) if short else Marks(np.empty(0, np.uint64)),
            _runs(1, log, by_day, months, months),
            _runs(2, log, _lasts((ts_ns - _MONDAY_NS) // (7 * _DAY_NS)), months, months),
            _runs(3, log, _lasts(months), months, months),
            _keep(points, months),
        )
    )


def alike(sketches: Sequence[Sketch]) -> list[tuple[int, int]]:
    """Pairs ``(i, j)``, i < j, of sketches of one market; only those that share a mark are compared."""
    near: set[int] = set()
    n = len(sketches)
    for scale in range(len(SCALES)):
        values = [sketch.marks[scale].values for sketch in sketches]
        owner = np.repeat(np.arange(n), [len(v) for v in values])
        every = np.concatenate([np.empty(0, np.uint64), *values])
        order = np.argsort(every, kind="stable")
        every, owner = every[order], owner[order]
        # Equal marks stand beside each other: pairs one place apart, two places apart, and so on.
        for apart in range(1, n):
            same = every[apart:] == every[:-apart]
            if not same.any():
                break
            near |= set((owner[:-apart][same] * n + owner[apart:][same]).tolist())
    pairs = [divmod(pair, n) for pair in sorted(near)]
    return [(i, j) for i, j in pairs if sketches[i].same_market(sketches[j])]


def _runs(scale: int, log: npt.NDArray[np.float64], at: Ints, key: Ints, months: Ints) -> Marks:
    """Marks of three consecutive returns between the closes `at`; `key` and `months` per bar."""
    returns = np.rint(np.diff(log[at]) / STEP).astype(np.int64)
    n = len(returns) - _RUN + 1
    if n < 1:
        return Marks(np.empty(0, np.uint64))
    runs = [returns[k : k + n] for k in range(_RUN)]
    sign = np.sign(runs[0])
    for part in runs[1:]:
        sign = np.where(sign == 0, np.sign(part), sign)
    ends = at[_RUN:]
    state = _mix(key[ends].view(np.uint64) ^ np.uint64(scale + 1 << 56))
    for part in runs:
        state = _mix(state ^ (part * sign).view(np.uint64))
    # A price that hardly moves says nothing about which market it is.
    telling = sum((part != 0).astype(np.int8) for part in runs) >= 2
    return _keep(state[telling], months[ends][telling])


def _keep(hashes: Hashes, months: Ints) -> Marks:
    """The smallest different hashes of each month; months ascend."""
    short = hashes >> np.uint64(32)
    starts = np.flatnonzero(np.r_[True, months[1:] != months[:-1]]) if len(months) else np.empty(0, np.int64)
    ends = np.r_[starts[1:], len(months)]
    if len(hashes) > 256 * len(starts):
        # Long months: a partition of each is cheaper than sorting all of them.
        parts = []
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
            smallest = np.unique(_smallest(short[a:b]))[:KEPT]
            parts.append(_placed(months[a], smallest))
        return Marks(np.concatenate(parts) if parts else np.empty(0, np.uint64))
    values = np.unique(_placed(months, short))
    month = values >> np.uint64(32)
    first = np.flatnonzero(np.r_[True, month[1:] != month[:-1]]) if len(values) else np.empty(0, np.int64)
    rank = np.arange(len(values)) - np.repeat(first, np.diff(np.r_[first, len(values)]))
    return Marks(values[rank < KEPT])


def _smallest(hashes: Hashes) -> Hashes:
    """A superset of the smallest `KEPT` different values."""
    # Repeated values take places from others: widened until there are enough.
    n = 16 * KEPT
    while n < len(hashes):
        found = np.partition(hashes, n)[:n]
        if len(np.unique(found)) >= KEPT:
            return found
        n *= 16
    return hashes


def _placed(months: Ints | np.int64, hashes: Hashes) -> Hashes:
    placed: Hashes = (np.asarray(months + 2**15).astype(np.uint64) << np.uint64(32)) | hashes
    return placed


def _lasts(group: Ints) -> Ints:
    """Index of the last element of each stretch of equal values."""
    if not len(group):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.r_[group[1:] != group[:-1], True])


def _months_of(ts_ns: Ints) -> Ints:
    return ts_ns.view("datetime64[ns]").astype("datetime64[M]").astype(np.int64)


def _mix(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
