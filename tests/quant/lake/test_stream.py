"""Streams that `ccxt` follows: what a fault leaves behind must not reach the next subscription."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import ccxt
import pytest

from grn.kit.clock import SystemClock
from grn.quant.lake.pace import Pace
from grn.quant.lake.source import SourceSettings
from grn.quant.lake.sources import stream
from tests.quant.lake.binance_streams import Streams
from tests.quant.lake.conftest import Place
from tests.quant.lake.loopback import NS, World
from tests.quant.lake.test_record import BEGIN_NS, SYMBOLS, compare, listen, series_of, wrong

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
LATE = 12 if NIGHTLY else 2


@pytest.mark.parametrize("seed", range(LATE))
def test_a_late_snapshot_makes_no_book_wrong(
    place: Place, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Snapshots that come when another subscription has gone on; nor is one reported that was given up."""
    world = World(BEGIN_NS)
    kinds = ("missing", "cut", "reorder")
    with Streams(world, seed, rate=0.06, kinds=kinds, late_s=0.3).running() as exchange:
        lake = place(exchange, world, "ccxt:binance", skew_ns=-90 * NS)
        with caplog.at_level(logging.WARNING, logger="asyncio"):
            done = listen(lake, series_of("book"), exchange, 300)
        assert [one.error for one in done] == [None] * 2
        assert sum(one.breaks for one in done)
        for symbol in SYMBOLS:
            assert compare(lake, exchange, symbol)[0]
            assert set(wrong(lake, series_of("book", symbols=[symbol])[0])) <= {"skew"}
    assert [one.getMessage() for one in caplog.records if one.name == "asyncio"] == []


def test_a_subscription_that_nobody_answers_is_made_anew(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange that passes over a subscription sends nothing, and the connection is well: hang up."""
    monkeypatch.setattr(stream, "_SILENT_S", 0.5)
    world = World(BEGIN_NS)
    with Streams(world, 21, symbols=("BTCUSDT",), deaf=2).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        (done,) = listen(lake, series_of("book", symbols=["BTC/USDT"]), exchange, 30)
        assert done.error is None
        assert done.messages > 30
        assert exchange.connections >= 3
        assert compare(lake, exchange, "BTC/USDT")[0] > 20


def test_bursts_do_not_stop_the_reading(place: Place) -> None:
    """Thousands of messages that come many at a time are heard to the last, on one connection."""
    world = World(BEGIN_NS)
    with Streams(world, 22, symbols=("BTCUSDT",)).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")

        async def burst() -> None:
            for _ in range(100):
                await exchange.step()

        def during() -> None:
            for _ in range(60):
                exchange.do(burst())

        (done,) = listen(lake, series_of("book", symbols=["BTC/USDT"]), exchange, 5, during=during)
        assert (done.error, done.breaks) == (None, 0)
        assert done.messages > 6000
        assert exchange.connections == 1
        assert compare(lake, exchange, "BTC/USDT")[0] > 100


class Connection:
    """A double of a websocket client of `ccxt`: it keeps what it is told."""

    url = "wss://ws.bitmex.com/realtime"

    def __init__(self) -> None:
        self.rejected: list[Exception] = []

    def reject(self, error: Exception, name: str | None = None) -> None:
        assert name is None  # whoever waits for whatever on this connection
        self.rejected.append(error)


def test_a_message_that_cannot_be_taken_is_told_to_whoever_waits(tmp_path: Path) -> None:
    """BitMEX streams single orders: refused by name; an exception would end the client's loop unheard."""
    pace = Pace("ccxt:bitmex", tmp_path, 1.0, 1, SystemClock())
    bitmex = stream.ExchangeStream("bitmex", SourceSettings(), pace)
    connection = Connection()
    # As in BitMEX's documentation, "Real-time data", section "Response format".
    order = {"symbol": "XBTUSD", "id": 8799284800, "side": "Sell", "size": 721000, "price": 7152}
    book = {"table": "orderBookL2", "action": "partial", "filter": {"symbol": "XBTUSD"}, "data": [order]}
    bitmex.client.handle_message(connection, book)
    (error,) = connection.rejected
    assert isinstance(error, ccxt.NotSupported)
    assert "streams single orders, not levels" in str(error)
    asyncio.run(bitmex.close())
