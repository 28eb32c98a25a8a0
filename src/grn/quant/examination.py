"""What else is known about a winner, and about choosing it: no part of the decision, and all of the caution.

The statistics are those of `grn.quant.validate`; here they are asked about one row of a sweep.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from grn.kit.clock import utc_text
from grn.ledger.holdouts import Holdout
from grn.quant.engine.path import Path
from grn.quant.engine.portfolio.path import PortfolioPath
from grn.quant.result import SweepResult
from grn.quant.returns import TrialReturns, Unit
from grn.quant.strategy.costs import Costs
from grn.quant.stress import Scenario, stress
from grn.quant.validate.chance import Shuffled, Timing, rotate_positions, shuffle_trades
from grn.quant.validate.frictions import Capacity, estimate_capacity
from grn.quant.validate.regimes import (
    REGIMES,
    Decay,
    Regime,
    measure_decay,
    split_regimes,
    volatility_regimes,
)
from grn.quant.validate.selection import Paths, RunningSums, WalkForward, cross_validate, walk_forward
from grn.quant.validate.stability import Stability, measure_stability
from grn.quant.validate.verdict import plain_numbers, say_number

Array = npt.NDArray[np.float64]

WINDOWS: Final = 16
"""Parts that a walk forward cuts the bars into: it chooses on `TRAINED` of them and trades the next."""
TRAINED: Final = 4
FOLDS: Final = (12, 2)
"""Folds of the cross-validation, and those that a split tests: 66 splits, 11 paths."""
EMBARGO: Final = 0.01
"""Bars left out behind each test, as a share of all (López de Prado 2018, section 7.4.2)."""


@dataclass(frozen=True, eq=False)
class Examination:
    """What a winner's returns, neighbours, trades and costs say, beside the verdict.

    Attributes
    ----------
    ts_ns, unit, ppy
        Labels of the bars, days or weeks that trials were compared by (int64), which of them, and how many of
        them a year has.
    own_ppy
        Bars of the winner per year.
    winner
        Returns of the winner on these bars: float64 [bars].
    rolling, anchored
        Walks forward: the best of the bars before, traded on the next; on the last `TRAINED` parts of the
        bars, and on all of them so far. None where there are too few bars.
    paths
        Combinatorial purged cross-validation. None where there are too few bars.
    stress
        The winner without costs, and with once, twice and five times its own.
    free
        Whether the run had no costs, so that `grn.quant.stress.FEE` stands for them.
    regimes, window
        The winner by the volatility of the ``window`` bars before; empty with target weights.
    decay
        The first half of its bars against the second.
    stability
        Its neighbours in the grid; None where no parameter varies.
    timing
        Its positions at every other time, without costs; None with target weights.
    orders
        Its trades in other orders; None with target weights.
    capacity
        Capital at which its own orders use up what it earns; None without a volume.
    holdouts
        Locked periods of its market, with the runs that opened them.
    """

    ts_ns: npt.NDArray[np.int64]
    unit: Unit
    ppy: float
    own_ppy: float
    winner: Array
    rolling: WalkForward | None
    anchored: WalkForward | None
    paths: Paths | None
    stress: tuple[Scenario, ...]
    free: bool
    regimes: tuple[Regime, ...]
    window: int
    decay: Decay
    stability: Stability | None
    timing: Timing | None
    orders: Shuffled | None
    capacity: Capacity | None
    holdouts: tuple[Holdout, ...]

    def annual(self, sharpe: float) -> float:
        """By the year, a Sharpe ratio per bar of ``ts_ns``: of walks and paths."""
        return sharpe * math.sqrt(self.ppy)

    def own_annual(self, sharpe: float) -> float:
        """By the year, a Sharpe ratio per bar of the winner: of regimes, halves and timing."""
        return sharpe * math.sqrt(self.own_ppy)

    @property
    def trained(self) -> int:
        """Bars that the rolling walk forward chooses on."""
        return 0 if self.rolling is None else self.rolling.windows[0].train[1]

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values, Sharpe ratios annual; NaN and the infinities as text."""
        paths, year = self.paths, math.sqrt(self.ppy)
        found = {
            "walk_forward": {
                name: None if walk is None else {
                    "windows": len(walk.windows), "sharpe": walk.sharpe * year, "efficiency": walk.efficiency,
                }
                for name, walk in (("rolling", self.rolling), ("anchored", self.anchored))
            },
            "cross_validation": None if paths is None else {
                "splits": paths.folds.n_splits, "sharpes": (paths.sharpes * year).tolist(),
            },
            "costs": [
                {"factor": s.factor, "total_return": s.total_return, "sharpe": s.sharpe} for s in self.stress
            ],
            "assumed_fee": self.free,
            "regimes": [
                {
                    "name": REGIMES[r.regime], "bars": r.n_bars, "sharpe": self.own_annual(r.sharpe),
                    "share": r.share,
                }
                for r in self.regimes
            ],
            "decay": {
                "first": self.own_annual(self.decay.first), "second": self.own_annual(self.decay.second),
                "p_value": self.decay.p_value,
            },
            "stability": None if self.stability is None else dataclasses.asdict(self.stability),
            "timing_p": None if self.timing is None else self.timing.p_value,
            "orders": None if self.orders is None else {
                "drawdown": self.orders.drawdown, "p_value": self.orders.p_value,
                "worst_of_20": self.orders.quantile(0.95),
            },
            "capacity": None if self.capacity is None else dataclasses.asdict(self.capacity),
            "holdouts": [
                {
                    "symbol": one.symbol, "from": utc_text(one.from_ns),
                    "opened": [{"run": o.run, "at": utc_text(o.opened_ns)} for o in one.openings],
                }
                for one in self.holdouts
            ],
        }  # fmt: skip
        plain = plain_numbers(found)
        assert isinstance(plain, dict)
        return plain


def examine(
    result: SweepResult, row: int, returns: TrialReturns, *, holdouts: Sequence[Holdout] = (), seed: int = 0
) -> Examination:
    """Ask everything that needs no decision about a row of a sweep.

    Parameters
    ----------
    returns
        Of the trials that the row was chosen from.
    holdouts
        Locked periods of the row's market.
    seed
        Of the orders of trades.
    """
    path = result.path(row)
    market = _market(path)
    window = max(2, round(result.ppy / 12))
    labels = np.empty(0) if market is None else volatility_regimes(market, window=window)
    sums = RunningSums(returns.returns)
    walks = _walks(sums)
    return Examination(
        ts_ns=returns.ts_ns,
        unit=returns.unit,
        ppy=returns.per_year(result.ppy),
        own_ppy=result.ppy,
        winner=returns.returns[:, np.searchsorted(returns.rows, row)],
        rolling=walks[0],
        anchored=walks[1],
        paths=_paths(sums),
        stress=stress(result, row),
        free=result.rules.costs == Costs(),
        regimes=() if market is None else split_regimes(path.returns, labels),
        window=window,
        decay=measure_decay(path.returns),
        stability=_stability(result, row),
        timing=None if isinstance(path, PortfolioPath) or market is None else _timing(path, market),
        orders=None if isinstance(path, PortfolioPath) else _orders(path, seed),
        capacity=None if isinstance(path, PortfolioPath) else _capacity(result, row, path),
        holdouts=tuple(holdouts),
    )


def describe(found: Examination) -> Iterator[str]:
    """An examination in lines of plain text; Sharpe ratios are annual."""
    if found.rolling is not None and found.anchored is not None:
        rolling, anchored = (found.annual(walk.sharpe) for walk in (found.rolling, found.anchored))
        yield (
            f"walked    {len(found.rolling.windows)} windows, each chosen for before it began: Sharpe "
            f"{say_number(rolling)} by the {found.trained:,} {found.unit}s before, {say_number(anchored)} by "
            "all before"
        )
    if found.paths is not None:
        ratios = found.paths.sharpes * math.sqrt(found.ppy)
        low, middle, high = (float(np.quantile(ratios, q)) for q in (0.0, 0.5, 1.0))
        yield (
            f"crossed   {len(ratios)} paths of {found.paths.folds.n_splits} splits, tested where not chosen: "
            f"Sharpe {say_number(low)} to {say_number(high)}, median {say_number(middle)}"
        )
    yield "costs     " + _say_stress(found)
    if found.regimes:
        parts = ", ".join(
            f"{REGIMES[r.regime]} {say_number(found.own_annual(r.sharpe))}" for r in found.regimes
        )
        yield f"regimes   Sharpe by the volatility of the {found.window} bars before: {parts}"
    first, second = (found.own_annual(half) for half in (found.decay.first, found.decay.second))
    yield (
        f"halves    Sharpe {say_number(first)} in the first, {say_number(second)} in the second; a fall at "
        f"least like this has p = {say_number(found.decay.p_value)} by chance"
    )
    if (near := found.stability) is not None and near.plateau is not None:
        yield (
            f"around    {near.neighbours} neighbours in the grid keep {near.kept:.0%} of the Sharpe ratio "
            f"(median){'' if near.plateau else ': a spike'}"
            f"{'; the best may lie outside the grid' if near.at_edge else ''}"
        )
    if found.timing is not None and not math.isnan(found.timing.p_value):
        yield f"timing    the same positions at other times do as well in {found.timing.p_value:.1%}"
    if found.orders is not None and not math.isnan(found.orders.drawdown):
        yield (
            f"orders    drawdown {found.orders.drawdown:.0%} from trade to trade; one in twenty orders of "
            f"the same trades falls {found.orders.quantile(0.95):.0%} or more"
        )
    if (room := found.capacity) is not None and math.isfinite(room.break_even):
        yield (
            f"capacity  earns most at about {room.best:,.0f} and nothing at {room.break_even:,.0f}, in the "
            "currency of the volume (square-root law)"
        )
    yield from (f"hold-out  {one}" for one in found.holdouts)


def _say_stress(found: Examination) -> str:
    named = ", ".join(
        f"{say_number(s.sharpe)} " + ("without" if s.factor == 0.0 else f"at x{s.factor:g}")
        for s in found.stress
    )
    return f"Sharpe {named}" + (" a fee of 0.1 % (the run had no costs)" if found.free else "")


def _walks(sums: RunningSums) -> tuple[WalkForward | None, WalkForward | None]:
    test = sums.n_bars // WINDOWS
    if test < 2:
        return None, None
    train = sums.n_bars - (WINDOWS - TRAINED) * test
    return (
        walk_forward(sums, train=train, test=test),
        walk_forward(sums, train=train, test=test, anchored=True),
    )


def _paths(sums: RunningSums) -> Paths | None:
    folds, tests = FOLDS
    embargo = math.ceil(EMBARGO * sums.n_bars)
    if sums.n_bars // folds <= 2 + embargo:  # a bar is purged on either side
        return None
    return cross_validate(sums, n_folds=folds, n_test=tests, purge=1, embargo=embargo)


def _market(path: Path | PortfolioPath) -> Array | None:
    """Return of the symbol in each bar, 0 in the first; None for several symbols."""
    if isinstance(path, PortfolioPath):
        return None
    moved: Array = np.r_[1.0, path.close[1:] / path.close[:-1]] - 1.0
    return moved


def _timing(path: Path, market: Array) -> Timing:
    alive = path.equity > 0.0
    value = path.position * path.close * path.multiplier
    share = np.where(alive, value / np.where(alive, path.equity, 1.0), 0.0)
    return rotate_positions(share[:-1], market[1:])


def _orders(path: Path, seed: int) -> Shuffled:
    frame = path.trades()
    place = np.searchsorted(path.ts_ns, frame["entry_ts"].to_physical().to_numpy())
    before = np.r_[path.initial, path.equity][place]
    profits = frame["pnl"].to_numpy()
    sound = before > 0.0
    return shuffle_trades(profits[sound] / before[sound], seed=seed)


def _stability(result: SweepResult, row: int) -> Stability | None:
    size = len(result.grid)
    if not any(len(np.unique(column)) > 1 for column in result.grid.values.T):
        return None
    year = math.sqrt(result.ppy)
    return measure_stability(result.grid.values, result.trial_sharpes[row // size] * year, best=row % size)


def _capacity(result: SweepResult, row: int, path: Path) -> Capacity | None:
    bars = result.bars[row // len(result.grid)]
    if "volume" not in bars.columns:
        return None
    place, value = path.legs[:, 0].astype(np.int64), path.legs[:, 5]
    before = np.r_[path.initial, path.equity][place]
    traded = np.bincount(
        place, np.where(before > 0.0, value / np.where(before > 0.0, before, 1.0), 0.0), len(path.close)
    )
    market = _market(path)
    assert market is not None
    return estimate_capacity(path.returns, traded, bars.columns["volume"] * path.close, float(np.std(market)))
