"""Pairs by z-score: trade the ratio of two indices back to its mean.

The ratio is made an instrument of its own (`close` is S&P 500 over NASDAQ), so that one account holds the
spread. Both legs with their own cash and costs come with portfolios.
"""

import polars as pl

from grn.quant import Costs, Strategy, close, param, sample, zscore

length = param("length", range(20, 260, 10))
enter = param("enter", [1.0, 1.5, 2.0, 2.5, 3.0])
leave = param("leave", [0.0, 0.25, 0.5, 0.75])

spread = zscore(close, length)

strategy = Strategy(
    entry=spread < -enter,
    exit=spread > -leave,
    short_entry=spread > enter,
    short_exit=spread < leave,
)


def data() -> pl.LazyFrame:
    """Return the ratio of the two indices, day by day."""
    wide = sample("SP500").join(sample("NASDAQ"), on="ts", suffix="_nasdaq").sort("ts")
    return wide.select(
        "ts",
        symbol=pl.lit("SP500/NASDAQ"),
        open=pl.col("open") / pl.col("open_nasdaq"),
        close=pl.col("close") / pl.col("close_nasdaq"),
    )


costs = Costs(fee=0.001)
