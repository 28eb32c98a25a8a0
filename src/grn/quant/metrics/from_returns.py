"""Metrics of one finished path: the same numbers as a sweep's, and those that need the whole distribution.

``accumulate`` is the plain statement of what an engine's one pass does (same order of operations, same
bits); the metrics are then computed by the very formulas the sweep uses. The tail metrics sort the returns,
which no single pass with a few numbers can do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UsageError
from grn.quant.metrics.accumulators import accumulator_names
from grn.quant.metrics.from_accumulators import metric_columns
from grn.quant.metrics.registry import METRICS, Metric

Series = npt.NDArray[np.float64]

TAIL_PERCENT: Final = 5
"""Probability of the tail behind VaR, CVaR and the tail ratio, in percent."""


def equity_returns(equity: Series, *, initial: float) -> Series:
    """Return ``equity_t / equity_{t-1} - 1``, float64 [T], the first against ``initial``; 0/0 is NaN."""
    before = np.concatenate((np.array([initial]), equity[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        returns: Series = equity / before - 1.0
    return returns


def accumulate(returns: Series, equity: Series, *, initial: float) -> dict[str, float]:
    """Sum up one path: every accumulator that returns and equity determine.

    Parameters
    ----------
    returns
        float64 [T], one per bar.
    equity
        float64 [T], at the closes.
    initial
        Starting cash, the first peak.

    Returns
    -------
    dict
        Accumulator name -> number, for the groups always, moments, shape, downside, omega, drawdown and
        duration.

    Raises
    ------
    UsageError
        The two lengths differ, or there is no bar.
    """
    if returns.shape != equity.shape or returns.ndim != 1 or returns.size == 0:
        raise UsageError(
            "returns and equity must be two equally long series",
            seen=f"{returns.shape} and {equity.shape}",
            hint="one return per bar: see equity_returns",
        )
    squares = returns * returns
    falls, rises = returns < 0.0, returns > 0.0
    return {
        "equity": float(equity[-1]),
        "s1": _running_sum(returns),
        "s2": _running_sum(squares),
        "s3": _running_sum(squares * returns),
        "s4": _running_sum(squares * squares),
        "d2": _running_sum(np.where(falls, squares, 0.0)),
        "gain": _running_sum(np.where(rises, returns, 0.0)),
        "loss": _running_sum(np.where(falls, -returns, 0.0)),
        **_drawdown(equity.tolist(), initial),
    }


def accumulate_trades(pnl: Iterable[float], *, opened: int) -> dict[str, float]:
    """Sum up the trades group from the profits of the closed trades in closing order."""
    totals = {"opened": float(opened), "closed": 0.0, "wins": 0.0, "win_sum": 0.0, "loss_sum": 0.0}
    for profit in pnl:
        totals["closed"] += 1.0
        if profit > 0.0:
            totals["wins"] += 1.0
            totals["win_sum"] += profit
        elif profit < 0.0:
            totals["loss_sum"] -= profit
    return totals


def path_metrics(
    returns: Series,
    equity: Series,
    *,
    initial: float,
    ppy: float,
    metrics: Iterable[Metric] | None = None,
    further: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the metrics of one path.

    Parameters
    ----------
    returns, equity
        float64 [T] each, at the bars' closes.
    initial
        Starting cash.
    ppy
        Periods (bars) per year.
    metrics
        What to compute, second-pass metrics included; ``None`` is everything that the accumulators at hand
        give.
    further
        Accumulators that a path alone does not determine (trades, exposure, turnover, fees).

    Returns
    -------
    dict
        Metric name -> number, in the order of ``metrics``.

    Raises
    ------
    UsageError
        A metric needs an accumulator that is neither derived nor in ``further``; or unequal lengths.
    """
    values = {**accumulate(returns, equity, initial=initial), **(further or {})}
    if metrics is None:
        metrics = [metric for metric in METRICS.values() if not _missing(metric, values)]
    chosen = tuple(metrics)
    for metric in chosen:
        if missing := _missing(metric, values):
            raise UsageError(
                f"metric {metric.name} needs more than returns and equity",
                seen=f"no {', '.join(missing)}",
                hint="pass these accumulators of the run as `further`",
            )
    columns = metric_columns(values, n_bars=returns.size, initial=initial, ppy=ppy, metrics=chosen)
    result = {name: float(column[0]) for name, column in columns.items()}
    if any(metric.second_pass for metric in chosen):
        tails = tail_metrics(returns)
        result.update({name: value for name, value in tails.items() if name in result})
    return result


def tail_metrics(returns: Series) -> dict[str, float]:
    """Return ``var``, ``cvar`` and ``tail_ratio`` of the returns, float64 [T].

    Historical, nothing fitted. All NaN for an empty series or one with a NaN.
    """
    if returns.size == 0 or bool(np.isnan(returns).any()):
        return {"var": math.nan, "cvar": math.nan, "tail_ratio": math.nan}
    ordered: list[float] = np.sort(returns).tolist()
    low, high = _percentile(ordered, TAIL_PERCENT), _percentile(ordered, 100 - TAIL_PERCENT)
    tail = [value for value in ordered if value <= low]
    return {
        "var": low,
        "cvar": math.fsum(tail) / len(tail),
        "tail_ratio": abs(high) / abs(low) if low != 0.0 else math.nan,
    }


def _percentile(ordered: list[float], percent: int) -> float:
    """Interpolate linearly between order statistics (Hyndman & Fan 1996, type 7).

    The rank is an integer division, so that it is exact: 0.05 is no double, and a rank that comes out one
    ulp short would move the VaR below its own order statistic and empty the tail.
    """
    rank, hundredths = divmod((len(ordered) - 1) * percent, 100)
    if hundredths == 0:
        return ordered[rank]
    return ordered[rank] + (ordered[rank + 1] - ordered[rank]) * (hundredths / 100)


def _running_sum(terms: Series) -> float:
    """Add from left to right, as an engine does; ``numpy.sum`` adds pairwise and ends with other bits."""
    return float(np.cumsum(terms)[-1]) + 0.0  # an engine starts at 0.0, so that -0.0 cannot remain


def _drawdown(equity: list[float], initial: float) -> dict[str, float]:
    peak = dd_peak = dd_trough = initial
    below = longest = 0
    for value in equity:
        if value < peak:
            below += 1
            longest = max(longest, below)
            if value * dd_peak < dd_trough * peak:
                dd_peak, dd_trough = peak, value
        else:
            below = 0
            peak = max(peak, value)
    return {"dd_peak": dd_peak, "dd_trough": dd_trough, "dd_bars": float(longest)}


def _missing(metric: Metric, values: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(name for name in accumulator_names(metric.needs) if name not in values)
