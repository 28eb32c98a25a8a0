"""How a lattice is cut: into chunks of equal numbers of points, whatever `where` leaves of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grn.kit.errors import UsageError
from grn.quant.engine.grid import Grid, Lattice

PART_ROWS = 2**17
"""Rows of a part, about: with the default metrics some 30 MiB, and three times that while it is made."""


@dataclass(frozen=True)
class Chunks:
    """A lattice cut into chunks of `size` points; the last may be shorter."""

    lattice: Lattice
    size: int

    def __len__(self) -> int:
        return -(-self.lattice.points // self.size)

    def span(self, k: int) -> tuple[int, int]:
        """First point of chunk `k`, and the one behind its last."""
        return k * self.size, min((k + 1) * self.size, self.lattice.points)

    def grid(self, k: int) -> Grid:
        """The combinations of chunk `k`, in order; there may be none."""
        return self.lattice.between(*self.span(k))

    def spans(self) -> Iterator[tuple[int, int]]:
        """First row and the one behind the last of each chunk's combinations, counted over all chunks."""
        first = 0
        for k in range(len(self)):
            n = len(self.grid(k))
            yield first, first + n
            first += n


def chunk_size(wanted: object, n_accounts: int) -> int:
    """Points per chunk: as many as asked for, else what makes parts of `PART_ROWS` rows.

    It follows from the sizes of the run alone and never from the machine: the parts' bytes depend on it.

    Raises
    ------
    UsageError
        `wanted` is not a whole number of at least 1.
    """
    if wanted is None:
        return max(1, PART_ROWS // n_accounts)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise UsageError("chunk must be a whole number of at least 1, or None", seen=repr(wanted))
    return wanted
