"""``grn quant record SOURCE SYMBOL…``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, style, write_json, write_table
from grn.cli.quant.series import moment_text, series_json
from grn.kit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grn.quant.lake.record import Recorded
    from grn.quant.lake.reel import Reel

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@click.argument("source")
@click.argument("symbols", metavar="SYMBOL...", nargs=-1, required=True)
@click.option("--book", is_flag=True, help="Record the order book: every level that changes.")
@click.option("--trades", is_flag=True, help="Record trades.")
@click.option("--for", "how_long", metavar="TIME", help="Stop after 90s, 10m, 8h, 7d (default: at Ctrl-C).")
@click.option("--rotate", default="10m", show_default=True, metavar="TIME",
              help="Age at which what was heard becomes a Parquet file; 8 MiB do so too.")  # fmt: skip
@json_option
def record(
    source: str,
    symbols: tuple[str, ...],
    book: bool,
    trades: bool,
    how_long: str | None,
    rotate: str,
    as_json: bool,
) -> int:
    """Record order books and trades as they come.

    SOURCE is an exchange such as ccxt:binance.  Ctrl-C ends the recording and says what was recorded.  What
    was heard is kept, however it ends; what may have been missed is written down.
    """
    from grn.kit.progress import Progress
    from grn.quant.lake.holdings import open_lake
    from grn.quant.lake.record import RecordOptions
    from grn.quant.lake.record import record as run
    from grn.quant.lake.series import Series

    kinds = [kind for kind, wanted in (("book", book), ("trades", trades)) if wanted]
    if not kinds:
        raise UsageError("say what to record", seen="nothing", hint="--book, --trades, or both")
    wanted = [Series(kind, source, symbol) for symbol in symbols for kind in kinds]
    options = RecordOptions(
        for_s=None if how_long is None else parse_duration(how_long), rotate_s=parse_duration(rotate)
    )
    with Progress("recording", unit="messages") as progress:

        def on_tick(reels: Sequence[Reel]) -> None:
            progress.advance(sum(reel.heard for reel in reels) - progress.done)

        done = run(open_lake(), source, wanted, options, on_tick=on_tick)
    if as_json:
        write_json([_as_json(one) for one in done])
    elif done:
        write_table(
            ("SERIES", "MESSAGES", "ROWS", "BREAKS", "FIRST", "LAST"),
            (
                (str(one.series), one.messages, one.rows, one.breaks,
                 moment_text(one.first_ns), moment_text(one.last_ns))
                for one in done
            ),
        )  # fmt: skip
    failed = [one.error for one in done if one.error is not None]
    for one in done:
        if one.left:
            click.echo(
                f"note: {one.series}: {one.left} journals wait; grn quant repair merges them", err=True
            )
        if one.error is not None:
            head = style("error:", sys.stderr, fg="red", bold=True)
            click.echo(f"{head} {one.series}: {one.error}", err=True)
    return int(failed[0].exit_code if failed else ExitCode.DONE)


def parse_duration(text: str) -> float:
    """Read ``90s``, ``10m``, ``8h`` or ``7d`` as seconds.

    Raises
    ------
    UsageError
        It is none of them.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", text)
    if match is None or not float(match[1]):
        raise UsageError("not a length of time", seen=text, hint="90s, 10m, 8h or 7d")
    return float(match[1]) * _UNIT_S[match[2]]


def _as_json(one: Recorded) -> dict[str, object]:
    """Stable fields."""
    return {
        **series_json(one.series),
        "messages": one.messages,
        "rows": one.rows,
        "breaks": one.breaks,
        "first_ns": one.first_ns,
        "last_ns": one.last_ns,
        "journals_left": one.left,
        "error": None if one.error is None else str(one.error),
    }
