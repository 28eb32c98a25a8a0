"""``grn quant pull SOURCE SYMBOL…``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, style, write_json, write_table
from grn.cli.quant.series import moment_text, parse_moment, series_json
from grn.kit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from grn.quant.lake.holdings import Lake
    from grn.quant.lake.pull import Failed, Pulled
    from grn.quant.lake.series import Series


@click.command()
@click.argument("source", required=False)
@click.argument("symbols", metavar="[SYMBOL]...", nargs=-1)
@click.option("--interval", default="1d", show_default=True, help="Length of a bar: 1m, 5m, 1h, 1d ...")
@click.option("--trades", is_flag=True, help="Trades instead of bars.")
@click.option("--since", help="Where the series begins: 2024-01-31 (default: as it is; all daily bars).")
@click.option("--all", "everything", is_flag=True, help="Bring every series up to date.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=10.0, show_default=True,
              help="Seconds to wait for another process that writes the same series.")  # fmt: skip
@json_option
def pull(
    source: str | None,
    symbols: tuple[str, ...],
    interval: str,
    trades: bool,
    since: str | None,
    everything: bool,
    wait_s: float,
    as_json: bool,
) -> int:
    """Fetch market data into the lake.

    SOURCE is yfinance, or an exchange such as ccxt:binance.  What is there is kept, the end is fetched again
    and compared, gaps are asked for again.  Run it again after any interruption: it goes on.
    """
    from grn.kit.progress import Progress
    from grn.quant.lake.holdings import open_lake
    from grn.quant.lake.pull import Pulled, PullOptions
    from grn.quant.lake.pull import pull as run

    lake = open_lake()
    wanted = _wanted(lake, source, symbols, interval, trades, everything)
    options = PullOptions(since_ns=parse_moment(since), wait_s=wait_s)
    with Progress("pulling", unit="rows") as progress:
        done = run(lake, wanted, options, on_page=lambda _, rows: progress.advance(rows))
    failed = [one for one in done if not isinstance(one, Pulled)]
    if len(done) == 1 and failed:
        raise failed[0].error
    if as_json:
        write_json([_as_json(one) for one in done])
    else:
        _write(done)
    for one in failed:
        click.echo(f"{style('error:', sys.stderr, fg='red', bold=True)} {one.series}: {one.error}", err=True)
        if one.error.hint:
            click.echo(f"{style('hint:', sys.stderr, fg='cyan', bold=True)} {one.error.hint}", err=True)
    return int(failed[0].error.exit_code if failed else ExitCode.DONE)


def _wanted(
    lake: Lake, source: str | None, symbols: tuple[str, ...], interval: str, trades: bool, everything: bool
) -> list[Series]:
    from grn.quant.lake.interval import parse_interval
    from grn.quant.lake.load import IMPORTED
    from grn.quant.lake.series import Series

    if everything:
        if source or symbols:
            raise UsageError("--all takes no source and no symbol", seen=" ".join([source or "", *symbols]))
        known = [one for one in lake.series() if one.source != IMPORTED and one.kind in ("bars", "trades")]
        if not known:
            raise UsageError("the lake has nothing to bring up to date", hint="grn quant pull yfinance SPY")
        return known
    if not source or not symbols:
        raise UsageError(
            "say what to pull", seen=source or "nothing", hint="grn quant pull yfinance SPY, or --all"
        )
    if trades:
        return [Series("trades", source, symbol) for symbol in symbols]
    return [Series("bars", source, symbol, parse_interval(interval)) for symbol in symbols]


def _write(done: list[Pulled | Failed]) -> None:
    from grn.quant.lake.pull import Pulled

    rows = [
        (str(one.series), one.added, one.revised, one.open_gaps, one.rows,
         moment_text(one.first_ns), moment_text(one.last_ns))
        for one in done
        if isinstance(one, Pulled)
    ]  # fmt: skip
    if rows:
        write_table(("SERIES", "ADDED", "REVISED", "OPEN GAPS", "ROWS", "FIRST", "LAST"), rows)
    for one in done:
        for note in one.notes if isinstance(one, Pulled) else ():
            click.echo(f"note: {one.series}: {note}", err=True)


def _as_json(one: Pulled | Failed) -> dict[str, object]:
    """Stable fields."""
    from grn.quant.lake.pull import Pulled

    if not isinstance(one, Pulled):
        return {**series_json(one.series), "error": str(one.error), "hint": one.error.hint}
    return {
        **series_json(one.series),
        "added": one.added,
        "revised": one.revised,
        "open_gaps": one.open_gaps,
        "rows": one.rows,
        "first_ns": one.first_ns,
        "last_ns": one.last_ns,
        "notes": list(one.notes),
    }
