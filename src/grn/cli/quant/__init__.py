"""``grn quant``: backtests, sweeps, verdicts."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "backtest": LazyCommand("grn.cli.quant.backtest:backtest", "Run a strategy at one parameter setting"),
        "sweep": LazyCommand("grn.cli.quant.sweep:sweep", "Run a strategy at every parameter setting"),
        "validate": LazyCommand("grn.cli.quant.validate:validate", "Judge the winner of a recorded sweep"),
        "report": LazyCommand("grn.cli.quant.report:report", "Write the report of a recorded run"),
        "leaks": LazyCommand("grn.cli.quant.leaks:leaks", "Look for knowledge of the future in a strategy"),
        "indicators": LazyCommand("grn.cli.quant.indicators:indicators", "List the indicators"),
    },
)
def quant() -> None:
    """Backtest and sweep strategies, and judge what comes out."""
