"""Volatility-targeted trend: hold indices above their average, each as large as its own calm allows."""

from grn.quant import Costs, Margin, Rules, Weights, close, param, rolling_std, sma, when

trend = param("trend", range(50, 275, 25))
window = param("window", [20, 60])
target = param("target", [0.05, 0.10, 0.15, 0.20])

yearly = rolling_std(close / close.lag(1) - 1.0, window) * 252.0**0.5

strategy = Weights(
    weight=when(close > sma(close, trend), target / yearly / 2.0, 0.0),  # two indices share the target
    every="week",
    drift=0.05,
    gross_limit=2.0,
    name="volatility_trend",
)

data = "INDICES"
rules = Rules(
    costs=Costs(fee=0.0005, slippage=0.0002),
    margin=Margin(leverage=2.0, maintenance=0.25, interest=0.04),
)
