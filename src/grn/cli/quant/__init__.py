"""``grn quant``: backtests, sweeps, verdicts."""

from __future__ import annotations

import click

from grn.cli.lazy import LazyCommand, LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "backtest": LazyCommand("grn.cli.quant.backtest:backtest", "Run a strategy at one parameter setting"),
        "sweep": LazyCommand("grn.cli.quant.sweep:sweep", "Run a strategy at every parameter setting"),
        "search": LazyCommand("grn.cli.quant.search:search", "Run some of the settings, picked by a method"),
        "top": LazyCommand("grn.cli.quant.top:top", "Show the best rows of a streamed sweep"),
        "validate": LazyCommand("grn.cli.quant.validate:validate", "Judge the winner of a recorded sweep"),
        "holdout": LazyCommand("grn.cli.quant.holdout:holdout", "Lock a period that no run may look at"),
        "certify": LazyCommand(
            "grn.cli.quant.certify:certify", "Sign what the ledger saw of a run, or verify it"
        ),
        "report": LazyCommand("grn.cli.quant.report:report", "Write the report of a recorded run"),
        "leaks": LazyCommand("grn.cli.quant.leaks:leaks", "Look for knowledge of the future in a strategy"),
        "indicators": LazyCommand("grn.cli.quant.indicators:indicators", "List the indicators"),
        "pull": LazyCommand("grn.cli.quant.pull:pull", "Fetch market data into the lake"),
        "record": LazyCommand("grn.cli.quant.record:record", "Record order books and trades as they come"),
        "book": LazyCommand("grn.cli.quant.book:book", "Show a recorded order book as it was at a moment"),
        "import": LazyCommand("grn.cli.quant.import_:import_", "Take CSV or Parquet files into the lake"),
        "ls": LazyCommand("grn.cli.quant.ls:ls", "List what the lake holds"),
        "check": LazyCommand("grn.cli.quant.check:check", "Look over what the lake holds"),
        "repair": LazyCommand("grn.cli.quant.repair:repair", "Mend what `check` found"),
        "export": LazyCommand("grn.cli.quant.export:export", "Write a series to one file"),
    },
)
def quant() -> None:
    """Backtest and sweep strategies, and judge what comes out."""
