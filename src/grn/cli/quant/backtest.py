"""``grn quant backtest FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.options import parse_settings, pick_data, read_rules, run_options
from grn.cli.quant.tables import check_frame_output, plain_rows, save_frame


@click.command()
@run_options
@click.option("-p", "--param", "settings", multiple=True, help="Parameter value: name=7.")
@click.option(
    "--show",
    type=click.Choice(["metrics", "trades", "orders", "equity", "drawdowns", "positions"]),
    default="metrics",
    show_default=True,
    help="What to print.",
)
@click.option("--symbol", help="Symbol whose trades, orders ... to print (default: the first).")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write what is printed to a .parquet or .csv file.",
)
@json_option
def backtest(
    file: Path,
    data: str | None,
    metrics: str | None,
    engine: str,
    settings: tuple[str, ...],
    show: str,
    symbol: str | None,
    output: Path | None,
    as_json: bool,
    **rules: Any,
) -> None:
    """Run a strategy at one parameter setting.

    Prints its metrics per symbol, or its trades, orders and so on.  It counts as a trial.
    """
    from grn.kit.errors import UsageError
    from grn.quant.files import load_strategy_file
    from grn.quant.schema import load_bars
    from grn.quant.strategy.weights import Weights
    from grn.quant.sweep import backtest as run_backtest

    check_frame_output(output)
    values = parse_settings(settings)
    several = next((f"{k} has {len(v)} values" for k, v in values.items() if len(v) != 1), None)
    if several:
        raise UsageError(
            "a backtest takes one value per parameter", seen=several, hint="use `grn quant sweep`"
        )
    loaded = load_strategy_file(file)
    chosen_rules = read_rules(loaded, **rules)
    bars = load_bars(pick_data(loaded, data), loaded.strategy.needs(chosen_rules))
    names = [b.symbol for b in bars]
    if symbol is not None and isinstance(loaded.strategy, Weights):
        raise UsageError(
            "target weights have one account for all symbols",
            seen=f"--symbol {symbol}",
            hint="leave it out: the tables name the symbol of each order and trade",
        )
    if symbol is not None and symbol not in names:
        raise UsageError("the data has no such symbol", seen=symbol, hint=", ".join(names))
    result = run_backtest(
        loaded.strategy,
        bars,
        {k: v[0] for k, v in values.items()},
        metrics=metrics or "all",
        engine=engine,
        command="quant backtest",
        rules=chosen_rules,
    )
    frame = result.frame
    if show != "metrics":
        frame = getattr(result, show)(0 if symbol is None else names.index(symbol))
    if output is not None:
        save_frame(frame, output)
    if as_json:
        write_json({"run": result.run, "result_key": result.result_key, show: plain_rows(frame)})
    elif show == "metrics":
        write_table(["", *result.accounts], [[n, *frame[n].to_list()] for n in frame.columns[1:]])
    else:
        write_table(frame.columns, [list(r.values()) for r in plain_rows(frame)])
    following = "validate" if isinstance(result.strategy, Weights) else "report"
    click.echo(f"run {result.run}; next: grn quant {following} {result.run}", file=sys.stderr)
