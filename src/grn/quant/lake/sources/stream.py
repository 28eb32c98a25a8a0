"""Exchanges through the websocket classes of the package `ccxt`: order books and trades as they come.

What `ccxt` gives to its users is its present book, one object that it changes in place: whoever awaits it
sees the sum of all messages since the last time (ccxt issue 23251), and of trades the newest thousand. So
what is heard is taken where `ccxt` itself takes it in:

- the books that the client makes are ours: they note every level that is set, and every reset;
- the lists that it appends trades to are ours;
- messages are stamped with this machine's time before the client sees them. Messages that it keeps until it
  has a snapshot carry their stamp with them.

How the client behaves when something is amiss, from reading its release 4.5: a message that does not go on
from the one before raises `ChecksumError` in whoever awaits the book, and the book is dropped; the next call
subscribes anew and fetches a snapshot. A message that is older than the book is left out without a word,
which is right: it holds nothing new. A connection that was closed raises `NetworkError`. One that has gone
silent is found by pings, after twice `streaming.keepAlive`: 3 minutes for Binance, here 20 seconds. A receive
loop that met an exception of the transport leaves a client behind that never closes and never speaks; after
every fault the clients whose connection is gone are forgotten.

When several messages wait, the client takes all but the last out of aiohttp's queue behind its back, and sets
right what the queue counts of them; with aiohttp 3.14 that is 128 bytes too little for each. Four thousand
messages later the queue believes itself full for good and reads no more. So messages are taken one by one.

A snapshot is fetched by a task of its own, which puts it into whatever book the client then has. It may wait
long for its turn (the limiter of `ccxt`, three attempts), and come into the book of a later subscription that
has gone on without it: the book then leaps to a state of which the updates are still under way, and those are
left out as old. So a fault ends everything that was begun for the book before it: the tasks, the book, and
the subscription, whose answer is then nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import ccxt.pro as pro
from ccxt.async_support.base.ws.client import Client
from ccxt.async_support.base.ws.order_book import OrderBook

from grn.kit.errors import GrnError, UsageError
from grn.quant.lake.live import Listener
from grn.quant.lake.pace import Pace, ThrottledError
from grn.quant.lake.series import Series
from grn.quant.lake.source import SourceSettings
from grn.quant.lake.sources.ear import Ear
from grn.quant.lake.sources.exchange import Exchange

_KEEP_ALIVE_MS: Final = 20_000
_FIRST_S: Final = 0.5
_MOST_S: Final = 60.0
_SILENT_S: Final = 20.0
"""Seconds without a message after which it is asked whether one could have been noticed."""
_CALM: Final = 20
"""Answers without a fault after which the next fault counts as the first."""
_METHODS: Final = {"book": "watchOrderBook", "trades": "watchTrades"}


class ExchangeStream(Exchange):
    """An exchange that `ccxt` can stream from.

    Parameters
    ----------
    argument
        Its identifier there, such as ``binance``.
    settings
        How to reach it.
    pace
        Its clock and its way to wait; REST requests keep to it.

    Raises
    ------
    UsageError
        `ccxt` has no such exchange, or cannot stream from it.
    """

    kinds = ("book", "trades")

    def __init__(self, argument: str, settings: SourceSettings, pace: Pace) -> None:
        super().__init__(argument, settings, pace)
        self.client.ear = self.ear = Ear(self.client, pace.clock)
        self.client.streaming = {**(self.client.streaming or {}), "keepAlive": _KEEP_ALIVE_MS}

    def _client_class(self, name: str) -> Any:
        if name not in pro.exchanges:
            raise UsageError(f"ccxt cannot stream from {name}", seen=name, hint="grn quant pull fetches")
        return type(name, (_Overheard, getattr(pro, name)), {})

    async def open(self, series: Series) -> Mapping[str, str]:  # type: ignore[override]
        """Find the symbol, and make sure that the exchange streams this kind."""
        facts = await self.find(series)
        if not self.client.has.get(_METHODS[series.kind]):
            raise UsageError(f"{self.name} does not stream this", seen=series.kind)
        return facts

    async def follow(self, series: Series, listener: Listener) -> None:
        """Await message after message; after a fault, wait ever longer and subscribe anew."""
        try:
            await self._follow(series, listener)
        finally:
            self.ear.ignore(series)

    async def _follow(self, series: Series, listener: Listener) -> None:
        watch = self.ear.book if series.kind == "book" else self.ear.trades
        faults = calm = ever = 0
        while True:
            try:
                await self._within(watch(series.symbol, listener), series)
                calm, ever = calm + 1, 1
                continue
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # The client cancels whoever waits when it closes a connection.
                error: Exception = ConnectionError("the connection was closed")
            except Exception as met:
                error = met
            sorted_ = self._sorted(error)
            if isinstance(sorted_, GrnError) and not ever:
                raise sorted_ from error
            faults, calm = (1 if calm >= _CALM else faults + 1), 0
            listener.lost(_in_words(error))
            if isinstance(error, _SilentError):
                self.ear.hang_up(series)
            self.ear.forget(series)
            pause_s = min(_FIRST_S * 2.0 ** (faults - 1), _MOST_S)
            if isinstance(sorted_, ThrottledError):
                pause_s = max(pause_s, sorted_.after_s or 0.0)
            await self.pace.sleep(pause_s)

    async def close(self) -> None:
        """Close the connections for good: snapshots that are still asked for are no longer."""
        self.ear.closed = True
        self.ear.ask_no_more()
        await super().close()

    async def _within(self, watching: Coroutine[Any, Any, None], series: Series) -> None:
        """Await a message; silence is a fault where the client would not notice if there were one."""
        task = asyncio.ensure_future(watching)
        try:
            while not (await asyncio.wait({task}, timeout=_SILENT_S))[0]:
                if not self.ear.well(series):
                    raise _SilentError(f"no book has come for {_SILENT_S:g} s")
            task.result()
        finally:
            task.cancel()


class _SilentError(TimeoutError):
    """Nothing was heard, and nothing could have been."""


class _OneByOne(Client):  # type: ignore[misc]
    """A client that leaves aiohttp's queue to aiohttp."""

    buffer = None


class _Overheard:
    """Mixed into a client class of `ccxt`: every message passes by the ear."""

    ear: Ear

    def open(self) -> None:
        if self.ear.closed:
            raise pro.NetworkError("the recording has ended")
        super().open()  # type: ignore[misc]

    def client(self, url: str) -> Any:
        client = super().client(url)  # type: ignore[misc]
        client.__class__ = _OneByOne  # made where no other class can be named
        return client

    def spawn(self, method: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
        return super().spawn(self.ear.oversee(method), *arguments)  # type: ignore[misc]

    def handle_message(self, client: Any, message: Any) -> None:
        self.ear.begin(message)
        try:
            super().handle_message(client, message)  # type: ignore[misc]
        except Exception as error:
            # Out of here it would end the client's receive loop, and nobody would hear of it.
            client.reject(error)
        finally:
            self.ear.end()

    def handle_order_book_message(self, client: Any, message: Any, book: Any = None, *more: Any) -> Any:
        rest = () if book is None else (book, *more)
        done = super().handle_order_book_message(client, message, *rest)  # type: ignore[misc]
        self.ear.put(book, message)
        return done

    def order_book(self, snapshot: Any = None, depth: Any = None) -> OrderBook:
        return self.ear.make_book(snapshot, depth)

    def counted_order_book(self, snapshot: Any = None, depth: Any = None) -> OrderBook:
        return self.ear.make_book(snapshot, depth, counted=True)

    def indexed_order_book(self, snapshot: Any = None, depth: Any = None) -> OrderBook:
        raise pro.NotSupported("this exchange streams single orders, not levels")


def _in_words(error: Exception) -> str:
    match error:
        case pro.ChecksumError() | pro.InvalidNonce():
            return "updates were missed: their numbers do not follow each other"
        case pro.NetworkError() | ConnectionError() | TimeoutError():
            return f"the connection was lost: {error}"
    return f"{type(error).__name__}: {error}"
