"""Yahoo's chart service through the package `yfinance`: stocks, funds, indices, currencies.

What Yahoo sends, and what is stored:

- Its prices, volumes and dividends are divided by every later split, over the whole history, from the day on
  which a split happens. The lake multiplies them back: what is stored is what was paid on that day, and a
  split changes nothing that is stored. All splits that are needed come in the same answer, because a question
  for daily bars always reaches to the present.
- Prices are single precision (24 bits): the last digits differ from one scaling to the next, so values within
  one part in a million are the same value.
- The row of the present day comes with the others. It is dropped until half an hour after the close.
- Bars within the day are kept for 30 days (one minute), 60 days, or 730 days (one hour), and one question may
  span 7, 59 or 729 days.
- `yfinance` keeps answers about the past in memory and would repeat a bad one: an answer that cannot be read
  never gets there, and the end of each question is a second later than that of the one before.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl
import yfinance
from curl_cffi import requests

from grn.kit.errors import UsageError
from grn.kit.paths import cache_dir
from grn.quant.lake.calendars import ALWAYS, Calendar, calendar_of
from grn.quant.lake.interval import DAY_NS, NS, is_daily, length_ns
from grn.quant.lake.kinds import ACTIONS, KINDS, TS
from grn.quant.lake.pace import FlakyError, Pace, ThrottledError, date_ns, retry_after_s, utc
from grn.quant.lake.series import Series
from grn.quant.lake.source import Feed, Page, SourceSettings
from grn.quant.lake.spans import Span

_NAMES: Final[Mapping[str, str]] = {"1d": "1d", "1h": "1h", "90m": "90m", "30m": "30m", "15m": "15m",
                                    "5m": "5m", "2m": "2m", "1m": "1m"}  # fmt: skip
_REACH_DAYS: Final[Mapping[str, tuple[int, int]]] = {"1m": (30, 7), "1h": (730, 729)}
"""Of bars within the day: how many days back Yahoo keeps them, and how many one question may span."""
_OTHER_REACH: Final = (60, 59)
_EXCHANGES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("NMS", "NGM", "NCM", "NYQ", "PCX", "ASE", "BTS", "SNP", "DJI", "NIM", "WCB"), "XNYS"),
    "LSE": "XLON", "GER": "XETR", "FRA": "XFRA", "PAR": "XPAR", "AMS": "XAMS", "BRU": "XBRU", "LIS": "XLIS",
    "MIL": "XMIL", "MCE": "XMAD", "EBS": "XSWX", "VIE": "XWBO", "STO": "XSTO", "HEL": "XHEL", "CPH": "XCSE",
    "OSL": "XOSL", "TOR": "XTSE", "JPX": "XTKS", "HKG": "XHKG", "ASX": "XASX", "SHH": "XSHG", "SHZ": "XSHG",
    "KSC": "XKRX", "SAO": "BVMF", "NSI": "XBOM", "BSE": "XBOM", "SES": "XSES", "NZE": "XNZE", "CCC": ALWAYS,
}  # fmt: skip
"""Yahoo's name of an exchange to the calendar that it keeps; what is not here has no known hours."""
_OVERLAP_BARS: Final = 10
_NUMBER: Final = itertools.count()
"""Of this process's questions: no two are alike, so that none is answered out of yfinance's memory."""
_SINGLE: Final = 1e-6


class Yahoo:
    """Yahoo through `yfinance`.

    Parameters
    ----------
    argument
        Nothing: there is one Yahoo.
    settings
        How to reach it.
    pace
        How often.
    """

    kinds = ("bars",)

    def __init__(self, argument: str, settings: SourceSettings, pace: Pace) -> None:
        if argument:
            raise UsageError("yfinance is one source", seen=argument, hint="grn quant pull yfinance SPY")
        self.pace = pace
        self.settings = settings
        self.session = _Session(settings.base_url, pace)
        yfinance.config.debug.hide_exceptions = False
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what matters is raised
        folder = cache_dir() / "yfinance"
        folder.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(folder))
        self._one_by_one = asyncio.Lock()

    async def open(self, series: Series, actions: pl.DataFrame) -> Feed:
        """Ask for the last days, whose answer tells exchange, zone and currency."""
        if series.interval not in _NAMES:
            raise UsageError(
                "Yahoo has no bars of this length, or none that can be trusted",
                seen=series.interval,
                hint=f"{', '.join(_NAMES)}; longer bars are made from daily ones",
            )
        feed = ChartFeed(self, series, actions)
        await feed.learn()
        return feed

    async def close(self) -> None:
        """Close the connections."""
        self.session.close()

    async def ask(self, call: Callable[[], Any]) -> Any:
        """Make one request, at its pace, in a thread of its own: `yfinance` is synchronous.

        Raises
        ------
        MissingError
            Yahoo cannot be reached.
        UsageError
            It does not know the symbol.
        """

        async def once() -> Any:
            # One at a time: the package keeps one session, cookie and crumb for all threads.
            async with self._one_by_one:
                try:
                    return await asyncio.to_thread(call)
                except yfinance.exceptions.YFRateLimitError as error:
                    raise ThrottledError(str(error)) from error
                except yfinance.exceptions.YFException as error:
                    raise FlakyError(str(error)) from error
                except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                    # What curl raises is an OSError; the others are a body that was cut short, in the parser.
                    raise FlakyError(f"{type(error).__name__}: {error}") from error

        return await self.pace.ask(once)


class ChartFeed:
    """The chart of one symbol."""

    rtol = _SINGLE

    def __init__(self, yahoo: Yahoo, series: Series, actions: pl.DataFrame) -> None:
        assert series.interval is not None
        self._yahoo = yahoo
        self._series = series
        self._interval = series.interval
        self._daily = is_daily(series.interval)
        self._actions = actions
        self.facts: Mapping[str, str] = {}
        self.calendar: Calendar = calendar_of(None, series.interval)
        self.overlap_ns = _OVERLAP_BARS * length_ns(series.interval)

    @property
    def skew_ns(self) -> int | None:
        """Clock of this machine minus Yahoo's."""
        return self._yahoo.session.skew_ns

    def now_ns(self) -> int:
        """Give Yahoo's time, or this machine's if it is earlier."""
        return self._yahoo.pace.clock.now_ns() - max(self.skew_ns or 0, 0)

    def earliest_ns(self) -> int | None:
        """First day of trading; for bars within the day, begin of what Yahoo keeps."""
        if self._daily:
            first = self.facts.get("first_trade_ns")
            return None if first is None else int(first) // DAY_NS * DAY_NS
        # Yahoo counts its days to the second of the question: a day less is always inside.
        return self.now_ns() - (self._reach[0] - 1) * DAY_NS

    async def learn(self) -> None:
        """Find out exchange, time zone and currency."""
        answer = await self._history("1d", self._yahoo.pace.clock.now_ns() - 7 * DAY_NS)
        self.facts = {name: value for name, value in answer.facts.items() if value}
        self.calendar = calendar_of(self.facts.get("calendar"), self._interval, self.facts.get("timezone"))

    async def pages(self, span: Span, last: str | None) -> AsyncIterator[Page]:
        """Ask for one span: daily bars in one answer, others a few days at a time."""
        begin, end = span
        # The first answer reaches to the present, and so holds every split that the others are scaled by.
        answer = await self._history("1d", begin)
        if self._daily:
            self._keep(answer.actions)
            yield self._page(answer.rows, answer.splits, span)
            return
        since, chunk, pages = begin, self._reach[1] * DAY_NS, []
        while since < end:
            until = min(since + chunk, end)
            rows = (await self._history(_NAMES[self._interval], since, until)).rows
            pages.append(self._page(rows, answer.splits, (since, until)))
            since = until
        again = await self._history("1d", begin)
        if not again.splits.equals(answer.splits):
            # A split happened in between: half of the answers are on the old scale.
            async for page in self.pages(span, last):
                yield page
            return
        self._keep(answer.actions)
        for page in pages:
            yield page

    async def actions(self) -> pl.DataFrame | None:
        """All corporate actions that are known now."""
        return self._actions

    @property
    def _reach(self) -> tuple[int, int]:
        return _REACH_DAYS.get(self._interval, _OTHER_REACH)

    def _page(self, rows: pl.DataFrame, splits: pl.DataFrame, span: Span) -> Page:
        begin, end = span
        inside = (pl.col("ts") >= pl.lit(begin).cast(TS)) & (pl.col("ts") < pl.lit(end).cast(TS))
        rows = rows.filter(inside)
        if rows.height:
            rows = self._undo(rows, splits)
        newest = int(rows["ts"].to_physical()[-1]) + 1 if rows.height else begin
        return Page(rows, (begin, newest))

    def _undo(self, rows: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
        """Multiply prices by, and divide volumes by, the ratios of all splits after each bar."""
        stamps = rows["ts"].to_physical().to_numpy()
        ratio = pl.Series(
            _later_splits(splits, stamps if self._daily else _dates(stamps, self.facts["timezone"]))
        )
        prices = [pl.col(name) * ratio for name in ("open", "high", "low", "close")]
        return rows.with_columns(*prices, (pl.col("volume") / ratio).round())

    def _keep(self, found: pl.DataFrame) -> None:
        """Add what an answer told; no action is ever forgotten, and other last digits are no news."""
        key = ["ts", "action"]
        both = found.join(self._actions, on=key, how="left", suffix="_known", maintain_order="left")
        value, known = pl.col("value"), pl.col("value_known")
        news = both.filter(known.is_null() | ((value - known).abs() > known.abs() * _SINGLE)).drop(
            "value_known"
        )
        rest = self._actions.join(news, on=key, how="anti")
        self._actions = ACTIONS.sort(pl.concat([rest, news]))

    async def _history(self, interval: str, begin: int, end: int | None = None) -> _Answer:
        """One answer of the chart service, to the present where no end is given."""
        symbol, session, timeout_s = self._series.symbol, self._yahoo.session, self._yahoo.settings.timeout_s
        until = (self._yahoo.pace.clock.now_ns() if end is None else end) + (1 + next(_NUMBER)) * NS

        def call() -> _Answer:
            session.begin(symbol)
            ticker = yfinance.Ticker(symbol, session=session)
            try:
                with warnings.catch_warnings():
                    # yfinance 1.7 on pandas 3 uses keywords that a later pandas will not have.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    table = ticker.history(
                        interval=interval,
                        start=utc(begin),
                        end=utc(until),
                        auto_adjust=False,
                        actions=True,
                        prepost=False,
                        timeout=timeout_s,
                    )
            except yfinance.exceptions.YFPricesMissingError:
                # An answer without rows: nothing traded in that span, or nothing yet.
                table = None
            meta = ticker.history_metadata
            facts = {
                "calendar": _EXCHANGES.get(str(meta.get("exchangeName")), ""),
                "timezone": str(meta.get("exchangeTimezoneName") or ""),
                "currency": str(meta.get("currency") or ""),
                "first_trade_ns": _moment(meta.get("firstTradeDate")),
            }
            if session.events is None:
                raise FlakyError("an answer that was not asked for now")
            found = _found(session.events, facts["timezone"]) if facts["timezone"] else ACTIONS.empty()
            if table is None or table.empty:
                return _Answer(KINDS["bars"].empty(), found, facts)
            return _Answer(_rows(table, interval == "1d"), found, facts)

        answer: _Answer = await self._yahoo.ask(call)
        return answer


@dataclass(frozen=True)
class _Answer:
    """Rows as Yahoo scales them; actions in the money and shares of their own day; facts."""

    rows: pl.DataFrame
    actions: pl.DataFrame
    facts: Mapping[str, str]

    @property
    def splits(self) -> pl.DataFrame:
        return self.actions.filter(pl.col("action") == "split")


class _Session(requests.Session):  # type: ignore[type-arg]
    """A session of `curl_cffi` that can ask another address, and sees what `yfinance` does not pass on.

    `yfinance` takes a session of this type from its callers. Status, `Retry-After` and `Date` are read here:
    the package turns a 429 into an error without the second, a 503 into "possibly delisted". Splits and
    dividends, too: when the present day comes twice, which it does while the market is open, yfinance 1.7
    drops the row to which it had attached that day's split.
    """

    def __init__(self, base_url: str | None, pace: Pace) -> None:
        super().__init__(impersonate="chrome")
        self.symbol = ""
        self.events: Mapping[str, Any] | None = None
        self.skew_ns: int | None = None
        self._base = None if base_url is None else urlsplit(base_url)
        self._pace = pace

    def begin(self, symbol: str) -> None:
        """Forget what the answer before told."""
        self.symbol, self.events = symbol, None

    def request(self, method: Any, url: str, **options: Any) -> Any:  # type: ignore[override]
        """Make a request.

        Raises
        ------
        ThrottledError, FlakyError
            The chart service says 429, or fails.
        UsageError
            It does not know the symbol.
        """
        if self._base is not None:
            url = urlunsplit(urlsplit(url)._replace(scheme=self._base.scheme, netloc=self._base.netloc))
        response = super().request(method, url, **options)
        now_ns = self._pace.clock.now_ns()
        told_ns = date_ns(response.headers.get("Date"))
        if told_ns is not None:
            skew_ns = now_ns - told_ns - NS // 2
            self.skew_ns = skew_ns if self.skew_ns is None else min(skew_ns, self.skew_ns)
        if "/v8/finance/chart/" in url:
            self._judge(response, now_ns)
        return response

    def _judge(self, response: Any, now_ns: int) -> None:
        status = response.status_code
        if status == 429:
            raise ThrottledError(
                "429 Too Many Requests", retry_after_s(response.headers.get("Retry-After"), now_ns)
            )
        if status >= 500 or status in (401, 403, 408):
            raise FlakyError(f"Yahoo answered with status {status}")
        if status == 404:
            raise UsageError(
                "Yahoo has no data for this symbol",
                seen=self.symbol,
                hint=f"Yahoo says: {_description(response)}",
            )
        try:
            result = response.json()["chart"]["result"]
            self.events = (result[0].get("events") if result else None) or {}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # Not left to yfinance: it would keep the broken answer and give it again.
            raise FlakyError(f"an answer that cannot be read: {error}") from error


def _description(response: Any) -> str:
    try:
        return str(response.json()["chart"]["error"]["description"])
    except (ValueError, LookupError, TypeError):
        return "nothing"


def _rows(table: Any, daily: bool) -> pl.DataFrame:
    """The table of `yfinance`, which is pandas, as bars; rows that hold no price are left out."""
    kind = KINDS["bars"]
    frame = pl.DataFrame(
        {
            "ts": _labels(table.index, daily),
            **{name: table[name.title()].to_numpy(dtype=np.float64) for name in kind.values},
        }
    ).with_columns(pl.col("ts").cast(TS))
    whole = frame.filter(pl.all_horizontal(pl.col("open", "high", "low", "close").is_finite()))
    if whole["ts"].is_duplicated().any():
        raise FlakyError("an answer in which one label has two meanings")
    return kind.sort(whole.with_columns(pl.col("volume").fill_nan(0.0)))


def _found(events: Mapping[str, Any], timezone: str) -> pl.DataFrame:
    """Splits and distributions of an answer, labelled by their date; payments per share of that day."""
    zone = ZoneInfo(timezone)
    rows = []
    for name, action in (("splits", "split"), ("dividends", "dividend"), ("capitalGains", "capital_gain")):
        for event in (events.get(name) or {}).values():
            day = datetime.fromtimestamp(event["date"], zone).date()
            value = event["numerator"] / event["denominator"] if action == "split" else event["amount"]
            rows.append((day, action, float(value)))
    frame = pl.DataFrame(rows, schema={"ts": pl.Date, "action": pl.String, "value": pl.Float64}, orient="row")
    found = ACTIONS.sort(ACTIONS.fit(frame.filter(pl.col("value") > 0).with_columns(pl.col("ts").cast(TS))))
    is_split = pl.col("action") == "split"
    ratio = pl.Series(_later_splits(found.filter(is_split), found["ts"].to_physical().to_numpy()))
    return found.with_columns(pl.when(is_split).then(pl.col("value")).otherwise(pl.col("value") * ratio))


def _moment(told: Any) -> str:
    """A time that `yfinance` passes on as seconds, or has made a pandas time stamp of."""
    if told is None:
        return ""
    return str(int(told if isinstance(told, int | float) else told.timestamp()) * NS)


def _labels(index: Any, daily: bool) -> npt.NDArray[np.int64]:
    """Time stamps, or the exchange's dates at 00:00 UTC."""
    naive = index.tz_localize(None) if daily else index.tz_convert("UTC").tz_localize(None)
    stamps: npt.NDArray[np.int64] = naive.values.astype("datetime64[ns]").astype(np.int64)
    return stamps // DAY_NS * DAY_NS if daily else stamps


def _dates(stamps: npt.NDArray[np.int64], timezone: str) -> npt.NDArray[np.int64]:
    local = pl.Series(stamps).cast(TS).dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    days: npt.NDArray[np.int64] = local.dt.truncate("1d").to_physical().to_numpy()
    return days


def _later_splits(splits: pl.DataFrame, stamps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Product of the ratios of all splits after each stamp, shape (N,)."""
    dates = splits["ts"].to_physical().to_numpy()
    products = np.append(np.cumprod(splits["value"].to_numpy()[::-1])[::-1], 1.0)
    return products[np.searchsorted(dates, stamps, side="right")]
