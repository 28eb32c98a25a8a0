"""Accumulators in, metric columns out: the one place where a one-pass metric is computed.

Everything is elementwise over the combinations with + - * / and square roots, whose float64 results IEEE
754 fixes; an element therefore has the same bits alone, among a million, or in a strided view. The one
power (CAGR) goes through ``math.pow`` element by element, because ``numpy.power`` picks a different routine
for different processors.

One rule for undefined ratios: a zero denominator gives NaN, never infinity. A parameter set with a single
lucky trade must not head a ranking.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.quant.metrics.accumulators import constant_tolerance
from grn.quant.metrics.registry import Metric

Column = npt.NDArray[np.float64]


def metric_columns(
    values: Mapping[str, npt.ArrayLike],
    *,
    n_bars: int,
    initial: float,
    ppy: float,
    metrics: Iterable[Metric],
) -> dict[str, Column]:
    """Turn accumulators into metric columns.

    Parameters
    ----------
    values
        Accumulator name -> float64 [C], one element per combination (a number is one), any strides:
        ``equity`` and the groups that the metrics need.
    n_bars
        Bars T of the run, and so its number of returns.
    initial
        Starting cash.
    ppy
        Periods (bars) per year.
    metrics
        What to compute; second-pass metrics come out as NaN, to be filled from the returns.

    Returns
    -------
    dict
        Metric name -> float64 [C], fresh and contiguous, in the order of ``metrics``.

    Raises
    ------
    KeyError
        An accumulator that a metric needs is missing.
    """
    columns = {name: _column(value) for name, value in values.items()}
    run = _Run(columns, n_bars, initial, ppy)
    with np.errstate(all="ignore"):
        return {
            metric.name: np.ascontiguousarray(
                np.full(run["equity"].shape, np.nan) if metric.second_pass else FORMULAS[metric.name](run)
            )
            for metric in metrics
        }


def sharpe_per_period(values: Mapping[str, npt.ArrayLike], *, n_bars: int) -> Column:
    """Return the Sharpe ratio per bar, not annualised, float64 [C]: what the ledger keeps of a trial.

    NaN for fewer than two bars and for constant returns.
    """
    run = _Run({name: _column(values[name]) for name in ("s1", "s2")}, n_bars, 1.0, 1.0)
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(_ratio(run.mean, run.std))


@dataclass(frozen=True)
class _Run:
    """The accumulators of one sweep over one symbol, and the intermediate results that metrics share."""

    values: Mapping[str, Column]
    n_bars: int
    initial: float
    ppy: float

    def __getitem__(self, name: str) -> Column:
        return self.values[name]

    @cached_property
    def n(self) -> float:
        return float(self.n_bars) if self.n_bars > 0 else math.nan

    @cached_property
    def mean(self) -> Column:
        return self["s1"] / self.n

    @cached_property
    def squares(self) -> Column:
        """Sum of squared deviations from the mean; exactly 0 for constant returns."""
        s1, s2 = self["s1"], self["s2"]
        rest = s2 - s1 * s1 / self.n
        return np.where(rest <= constant_tolerance(self.n_bars) * s2, 0.0, rest)

    @cached_property
    def std(self) -> Column:
        freedom = float(self.n_bars - 1) if self.n_bars > 1 else math.nan
        return np.sqrt(self.squares / freedom)

    @cached_property
    def growth(self) -> Column:
        return self["equity"] / self.initial

    @cached_property
    def cagr(self) -> Column:
        exponent = self.ppy / self.n
        flat = [_grow(ratio, exponent) for ratio in self.growth.ravel().tolist()]
        return np.array(flat, dtype=np.float64).reshape(self.growth.shape)

    @cached_property
    def max_drawdown(self) -> Column:
        return self["dd_trough"] / self["dd_peak"] - 1.0


def _column(value: npt.ArrayLike) -> Column:
    return np.atleast_1d(np.asarray(value, dtype=np.float64))


def _ratio(numerator: Column, denominator: Column) -> Column:
    return np.where(denominator == 0.0, np.nan, numerator / denominator)


def _grow(ratio: float, exponent: float) -> float:
    if ratio <= 0.0:
        return -1.0
    try:
        return math.pow(ratio, exponent) - 1.0
    except OverflowError:
        return math.inf


def _sortino(run: _Run) -> Column:
    return _ratio(run.mean, np.sqrt(run["d2"] / run.n)) * math.sqrt(run.ppy)


def _skew(run: _Run) -> Column:
    mean, m2 = run.mean, run.squares / run.n
    m3 = run["s3"] / run.n - 3.0 * mean * (run["s2"] / run.n) + 2.0 * (mean * mean * mean)
    return _defined(run, _ratio(m3, m2 * np.sqrt(m2)))


def _kurtosis(run: _Run) -> Column:
    mean, m2 = run.mean, run.squares / run.n
    square = mean * mean
    m4 = (
        run["s4"] / run.n
        - 4.0 * mean * (run["s3"] / run.n)
        + 6.0 * square * (run["s2"] / run.n)
        - 3.0 * (square * square)
    )
    return _defined(run, _ratio(m4, m2 * m2))


def _defined(run: _Run, column: Column) -> Column:
    return column if run.n_bars > 1 else np.full_like(column, np.nan)


FORMULAS: Final[Mapping[str, Callable[[_Run], Column]]] = {
    "total_return": lambda run: run.growth - 1.0,
    "cagr": lambda run: run.cagr,
    "volatility": lambda run: run.std * math.sqrt(run.ppy),
    "sharpe": lambda run: _ratio(run.mean, run.std) * math.sqrt(run.ppy),
    "sortino": _sortino,
    "calmar": lambda run: _ratio(run.cagr, np.abs(run.max_drawdown)),
    "omega": lambda run: _ratio(run["gain"], run["loss"]),
    "max_drawdown": lambda run: run.max_drawdown,
    "max_drawdown_bars": lambda run: run["dd_bars"].copy(),
    "skew": _skew,
    "kurtosis": _kurtosis,
    "trades": lambda run: run["opened"].copy(),
    "win_rate": lambda run: _ratio(run["wins"], run["closed"]),
    "profit_factor": lambda run: _ratio(run["win_sum"], run["loss_sum"]),
    "expectancy": lambda run: _ratio(run["win_sum"] - run["loss_sum"], run["closed"]),
    "avg_win": lambda run: _ratio(run["win_sum"], run["wins"]),
    "avg_loss": lambda run: _ratio(-run["loss_sum"], run["closed"] - run["wins"]),
    "exposure": lambda run: run["bars_in"] / run.n,
    "turnover": lambda run: run["traded"] * (run.ppy / run.n),
    "fees": lambda run: run["fees"].copy(),
}
