"""Exchanges through the package `ccxt`: candles and trades over REST.

What differs from exchange to exchange, and how it is met:

- The size of a page is what `ccxt` says the exchange allows, and an answer is allowed to hold one row more or
  fewer: the next question begins at the last row that came, which has to come again.
- Some exchanges ignore ``since`` and give their newest rows. An answer that is full, begins later than it was
  asked and reaches the present is taken for that; then the history is read backwards, page by page.
- The candle of the present comes with the others. It is dropped until it is closed by the exchange's own
  clock.
- Most exchanges leave a candle out when nothing traded. An empty answer is not the end of the history: the
  question moves on by one page until it reaches the present.
- Trades of exchanges in `_BY_ID` are asked for by number, and the numbers leave no doubt about what is
  missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import ccxt.async_support as ccxt
import polars as pl

from grn.kit.errors import GrnError, MissingError, UsageError
from grn.quant.lake.calendars import ALWAYS, calendar_of
from grn.quant.lake.interval import NS, length_ns
from grn.quant.lake.kinds import KINDS, TS
from grn.quant.lake.pace import FlakyError, Pace, ThrottledError, date_ns, retry_after_s
from grn.quant.lake.series import Series
from grn.quant.lake.source import Feed, Page, SourceSettings
from grn.quant.lake.spans import Span

_MS: Final = 1_000_000
_HOUR_NS: Final = 3600 * NS
_DEFAULT_PAGE: Final = 500
_OVERLAP_BARS: Final = 60
_OVERLAP_TRADES: Final = 100
_BY_ID: Final[Mapping[str, str]] = {
    "binance": "fromId",
    "binanceus": "fromId",
    "binanceusdm": "fromId",
    "binancecoinm": "fromId",
}
"""Exchanges that number the trades of a market one by one, and the parameter that asks from a number on."""
_DOUBTS: Final = 3
"""How often an answer with numbers missing is asked for again before it is believed."""


class Exchange:
    """An exchange that `ccxt` knows.

    Parameters
    ----------
    argument
        Its identifier there, such as ``binance``.
    settings
        How to reach it.
    pace
        How often.

    Raises
    ------
    UsageError
        `ccxt` has no such exchange.
    """

    kinds = ("bars", "trades")

    def __init__(self, argument: str, settings: SourceSettings, pace: Pace) -> None:
        if argument not in ccxt.exchanges:
            near = get_close_matches(argument, ccxt.exchanges, n=3)
            raise UsageError(
                "ccxt has no such exchange",
                seen=argument,
                hint=f"did you mean {' or '.join(near)}?"
                if near
                else "for example ccxt:binance, ccxt:kraken",
            )
        self.name = argument
        self.pace = pace
        self.skew_ns: int | None = None
        self.client = self._client_class(argument)(
            {"enableRateLimit": True, "timeout": round(settings.timeout_s * 1000)}
        )
        if self.name == "binance":
            # Markets of futures live on hosts of their own, which a network may not reach.
            self.client.options["fetchMarkets"] = {"types": ["spot"]}
        if settings.base_url is not None:
            self.client.urls["api"] = _moved(self.client.urls["api"], settings.base_url)
        if settings.stream_url is not None:
            self.client.urls["api"]["ws"] = _moved(self.client.urls["api"]["ws"], settings.stream_url)
        self._one_by_one = asyncio.Lock()

    def _client_class(self, name: str) -> Any:
        return getattr(ccxt, name)

    async def open(self, series: Series, actions: pl.DataFrame) -> Feed:
        """Load the exchange's markets and find the symbol."""
        facts = await self.find(series)
        if series.kind == "trades":
            return TradeFeed(self, series, facts)
        known = self.client.timeframes or {}
        if series.interval not in known:
            raise UsageError(
                f"{self.name} has no bars of this length", seen=series.interval, hint=", ".join(known)
            )
        return CandleFeed(self, series, facts)

    async def find(self, series: Series) -> Mapping[str, str]:
        """Load the exchange's markets and look the symbol up; returns facts about it.

        Raises
        ------
        UsageError
            The exchange does not know the symbol.
        MissingError
            It cannot be reached.
        """
        await self.ask(self.client.load_markets)
        if series.symbol not in self.client.markets:
            near = get_close_matches(series.symbol, self.client.symbols, n=3)
            raise UsageError(
                f"{self.name} has no such symbol",
                seen=series.symbol,
                hint=f"did you mean {' or '.join(near)}?" if near else "written as in BTC/USDT",
            )
        currency = str(self.client.market(series.symbol).get("quote") or "")
        facts = {"calendar": ALWAYS, "currency": currency}
        if series.kind == "trades":
            facts["numbered"] = "yes" if self.name in _BY_ID else "no"
        return facts

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def ask(self, call: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
        """Make one request through the client, at its pace, and sort what may go wrong.

        Raises
        ------
        MissingError
            The exchange cannot be reached, or refuses to serve this network.
        UsageError
            It says that the request is wrong.
        """

        async def once() -> Any:
            async with self._one_by_one:
                try:
                    answer = await call(*arguments)
                except (FlakyError, GrnError):
                    raise
                except Exception as error:
                    raise self._sorted(error) from error
                self._note_time()
                return answer

        return await self.pace.ask(once)

    def now_ns(self) -> int:
        """Give the exchange's time, or this machine's if it is earlier."""
        return self.pace.clock.now_ns() - max(self.skew_ns or 0, 0)

    def page_rows(self, method: str) -> int:
        """Rows that one answer may hold."""
        features = (self.client.features or {}).get("spot") or {}
        limit = (features.get(method) or {}).get("limit")
        return int(limit or _DEFAULT_PAGE)

    def _note_time(self) -> None:
        headers = {name.lower(): value for name, value in (self.client.last_response_headers or {}).items()}
        told_ns = date_ns(headers.get("date"))
        if told_ns is not None:
            # The header is cut to the second: half of one is its middle. A slow answer makes the difference
            # look larger, never smaller.
            skew_ns = self.pace.clock.now_ns() - told_ns - NS // 2
            self.skew_ns = skew_ns if self.skew_ns is None else min(skew_ns, self.skew_ns)

    def _sorted(self, error: Exception) -> Exception:
        """Turn what the client raised into: later, again, or never."""
        said = str(error)
        match error:
            case ccxt.DDoSProtection() | ccxt.RateLimitExceeded():  # 418 and 429
                headers = self.client.last_response_headers or {}
                header = {name.lower(): value for name, value in headers.items()}.get("retry-after")
                return ThrottledError(said, retry_after_s(header, self.pace.clock.now_ns()))
            case ccxt.BadSymbol() | ccxt.BadRequest() | ccxt.NotSupported():
                return UsageError(f"{self.name} refuses the request", seen=said)
            case ccxt.PermissionDenied() | ccxt.AuthenticationError() | ccxt.ExchangeNotAvailable() if (
                not isinstance(error, ccxt.ExchangeNotAvailable) or " 451 " in said
            ):
                return MissingError(
                    f"{self.name} does not serve this network",
                    seen=said,
                    hint="another exchange, or a mirror as base_url in sources.toml",
                )
            case ccxt.NetworkError() | ccxt.BadResponse():
                return FlakyError(said)
            case ccxt.ExchangeError() if isinstance(error.__cause__, aiohttp.ClientError):
                return FlakyError(f"{said}: {error.__cause__}")
            case TypeError() | AttributeError() | LookupError() | ValueError() | aiohttp.ClientError():
                # A body that was cut short reaches the client's parsers as text.
                return FlakyError(f"an answer that cannot be read: {type(error).__name__}: {said}")
        return error


class _Feed:
    """What feeds of one exchange have in common."""

    rtol = 0.0

    def __init__(self, exchange: Exchange, series: Series, facts: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._series = series
        self.facts = facts
        self.calendar = calendar_of(ALWAYS, series.interval or "1m")

    @property
    def skew_ns(self) -> int | None:
        return self._exchange.skew_ns

    def now_ns(self) -> int:
        return self._exchange.now_ns()

    def earliest_ns(self) -> int | None:
        return None

    async def actions(self) -> pl.DataFrame | None:
        return None


class CandleFeed(_Feed):
    """Candles of one market."""

    def __init__(self, exchange: Exchange, series: Series, facts: Mapping[str, str]) -> None:
        super().__init__(exchange, series, facts)
        assert series.interval is not None
        self._interval = series.interval
        self._step = length_ns(series.interval)
        self._limit = exchange.page_rows("fetchOHLCV")
        self.overlap_ns = _OVERLAP_BARS * self._step

    async def pages(self, span: Span, last: str | None) -> AsyncIterator[Page]:
        """Ask forwards, page by page; backwards where the exchange ignores where to begin."""
        begin, end = span
        cursor = asked_from = begin
        while cursor < end:
            rows = await self._ask(cursor, None)
            fresh = rows.filter(_between(asked_from, end))
            if not rows.is_empty() and self._ignored(rows, cursor, end):
                async for page in self._backwards((asked_from, end)):
                    yield page
                return
            if fresh.is_empty():
                cursor = max(cursor, asked_from) + self._limit * self._step
                continue
            newest = _last(fresh)
            yield Page(fresh, (asked_from, newest + self._step))
            asked_from = newest + self._step
            cursor = newest if newest > cursor else newest + self._step
            if asked_from >= end:
                return

    def _ignored(self, rows: pl.DataFrame, cursor: int, end: int) -> bool:
        late = _first(rows) > cursor + self._step
        return late and rows.height >= self._limit - 1 and _last(rows) >= end - self._step

    async def _backwards(self, span: Span) -> AsyncIterator[Page]:
        begin, until = span
        while until > begin:
            rows = (await self._ask(None, until)).filter(_between(begin, until))
            if rows.is_empty():
                return
            yield Page(rows, (_first(rows), until))
            until = _first(rows)

    async def _ask(self, since: int | None, until: int | None) -> pl.DataFrame:
        """One answer as a table, checked: whole rows, labels on the grid, no label with two meanings."""
        client = self._exchange.client
        params = {} if until is None else {"until": until // _MS - 1}
        since_ms = None if since is None else since // _MS

        async def checked() -> pl.DataFrame:
            answer = await client.fetch_ohlcv(
                self._series.symbol, self._interval, since_ms, self._limit, params
            )
            rows = _candles(answer)
            labels = self.calendar.expected(_first(rows), _last(rows) + 1) if rows.height else None
            if labels is not None and not rows["ts"].to_physical().is_in(labels.tolist()).all():
                raise FlakyError(f"candles of {self._series} with labels off the grid")
            return rows

        return await self._exchange.ask(checked)  # type: ignore[no-any-return]


class TradeFeed(_Feed):
    """Trades of one market."""

    def __init__(self, exchange: Exchange, series: Series, facts: Mapping[str, str]) -> None:
        super().__init__(exchange, series, facts)
        self._limit = exchange.page_rows("fetchTrades")
        self._by_id = _BY_ID.get(exchange.name)
        self.overlap_ns = 0

    async def pages(self, span: Span, last: str | None) -> AsyncIterator[Page]:
        """Ask from the last known trade on, by number where trades have one, else by time."""
        begin, end = span
        known = None if self._by_id is None or last is None or not last.isdigit() else int(last)
        # What was stored before the span is compared; where nothing was, nothing before it is wanted.
        lowest = begin if known is None else 0
        cursor, start, sure = begin, begin, known is not None
        if known is not None:
            known = max(known - _OVERLAP_TRADES, -1)
        while cursor < end:
            if known is not None:
                rows = await self._ask(None, {str(self._by_id): known + 1}, known + 1 if sure else None)
                sure = True
            else:
                rows = await self._ask(cursor, {}, None)
            if rows.is_empty():
                if known is not None:
                    return
                cursor += _HOUR_NS
                continue
            if self._by_id is not None and known is None:
                # An answer by time does not show what it lacks: the same once more by number, from before it.
                known = max(int(rows["id"][0]) - 1 - self._limit, -1)
                yield Page(rows.filter(_between(begin, end)), (start, start))
                continue
            newest = _last(rows)
            fresh = rows.filter(_between(lowest, end))
            if not fresh.is_empty():
                yield Page(fresh, (start, _last(fresh) + 1))
                start = _last(fresh) + 1
            if self._by_id is not None:
                known = int(rows["id"][-1])
            elif newest <= cursor:
                # More trades in one millisecond than an answer holds: nothing asks for the rest.
                newest += _MS
            cursor = newest

    async def _ask(self, since: int | None, params: Mapping[str, object], first: int | None) -> pl.DataFrame:
        client = self._exchange.client
        since_ms = None if since is None else since // _MS
        doubts = 0

        async def checked() -> pl.DataFrame:
            nonlocal doubts
            rows = _trades(
                await client.fetch_trades(self._series.symbol, since_ms, self._limit, dict(params))
            )
            if self._by_id is not None and rows.height:
                numbers = rows["id"].cast(pl.Int64)
                holes = int(numbers[-1]) - int(numbers[0] if first is None else first) + 1 - rows.height
                if holes and doubts < _DOUBTS:
                    doubts += 1
                    raise FlakyError(f"an answer with {holes} trades of {self._series} missing")
            return rows

        return await self._exchange.ask(checked)  # type: ignore[no-any-return]


def _candles(answer: object) -> pl.DataFrame:
    kind = KINDS["bars"]
    if not isinstance(answer, list) or not all(isinstance(row, list) and len(row) >= 6 for row in answer):
        raise FlakyError("an answer that is no list of candles")
    frame = pl.DataFrame(
        [row[:6] for row in answer], schema=["ts", *kind.values], orient="row", infer_schema_length=None
    )
    return _unique(_stamped(frame), "bars")


def _trades(answer: object) -> pl.DataFrame:
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise FlakyError("an answer that is no list of trades")
    names = ("timestamp", "id", "price", "amount", "side")
    rows = [tuple(row.get(name) for name in names) for row in answer]
    return _unique(_stamped(pl.DataFrame(rows, schema=["ts", *names[1:]], orient="row")), "trades")


def _stamped(frame: pl.DataFrame) -> pl.DataFrame:
    """Milliseconds to nanoseconds; a row without its time or price is a fault of the answer."""
    needed = [name for name in ("ts", "close", "price", "id") if name in frame.columns]
    if frame.select(pl.any_horizontal(pl.col(needed).is_null().any())).item():
        raise FlakyError(f"an answer in which a row lacks {' or '.join(needed)}")
    return frame.with_columns((pl.col("ts").cast(pl.Int64) * _MS).cast(TS))


def _unique(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    kind = KINDS[name]
    frame = kind.sort(kind.fit(frame).unique())
    if frame.select(pl.struct(kind.key).is_duplicated().any()).item():
        raise FlakyError("an answer in which one label has two meanings")
    return frame


def _moved(urls: Any, base: str) -> Any:
    """Put every address onto another host, paths kept; those of websockets stay websockets."""
    if isinstance(urls, dict):
        return {name: _moved(url, base) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    to, old = urlsplit(base), urlsplit(urls)
    scheme = to.scheme.replace("http", "ws") if old.scheme in ("ws", "wss") else to.scheme
    return urlunsplit(old._replace(scheme=scheme, netloc=to.netloc))


def _between(begin: int, end: int) -> pl.Expr:
    return (pl.col("ts") >= _at(begin)) & (pl.col("ts") < _at(end))


def _at(ts_ns: int) -> pl.Expr:
    return pl.lit(ts_ns).cast(TS)


def _first(rows: pl.DataFrame) -> int:
    return int(rows["ts"].to_physical()[0])


def _last(rows: pl.DataFrame) -> int:
    return int(rows["ts"].to_physical()[-1])
