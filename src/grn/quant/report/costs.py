"""What costs took: fees and slippage paid, and the same trades' rules with other costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grn.quant.engine.path import Path
from grn.quant.report.numbers import percent
from grn.quant.stress import Scenario


@dataclass(frozen=True)
class Paid:
    """What one path paid, in account currency; ``traded`` is the value of all its orders."""

    orders: int
    traded: float
    fees: float
    slippage: float


def add_up(path: Path) -> Paid:
    """Sum the orders of a path.

    Slippage is the distance between the price asked for (the bar's, or a level's) and the fill, times the
    units.
    """
    legs = path.legs
    value, fees = legs[:, 5], legs[:, 6]
    slipped = np.abs(legs[:, 3]) * np.abs(legs[:, 4] - legs[:, 10]) * path.multiplier
    return Paid(len(np.unique(path.legs[:, 1])), float(value.sum()), float(fees.sum()), float(slipped.sum()))


def name_scenario(scenario: Scenario, *, free: bool) -> str:
    """How a row of the table of scenarios is called; `free` where the run had no costs."""
    if scenario.factor == 0.0:
        return "As tested, without costs" if free else "Without costs"
    if free:
        return f"With a fee of {percent(scenario.costs.fee)}"
    return {1.0: "As tested", 2.0: "With twice the costs"}.get(
        scenario.factor, f"With {scenario.factor:g} times the costs"
    )
