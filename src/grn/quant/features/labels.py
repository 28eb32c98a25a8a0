"""Labels for learning: which barrier a price touches first.

A label is the future by definition.  Its columns begin with ``ahead_``, and no strategy is given a column of
such a name; `ahead_ts` says from when on the label is known, which is what a split into training and test
data has to purge and embargo by.

López de Prado, Advances in Financial Machine Learning, 2018, section 3.4 and snippet 3.2: from the close of a
bar on, a barrier above, a barrier below, and one in time.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl

from grn.kit.errors import DataError, UsageError
from grn.quant.features.bars import window_ns
from grn.quant.features.filling import Floats, Ints
from grn.quant.features.kernels import compiled
from grn.quant.features.stream import through
from grn.quant.features.trades import TS, check_columns, utc_ns
from grn.quant.schema.load import AHEAD
from grn.quant.schema.stamps import stamp

LABEL_SCHEMA: Final = pl.Schema(
    {
        "ts": TS,
        "symbol": pl.String(),
        AHEAD + "label": pl.Int8(),
        AHEAD + "return": pl.Float64(),
        AHEAD + "ts": TS,
        "width": pl.Float64(),
    }
)
SIGNATURE: Final = ("i8", "f8", "f8", "f8", "i8", "float", "float", "int", "int", "i8+", "f8+", "i8+")


def triple_barrier(
    bars: pl.LazyFrame,
    *,
    width: str,
    horizon: str | int,
    above: float = 1.0,
    below: float = 1.0,
    price: str = "close",
    side: str | None = None,
    events: str | None = None,
) -> pl.LazyFrame:
    """Label bars by the barrier that the price touches first.

    Parameters
    ----------
    bars
        Columns ts, symbol, `price`, `width` and those named below; each symbol in order of time.
    width
        Column with the distance of a barrier as a fraction of the price, such as a volatility known at the
        bar. Rows where it is missing or not above zero get no label.
    horizon
        The barrier in time: so many bars of the symbol later, or the first bar at least so long after
        (``"1h"``).
    above, below
        Multiples of `width`; 0 is no barrier on that side.
    side
        Column with +1 or -1, the bet that is judged: its return is the price's times the side, and the label
        says whether it earned. None labels the price itself.
    events
        Boolean column that says which rows get a label; None takes all.

    Returns
    -------
    LazyFrame with a row for each label, in order of symbols and time: ts, symbol; `ahead_label`, 1 or -1 for
    the barrier above or below, 0 for the one in time (with `side`: 1 if the barrier above was touched, else
    0); `ahead_return`, from the bar to the touch, times the side; `ahead_ts`, time of the bar that touched;
    `width`. A barrier is touched when the return lies beyond it, strictly. Bars whose label the data do not
    decide yet are left out, and later data change no label. Memory: 32 bytes per bar, all symbols together.

    Raises
    ------
    UsageError
        A multiple below 0, no horizon, or one that is unknown.
    DataError
        A column is missing; or, when collected, times that go back, and a side that is neither +1 nor -1.
    """
    for name, multiple in (("above", above), ("below", below)):
        if not 0.0 <= multiple < math.inf:
            raise UsageError(f"{name} must be a multiple of the width, at least 0", seen=multiple)
    if isinstance(horizon, int) and horizon < 1:
        raise UsageError(
            "the horizon must be a number of bars above 0, or a time", seen=horizon, hint='such as "1h"'
        )
    rows, span_ns = (horizon, 0) if isinstance(horizon, int) else (0, window_ns(horizon)[0])
    named = [name for name in (side, events) if name is not None]
    schema = check_columns(bars, ("ts", "symbol", price, width, *named))
    number = pl.Float64
    chosen = pl.col(width) > 0.0
    if events is not None:
        chosen &= pl.col(events).cast(pl.Boolean).fill_null(value=False)
    read = bars.select(
        utc_ns(schema),
        pl.col("symbol").cast(pl.String),
        price=pl.col(price).cast(number).fill_null(float("nan")),
        width=pl.when(chosen & pl.col(width).is_finite())
        .then(pl.col(width).cast(number))
        .fill_null(float("nan")),
        side=pl.lit(1.0) if side is None else pl.col(side).cast(number).fill_null(float("nan")),
    )
    rule, judged = (above, below, rows, span_ns), side is not None
    return through(read, lambda: _Labels(rule, judged=judged), LABEL_SCHEMA, "triple barrier", *rule, judged)


class _Labels:
    """Labels need what comes after: rows are kept until there are no more."""

    def __init__(self, rule: tuple[float, float, int, int], *, judged: bool) -> None:
        self._rule, self._judged = rule, judged
        self._kernel = compiled(touch, SIGNATURE)
        self._rows: list[pl.DataFrame] = []

    def take(self, rows: pl.DataFrame) -> None:
        self._rows.append(rows)

    def finish(self) -> pl.DataFrame | None:
        if not self._rows:
            return None
        whole = pl.concat(self._rows).partition_by("symbol", maintain_order=True, include_key=True)
        return pl.concat([self._of_symbol(rows) for rows in whole])

    def _of_symbol(self, rows: pl.DataFrame) -> pl.DataFrame:
        ts_ns, side = rows["ts"].to_physical(), rows["side"]
        symbol = rows["symbol"][0]
        if ts_ns.null_count() or (ts_ns.diff().fill_null(0) < 0).any():
            raise DataError(
                f"times of {symbol!r} are missing or go back", seen=symbol, hint="sort the bars first"
            )
        odd = rows["width"].is_finite() & ~side.is_in([1.0, -1.0])
        if odd.any():
            at = int(odd.arg_max() or 0)
            where = f"{symbol!r} at {stamp(int(ts_ns[at]))}"
            raise DataError(f"side is neither 1 nor -1 in {where}", seen=side[at], hint="clear events= there")
        chosen = rows["width"].is_finite().arg_true().cast(pl.Int64).to_numpy()
        ends, gains = np.empty(len(chosen), dtype=np.int64), np.empty(len(chosen))
        touched = np.empty(len(chosen), dtype=np.int64)
        series = (ts_ns.to_numpy(), rows["price"].to_numpy(), rows["width"].to_numpy(), side.to_numpy())
        self._kernel(*series, chosen, *self._rule, ends, gains, touched)
        known = ends >= 0
        label = np.maximum(touched, 0) if self._judged else touched
        return rows[chosen].select("ts", "symbol", "width").with_columns(
            pl.Series(AHEAD + "label", label.astype(np.int8)),
            pl.Series(AHEAD + "return", gains),
            rows["ts"].gather(np.maximum(ends, 0)).alias(AHEAD + "ts"),
        ).filter(pl.Series(known)).select(LABEL_SCHEMA.names())  # fmt: skip


def touch(
    ts: Ints,
    price: Floats,
    width: Floats,
    side: Floats,
    chosen: Ints,
    above: float,
    below: float,
    rows: int,
    span_ns: int,
    ends: Ints,
    gains: Floats,
    touched: Ints,
) -> None:
    """Follow the price from each chosen bar of one symbol until a barrier.

    Parameters
    ----------
    ts, price, width, side
        Shape (T,).
    chosen
        Shape (E,): bars to label.
    above, below, rows, span_ns
        Multiples of the width, and the horizon in bars or in nanoseconds, the other one 0.
    ends, gains, touched
        Shape (E,): bar of the touch, -1 while undecided; return; 1, -1 or 0.
    """
    for e in range(chosen.shape[0]):
        start = chosen[e]
        ends[e], gains[e], touched[e] = -1, math.nan, 0
        if not price[start] > 0.0:
            continue
        for i in range(start + 1, ts.shape[0]):
            gain = (price[i] / price[start] - 1.0) * side[start]
            if above > 0.0 and gain > above * width[start]:
                ends[e], gains[e], touched[e] = i, gain, 1
                break
            if below > 0.0 and gain < -below * width[start]:
                ends[e], gains[e], touched[e] = i, gain, -1
                break
            over = i - start >= rows if rows > 0 else ts[i] - ts[start] >= span_ns
            if over:
                ends[e], gains[e] = i, gain
                break
