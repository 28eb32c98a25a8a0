"""What the websocket client of `ccxt` hears, told message by message.

The books and lists that the client keeps are made here: they note what is put into them, and an `Ear` tells
it.
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
from grn.quant.lake.live import BookChange, Listener, TradeHeard
from grn.quant.lake.series import Series

_MS: Final = 1_000_000
_STAMP: Final = "grn_received_ns"
_SAME_NUMBERS: Final[Mapping[str, Mapping[str, object]]] = {
    name: {"name": "aggTrade"} for name in ("binance", "binanceus", "binanceusdm", "binancecoinm")
}
"""Exchanges that stream trades with other numbers than they give over REST, unless asked for the same."""


class Ear:
    """What was heard through one client, told to whom it concerns."""

    def __init__(self, client: Any, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self.closed = False
        self._now_ns: int | None = None
        self._books: dict[str, Listener] = {}
        self._trades: dict[str, Listener] = {}
        self._changed: list[_Book] = []
        self._asking: dict[asyncio.Task[Any], tuple[Any, ...]] = {}
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
        return series.kind != "book" or (isinstance(book, _Book) and not book.fresh)

    def forget(self, series: Series) -> None:
        """Drop what a fault has made doubtful: what was begun for the book, connections that are gone."""
        clients = self._client.clients or {}
        if series.kind == "book":
            self._client.orderbooks.pop(series.symbol, None)
            self.ask_no_more(series.symbol)
            for client in clients.values():
                for name in _subscriptions(series.symbol):
                    client.subscriptions.pop(name, None)
        for url, client in list(clients.items()):
            if client.connection is not None and client.closed():
                del clients[url]

    def hang_up(self, series: Series) -> None:
        """End the connections that should have spoken: whoever else listens to them subscribes anew."""
        clients = list((self._client.clients or {}).values())
        names = _subscriptions(series.symbol)
        carrying = [one for one in clients if not names.isdisjoint({*one.subscriptions, *one.futures})]
        for client in carrying or clients:
            client.on_error(pro.RequestTimeout(f"{client.url} has gone silent"))

    def ask_no_more(self, symbol: str | None = None) -> None:
        """End the client's own tasks that have to do with a symbol, or all of them: they fetch snapshots."""
        for task, arguments in self._asking.items():
            if symbol is None or any(
                symbol == (one.get("symbol") if isinstance(one, dict) else one) for one in arguments
            ):
                task.cancel()

    def oversee(self, method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        """Make a task of the client one that can be ended without a word."""

        async def run(*arguments: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None
            self._asking[task] = arguments
            try:
                return await method(*arguments)
            except asyncio.CancelledError:
                return None  # the client would report it through asyncio's log
            finally:
                del self._asking[task]

        return run

    def make_book(self, snapshot: Any, depth: Any, *, counted: bool = False) -> OrderBook:
        """Make a book for the client; `counted` is one whose levels say how many orders they hold."""
        sides = (_CountedBids, _CountedAsks) if counted else (_Bids, _Asks)
        return _Book(self, snapshot or {}, depth, *sides)

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

    def put(self, book: Any, message: Any) -> None:
        """Tell that the client has put a message into a book."""
        if isinstance(book, _Book):
            self.tell(book, message)

    def tell(self, book: _Book, message: Any = None) -> None:
        """Tell what has changed in a book since the last time, with the numbers that the message gives."""
        symbol = next((name for name, one in self._client.orderbooks.items() if one is book), None)
        if symbol not in self._books:
            return  # not the client's yet; `end` comes back to it
        self._changed = [one for one in self._changed if one is not book]
        bids, asks = book["bids"].take(), book["asks"].take()
        event: Literal["snapshot", "update"] = "snapshot" if book.fresh else "update"
        # What comes with the stream is put into a book while a message is taken.
        fetched = book.fresh and self._now_ns is None
        book.fresh = False
        facts = message if isinstance(message, dict) else {}
        last, before, first = book.get("nonce"), facts.get("pu"), facts.get("U")
        if before is not None:  # futures: the number before, where spot has its own first
            first = before + 1
        told_ms = book.get("timestamp")
        received = facts.get(_STAMP) or self._now_ns or self._clock.now_ns()
        ts_ns = None if told_ms is None else int(told_ms) * _MS
        self._books[symbol].book(BookChange(event, ts_ns, received, first, last, bids, asks, fetched))

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


class _Book(OrderBook):  # type: ignore[misc]
    """A book of `ccxt` that tells the ear."""

    def __init__(self, ear: Ear, snapshot: Any, depth: Any, bids: Any, asks: Any) -> None:
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

    def __init__(self, ear: Ear) -> None:
        super().__init__(1000)
        self._ear = ear

    def append(self, item: Any) -> None:
        self._ear.trade(item)
        super().append(item)


def _subscriptions(symbol: str) -> set[str]:
    """What `ccxt` calls the subscription to a book, in nearly all of its classes."""
    return {f"orderbook:{symbol}", f"orderbook::{symbol}"}
