"""Pairs with a spread stop: buy the cheaper of two stocks, sell the dearer, leave both at a common loss."""

import polars as pl

from grn.quant import Costs, PortfolioStop, Weights, close, demean, hold, log, param, sample, when, zscore

length = param("length", range(40, 260, 20))
enter, leave = param("enter", [1.5, 2.0, 2.5]), param("leave", [0.0, 0.5])

# Each stock against the mean of both: the two scores are each other's mirror image.
score = zscore(demean(log(close)), length)
cheap, dear = hold(score < -enter, score > -leave), hold(score > enter, score < leave)

strategy = Weights(
    weight=when(cheap, 0.5, when(dear, -0.5, 0.0)),
    every=1,
    drift=1.0,  # opened and closed only: the legs are not kept at half each
    groups={"pair": ("KO", "PEP")},
    stop=PortfolioStop(param("loss", [0.02, 0.04, 0.08]), scope="group"),
    name="pairs_spread_stop",
)


def data() -> pl.LazyFrame:
    """Return the closes of the two stocks."""
    return sample("SKFOLIO20").filter(pl.col("symbol").is_in(["KO", "PEP"]))


fill = "close"  # the sample has closes only
costs = Costs(fee=0.0005)
