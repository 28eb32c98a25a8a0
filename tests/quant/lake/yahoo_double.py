"""A double of Yahoo's chart service, split-adjusted as the real one is.

The form of an answer is that of recorded ones: AAPL over its split of 2020-08-31 and an unknown symbol, of
which `recorded/` holds the ends (`test_doubles.py` holds the double to them). The values are drawn from a
seed, kept in single precision as Yahoo's are. What is a double here is the service; the client is the real
one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from tests.quant.lake.loopback import NS, Faults, World

DAY = 86_400


@dataclass
class Yahoo:
    """One stock on the New York exchange, ``TEST``, and its truth: prices as they were on the day."""

    world: World
    faults: Faults
    sessions: list[tuple[int, int, int]]
    """Date at 00:00 UTC, opening and close, in seconds."""
    seed: int
    splits: dict[int, float] = field(default_factory=dict)
    """Date to new shares for one old."""
    dividends: dict[int, float] = field(default_factory=dict)
    """Date to what was paid on a share of that day."""
    early_s: int = 0
    """How long before a split is told prices are on its scale already."""
    raw: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dice, price = random.Random(self.seed), 120.0
        for date, _, _ in self.sessions:
            price /= self.splits.get(date, 1.0)
            moves = [price := price * (1 + dice.gauss(0, 0.01)) for _ in range(4)]
            values = [moves[0], max(moves), min(moves), moves[-1]]
            self.raw[date] = [
                *(round(value, 2) for value in values),
                float(dice.randrange(10**5, 10**7) * 100),
            ]

    def later(self, date: int, now: int) -> float:
        """Product of the splits after a date that have happened at `now`: at the opening of their day."""
        opened = {day for day, opening, _ in self.sessions if opening < now + self.early_s}
        ratio = 1.0
        for when, value in self.splits.items():
            if date < when and when in opened:
                ratio *= value
        return ratio

    def revise(self, dice: random.Random, newest: int) -> None:
        now = self.world.now_ns // NS
        closed = [date for date, _, close in self.sessions if close <= now][-newest:]
        if closed:
            self.raw[dice.choice(closed)][4] += 100.0 * dice.randint(1000, 9000)

    def truth(self) -> pl.DataFrame:
        """Closed bars, raw: half an hour after the close a day is settled."""
        now = self.world.now_ns // NS
        rows = [(date * NS, *self.raw[date]) for date, _, close in self.sessions if close + 1800 <= now]
        names = ("ts", "open", "high", "low", "close", "volume")
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64) | {"ts": pl.Int64}, orient="row")
        return frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))

    def answer(self, path: str, query: Mapping[str, str], fault: str | None) -> tuple[int, Any]:
        if path == "/v1/test/getcrumb":
            return 200, "crumb"
        if not path.startswith("/v8/finance/chart/"):
            return 404, {"finance": {"result": None, "error": None}}
        symbol = path.rpartition("/")[2]
        if symbol != "TEST":
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return 404, {"chart": {"result": None, "error": error}}
        now = self.world.now_ns // NS
        if fault == "stale":
            now -= self.faults.dice.randint(1, 4) * DAY
        start, stop = int(query.get("period1", now - 5 * DAY)), int(query.get("period2", now))
        shown = [one for one in self.sessions if one[1] >= start and one[1] < min(stop, now)]
        if fault == "missing" and shown:
            gone = set(self.faults.dice.sample(range(len(shown)), min(len(shown), 2)))
            shown = [one for place, one in enumerate(shown) if place not in gone]
        if fault == "short":
            shown = shown[: len(shown) // 2]
        # Events stand apart from the rows, and are there although a row is missing.
        told = [one for one in self.sessions if start <= one[1] < min(stop, now)]
        return 200, {"chart": {"result": [self.result(symbol, shown, told, now, fault)], "error": None}}

    def result(
        self,
        symbol: str,
        shown: list[tuple[int, int, int]],
        told: list[tuple[int, int, int]],
        now: int,
        fault: str | None,
    ) -> dict[str, Any]:
        rows = [self.row(date, close, now) for date, _, close in shown]
        # The present day is stamped with the time of its last trade, the others with their opening.
        stamps = [opening if close <= now else min(now, close) for _, opening, close in shown]
        if rows and fault in ("duplicate", "conflict"):
            # Yahoo's own habit: the last day twice, once with the live price.
            stamps.append(stamps[-1] + 60)
            rows.append(list(rows[-1]))
        result: dict[str, Any] = {"meta": self.meta(symbol, now)}
        if not rows:
            return result | {"indicators": {"quote": [{}]}}
        events: dict[str, Any] = {}
        for date, opening, _ in told:
            if date in self.dividends:
                amount = self.dividends[date] / self.later(date, now)
                events.setdefault("dividends", {})[str(opening)] = {"amount": amount, "date": opening}
            if date in self.splits:
                ratio = int(self.splits[date])
                events.setdefault("splits", {})[str(opening)] = {
                    "date": opening, "numerator": ratio, "denominator": 1, "splitRatio": f"{ratio}:1"
                }  # fmt: skip
        columns = dict(zip(("open", "high", "low", "close", "volume"), zip(*rows, strict=True), strict=True))
        quote = {name: list(values) for name, values in columns.items()}
        adjusted = {"adjclose": [{"adjclose": quote["close"]}]}
        found = {"events": events} if events else {}
        return result | {"timestamp": stamps} | found | {"indicators": {"quote": [quote], **adjusted}}

    def row(self, date: int, close: int, now: int) -> list[float]:
        ratio = self.later(date, now)
        values = self.raw[date]
        if close > now:  # unfinished
            values = [values[0], values[0], values[0], values[0], values[4] / 3]
        prices = [float(np.float32(value / ratio)) for value in values[:4]]
        return [*prices, round(values[4] * ratio)]

    def meta(self, symbol: str, now: int) -> dict[str, Any]:
        offset = -18_000
        period = {"timezone": "EST", "start": now, "end": now, "gmtoffset": offset}
        return {
            "currency": "USD", "symbol": symbol, "exchangeName": "NMS", "fullExchangeName": "NasdaqGS",
            "instrumentType": "EQUITY", "firstTradeDate": self.sessions[0][1], "regularMarketTime": now,
            "hasPrePostMarketData": True, "gmtoffset": offset, "timezone": "EST",
            "exchangeTimezoneName": "America/New_York", "regularMarketPrice": 1.0, "fiftyTwoWeekHigh": 1.0,
            "fiftyTwoWeekLow": 1.0, "regularMarketDayHigh": 1.0, "regularMarketDayLow": 1.0,
            "regularMarketVolume": 1, "longName": "Test Inc.", "shortName": "Test Inc.",
            "chartPreviousClose": 1.0, "priceHint": 2,
            "currentTradingPeriod": {"pre": period, "regular": dict(period), "post": dict(period)},
            "dataGranularity": "1d", "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        }  # fmt: skip


def new_york_sessions(first: str, last: str) -> list[tuple[int, int, int]]:
    """Sessions of the exchange, from the package `exchange_calendars`."""
    from grn.quant.lake.calendars import _sessions

    low, high = (int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in (first, last))
    columns = (column // NS for column in _sessions("XNYS"))
    return [
        (int(date), int(begin), int(end))
        for date, begin, end in zip(*columns, strict=True)
        if low <= date <= high
    ]
