"""``grn quant ls``."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.series import moment_text, series_json


@click.command()
@click.argument("symbols", metavar="[SYMBOL]...", nargs=-1)
@json_option
def ls(symbols: tuple[str, ...], as_json: bool) -> None:
    """List what the lake holds.

    With symbols, only those.
    """
    from grn.quant.lake.gaps import open_gaps
    from grn.quant.lake.holdings import open_lake

    lake = open_lake()
    rows = []
    for series in lake.series():
        if symbols and series.symbol not in symbols:
            continue
        store = lake.store(series)
        manifest = store.manifest()
        gaps = len(open_gaps(store.table(manifest, "gaps"))) if series.interval else None
        rows.append(
            {
                **series_json(series),
                "rows": manifest.rows,
                "first_ns": manifest.first_ns,
                "last_ns": manifest.last_ns,
                "open_gaps": gaps,
                "files": len(manifest.parts),
                "bytes": manifest.bytes,
                "pulled_ns": manifest.pulled_ns,
            }
        )
    if as_json:
        write_json(rows)
    elif rows:
        write_table(
            (
                "SOURCE",
                "SYMBOL",
                "KIND",
                "INTERVAL",
                "ROWS",
                "FIRST",
                "LAST",
                "OPEN GAPS",
                "FILES",
                "BYTES",
                "PULLED",
            ),
            (
                [
                    moment_text(value) if name.endswith("_ns") else value  # type: ignore[arg-type]
                    for name, value in row.items()
                ]
                for row in rows
            ),
        )
    else:
        click.echo(f"nothing yet in {lake.root}; grn quant pull and grn quant import bring data", err=True)
