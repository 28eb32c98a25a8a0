"""``grn quant check``."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.series import chosen_series, moment_text, series_json
from grn.kit.errors import ExitCode

if TYPE_CHECKING:
    from grn.quant.lake.findings import Finding

_SHOWN = 12  # findings of a kind in one series that a table shows


@click.command()
@click.argument("symbols", metavar="[SYMBOL]...", nargs=-1)
@json_option
def check(symbols: tuple[str, ...], as_json: bool) -> ExitCode:
    """Look over what the lake holds.

    Checksums, order, values, gaps, zero volume, outliers, price jumps without a corporate action, clocks.
    Exit code 1 when something is wrong; what deserves a look is listed and leaves it at 0.
    """
    from grn.quant.lake.check import check_series
    from grn.quant.lake.findings import WRONG
    from grn.quant.lake.holdings import open_lake

    lake = open_lake()
    series = chosen_series(lake, symbols)
    found = [finding for one in series for finding in check_series(lake, one)]
    wrong = sum(finding.level == WRONG for finding in found)
    if as_json:
        write_json({"series": len(series), "wrong": wrong, "findings": [_as_json(one) for one in found]})
    elif found:
        write_table(("LEVEL", "SERIES", "WHAT", "WHEN", "DETAIL"), _rows(found))
    click.echo(f"series: {len(series)}; wrong: {wrong}; to look at: {len(found) - wrong}", file=sys.stderr)
    return ExitCode.NO if wrong else ExitCode.DONE


def _rows(found: list[Finding]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for _, group in itertools.groupby(found, key=lambda one: (one.series, one.level, one.what)):
        several = list(group)
        for one in several[:_SHOWN]:
            rows.append((one.level, str(one.series), one.what, moment_text(one.ts_ns), one.detail))
        if len(several) > _SHOWN:
            last = several[-1]
            rest = f"and {len(several) - _SHOWN:,} more: --json lists all"
            rows.append((last.level, str(last.series), last.what, moment_text(last.ts_ns), rest))
    return rows


def _as_json(one: Finding) -> dict[str, object]:
    """Stable fields."""
    return {
        **series_json(one.series),
        "level": one.level,
        "what": one.what,
        "ts_ns": one.ts_ns,
        "count": one.count,
        "detail": one.detail,
    }
