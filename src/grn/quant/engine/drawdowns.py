"""Spells below the running peak of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl


def list_drawdowns(
    ts_ns: npt.NDArray[np.int64], closes: npt.NDArray[np.float64], initial: float
) -> pl.DataFrame:
    """Per spell below the running peak, deepest first: peak, trough, recovery (or null), depth, bars.

    Parameters
    ----------
    ts_ns, closes
        Labels and equity at each close: [T].
    initial
        Initial cash; a peak there is dated to the first bar.
    """
    import polars as pl

    equity = np.concatenate([[initial], closes])
    peak = np.maximum.accumulate(equity)
    below = equity < peak
    edge = np.diff(np.r_[0, below.astype(np.int8), 0])
    starts, ends = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    troughs = np.array(
        [s + int(np.argmin(equity[s:e])) for s, e in zip(starts, ends, strict=True)], dtype=np.int64
    )

    def stamps(bars: npt.NDArray[np.int64]) -> pl.Series:
        return pl.Series(ts_ns[bars], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))

    frame = pl.DataFrame(
        {
            "peak_ts": stamps(np.maximum(starts - 2, 0)),
            "trough_ts": stamps(np.maximum(troughs - 1, 0)),
            "recovery_ts": stamps(np.minimum(ends - 1, len(ts_ns) - 1)),
            "depth": equity[troughs] / peak[starts] - 1.0 if len(starts) else np.zeros(0),
            "bars": ends - starts,
            "recovered": ends < len(equity),
        }
    )
    return (
        frame.with_columns(recovery_ts=pl.when("recovered").then("recovery_ts"))
        .drop("recovered")
        .sort("depth", maintain_order=True)
    )
