"""Donchian breakout, long and short: follow a new extreme, leave at a nearer one."""

from grn.quant import Costs, Strategy, close, donchian, param

enter, leave = param("enter", range(10, 110, 5)), param("leave", range(5, 55, 5))

# The channel of the bars before this one: the current bar belongs to its own channel.
wide, near = donchian(enter), donchian(leave)

strategy = Strategy(
    entry=close > wide.upper.lag(1),
    exit=close < near.lower.lag(1),
    short_entry=close < wide.lower.lag(1),
    short_exit=close > near.upper.lag(1),
    where=leave < enter,
)

data = "INDICES"
costs = Costs(fee=0.001)
