"""The same row with other costs: what is left of it when trading is dearer than was assumed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from grn.quant.metrics.from_returns import path_metrics
from grn.quant.metrics.registry import METRICS
from grn.quant.strategy.costs import Costs

if TYPE_CHECKING:
    from grn.quant.result import SweepResult

FACTORS: Final = (0.0, 1.0, 2.0, 5.0)
"""Times the costs of the run; the second is the run itself."""
FEE: Final = 0.001
"""What stands for the costs of a run that had none."""


@dataclass(frozen=True)
class Scenario:
    """A row run again with ``factor`` times its costs and everything else the same.

    ``sharpe`` is annual, ``total_return`` a fraction, ``final`` the last equity in account currency.
    """

    factor: float
    costs: Costs
    final: float
    total_return: float
    sharpe: float


def stress(result: SweepResult, row: int) -> tuple[Scenario, ...]:
    """Run a row without costs and with once, twice and five times its own.

    A run that had no costs gets a fee of 0.1 % of the traded value as the once. Orders are made anew, so that
    a dearer account buys less. These are not trials: nothing is chosen by them. A multiple that would take
    all of an order's value is left out.
    """
    own = result.rules.costs
    base = Costs(fee=FEE) if own == Costs() else own
    scaled = [(factor, multiply(base, factor)) for factor in FACTORS]
    return tuple(_run(result, row, factor, costs) for factor, costs in scaled if costs is not None)


def multiply(costs: Costs, factor: float) -> Costs | None:
    """Costs several times as high; None where a rate would reach 1."""
    if factor == 0.0:
        return Costs()
    rates = (costs.fee, costs.slippage, *(rate for _, rate in costs.tiers))
    if max(rates) * factor >= 1.0:
        return None
    scaled = {f.name: getattr(costs, f.name) * factor for f in fields(costs) if f.name != "tiers"}
    return Costs(**scaled, tiers=tuple((start, rate * factor) for start, rate in costs.tiers))


def _run(result: SweepResult, row: int, factor: float, costs: Costs) -> Scenario:
    rules = replace(result.rules, costs=costs)
    path = (result if costs == result.rules.costs else replace(result, rules=rules)).path(row)
    found = path_metrics(
        path.returns, path.equity, initial=rules.cash, ppy=result.ppy,
        metrics=(METRICS["total_return"], METRICS["sharpe"]),
    )  # fmt: skip
    return Scenario(factor, costs, float(path.equity[-1]), found["total_return"], found["sharpe"])
