"""What costs took: fees and slippage paid, and the same trades' rules with other costs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from grn.quant.engine.path import Path, trace
from grn.quant.metrics.from_returns import path_metrics
from grn.quant.metrics.registry import METRICS
from grn.quant.report.subject import Subject
from grn.quant.strategy.costs import Costs


@dataclass(frozen=True)
class Paid:
    """What one path paid, in account currency; ``traded`` is the value of all its orders."""

    orders: int
    traded: float
    fees: float
    slippage: float


@dataclass(frozen=True)
class Scenario:
    """The row run again with other costs and everything else the same."""

    name: str
    costs: Costs
    final: float
    total_return: float
    sharpe: float


def add_up(path: Path) -> Paid:
    """Sum the orders of a path.

    Slippage is the distance between the price asked for (the bar's, or a level's) and the fill, times the
    units.
    """
    legs = path.legs
    value, fees = legs[:, 5], legs[:, 6]
    slipped = np.abs(legs[:, 3]) * np.abs(legs[:, 4] - legs[:, 10]) * path.multiplier
    return Paid(len(np.unique(path.legs[:, 1])), float(value.sum()), float(fees.sum()), float(slipped.sum()))


def vary(subject: Subject) -> tuple[Scenario, ...]:
    """Run the row without costs, as it was, and with twice the costs (0.1 % per order if it had none).

    These are not trials: nothing is chosen by them.
    """
    costs = subject.result.rules.costs
    free = costs == Costs()
    more = Costs(fee=0.001) if free else _times(costs, 2.0)
    scenarios = [_run(subject, "Without costs", Costs())]
    if not free:
        scenarios.append(_run(subject, "As tested", costs))
    if more is not None:
        scenarios.append(_run(subject, "With a fee of 0.1 %" if free else "With twice the costs", more))
    return tuple(scenarios)


def _times(costs: Costs, k: float) -> Costs | None:
    rates = (costs.fee, costs.slippage, *(rate for _, rate in costs.tiers))
    if max(rates) * k >= 1.0:
        return None
    scaled = {f.name: getattr(costs, f.name) * k for f in fields(costs) if f.name != "tiers"}
    return Costs(**scaled, tiers=tuple((start, rate * k) for start, rate in costs.tiers))


def _run(subject: Subject, name: str, costs: Costs) -> Scenario:
    result = subject.result
    rules = replace(result.rules, costs=costs)
    same = costs == result.rules.costs
    path = subject.path if same else trace(
        subject.strategy, subject.bars, rules, result.grid.binding(subject.combination)
    )  # fmt: skip
    found = path_metrics(
        path.returns, path.equity, initial=rules.cash, ppy=result.ppy,
        metrics=(METRICS["total_return"], METRICS["sharpe"]),
    )  # fmt: skip
    return Scenario(name, costs, float(path.equity[-1]), found["total_return"], found["sharpe"])
