"""A double of Binance's spot streams: diff. depth and aggregate trades over websockets, depth over REST.

The forms are those of Binance's documentation ("Web Socket Streams for Binance", sections "Diff. Depth
Stream", "Aggregate Trade Streams" and "How to manage a local order book correctly"; "Public Rest API",
section "Order book"), whose examples stand below as they are printed there; `test_record.py` holds the double
to them. The values are drawn from a seed. What is a double here is the market; the client is the real one.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.quant.lake.binance_double import symbol_info
from tests.quant.lake.loopback import World

DEPTH_UPDATE = {"e": "depthUpdate", "E": 123456789, "s": "BNBBTC", "U": 157, "u": 160,
                "b": [["0.0024", "10"]], "a": [["0.0026", "100"]]}  # fmt: skip
AGG_TRADE = {"e": "aggTrade", "E": 123456789, "s": "BNBBTC", "a": 12345, "p": "0.001", "q": "100", "f": 100,
             "l": 105, "T": 123456785, "m": True, "M": True}  # fmt: skip
DEPTH = {"lastUpdateId": 1027024, "bids": [["4.00000000", "431.00000000"]],
         "asks": [["4.00000200", "12.00000000"]]}  # fmt: skip
SUBSCRIBED = {"result": None, "id": 1}

MS = 10**6
FAULTS = ("missing", "duplicate", "reorder", "cut", "slow", "stale", "refuse", "restart")
Book = dict[str, dict[str, str]]


@dataclass
class Market:
    """One symbol's book and trades, and everything they ever were."""

    symbol: str
    dice: random.Random
    depth: int = 40
    last_id: int = 1000
    trade_id: int = 500
    book: Book = field(default_factory=lambda: {"b": {}, "a": {}})
    past: list[tuple[int, int, Book]] = field(default_factory=list)
    trades: list[dict[str, Any]] = field(default_factory=list)
    middle: int = 4_200_000

    def __post_init__(self) -> None:
        for offset in range(1, self.depth + 1):
            self.book["b"][_price(self.middle - offset)] = self.amount()
            self.book["a"][_price(self.middle + offset)] = self.amount()

    def amount(self) -> str:
        return f"{self.dice.uniform(0.001, 9):.5f}000"

    def step(self, now_ms: int) -> dict[str, Any]:
        """Change some levels; returns the message about it."""
        changes: Book = {"b": {}, "a": {}}
        self.middle += self.dice.choice([-2, -1, 0, 0, 1, 2])
        for side, sign in (("b", -1), ("a", 1)):
            # A market never crosses: what the middle has passed goes.
            for price in list(self.book[side]):
                if (round(float(price) * 100) - self.middle) * sign <= 0:
                    changes[side][price] = "0.00000000"
            for _ in range(self.dice.randint(0, 4)):
                price = _price(self.middle + sign * self.dice.randint(1, self.depth))
                gone = self.dice.random() < 0.3
                changes[side][price] = "0.00000000" if gone else self.amount()
            for price, amount in changes[side].items():
                if float(amount):
                    self.book[side][price] = amount
                else:
                    self.book[side].pop(price, None)
        first = self.last_id + 1
        self.last_id += max(1, sum(map(len, changes.values())))
        self.past.append((now_ms * MS, self.last_id, {side: dict(self.book[side]) for side in "ba"}))
        levels = {side: [list(level) for level in changes[side].items()] for side in "ba"}
        return {"e": "depthUpdate", "E": now_ms, "s": self.symbol, "U": first, "u": self.last_id, **levels}

    def deal(self, now_ms: int) -> dict[str, Any]:
        self.trade_id += 1
        price = _price(self.middle + self.dice.choice([-1, 1]))
        trade = {"e": "aggTrade", "E": now_ms, "s": self.symbol, "a": self.trade_id, "p": price,
                 "q": self.amount(), "f": 2 * self.trade_id, "l": 2 * self.trade_id + 1, "T": now_ms - 1,
                 "m": self.dice.random() < 0.5, "M": True}  # fmt: skip
        self.trades.append(trade)
        return trade

    def snapshot(self, back: int, limit: int) -> dict[str, Any]:
        _, last_id, book = self.past[max(0, len(self.past) - 1 - back)]
        bids = sorted(book["b"].items(), key=lambda level: -float(level[0]))[:limit]
        asks = sorted(book["a"].items(), key=lambda level: float(level[0]))[:limit]
        return {
            "lastUpdateId": last_id,
            "bids": [list(one) for one in bids],
            "asks": [list(one) for one in asks],
        }


def _price(cents: int) -> str:
    return f"{cents / 100:.2f}000000"


@dataclass
class Streams:
    """The exchange: REST and websockets on one port, in a thread of its own.

    `step` lets it make one round of messages; what is on its way meets the faults. Snapshots are up to
    `late_s` seconds old when they are sent; the next `deaf` subscriptions are neither answered nor served.
    """

    world: World
    seed: int
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    rate: float = 0.0
    kinds: tuple[str, ...] = FAULTS
    step_ms: int = 100
    late_s: float = 0.0
    deaf: int = 0
    drawn: list[str] = field(default_factory=list)
    url: str = ""
    down: bool = False
    connections: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.markets = {name: Market(name, random.Random(f"{self.seed} {name}")) for name in self.symbols}
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        self._late: dict[web.WebSocketResponse, list[Any]] = {}
        for market in self.markets.values():
            market.step(self.now_ms())

    def now_ms(self) -> int:
        return self.world.now_ns // MS

    @contextmanager
    def running(self) -> Iterator[Streams]:
        self._loop = asyncio.new_event_loop()
        ready, stop = threading.Event(), asyncio.Event()

        async def serve() -> None:
            app = web.Application()
            app.router.add_get("/ws/{number}", self.socket)
            app.router.add_get("/{path:.*}", self.rest)
            runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            await self.hang_up()
            await runner.cleanup()

        thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            self._loop.close()

    def do(self, work: Any) -> Any:
        """Run a coroutine in the exchange's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def step(self, rate: float | None = None) -> None:
        """One round: every symbol has a message about its book, some have a trade."""
        self.world.now_ns += self.step_ms * MS
        for name, market in self.markets.items():
            messages = [(f"{name.lower()}@depth@100ms", market.step(self.now_ms()))]
            while self.dice.random() < 0.4:
                messages.append((f"{name.lower()}@aggTrade", market.deal(self.now_ms())))
            for channel, message in messages:
                await self.send(channel, message, self.rate if rate is None else rate)

    async def send(self, channel: str, message: Any, rate: float) -> None:
        fault = self.draw(rate)
        if fault == "restart":
            self.down = True
            await self.hang_up()
            self._loop.call_later(0.15, setattr, self, "down", False)
        for socket, channels in list(self._sockets.items()):
            if channel not in channels:
                continue
            try:
                await self.deliver(socket, message, fault)
            except (ConnectionError, RuntimeError):
                self._sockets.pop(socket, None)

    def draw(self, rate: float) -> str | None:
        if self.dice.random() >= rate:
            return None
        self.drawn.append(self.dice.choice(self.kinds))
        return self.drawn[-1]

    async def deliver(self, socket: web.WebSocketResponse, message: Any, fault: str | None) -> None:
        if fault == "missing":
            return
        if fault == "cut":
            self._sockets.pop(socket, None)
            transport = socket.get_extra_info("socket") and socket._req.transport  # type: ignore[union-attr]
            if transport is not None:
                transport.abort()
            return
        if fault == "slow":
            await asyncio.sleep(0.05)
        late = self._late.pop(socket, [])
        if fault == "reorder":
            self._late[socket] = [message]
            late = []
        else:
            await socket.send_json(message)
        if fault == "duplicate":
            await socket.send_json(message)
        for one in late:
            await socket.send_json(one)

    async def hang_up(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.SERVICE_RESTART)
        self._sockets.clear()

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.Response(status=503)
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        self.connections += 1
        self._sockets[socket] = set()
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                break
            asked = message.json()
            if self.deaf:
                self.deaf -= 1
                continue
            if asked["method"] == "SUBSCRIBE":
                self._sockets.setdefault(socket, set()).update(asked["params"])
            await socket.send_json({"result": None, "id": asked["id"]})
        self._sockets.pop(socket, None)
        return socket

    async def rest(self, request: web.Request) -> web.Response:
        path, query = request.path, request.query
        self.world.asked.append(str(request.rel_url))
        if path.endswith("/exchangeInfo"):
            listed = [symbol_info(name, name[:3], name[3:]) for name in self.symbols]
            return web.json_response({"timezone": "UTC", "serverTime": self.now_ms(), "rateLimits": [],
                                      "exchangeFilters": [], "symbols": listed})  # fmt: skip
        if self.down:
            return web.Response(status=503, text="<html>upstream</html>")
        market = self.markets.get(query.get("symbol", ""))
        if market is None:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if path.endswith("/depth"):
            fault = self.draw(self.rate)
            if fault == "refuse":
                return web.json_response({"code": -1003, "msg": "Too many requests."}, status=429,
                                         headers={"Retry-After": "1"})  # fmt: skip
            back = self.dice.randint(1, 30) if fault == "stale" else 0
            answer = market.snapshot(back, int(query.get("limit", 100)))
            if self.late_s:
                await asyncio.sleep(self.dice.uniform(0, self.late_s))
            return web.json_response(answer)
        if path.endswith("/aggTrades"):
            rows = [{name: row[name] for name in "apqflTmM"} for row in market.trades]
            if "fromId" in query:
                rows = [row for row in rows if row["a"] >= int(query["fromId"])]
            elif "startTime" in query:
                rows = [row for row in rows if row["T"] >= int(query["startTime"])]
            return web.json_response(rows[: int(query.get("limit", 500))])
        return web.json_response({"code": -1, "msg": "no such endpoint"}, status=404)

    def true_book(self, symbol: str, at_ns: int) -> list[tuple[str, float, float]]:
        """The book at a moment, in the form of `Lake.book`."""
        book = next(book for when, _, book in reversed(self.markets[symbol].past) if when <= at_ns)
        rows = [(name, float(p), float(q)) for side, name in (("b", "bid"), ("a", "ask"))
                for p, q in book[side].items()]  # fmt: skip
        return sorted(rows, key=lambda row: (row[0] == "ask", row[1] if row[0] == "ask" else -row[1]))
