"""``grn quant search FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from grn.cli.output import json_option, write_json
from grn.cli.quant.options import parse_settings, pick_data, read_rules, run_options
from grn.cli.quant.tables import check_frame_output, save_frame, top_rows, write_top
from grn.kit.errors import UsageError

_METHODS = ("random", "latin", "halving", "optuna", "screen")
_OPTIONS_OF = {"eta": "halving", "rungs": "halving", "sampler": "optuna", "batch": "optuna"}


@click.command()
@run_options
@click.option(
    "-p", "--param", "settings", multiple=True, help="Other values: name=2:100, name=5,10,20, name=7."
)
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    default="random",
    show_default=True,
    help="How settings are picked.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    help="Settings to look at (default: the method's); screen: best ones to find.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the search.")
@click.option(
    "--by", default="sharpe", show_default=True, help="Metric that is looked for, and orders the rows."
)
@click.option("--eta", type=click.IntRange(min=2), help="halving: factor between rungs.")
@click.option("--rungs", type=click.IntRange(min=1), help="halving: how many rungs.")
@click.option("--sampler", type=click.Choice(["tpe", "nsga2"]), help="optuna: which of its samplers.")
@click.option("--batch", type=click.IntRange(min=1), help="optuna: settings per sweep.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Rows to show.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads (default: every processor).")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write all rows to a .parquet or .csv file."
)
@json_option
def search(
    file: Path,
    data: str | None,
    metrics: str | None,
    engine: str,
    settings: tuple[str, ...],
    method: str,
    count: int | None,
    seed: int,
    by: str,
    eta: int | None,
    rungs: int | None,
    sampler: str | None,
    batch: int | None,
    top: int,
    threads: int | None,
    output: Path | None,
    as_json: bool,
    **rules: Any,
) -> None:
    """Run some of the settings, picked by a method.

    Every setting that is looked at is a trial and is counted in the ledger, those included that a method
    drops early.  Equal seeds pick equal settings.
    """
    from grn.kit.progress import Progress
    from grn.quant.files import load_strategy_file
    from grn.quant.search.run import METHODS
    from grn.quant.search.run import search as run_search
    from grn.quant.strategy.settings import with_values

    check_frame_output(output)
    given = {"eta": eta, "rungs": rungs, "sampler": sampler, "batch": batch}
    asked = {k: v for k, v in given.items() if v is not None}
    for name in asked:
        if _OPTIONS_OF[name] != method:
            raise UsageError(
                f"--{name} is an option of {_OPTIONS_OF[name]}",
                seen=f"--method {method}",
                hint="leave it out, or choose that method",
            )
    loaded = load_strategy_file(file)
    strategy = with_values(loaded.strategy, parse_settings(settings))
    if count is not None:
        asked["n"] = count
    kind: Any = METHODS[method]
    with Progress("search", unit="combinations") as progress:
        result = run_search(
            strategy, pick_data(loaded, data), kind(seed=seed, **asked), by=by, metrics=metrics,
            engine=engine, threads=threads, progress=progress.advance, command="quant search",
            rules=read_rules(loaded, **rules),
        )  # fmt: skip
    if output is not None:
        save_frame(result.frame, output)
    found = result.search or {}
    looked_for = str(found["by"])
    order = looked_for if looked_for in result.frame.columns else result.metrics[0].name
    rows = top_rows(result, order, top)
    if as_json:
        write_json(
            {
                "run": result.run,
                "result_key": result.result_key,
                "search": found,
                "rows": len(result),
                "trials": result.trials.n if result.trials else None,
                "top": rows,
            }
        )
        return
    write_top(rows, order, everything=metrics is not None)
    trials = f"; {result.trials.n:,} trials counted on this data" if result.trials else ""
    click.echo(
        f"run {result.run}: {found.get('tried', 0):,} settings looked at, {len(result):,} rows in "
        f"{result.timings_s['total']:.2f} s{trials}",
        file=sys.stderr,
    )
    click.echo(f"next: grn quant validate {result.run}", file=sys.stderr)
