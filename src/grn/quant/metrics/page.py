"""The documentation page of the metrics, printed from the registry: ``python -m grn.quant.metrics.page``."""

from __future__ import annotations

import sys
from typing import Final

from grn.quant.metrics.registry import METRICS, Metric

_HEAD: Final = r"""# Metrics

<!-- Printed from the registry: python -m grn.quant.metrics.page > docs/concepts/metrics.md -->

Every metric has one definition. A sweep computes it from sums that the engine keeps while it walks the bars
once; a single path is summed up in the same order, so both give the same bits. Three metrics need the whole
distribution of returns and are computed for chosen rows only (*second pass*).

## Conventions

| Symbol | Meaning |
|---|---|
| $n$ | number of bars, and of returns |
| $E_0$, $E_t$ | initial cash, equity at the close of bar $t = 1 \dots n$ |
| $r_t$ | return of bar $t$: $E_t / E_{t-1} - 1$ |
| $p$ | periods (bars) per year, inferred from the timestamps and shown with its reason |
| $\mu$ | $\frac{1}{n}\sum_t r_t$ |
| $\sigma$ | $\sqrt{\frac{1}{n-1}\sum_t (r_t - \mu)^2}$ |
| $m_k$ | $\frac{1}{n}\sum_t (r_t - \mu)^k$ |
| $D_2$ | $\sum_t \min(r_t, 0)^2$ |
| $Q_a(r)$ | quantile of the returns, linear between order statistics |
| $N$, $N_c$ | trades opened, trades closed |
| $\pi_i$ | profit of closed trade $i$ after fees |
| $q_t$ | position at the close of bar $t$ |
| $q_o, P_o, f_o, E_o$ | quantity, fill price, fee of order $o$; equity before it |

- **No risk-free rate.** Thresholds and target returns are zero.
- **Undefined is NaN, never infinite.** A ratio with a zero denominator is NaN, so that a run with a single
  lucky trade or no loss yet cannot head a ranking. Where `vectorbt` answers infinity (a Sharpe ratio
  without variance, an Omega ratio or profit factor without a loss), the answer here is NaN.
- **Constant returns have no Sharpe ratio.** When $\sum r^2 - (\sum r)^2/n$ is at most $10^{-12}$ (or
  $4 n u$, see below, if that is more) of $\sum r^2$, the difference is rounding: volatility is exactly 0, and
  Sharpe ratio, skewness and kurtosis are NaN.
- **Percent is a fraction.** A unit of *percent* is stored as 0.12 and shown as 12 %.
- **The running peak starts at the initial cash**, so a loss on the first bar is a drawdown.
- **A NaN return stays visible.** It makes every metric with a mean or a moment in it NaN.
- **A ruined account** ($E_t \le 0$, which a short position can do) keeps its total return and drawdown, which
  may be worse than -100 %; its CAGR is -100 %.

## Accuracy

The moments come from power sums about zero: a bar without a position adds exactly nothing, and kernels skip
it. With $k = |\mu| / \sigma$ and $u = 2^{-53}$ the relative error of the variance is at most about
$3 n u (1 + k^2)$. Per-bar returns have $k$ well below 1: a million bars keep at least nine correct digits,
typically thirteen.

## Periods per year

The median spacing of the bars decides. Daily bars: 365 when all seven weekdays have bars, 252 when five
have. Weekly 52, monthly 12, quarterly 4, yearly 1. Anything else, intraday bars above all, is counted:
intervals over the span in years of 365.25 days, rounded. Intraday bars over less than 60 days without
weekends are counted per trading day and multiplied by 252, because so short a span misses the nights and
weekends around it.

## Definitions
"""

_BETTER: Final = {True: "higher is better", False: "lower is better", None: "describes, ranks nothing"}


def render() -> str:
    """Return the page as MyST Markdown."""
    return _HEAD + "".join(_section(metric) for metric in METRICS.values())


def _section(metric: Metric) -> str:
    source = "second pass over the returns" if metric.second_pass else "one pass"
    return (
        f"\n### {metric.label}\n\n"
        f"`{metric.name}` · {metric.unit} · {_BETTER[metric.higher_is_better]} · {source}\n\n"
        f"$$\n{metric.formula}\n$$\n\n"
        f"- **Undefined:** {metric.undefined}\n"
        f"- **Other packages:** {metric.peers}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(render())
