"""``grn quant book SYMBOL``."""

from __future__ import annotations

import click

from grn.cli.output import json_option, write_json, write_table
from grn.cli.quant.series import parse_moment


@click.command()
@click.argument("symbol")
@click.option("--at", "moment", help="2024-01-31T15:30:00Z (default: the last that was recorded).")
@click.option("--by", type=click.Choice(["exchange", "here"]), default="exchange", show_default=True,
              help="Whose clock: the exchange's, or this machine's when it was received.")  # fmt: skip
@click.option("--levels", type=click.IntRange(min=1), default=10, show_default=True, help="Of each side.")
@click.option("--source", help="Needed where several sources have the symbol.")
@json_option
def book(symbol: str, moment: str | None, by: str, levels: int, source: str | None, as_json: bool) -> None:
    """Show a recorded order book as it was at a moment.

    It is made from the recorded updates.  A moment at which something was missed is refused.
    """
    from grn.quant.lake.holdings import open_lake

    stamp = "ts" if by == "exchange" else "received"
    frame = open_lake().book(symbol, parse_moment(moment), by=stamp, source=source)  # type: ignore[arg-type]
    sides = [frame.filter(side=side).head(levels).select("price", "amount") for side in ("bid", "ask")]
    if as_json:
        write_json({side: rows.rows() for side, rows in zip(("bids", "asks"), sides, strict=True)})
        return
    bids, asks = (rows.rows() + [(None, None)] * (levels - rows.height) for rows in sides)
    pairs = [
        (bid[1], bid[0], ask[0], ask[1])
        for bid, ask in zip(bids, asks, strict=True)
        if bid[0] is not None or ask[0] is not None
    ]
    write_table(("BID AMOUNT", "BID", "ASK", "ASK AMOUNT"), pairs)
