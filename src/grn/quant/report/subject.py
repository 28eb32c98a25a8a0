"""What a report is about: one row of a sweep, its path, its benchmark, and the verdict if there is one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from grn.kit.errors import UnsupportedError, UsageError
from grn.quant.engine.portfolio.path import PortfolioPath
from grn.quant.metrics.from_returns import equity_returns, path_metrics
from grn.quant.strategy.weights import Weights
from grn.quant.stress import Scenario, stress

if TYPE_CHECKING:
    import polars as pl

    from grn.quant.engine.path import Path
    from grn.quant.result import SweepResult
    from grn.quant.schema import Bars
    from grn.quant.strategy.strategy import Strategy
    from grn.quant.validation import Validation

Array = npt.NDArray[np.float64]

_DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, eq=False)
class Subject:
    """One row of a sweep with everything the report draws of it, computed once and on demand.

    Attributes
    ----------
    result, row : the sweep and the row shown.
    validation : the verdict on the sweep's winner, which need not be the row shown.
    """

    result: SweepResult
    row: int
    validation: Validation | None = None

    def __post_init__(self) -> None:
        if isinstance(self.result.strategy, Weights):
            raise UnsupportedError(
                "the report shows one symbol's account, and target weights have one for all symbols",
                seen=str(self.result.strategy)[:120],
                hint="result.path(row) has equity, orders, trades and weights; grn.validate judges it",
            )

    @property
    def market(self) -> int:
        """Index of the row's symbol."""
        return self.row // len(self.result.grid)

    @property
    def combination(self) -> int:
        """Index of the row's parameter combination."""
        return self.row % len(self.result.grid)

    @property
    def bars(self) -> Bars:
        """The bars that the row ran on."""
        return self.result.bars[self.market]

    @cached_property
    def label(self) -> str:
        """Symbol and parameters."""
        return self.result.label(self.row)

    @property
    def strategy(self) -> Strategy:
        """The signals that were run."""
        assert not isinstance(self.result.strategy, Weights)
        return self.result.strategy

    @cached_property
    def path(self) -> Path:
        """The row's account, bar by bar."""
        found = self.result.path(self.row)
        assert not isinstance(found, PortfolioPath)
        return found

    @cached_property
    def trades(self) -> pl.DataFrame:
        """The row's trades."""
        return self.path.trades()

    @cached_property
    def details(self) -> dict[str, float]:
        """Every metric of the row."""
        return self.result.details(self.row)

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The row with other costs."""
        known = self.validation.examination if self.validation is not None and self.is_winner else None
        return stress(self.result, self.row) if known is None else known.stress

    @cached_property
    def hold(self) -> Array:
        """Equity of buy-and-hold beside the row: float64 [T]."""
        return buy_and_hold(self.path.close, self.result.rules.cash)

    @cached_property
    def hold_details(self) -> dict[str, float]:
        """Metrics of buy-and-hold that equity alone determines."""
        cash = self.result.rules.cash
        return path_metrics(
            equity_returns(self.hold, initial=cash), self.hold, initial=cash, ppy=self.result.ppy
        )

    @cached_property
    def is_daily(self) -> bool:
        """Whether every label is a midnight, so that the time of day says nothing."""
        return bool((self.path.ts_ns % _DAY_NS == 0).all())

    @property
    def is_winner(self) -> bool:
        """Whether the row shown is the one that the verdict is about."""
        return self.validation is not None and self.validation.row == self.row


def buy_and_hold(close: Array, cash: float) -> Array:
    """Equity of an account that buys at the first close with all its cash and never trades again.

    It pays no costs: the benchmark gets the benefit of the doubt.

    Parameters
    ----------
    close : float64 [T].
    cash : initial cash.
    """
    equity: Array = cash * (close / close[0])
    return equity


def drawdown(equity: Array, initial: float) -> Array:
    """Loss from the highest equity so far, the initial cash included: float64 [T], <= 0."""
    peak = np.maximum.accumulate(np.concatenate([[initial], equity]))[1:]
    fall: Array = equity / peak - 1.0
    return fall


def choose_subject(
    result: SweepResult, *, validation: Validation | None = None, row: int | None = None
) -> Subject:
    """Decide which row a report shows: the one asked for, the verdict's winner, the best Sharpe ratio, row 0.

    Raises
    ------
    UsageError : no such row, or the validation is of another sweep.
    UnsupportedError : the sweep is one of target weights (from `Subject`).
    """
    if validation is not None and (
        validation.row >= len(result) or result.label(validation.row) != validation.winner
    ):
        raise UsageError(
            "the validation is not of this sweep",
            seen=f"winner {validation.winner}",
            hint="validate this result, or leave the validation out",
        )
    if row is None:
        row = result.winner if validation is None else validation.row
    result.label(row)  # raises for a row that is not there
    return Subject(result, row, validation)


def sharpe_of(subject: Subject) -> float:
    """Annualised Sharpe ratio of the row, also when the sweep was not asked for that metric."""
    per_period = float(subject.result.trial_sharpes[subject.market][subject.combination])
    return per_period * math.sqrt(subject.result.ppy)
