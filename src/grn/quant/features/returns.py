"""Returns of each symbol, over a number of its own rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from grn.kit.errors import UsageError
from grn.quant.features.filling import Floats, Ints
from grn.quant.features.kernels import compiled
from grn.quant.features.windows import check_window, with_lookback

Kind = Literal["simple", "log"]
SIGNATURE = ("i4", "f8", "f8+2", "i8+", "f8+")


def with_returns(
    frame: pl.LazyFrame,
    periods: int = 1,
    *,
    price: str = "close",
    kind: Kind = "log",
    name: str | None = None,
) -> pl.LazyFrame:
    """Add the return of `price` over `periods` rows of the same symbol.

    Parameters
    ----------
    frame
        Columns symbol and `price`, each symbol in order of time.
    periods
        Rows of the symbol to look back.
    price
        Column to take it of.
    kind
        ``log``: ln(p / p before); ``simple``: p / p before - 1.
    name
        Of the new column; by default ``return_<periods>``.

    Returns
    -------
    LazyFrame with one more column, float64; NaN for the first `periods` rows of a symbol and where a price is
    missing or not above zero.

    Raises
    ------
    UsageError
        `periods` below 1, an unknown `kind`, or a name that is taken.
    DataError
        A column is missing.
    """
    if kind not in get_args(Kind):
        raise UsageError("unknown kind of return", seen=kind, hint=" or ".join(get_args(Kind)))
    column = f"return_{periods}" if name is None else name
    lookback = check_window("periods", periods)
    relative = with_lookback(frame, [price], column, lambda: _Ratio(lookback), lookback)
    value = pl.col(column).log() if kind == "log" else pl.col(column) - 1.0
    return relative.with_columns(value)


class _Ratio:
    """The price over the price `periods` rows of the symbol before."""

    def __init__(self, periods: int) -> None:
        self._kernel = compiled(ratio, SIGNATURE)
        self._ring, self._count = np.empty((0, periods)), np.empty(0, dtype=np.int64)

    def grow(self, symbols: int) -> None:
        extra = symbols - len(self._ring)
        if extra > 0:
            self._ring = np.concatenate([self._ring, np.full((extra, self._ring.shape[1]), np.nan)])
            self._count = np.concatenate([self._count, np.zeros(extra, dtype=np.int64)])

    def values(self, slots: npt.NDArray[np.int32], columns: Sequence[Floats]) -> Floats:
        out = np.empty(len(slots))
        self._kernel(slots, columns[0], self._ring, self._count, out)
        return out


def ratio(slots: npt.NDArray[np.int32], price: Floats, ring: Floats, count: Ints, out: Floats) -> None:
    """Divide each price by the one as many rows of its symbol before as the ring is long."""
    for i in range(price.shape[0]):
        s = slots[i]
        at = count[s] % ring.shape[1]
        # Nothing is above zero in a NaN, so a missing price on either side gives a missing return.
        out[i] = price[i] / ring[s, at] if price[i] > 0.0 and ring[s, at] > 0.0 else np.nan
        ring[s, at] = price[i]
        count[s] += 1
