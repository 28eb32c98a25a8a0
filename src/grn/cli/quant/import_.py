"""``grn quant import FILE…``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.series import series_json
from grn.kit.errors import UsageError


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--symbol", help="Symbol, where the file does not say it.")
@click.option("--interval", help="Length of a bar (default: the commonest step between rows).")
@click.option(
    "--kind", type=click.Choice(["bars", "trades", "quotes"]), help="What it holds (default: guessed)."
)
@click.option("--column", "columns", multiple=True, help="Which column is which: open=Opening.")
@click.option("--calendar", help="Market whose hours apply: XNYS, XLON ..., or 24/7.")
@json_option
def import_(
    files: tuple[Path, ...],
    symbol: str | None,
    interval: str | None,
    kind: str | None,
    columns: tuple[str, ...],
    calendar: str | None,
    as_json: bool,
) -> None:
    """Take CSV or Parquet files into the lake.

    Columns are recognised by their names, and shown.  A file is taken whole or not at all.
    """
    from grn.kit.progress import Progress
    from grn.quant.lake.holdings import open_lake
    from grn.quant.lake.load import LoadOptions, load_file

    options = LoadOptions(symbol, interval, kind, _mapping(columns), calendar)
    lake = open_lake()
    loaded = []
    with Progress("importing", unit="rows") as progress:
        for file in files:
            for one in load_file(lake, file, options, on_rows=progress.advance):
                loaded.append((file, one))
    shown: set[tuple[Path, str]] = set()
    for file, one in loaded:
        mapping = ", ".join(f"{ours} = {theirs}" for ours, theirs in one.columns.items())
        if (file, mapping) not in shown:
            click.echo(f"{file.name}: {mapping}", file=sys.stderr)
            shown.add((file, mapping))
    if as_json:
        write_json(
            [
                {
                    "file": file,
                    **series_json(one.series),
                    "columns": one.columns,
                    "added": one.added,
                    "revised": one.revised,
                    "repeated": one.repeated,
                }
                for file, one in loaded
            ]
        )
    else:
        write_table(
            ("FILE", "SERIES", "ADDED", "REVISED", "REPEATED"),
            ((file.name, str(one.series), one.added, one.revised, one.repeated) for file, one in loaded),
        )


def _mapping(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise UsageError("a column reads ours=theirs", seen=text, hint="--column open=Opening")
        pairs[ours] = theirs
    return pairs
