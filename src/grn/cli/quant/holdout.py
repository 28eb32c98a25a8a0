"""``grn quant holdout [SYMBOL]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grn.cli.output import json_option, write_json_lines, write_table
from grn.kit.clock import utc_text
from grn.kit.errors import UsageError
from grn.kit.paths import ledger_dir

if TYPE_CHECKING:
    from grn.ledger.holdouts import Holdout


@click.command()
@click.argument("data", metavar="[DATA]", required=False)
@click.option("--from", "start", metavar="DATE", help="First moment of the locked period; it has no end.")
@json_option
def holdout(data: str | None, start: str | None, as_json: bool) -> None:
    """Lock a period that no run may look at.

    DATA is a sample or a file: each of its symbols is locked from --from on. Sweeps, backtests and searches
    that touch the period are refused (exit code 4), under whatever name and in whatever cut the market
    comes, until one run opens it with --open-holdout. That is recorded, and possible once. A lock cannot be
    taken back. Without DATA: the locked periods. With --json one object per line.
    """
    from grn.ledger import Ledger

    if (data is None) != (start is None):
        raise UsageError(
            "a hold-out is data and a moment", seen=data or f"--from {start}",
            hint="grn quant holdout SP500 --from 2015-01-01",
        )  # fmt: skip
    if data is None or start is None:
        if not Ledger.exists(ledger_dir()):
            return
        with Ledger.open(ledger_dir()) as book:
            _write(book.holdouts(), as_json=as_json)
        return
    from grn.quant.holdout import lock

    with Ledger.open(ledger_dir()) as book:
        locked = lock(data, start, ledger=book)
        seen = {one.number: book.count_touching(one).n for one in locked}
    for one in locked:
        if seen[one.number]:
            click.echo(
                f"note: {seen[one.number]:,} trial(s) have looked at this period of {one.symbol} already",
                file=sys.stderr,
            )
    _write(locked, as_json=as_json)


def _write(locked: list[Holdout], *, as_json: bool) -> None:
    if as_json:
        write_json_lines(
            {
                "symbol": one.symbol,
                "identity": one.identity,
                "from_ns": one.from_ns,
                "locked_ns": one.locked_ns,
                "watermark": one.watermark,
                "openings": [{"run": o.run, "opened_ns": o.opened_ns} for o in one.openings],
            }
            for one in locked
        )
    elif locked:
        write_table(
            ("SYMBOL", "FROM", "LOCKED", "OPENED", "BY RUN"),
            (
                (
                    one.symbol,
                    utc_text(one.from_ns)[:10],
                    utc_text(one.locked_ns),
                    utc_text(one.openings[0].opened_ns) if one.openings else None,
                    ", ".join(o.run for o in one.openings) or None,
                )
                for one in locked
            ),
        )
