"""Adjusted prices: a view over raw prices and corporate actions, computed when it is read.

Each bar is multiplied by the factors of all later actions. A split of `r` new shares for one old has the
factor ``1 / r`` for prices and `r` for volumes; a distribution `d` that goes ex on a day has ``1 - d / p``
for prices, where `p` is the last raw close before that day (CRSP's method: Center for Research in Security
Prices, "Data Definitions: factor to adjust price"; Yahoo's "Adj Close" is the same product).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from grn.quant.lake.kinds import TS

_PRICES: Final = ("open", "high", "low", "close")


def adjust(bars: pl.LazyFrame, actions: pl.DataFrame, timezone: str | None) -> pl.LazyFrame:
    """Adjust raw bars for splits and distributions.

    Parameters
    ----------
    bars
        Raw bars in order of ``ts``.
    actions
        As stored: ``ts`` is the ex-date at 00:00 UTC.
    timezone
        Zone of the exchange for bars within the day, whose date begins at midnight there; ``None`` for daily
        bars, whose label is the date at 00:00 UTC.
    """
    if actions.is_empty():
        return bars
    at = pl.col("ts")
    if timezone is not None:
        local = at.dt.replace_time_zone(None).dt.replace_time_zone(timezone, ambiguous="earliest")
        actions = actions.with_columns(local.dt.convert_time_zone("UTC").cast(TS))
    split, paid = pl.col("action") == "split", pl.col("action") != "split"
    before = bars.select("ts", pl.col("close").alias("before"))
    # Of a split and a dividend on one day, the dividend is per new share: the close before is put on its
    # scale.
    daily = (
        actions.sort("ts")
        .group_by("ts", maintain_order=True)
        .agg(
            pl.col("value").filter(split).product().alias("ratio"),
            pl.col("value").filter(paid).sum().alias("paid"),
        )
        .lazy()
        .join_asof(before.set_sorted("ts"), on="ts", strategy="backward", allow_exact_matches=False)
        .with_columns(
            price=(1.0 - (pl.col("paid") * pl.col("ratio") / pl.col("before")).fill_null(0.0))
            / pl.col("ratio"),
        )
        .select(
            "ts",
            price_factor=pl.col("price").cum_prod(reverse=True),
            volume_factor=pl.col("ratio").cum_prod(reverse=True),
        )
        .set_sorted("ts")
    )
    joined = bars.join_asof(daily, on="ts", strategy="forward", allow_exact_matches=False)
    return joined.with_columns(
        *(pl.col(name) * pl.col("price_factor").fill_null(1.0) for name in _PRICES),
        pl.col("volume") * pl.col("volume_factor").fill_null(1.0),
    ).drop("price_factor", "volume_factor")
