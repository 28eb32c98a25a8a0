"""Donchian breakout with an ATR stop: buy a new high, and risk no more than a few average daily ranges."""

from grn.quant import Costs, StopLoss, Strategy, TrailingStop, atr, close, donchian, param

enter, leave = param("enter", range(20, 110, 10)), param("leave", (10, 20, 30))
risk, trail = param("risk", (1.5, 2.0, 3.0)), param("trail", (3.0, 4.0, 6.0))

# The channel of the bars before this one: the current bar belongs to its own channel.
wide, near = donchian(enter), donchian(leave)

strategy = Strategy(
    entry=close > wide.upper.lag(1),
    exit=close < near.lower.lag(1),
    # Both distances are those of the entry's day; the second one follows the best price since.
    stops=[StopLoss(distance=risk * atr(14)), TrailingStop(distance=trail * atr(14))],
    where=(leave < enter) & (risk < trail),
)

data = "INDICES"
costs = Costs(fee=0.001, slippage=0.0002)
