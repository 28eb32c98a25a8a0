"""A double of Binance's public REST interface: exchangeInfo, klines, aggTrades.

The forms are those that Binance documents and that `ccxt` quotes from recorded answers (in `fetch_markets`,
`fetch_ohlcv` and `fetch_trades` of its module `binance`); `test_doubles.py` holds them to recorded rows. The
values are drawn from a seed. What is a double here is the market; the client is the real one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tests.quant.lake.loopback import Faults, Present, World

MS = 10**6
UNIT_MS = {"1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}


def symbol_info(symbol: str, base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": symbol, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset":
        quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True, "ocoAllowed": True, "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True, "cancelReplaceAllowed": True, "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000",
             "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000",
             "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        ],
        "permissions": [], "permissionSets": [["SPOT", "MARGIN"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }  # fmt: skip


@dataclass
class Binance:
    """A market with one symbol, BTCUSDT, and its truth."""

    world: World | Present
    faults: Faults
    interval: str
    begin_ms: int
    bars: int
    seed: int
    most_rows: int = 1000
    ignores_since: bool = False
    quiet: float = 0.03
    candles: dict[int, list[Any]] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        step, price = UNIT_MS[self.interval], 42_000.0
        for number in range(self.bars):
            at = self.begin_ms + number * step
            moves = [price := price * (1 + dice.gauss(0, 0.002)) for _ in range(4)]
            if number and dice.random() < self.quiet:
                continue  # nothing traded: no candle
            self.candles[at] = self.candle(at, moves, dice.uniform(1, 90))

    def candle(self, at: int, moves: list[float], volume: float) -> list[Any]:
        text = [f"{value:.2f}000000" for value in (moves[0], max(moves), min(moves), moves[-1])]
        return [at, *text, f"{volume:.8f}", at + UNIT_MS[self.interval] - 1, f"{volume * moves[0]:.8f}",
                int(volume * 9) + 1, f"{volume / 2:.8f}", f"{volume * moves[0] / 2:.8f}", "0"]  # fmt: skip

    def make_trades(self, count: int, mean_gap_ms: float) -> None:
        dice, at, price = random.Random(self.seed + 1), float(self.begin_ms), 42_000.0
        for number in range(count):
            price *= 1 + dice.gauss(0, 1e-4)
            self.trades.append(
                {"a": 9_990 + number, "p": f"{price:.2f}000000", "q": f"{dice.uniform(1e-4, 1):.8f}",
                 "f": 20_000 + 2 * number, "l": 20_001 + 2 * number, "T": int(at), "m": dice.random() < 0.5,
                 "M": True}
            )  # fmt: skip
            # Several in one millisecond are common.
            at += 0 if dice.random() < 0.2 else dice.expovariate(1 / mean_gap_ms)

    def revise(self, dice: random.Random, newest: int) -> None:
        """Change the volume of one of the newest closed candles."""
        step = UNIT_MS[self.interval]
        closed = [at for at in sorted(self.candles) if at + step <= self.world.now_ns // MS][-newest:]
        if closed:
            row = self.candles[dice.choice(closed)]
            row[5] = f"{float(row[5]) + dice.uniform(1, 5):.8f}"

    def truth(self, since_ms: int | None = None) -> pl.DataFrame:
        """Closed candles, as a lake should have them."""
        now, step = self.world.now_ns // MS, UNIT_MS[self.interval]
        rows = [
            (at * MS, *(float(text) for text in row[1:6]))
            for at, row in sorted(self.candles.items())
            if at + step <= now and at >= (since_ms or 0)
        ]
        names = ("ts", "open", "high", "low", "close", "volume")
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64) | {"ts": pl.Int64}, orient="row")
        return frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))

    def true_trades(self) -> pl.DataFrame:
        rows = [
            (row["T"] * MS, str(row["a"]), float(row["p"]), float(row["q"]), "sell" if row["m"] else "buy")
            for row in self.trades
            if row["T"] * MS < self.world.now_ns
        ]
        schema = {
            "ts": pl.Int64,
            "id": pl.String,
            "price": pl.Float64,
            "amount": pl.Float64,
            "side": pl.String,
        }
        return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            pl.col("ts").cast(pl.Datetime("ns", "UTC"))
        )

    def answer(self, path: str, query: Mapping[str, str], fault: str | None) -> tuple[int, Any]:
        now = self.world.now_ns // MS
        if path.endswith("/exchangeInfo"):
            listed = [symbol_info("BTCUSDT", "BTC", "USDT"), symbol_info("ETHUSDT", "ETH", "USDT")]
            return 200, {"timezone": "UTC", "serverTime": now, "rateLimits": [], "exchangeFilters": [],
                         "symbols": listed}  # fmt: skip
        if path.endswith("/time"):
            return 200, {"serverTime": now}
        if query.get("symbol") != "BTCUSDT":
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        if path.endswith("/klines"):
            return 200, self.klines(query, now, fault)
        if path.endswith("/aggTrades"):
            return 200, self.agg_trades(query, now, fault)
        return 404, {"code": -1, "msg": "no such endpoint"}

    def klines(self, query: Mapping[str, str], now: int, fault: str | None) -> list[Any]:
        step = UNIT_MS[self.interval]
        limit = min(int(query.get("limit", 500)), self.most_rows)
        start = None if self.ignores_since else int(query["startTime"]) if "startTime" in query else None
        stop = int(query.get("endTime", now))
        if fault == "stale":  # a cache that is some bars old, its last candle as it was then
            now -= self.faults.dice.randint(1, 5) * step
        rows = [
            self.at(at, now) for at in sorted(self.candles) if at <= min(stop, now) and at >= (start or 0)
        ]
        rows = rows[:limit] if start is not None else rows[-limit:]
        return self.spoil(rows, fault, key=0)

    def at(self, at: int, now: int) -> list[Any]:
        """A candle as it stands at `now`: unfinished if it is the present one."""
        row = self.candles[at]
        if at + UNIT_MS[self.interval] <= now:
            return list(row)
        return [*row[:2], row[1], row[1], row[1], f"{float(row[5]) / 7:.8f}", *row[6:]]

    def agg_trades(self, query: Mapping[str, str], now: int, fault: str | None) -> list[Any]:
        limit = min(int(query.get("limit", 500)), self.most_rows)
        rows = [row for row in self.trades if row["T"] < now]
        if "fromId" in query:
            rows = [row for row in rows if row["a"] >= int(query["fromId"])][:limit]
        elif "startTime" in query:
            start, stop = int(query["startTime"]), int(query.get("endTime", now))
            rows = [row for row in rows if start <= row["T"] <= stop][:limit]
        else:
            rows = rows[-limit:]
        return self.spoil([dict(row) for row in rows], fault, key="a")

    def spoil(self, rows: list[Any], fault: str | None, key: int | str) -> list[Any]:
        dice = self.faults.dice
        if not rows:
            return rows
        if fault == "duplicate":
            place = dice.randrange(len(rows))
            rows.insert(place, rows[place])
        elif fault == "conflict":
            place = dice.randrange(len(rows))
            other = rows[place].copy()
            other["q" if key == "a" else 5] = "77.00000000"
            rows.insert(place, other)
        elif fault == "missing":
            for _ in range(min(len(rows), dice.randint(1, 4))):
                rows.pop(dice.randrange(len(rows)))
        elif fault == "short":
            rows = rows[: max(1, len(rows) - dice.randint(1, len(rows)))]
        return rows
