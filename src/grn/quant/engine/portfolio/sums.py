"""Sums over the path of an account: the accumulators of `metrics.accumulators` that its series determine."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Final

from grn.quant.engine.portfolio.book import CLOSED, FEES, LOSS_SUM, OPENED, TRADED, WIN_SUM, WINS

NAMES: Final = (
    "equity", "s1", "s2", "s3", "s4", "d2", "gain", "loss", "dd_peak", "dd_trough", "dd_bars",
    "opened", "closed", "wins", "win_sum", "loss_sum", "bars_in", "traded", "fees",
)  # fmt: skip
"""Places in what `sum_path` writes, in canonical order."""


def sum_path(
    equity: Sequence[float],
    gross: Sequence[float],
    a: Sequence[float],
    initial: float,
    out: MutableSequence[float],
) -> None:
    """Write every accumulator of a finished walk, in the order of `NAMES`."""
    s1 = s2 = s3 = s4 = d2 = gain = loss = longest = bars_in = 0.0
    previous = peak = dd_peak = dd_trough = initial
    below = 0
    for t in range(len(equity)):
        now = equity[t]
        x = now / previous - 1.0 if previous > 0.0 else 0.0
        previous = now
        s1 = s1 + x
        s2 = s2 + x * x
        s3 = s3 + x * x * x
        s4 = s4 + (x * x) * (x * x)
        if x < 0.0:
            d2 = d2 + x * x
            loss = loss - x
        elif x > 0.0:
            gain = gain + x
        if now > peak:
            peak = now
        elif now * dd_peak < dd_trough * peak:
            dd_peak = peak
            dd_trough = now
        if now < peak:
            below += 1
            if below > longest:
                longest = float(below)
        else:
            below = 0
        if gross[t] != 0.0:
            bars_in = bars_in + 1.0
    out[0] = equity[len(equity) - 1]
    out[1] = s1
    out[2] = s2
    out[3] = s3
    out[4] = s4
    out[5] = d2
    out[6] = gain
    out[7] = loss
    out[8] = dd_peak
    out[9] = dd_trough
    out[10] = longest
    out[11] = a[OPENED]
    out[12] = a[CLOSED]
    out[13] = a[WINS]
    out[14] = a[WIN_SUM]
    out[15] = a[LOSS_SUM]
    out[16] = bars_in
    out[17] = a[TRADED]
    out[18] = a[FEES]
