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
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Literal

import ccxt.pro as pro
from ccxt.async_support.base.ws.cache import ArrayCache
from ccxt.async_support.base.ws.order_book import OrderBook
from ccxt.async_support.base.ws.order_book_side import Asks, Bids, CountedAsks, CountedBids

from grn.kit.clock import Clock
from grn.kit.errors import GrnError, UsageError
from grn.quant.lake.live import BookChange, Listener, TradeHeard
from grn.quant.lake.pace import Pace, ThrottledError
from grn.quant.lake.series import Series
from grn.quant.lake.source import SourceSettings
from grn.quant.lake.sources.exchange import Exchange

_MS: Final = 1_000_000
_KEEP_ALIVE_MS: Final = 20_000
_FIRST_S: Final = 0.5
_MOST_S: Final = 60.0
_SILENT_S: Final = 20.0
"""Seconds without a message after which it is asked whether one could have been noticed."""
_CALM: Final = 20
"""Answers without a fault after which the next fault counts as the first."""
_STAMP: Final = "grn_received_ns"
_METHODS: Final = {"book": "watchOrderBook", "trades": "watchTrades"}
_SAME_NUMBERS: Final[Mapping[str, Mapping[str, object]]] = {
    name: {"name": "aggTrade"} for name in ("binance", "binanceus", "binanceusdm", "binancecoinm")
}
"""Exchanges that stream trades with other numbers than they give over REST, unless asked for the same."""


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
        self.client.ear = self.ear = _Ear(self.client, pace.clock)
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
            self.ear.forget(series)
            pause_s = min(_FIRST_S * 2.0 ** (faults - 1), _MOST_S)
            if isinstance(sorted_, ThrottledError):
                pause_s = max(pause_s, sorted_.after_s or 0.0)
            await self.pace.sleep(pause_s)

    async def close(self) -> None:
        """Close the connections for good: snapshots that are still asked for open none again."""
        self.ear.closed = True
        await super().close()

    async def _within(self, watching: Coroutine[Any, Any, None], series: Series) -> None:
        """Await a message; silence is a fault where the client would not notice if there were one."""
        task = asyncio.ensure_future(watching)
        try:
            while not (await asyncio.wait({task}, timeout=_SILENT_S))[0]:
                if not self.ear.well(series):
                    raise TimeoutError(f"no book has come for {_SILENT_S:g} s")
            task.result()
        finally:
            task.cancel()


class _Ear:
    """What was heard through one client, told to whom it concerns."""

    def __init__(self, client: Any, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self.closed = False
        self._now_ns: int | None = None
        self._books: dict[str, Listener] = {}
        self._trades: dict[str, Listener] = {}
        self._changed: list[_Book] = []
        self._unnamed = 0

    async def book(self, symbol: str, listener: Listener) -> None:
        """Subscribe to a book, or await its next message."""
        self._books[symbol] = listener
        await self._client.watch_order_book(symbol)

    async def trades(self, symbol: str, listener: Listener) -> None:
        """Subscribe to trades, or await the next."""
        self._trades[symbol] = listener
        if not isinstance(self._client.trades.get(symbol), _Trades):
            self._client.trades[symbol] = _Trades(self)
        await self._client.watch_trades(symbol, params=dict(_SAME_NUMBERS.get(self._client.id, {})))

    def ignore(self, series: Series) -> None:
        """Tell nobody any more: the client itself goes on receiving until it is closed."""
        (self._books if series.kind == "book" else self._trades).pop(series.symbol, None)

    def well(self, series: Series) -> bool:
        """Whether silence can be the market's: the client has a book to change, or waits for trades."""
        book = self._client.orderbooks.get(series.symbol)
        return series.kind != "book" or (book is not None and book.get("nonce") is not None)

    def forget(self, series: Series) -> None:
        """Drop what a fault has made doubtful: the client's book, and connections that are gone."""
        if series.kind == "book":
            self._client.orderbooks.pop(series.symbol, None)
        for url, client in list((self._client.clients or {}).items()):
            if client.connection is not None and client.closed():
                del self._client.clients[url]

    def begin(self, message: Any) -> None:
        """Note the time at which a message was taken from the socket."""
        self._now_ns = self._clock.now_ns()
        if isinstance(message, dict):
            message[_STAMP] = self._now_ns

    def end(self) -> None:
        """Tell what the message has changed."""
        for book in self._changed[:]:
            self.tell(book)
        self._changed.clear()  # what is left are books that the client has dropped
        self._now_ns = None

    def changed(self, book: _Book) -> None:
        """Take notice of a book with changes that nobody was told of."""
        if not any(book is one for one in self._changed):
            self._changed.append(book)

    def tell(self, book: _Book, message: Any = None) -> None:
        """Tell what has changed in a book since the last time, with the numbers that the message gives."""
        symbol = next((name for name, one in self._client.orderbooks.items() if one is book), None)
        if symbol not in self._books:
            return  # not the client's yet; `end` comes back to it
        self._changed = [one for one in self._changed if one is not book]
        bids, asks = book["bids"].take(), book["asks"].take()
        event: Literal["snapshot", "update"] = "snapshot" if book.fresh else "update"
        book.fresh = False
        facts = message if isinstance(message, dict) else {}
        last, before, first = book.get("nonce"), facts.get("pu"), facts.get("U")
        if before is not None:  # futures: the number before, where spot has its own first
            first = before + 1
        told_ms = book.get("timestamp")
        received = facts.get(_STAMP) or self._now_ns or self._clock.now_ns()
        ts_ns = None if told_ms is None else int(told_ms) * _MS
        self._books[symbol].book(BookChange(event, ts_ns, received, first, last, bids, asks))

    def trade(self, row: Mapping[str, Any]) -> None:
        """Tell a trade."""
        listener = self._trades.get(row["symbol"])
        if listener is None or row.get("timestamp") is None:
            return
        received = self._now_ns or self._clock.now_ns()
        name = row.get("id")
        if name is None:
            self._unnamed += 1
            name = f"{received}-{self._unnamed}"
        side = row.get("side")
        ts_ns = int(row["timestamp"]) * _MS
        listener.trade(
            TradeHeard(ts_ns, received, str(name), float(row["price"]), float(row["amount"]), side)
        )


class _Overheard:
    """Mixed into a client class of `ccxt`: every message passes by the ear."""

    ear: _Ear

    def open(self) -> None:
        if self.ear.closed:
            raise pro.NetworkError("the recording has ended")
        super().open()  # type: ignore[misc]

    def handle_message(self, client: Any, message: Any) -> None:
        self.ear.begin(message)
        try:
            super().handle_message(client, message)  # type: ignore[misc]
        finally:
            self.ear.end()

    def handle_order_book_message(self, client: Any, message: Any, book: Any = None, *more: Any) -> Any:
        rest = () if book is None else (book, *more)
        done = super().handle_order_book_message(client, message, *rest)  # type: ignore[misc]
        if isinstance(book, _Book):
            self.ear.tell(book, message)
        return done

    def order_book(self, snapshot: Any = None, depth: Any = None) -> OrderBook:
        return _Book(self.ear, snapshot or {}, depth, _Bids, _Asks)

    def counted_order_book(self, snapshot: Any = None, depth: Any = None) -> OrderBook:
        return _Book(self.ear, snapshot or {}, depth, _CountedBids, _CountedAsks)

    def indexed_order_book(self, snapshot: Any = None, depth: Any = None) -> OrderBook:
        raise pro.NotSupported("this exchange streams single orders, not levels")


class _Book(OrderBook):  # type: ignore[misc]
    """A book of `ccxt` that tells the ear."""

    def __init__(self, ear: _Ear, snapshot: Any, depth: Any, bids: Any, asks: Any) -> None:
        self.ear, self.fresh = ear, True

        def note() -> None:
            ear.changed(self)

        sides = {
            name: side(note, snapshot.get(name), depth) for name, side in (("bids", bids), ("asks", asks))
        }
        super().__init__({**snapshot, **sides}, depth)

    def reset(self, snapshot: Any = None) -> None:
        for side in ("bids", "asks"):
            self[side].take()
        self.fresh = True
        super().reset(snapshot or {})
        self.ear.tell(self)


class _Noting:
    """Mixed into a side of a book: every level that is set is noted."""

    def __init__(self, note: Callable[[], None], levels: Any, depth: Any) -> None:
        self._note = note
        self._noted: list[tuple[float, float]] = []
        super().__init__(levels or [], depth)  # type: ignore[call-arg]

    def storeArray(self, delta: Any) -> None:
        self._noted.append((float(delta[0]), float(delta[1])))
        self._note()
        super().storeArray(delta)  # type: ignore[misc]

    def take(self) -> list[tuple[float, float]]:
        noted, self._noted = self._noted, []
        return noted


class _Bids(_Noting, Bids):  # type: ignore[misc]
    pass


class _Asks(_Noting, Asks):  # type: ignore[misc]
    pass


class _CountedBids(_Noting, CountedBids):  # type: ignore[misc]
    pass


class _CountedAsks(_Noting, CountedAsks):  # type: ignore[misc]
    pass


class _Trades(ArrayCache):  # type: ignore[misc]
    """A list of trades of `ccxt` that tells the ear."""

    def __init__(self, ear: _Ear) -> None:
        super().__init__(1000)
        self._ear = ear

    def append(self, item: Any) -> None:
        self._ear.trade(item)
        super().append(item)


def _in_words(error: Exception) -> str:
    match error:
        case pro.ChecksumError() | pro.InvalidNonce():
            return "updates were missed: their numbers do not follow each other"
        case pro.NetworkError() | ConnectionError() | TimeoutError():
            return f"the connection was lost: {error}"
    return f"{type(error).__name__}: {error}"
