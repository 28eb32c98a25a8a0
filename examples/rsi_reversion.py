"""RSI mean reversion: buy weakness in an uptrend, leave when it has recovered."""

from grn.quant import Costs, Strategy, close, param, rsi, sma

length = param("length", range(2, 15))
buy_below = param("buy_below", range(5, 45, 5))
leave_above = param("leave_above", range(50, 90, 5))

strategy = Strategy(
    entry=(rsi(close, length) < buy_below) & (close > sma(close, 200)),
    exit=rsi(close, length) > leave_above,
)

data = "SP500"
costs = Costs(fee=0.0005, slippage=0.0002)
