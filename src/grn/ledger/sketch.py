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

from grn.kit.errors import LedgerError
from grn.ledger.marks import SCALES, Floats, Ints, Marks, draw_marks

SHARE: Final = 0.25
"""Part of the shorter history's months that two histories of one market share at least ..."""
ENOUGH: Final = 24
"""... or so many months, however long both are."""

_MAGIC: Final = b"grnsketch1"


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


def draw_sketch(ts_ns: Ints, close: Floats) -> Sketch:
    """Draw the sketch of a history, in memory that does not grow with it.

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
    return Sketch(draw_marks(ts_ns, close))


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
