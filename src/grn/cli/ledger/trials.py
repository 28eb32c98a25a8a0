"""``grn ledger trials``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grn.cli.ledger.opened import opened
from grn.cli.output import json_option, write_json_lines, write_table
from grn.kit.clock import utc_text
from grn.kit.errors import UsageError

if TYPE_CHECKING:
    from grn.ledger import Ledger, Market

_SHORT = 12  # hex digits of a hash in a table


@click.command()
@click.argument("which", metavar="[SYMBOL|RUN]", required=False)
@json_option
def trials(which: str | None, as_json: bool) -> None:
    """Count the different trials ever made, per market.

    A market is one history under whatever names and in whatever cuts: a bar more, a split, weeks for days
    make no new one. With SYMBOL or RUN only the markets of that name, or those that the run looked at. A
    setting that was run twice on the same data is one trial. The Sharpe ratios are per bar of the longest
    data. With --json one object per line.
    """
    with opened() as book:
        found = [] if book is None else _chosen(book, which)
    if as_json:
        write_json_lines(_as_json(market) for market in found)
    elif found:
        write_table(
            ("MARKET", "TRIALS", "SWEEPS", "RUNS", "DATA SETS", "FROM", "TO", "FIRST", "NEWEST", "SHARPE SD"),
            (_row(market) for market in found),
        )


def _chosen(book: Ledger, which: str | None) -> list[Market]:
    every = book.markets()
    if which is None:
        return every
    named = [market for market in every if which in market.symbols]
    if named:
        return named
    try:
        run = book.show(which).run
    except UsageError as error:
        known = ", ".join(sorted({symbol for market in every for symbol in market.symbols}))
        raise UsageError("no market and no run of that name", seen=which, hint=known or error.hint) from error
    return [market for market in every if run in market.runs]


def _row(market: Market) -> tuple[object, ...]:
    variance = market.count.sharpe_variance
    return (
        "/".join(market.symbols) or market.data_ids[0][:_SHORT],
        market.count.n,
        market.count.sweeps,
        len(market.runs),
        len(market.data_ids),
        utc_text(market.first_ns)[:10] if market.symbols else None,
        utc_text(market.last_ns)[:10] if market.symbols else None,
        utc_text(market.earliest_ns)[:10],
        utc_text(market.newest_ns)[:10],
        variance**0.5,
    )


def _as_json(market: Market) -> dict[str, object]:
    count = market.count
    return {
        "symbols": market.symbols,
        "data_ids": market.data_ids,
        "trials": count.n,
        "sweeps": count.sweeps,
        "runs": market.runs,
        "first_ns": market.first_ns if market.symbols else None,
        "last_ns": market.last_ns if market.symbols else None,
        "earliest_ns": market.earliest_ns,
        "newest_ns": market.newest_ns,
        "sharpe_mean": count.sharpe_mean,
        "sharpe_variance": count.sharpe_variance,
        "watermark": count.watermark,
    }
