"""``grn quant leaks FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.options import pick_data
from grn.kit.errors import ExitCode


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data", help="Sample or file; default: the file's own `data`.")
@click.option(
    "--cuts", type=click.IntRange(min=1), default=24, show_default=True, help="Truncations per symbol."
)
@click.option(
    "--combinations", type=click.IntRange(min=1), default=8, show_default=True, help="Settings to check."
)
@json_option
def leaks(file: Path, data: str | None, cuts: int, combinations: int, as_json: bool) -> ExitCode:
    """Look for knowledge of the future in a strategy.

    Its conditions, and the series they read, are evaluated again on data cut off at many bars; an answer or
    a value of the past that changes is a leak.  Exit code 1 when one is found.
    """
    from grn.quant.files import load_strategy_file
    from grn.quant.leaks import find_leaks
    from grn.quant.schema import load_bars
    from grn.quant.schema.stamps import stamp
    from grn.quant.strategy.rules import Rules

    loaded = load_strategy_file(file)
    bars = load_bars(pick_data(loaded, data), loaded.strategy.needs(Rules(fill="close")))
    found = find_leaks(loaded.strategy, bars, cuts=cuts, combinations=combinations)
    rows = [
        {
            "symbol": leak.symbol,
            "condition": leak.side,
            "ts": stamp(leak.ts_ns),
            "with_all_data": _shown(leak.seen_whole),
            "cut_off": _shown(leak.seen_cut),
            "bars_after": leak.cut - 1 - leak.bar,
            "because_of": leak.culprit,
            "params": leak.params,
        }
        for leak in found.leaks
    ]
    if as_json:
        write_json(
            {
                "clean": found.clean,
                "cuts": found.cuts,
                "combinations": found.combinations,
                "unchecked": found.unchecked,
                "leaks": rows,
            }
        )
    elif rows:
        write_table(list(rows[0])[:-1], [list(r.values())[:-1] for r in rows])
    else:
        click.echo(f"no leak: {found.combinations} settings, {found.cuts} cuts per symbol")
    if found.unchecked:
        click.echo(
            f"note: columns that came with the data cannot be judged: {', '.join(found.unchecked)}",
            file=sys.stderr,
        )
    return ExitCode.DONE if found.clean else ExitCode.NO


def _shown(seen: bool | float) -> bool | float | None:
    """An answer, or a value with missing as null."""
    return None if seen != seen else seen
