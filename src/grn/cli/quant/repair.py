"""``grn quant repair``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.series import chosen_series, series_json
from grn.kit.errors import ExitCode

if TYPE_CHECKING:
    from grn.quant.lake.repair import Repaired


@click.command()
@click.argument("symbols", metavar="[SYMBOL]...", nargs=-1)
@click.option("--refetch", is_flag=True, help="Fetch everything again and compare it.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=10.0, show_default=True,
              help="Seconds to wait for another process that writes the same series.")  # fmt: skip
@json_option
def repair(symbols: tuple[str, ...], refetch: bool, wait_s: float, as_json: bool) -> ExitCode:
    """Mend what `check` found.

    Damaged files are put aside and fetched anew, every gap is asked for once more.  Exit code 1 when
    something could not be mended.
    """
    from grn.kit.progress import Progress
    from grn.quant.lake.holdings import open_lake
    from grn.quant.lake.pull import Failed
    from grn.quant.lake.repair import repair as run

    lake = open_lake()
    with Progress("fetching", unit="rows") as progress:
        done = run(
            lake,
            chosen_series(lake, symbols),
            refetch=refetch,
            wait_s=wait_s,
            on_page=lambda _, rows: progress.advance(rows),
        )
    if as_json:
        write_json([_as_json(one) for one in done])
    elif done:
        write_table(
            ("SERIES", "PUT ASIDE", "ADDED", "REVISED", "OPEN GAPS"),
            (
                (str(one.series), len(one.put_aside), *_figures(one))
                for one in done
            ),
        )  # fmt: skip
    failed = [one.pulled for one in done if isinstance(one.pulled, Failed)]
    for each in failed:
        hint = f" ({each.error.hint})" if each.error.hint else ""
        click.echo(f"error: {each.series}: {each.error}{hint}", file=sys.stderr)
    return ExitCode.NO if failed else ExitCode.DONE


def _figures(one: Repaired) -> tuple[int | None, int | None, int | None]:
    from grn.quant.lake.pull import Pulled

    if not isinstance(one.pulled, Pulled):
        return None, None, None
    return one.pulled.added, one.pulled.revised, one.pulled.open_gaps


def _as_json(one: Repaired) -> dict[str, object]:
    """Stable fields."""
    from grn.quant.lake.pull import Failed

    added, revised, open_gaps = _figures(one)
    return {
        **series_json(one.series),
        "put_aside": list(one.put_aside),
        "manifest_rebuilt": one.rebuilt,
        "added": added,
        "revised": revised,
        "open_gaps": open_gaps,
        "error": str(one.pulled.error) if isinstance(one.pulled, Failed) else None,
    }
