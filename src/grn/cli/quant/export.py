"""``grn quant export SYMBOL -o FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grn.cli.quant.series import parse_moment


@click.command()
@click.argument("symbol")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="A .parquet, .csv or .arrow file.")  # fmt: skip
@click.option("--kind", type=click.Choice(["bars", "trades", "quotes", "book"]), default="bars",
              show_default=True, help="What to write.")  # fmt: skip
@click.option("--interval", default="1d", show_default=True, help="Of bars.")
@click.option("--source", help="Needed where several sources have the symbol.")
@click.option("--raw", is_flag=True, help="Bars as they were on the day, not adjusted for later actions.")
@click.option("--since", help="First moment: 2024-01-31.")
@click.option("--until", help="Moment before which it ends.")
def export(
    symbol: str,
    output: Path,
    kind: str,
    interval: str,
    source: str | None,
    raw: bool,
    since: str | None,
    until: str | None,
) -> None:
    """Write a series to one file.

    What comes out can be read by every command that takes data, and by other programs.
    """
    import polars as pl

    from grn.quant.lake.export import export as write
    from grn.quant.lake.holdings import moment, open_lake

    lake = open_lake()
    if kind == "bars":
        rows = lake.bars(symbol, interval, not raw, source=source)
    else:
        read = {"trades": lake.trades, "quotes": lake.quotes, "book": lake.book_updates}[kind]
        rows = read(symbol, source=source)
    begin, end = parse_moment(since), parse_moment(until)
    if begin is not None:
        rows = rows.filter(pl.col("ts") >= moment(begin))
    if end is not None:
        rows = rows.filter(pl.col("ts") < moment(end))
    write(rows, output)
    click.echo(f"{output}: {output.stat().st_size:,} bytes", file=sys.stderr)
