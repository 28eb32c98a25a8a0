"""Momentum rotation: each month hold the few of twenty stocks that rose most over the past year.

The twenty stocks are those that were large and alive in 2022: whatever chooses among them since 1990 looks
better than it was. It shows how a rotation is written, not what one earns.
"""

from grn.quant import Costs, Weights, close, param, roc, top, when

length = param("length", range(40, 260, 20))
count = param("count", [2, 3, 5, 8])

# The last month is left out: what rose most in it tends to fall back.
momentum = roc(close.lag(20), length)

strategy = Weights(
    weight=when(top(momentum, count) & (momentum > 0.0), 1.0 / count, 0.0),
    every="month",
    cash_short="pro_rata",
    name="momentum_rotation",
)

data = "SKFOLIO20"
fill = "close"  # the sample has closes only
costs = Costs(fee=0.001)
