"""Moving-average cross: long while the fast average is above the slow one."""

from grn.quant import Costs, Strategy, close, param, sma

fast, slow = param("fast", range(2, 101)), param("slow", range(2, 101))

strategy = Strategy(
    entry=sma(close, fast).crosses_above(sma(close, slow)),
    exit=sma(close, fast).crosses_below(sma(close, slow)),
    where=fast < slow,
)

data = "INDICES"
costs = Costs(fee=0.001)
