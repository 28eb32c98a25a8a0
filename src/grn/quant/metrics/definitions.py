"""The table of metrics: what each is, what it needs, when it is undefined, and where other packages differ.

The documentation page is printed from this table, so a definition stands in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["ratio", "percent", "count", "currency", "bars"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a result.

    ``unit`` says how to print the number: a ``percent`` is stored as a fraction (0.12 is 12 %).
    ``higher_is_better`` is ``None`` for a descriptive number that ranks nothing.
    ``needs`` names the accumulator groups; a ``second_pass`` metric needs the returns themselves instead.
    """

    name: str
    label: str
    formula: str
    unit: Unit
    higher_is_better: bool | None
    needs: tuple[str, ...]
    undefined: str
    peers: str
    second_pass: bool = False


_NEVER: Final = "Never."
_SAME: Final = "Same."
DEFINITIONS: Final[tuple[Metric, ...]] = (
    Metric(
        "total_return",
        "Total return",
        r"\frac{E_n}{E_0} - 1",
        "percent",
        True,
        (),
        _NEVER,
        _SAME,
    ),
    Metric(
        "cagr",
        "CAGR",
        r"\left(\frac{E_n}{E_0}\right)^{p/n} - 1",
        "percent",
        True,
        (),
        r"Never: an account at or below zero ($E_n \le 0$) has lost everything and gets $-1$.",
        "Same for a positive account: all count bars, none the calendar. Below zero quantstats answers NaN.",
    ),
    Metric(
        "volatility",
        "Volatility",
        r"\sigma\sqrt{p}",
        "percent",
        False,
        ("moments",),
        r"$n < 2$. Constant returns have volatility 0.",
        _SAME,
    ),
    Metric(
        "sharpe",
        "Sharpe ratio",
        r"\frac{\mu}{\sigma}\sqrt{p}",
        "ratio",
        True,
        ("moments",),
        r"$n < 2$ or constant returns.",
        "Same where it is defined. With constant returns vectorbt answers inf, which a ranking puts first.",
    ),
    Metric(
        "sortino",
        "Sortino ratio",
        r"\frac{\mu}{\sqrt{D_2 / n}}\sqrt{p}",
        "ratio",
        True,
        ("moments", "downside"),
        "No negative return.",
        "Same where it is defined. Without a negative return vectorbt and empyrical answer inf, quantstats "
        "NaN.",
    ),
    Metric(
        "calmar",
        "Calmar ratio",
        r"\frac{\mathrm{CAGR}}{|\mathrm{MDD}|}",
        "ratio",
        True,
        ("drawdown",),
        "No drawdown.",
        "Same where it is defined and the first bar is no loss (see maximum drawdown).",
    ),
    Metric(
        "omega",
        "Omega ratio",
        r"\frac{\sum_t \max(r_t, 0)}{\sum_t \max(-r_t, 0)}",
        "ratio",
        True,
        ("omega",),
        "No negative return.",
        "Same at threshold 0. Without a negative return vectorbt answers inf, the others NaN.",
    ),
    Metric(
        "max_drawdown",
        "Maximum drawdown",
        r"\min_t \frac{E_t}{\max_{s \le t} E_s} - 1",
        "percent",
        True,
        ("drawdown",),
        r"Never; 0 without a drawdown. The peak starts at $E_0$, so it is $\le 0$.",
        "Same as empyrical and quantstats. vectorbt starts the peak at the first close and so misses a loss "
        "on the first bar.",
    ),
    Metric(
        "max_drawdown_bars",
        "Longest drawdown",
        r"\max\ \#\{\text{consecutive closes } E_t < \max_{s \le t} E_s\}",
        "bars",
        False,
        ("duration",),
        _NEVER,
        "vectorbt counts from the peak's bar to the recovery and gives a time span; quantstats counts "
        "calendar days.",
    ),
    Metric(
        "skew",
        "Skewness",
        r"g_1 = \frac{m_3}{m_2^{3/2}}",
        "ratio",
        None,
        ("moments", "shape"),
        r"$n < 2$ or constant returns.",
        r"Population moments. pandas, and so quantstats, scales by $\sqrt{n(n-1)}/(n-2)$.",
    ),
    Metric(
        "kurtosis",
        "Kurtosis (raw)",
        r"\frac{m_4}{m_2^2}",
        "ratio",
        None,
        ("moments", "shape"),
        r"$n < 2$ or constant returns.",
        "Raw: 3 for a normal distribution. pandas, and so quantstats, gives the bias-corrected excess "
        "kurtosis, 0 for a normal.",
    ),
    Metric(
        "trades",
        "Trades",
        r"N",
        "count",
        None,
        ("trades",),
        _NEVER,
        "Opened trades, one still open at the end included: vectorbt's `trades.count()`.",
    ),
    Metric(
        "win_rate",
        "Win rate",
        r"\frac{\#\{\pi_i > 0\}}{N_c}",
        "percent",
        True,
        ("trades",),
        "No closed trade.",
        "Closed trades only, as vectorbt's `trades.closed.win_rate()`. quantstats counts days, not trades.",
    ),
    Metric(
        "profit_factor",
        "Profit factor",
        r"\frac{\sum_i \max(\pi_i, 0)}{\sum_i \max(-\pi_i, 0)}",
        "ratio",
        True,
        ("trades",),
        "No losing trade.",
        "vectorbt answers inf without a losing trade. quantstats sums daily returns, not trades.",
    ),
    Metric(
        "expectancy",
        "Expectancy",
        r"\frac{1}{N_c}\sum_i \pi_i",
        "currency",
        True,
        ("trades",),
        "No closed trade.",
        "Mean profit of a closed trade: vectorbt's `trades.closed.expectancy()` up to its own rounding.",
    ),
    Metric(
        "avg_win",
        "Average win",
        r"\frac{\sum_i \max(\pi_i, 0)}{\#\{\pi_i > 0\}}",
        "currency",
        True,
        ("trades",),
        "No winning trade.",
        "Same as vectorbt's `trades.winning.pnl.mean()`.",
    ),
    Metric(
        "avg_loss",
        "Average loss",
        r"-\frac{\sum_i \max(-\pi_i, 0)}{\#\{\pi_i \le 0\}}",
        "currency",
        True,
        ("trades",),
        "Every closed trade won, or none closed.",
        "A trade that ends exactly at 0 counts here as one that did not win; vectorbt counts it on neither "
        "side.",
    ),
    Metric(
        "exposure",
        "Exposure",
        r"\frac{\#\{t : q_t \ne 0\}}{n}",
        "percent",
        None,
        ("exposure",),
        _NEVER,
        "Share of closes that found a position; vectorbt's position coverage.",
    ),
    Metric(
        "turnover",
        "Turnover",
        r"\frac{p}{n}\sum_{o:\,E_o > 0} \frac{|q_o|\,P_o}{E_o}",
        "ratio",
        False,
        ("turnover",),
        _NEVER,
        "Per year: 2 is one full round trip of the equity a year. The forced close of a ruin is left out, "
        "and so is an order without positive equity before it. No counterpart in the other packages.",
    ),
    Metric(
        "fees",
        "Fees",
        r"\sum_o f_o",
        "currency",
        False,
        ("fees",),
        _NEVER,
        "Same as vectorbt's `orders.fees.sum()`; slippage is in the fill price, not here.",
    ),
    Metric(
        "var",
        "Value at risk (5 %)",
        r"Q_{0.05}(r)",
        "percent",
        True,
        (),
        "No return, or a NaN among them.",
        "Historical, a return (negative is a loss), linear between order statistics, as in vectorbt and "
        "empyrical. quantstats fits a normal distribution.",
        True,
    ),
    Metric(
        "cvar",
        "Expected shortfall (5 %)",
        r"\operatorname{mean}\{r_t : r_t \le \mathrm{VaR}\}",
        "percent",
        True,
        (),
        "No return, or a NaN among them.",
        "vectorbt and empyrical average a fixed number of order statistics: the same unless returns tie at "
        "the VaR. quantstats uses the tail of its fitted normal unless asked for `method='historical'`.",
        True,
    ),
    Metric(
        "tail_ratio",
        "Tail ratio",
        r"\frac{|Q_{0.95}(r)|}{|Q_{0.05}(r)|}",
        "ratio",
        True,
        (),
        r"$Q_{0.05}(r) = 0$ (more than 95 % of the bars flat, for instance), no return, or a NaN among them.",
        "Same where it is defined; at a zero quantile vectorbt and empyrical answer inf, quantstats NaN.",
        True,
    ),
)
"""Every metric in the order in which tables show them."""
