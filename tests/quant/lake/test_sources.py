"""What each source is asked, at which pace, and how its habits are met."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from grn.kit.clock import FixedClock
from grn.kit.errors import GrnError, MissingError, UsageError
from grn.quant.lake.gaps import NO_TRADE, NOT_LISTED
from grn.quant.lake.pace import FlakyError, Pace, ThrottledError, date_ns, retry_after_s
from grn.quant.lake.pull import Failed, Pulled, PullOptions, pull
from grn.quant.lake.series import Series
from grn.quant.lake.source import find_source, load_source_settings
from tests.quant.lake.binance_double import Binance
from tests.quant.lake.conftest import Place
from tests.quant.lake.loopback import NS, Faults, Loopback, World
from tests.quant.lake.yahoo_double import Yahoo, new_york_sessions

JANUARY_MS = 1_704_067_200_000
HOUR_NS = 3600 * NS
CANDLES = Series("bars", "ccxt:binance", "BTC/USDT", "1h")
STOCK = Series("bars", "yfinance", "TEST", "1d")


def quiet() -> Faults:
    return Faults(random.Random(0))


def binance(hours: float, **more: Any) -> tuple[World, Binance]:
    world = World(JANUARY_MS * 10**6 + round(hours * HOUR_NS))
    return world, Binance(world, quiet(), "1h", JANUARY_MS, 3000, 3, **more)


def pulled(lake: Any, series: Series, world: World, since_ms: int | None = JANUARY_MS) -> Pulled:
    since_ns = None if since_ms is None else since_ms * 10**6
    (done,) = pull(lake, [series], PullOptions(since_ns=since_ns), sleep=world.sleep)
    if isinstance(done, Failed):
        raise done.error
    return done


def test_an_exchange_that_ignores_since_is_read_backwards(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that are full, begin late and reach the present: the rest comes page by page from the end."""
    world, market = binance(500.5, ignores_since=True, most_rows=100)
    # For ccxt a page of Binance is 1,000 rows; of this exchange it is 100.
    with Loopback(world, market.faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance")
        from grn.quant.lake.sources import exchange

        monkeypatch.setattr(exchange.Exchange, "page_rows", lambda self, method: 100)
        pulled(lake, CANDLES, world)
    assert lake.bars("BTC/USDT", "1h").drop("symbol").collect().equals(market.truth())
    asked = [path for path in world.asked if "klines" in path]
    assert sum("endTime" in path for path in asked) >= 4


def test_the_candle_of_the_present_is_left_out(place: Place) -> None:
    """Half an hour before it closes it is not stored; a second after it is."""
    world, market = binance(10.5, quiet=0.0)
    with Loopback(world, market.faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance")
        assert pulled(lake, CANDLES, world).rows == 10
        world.now_ns += HOUR_NS // 2 + NS
        done = pulled(lake, CANDLES, world)
    assert (done.rows, done.added, done.revised) == (11, 1, 0)


@pytest.mark.parametrize("ahead_s", [3600 * 30, -3600])
def test_a_wrong_clock_stores_nothing_unfinished(place: Place, ahead_s: int) -> None:
    """A clock a day ahead does not close a candle before the exchange does; the error is kept for `check`."""
    world, market = binance(10.5, quiet=0.0)
    with Loopback(world, market.faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance", skew_ns=ahead_s * NS)
        done = pulled(lake, CANDLES, world)
    assert done.rows == (10 if ahead_s > 0 else 9)
    skew_ns = lake.store(CANDLES).manifest().skew_ns
    assert skew_ns == pytest.approx(ahead_s * NS, abs=1.6 * NS)


def test_a_gap_is_believed_after_three_pulls(place: Place) -> None:
    """Candles that the exchange does not have are asked for in three pulls; before the listing it says so."""
    world, market = binance(400, quiet=0.05)
    for at in [at for at in market.candles if at < JANUARY_MS + 10 * 3_600_000]:
        del market.candles[at]
    gaps = []
    with Loopback(world, market.faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance")
        for _ in range(4):
            pulled(lake, CANDLES, world)
            gaps.append(lake.gaps("BTC/USDT", "1h"))
    assert [set(table["asked"]) for table in gaps] == [{1}, {2}, {3}, {3}]
    assert set(gaps[0]["state"]) == {"missing"}
    assert gaps[2]["state"][0] == NOT_LISTED
    assert set(gaps[2]["state"][1:]) == {NO_TRADE}


def test_retry_after_is_honoured_by_everyone(place: Place) -> None:
    """A 429 that says seven seconds makes the next request wait seven seconds, whoever makes it."""
    world, market = binance(20)
    market.faults.kinds, market.faults.rate = ("429 retry-after",), 1.0
    original = market.faults.draw
    drawn: list[str | None] = []

    def draw() -> str | None:
        drawn.append(original() if len(drawn) == 1 else None)
        return drawn[-1]

    market.faults.draw = draw  # type: ignore[method-assign]
    with Loopback(world, market.faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance")
        pulled(lake, CANDLES, world)
    assert max(world.slept) == pytest.approx(7.0, abs=0.01)
    assert lake.bars("BTC/USDT", "1h").collect().height == market.truth().height


def ask(pace: Pace, outcomes: list[Exception | str]) -> str:
    async def call() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return asyncio.run(pace.ask(call))


def make_pace(folder: Path, clock: FixedClock, tries: int = 4) -> tuple[Pace, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        clock.advance(seconds)

    return Pace("here", folder, 2.0, tries, clock, sleep), slept


def test_pace_backs_off_and_gives_up(tmp_path: Path) -> None:
    """Half a second, then twice as long each time; after the last try the reason is told."""
    pace, slept = make_pace(tmp_path, FixedClock(10**18))
    assert ask(pace, [FlakyError("cut"), FlakyError("cut"), "fine"]) == "fine"
    assert slept == [0.5, 1.0]
    with pytest.raises(MissingError, match="did not answer, asked 4 times") as caught:
        ask(pace, [FlakyError(f"cut {n}") for n in range(4)])
    assert caught.value.seen == "cut 3"


def test_pace_is_shared_between_processes(tmp_path: Path) -> None:
    """Two paces with one folder take turns: two a second in all; what one is told the other keeps."""
    clock = FixedClock(10**18)
    one, slept_one = make_pace(tmp_path, clock)
    two, slept_two = make_pace(tmp_path, clock)
    for pace in (one, two, one):
        ask(pace, ["fine"])
    assert (slept_one, slept_two) == ([0.5], [0.5])
    with pytest.raises(MissingError):
        ask(one, [ThrottledError("429", 20.0)] * 4)
    slept_two.clear()
    ask(two, ["fine"])
    assert slept_two == [20.0]


def test_pace_does_not_wait_for_hours(tmp_path: Path) -> None:
    """A ban of more than a quarter of an hour ends the pull with what to do, at once."""
    pace, slept = make_pace(tmp_path, FixedClock(10**18))
    with pytest.raises(MissingError, match=r"asks to be left alone for 7,200 s"):
        ask(pace, [ThrottledError("418", 7200.0)])
    assert slept == []


def test_headers_are_read() -> None:
    """Retry-After as seconds or a date, Date as a moment (RFC 9110); nonsense says nothing."""
    now_ns = 784_111_777 * NS  # Sun, 06 Nov 1994 08:49:37 GMT, the date of the RFC's examples
    assert date_ns("Sun, 06 Nov 1994 08:49:37 GMT") == now_ns
    assert retry_after_s("120", now_ns) == 120.0
    assert retry_after_s("Sun, 06 Nov 1994 08:50:37 GMT", now_ns) == 60.0
    assert retry_after_s("Sun, 06 Nov 1994 08:48:37 GMT", now_ns) == 0.0
    assert [retry_after_s(text, now_ns) for text in (None, "soon", "")] == [None, None, None]
    assert [date_ns(text) for text in (None, "today")] == [None, None]


def test_a_split_rewrites_nothing(place: Place) -> None:
    """The day after a split every price of Yahoo's history has changed, and no file of the lake."""
    sessions = new_york_sessions("2024-01-02", "2024-06-28")
    dates = [date for date, _, _ in sessions]
    world = World(dates[60] * NS)
    stock = Yahoo(world, quiet(), sessions, 8, splits={dates[65]: 10.0}, dividends={dates[30]: 1.0})
    with Loopback(world, stock.faults, stock.answer) as server:
        lake = place(server, world, "yfinance")
        assert pulled(lake, STOCK, world).rows == 60
        before = lake.bars("TEST", "1d", adjusted=False).collect()
        world.now_ns = dates[70] * NS
        done = pulled(lake, STOCK, world)
    assert (done.rows, done.revised) == (70, 0)
    after = lake.bars("TEST", "1d", adjusted=False).collect()
    assert after.head(60).equals(before)
    actions = lake.actions("TEST")
    assert actions["action"].to_list() == ["dividend", "split"]
    # What was paid on an old share stays what was paid, although Yahoo now says 0.1.
    assert actions["value"].to_list() == [1.0, 10.0]
    adjusted = lake.bars("TEST", "1d").collect()
    assert adjusted["close"][64] == pytest.approx(after["close"][64] / 10)
    assert adjusted["volume"][64] == pytest.approx(after["volume"][64] * 10)
    assert adjusted["close"][29] == pytest.approx(after["close"][29] / 10 * (1 - 1.0 / after["close"][29]))
    assert adjusted["close"][66] == after["close"][66]


def test_a_split_that_is_not_told_is_refused(place: Place) -> None:
    """Prices on another scale and no split with them: nothing is stored; when it is told all is well."""
    sessions = new_york_sessions("2024-01-02", "2024-06-28")
    dates = [date for date, _, _ in sessions]
    world = World(dates[60] * NS)
    stock = Yahoo(world, quiet(), sessions, 8, splits={dates[65]: 4.0}, early_s=12 * 3600)
    with Loopback(world, stock.faults, stock.answer) as server:
        lake = place(server, world, "yfinance")
        pulled(lake, STOCK, world)
        before = lake.bars("TEST", "1d", adjusted=False).collect()
        world.now_ns = sessions[65][1] * NS - 3600 * NS  # an hour before that session opens
        with pytest.raises(MissingError, match="on another scale, and no split with them") as caught:
            pulled(lake, STOCK, world)
        assert caught.value.seen == "0.25 times what it gave before"
        assert lake.bars("TEST", "1d", adjusted=False).collect().equals(before)
        world.now_ns += 7200 * NS
        done = pulled(lake, STOCK, world)
    assert (done.rows, done.revised) == (65, 0)
    raw = lake.bars("TEST", "1d", adjusted=False).collect()
    assert raw["close"].to_list() == pytest.approx(stock.truth()["close"].to_list())


def test_bars_within_the_day(place: Place) -> None:
    """One-hour bars of a stock: asked from the opening on, 730 days back at most, splits undone."""
    sessions = new_york_sessions("2026-10-01", "2026-11-20")
    days = {date: (begin, end) for date, begin, end in sessions}
    dates = list(days)
    world = World(dates[-1] * NS + 86_400 * NS)
    double = Yahoo(world, quiet(), sessions, 2, splits={dates[20]: 2.0})

    def answer(path: str, query: Mapping[str, str], fault: str | None) -> tuple[int, Any]:
        status, said = double.answer(path, query, fault)
        if query.get("interval") != "1h":
            return status, said
        low, high = int(query["period1"]), min(int(query["period2"]), world.now_ns // NS)
        stamps = [at for begin, end in days.values() for at in range(begin, end, 3600) if low <= at < high]
        scale = [2.0 if at // 86_400 * 86_400 < dates[20] else 1.0 for at in stamps]
        closes = [(100.0 + n % 7) / factor for n, factor in enumerate(scale)]
        quote = dict.fromkeys(("open", "high", "low", "close"), closes)
        result = said["chart"]["result"][0]
        periods = [
            [{"timezone": "EST", "start": begin, "end": end, "gmtoffset": -18_000}]
            for begin, end in days.values()
        ]
        result["meta"] |= {"dataGranularity": "1h", "tradingPeriods": periods}
        result |= {
            "timestamp": stamps,
            "indicators": {"quote": [quote | {"volume": [200 * f for f in scale]}]},
        }
        return 200, said

    series = Series("bars", "yfinance", "TEST", "1h")
    with Loopback(world, double.faults, answer) as server:
        lake = place(server, world, "yfinance")
        since_ms = dates[10] * 1000
        done = pulled(lake, series, world, since_ms)
    expected = sum(len(range(begin, end, 3600)) for date, (begin, end) in days.items() if date >= dates[10])
    assert (done.rows, done.open_gaps) == (expected, 0)
    raw = lake.bars("TEST", "1h", adjusted=False).collect()
    assert raw["volume"].unique().to_list() == [200.0]
    assert raw["close"].min() >= 99.9
    assert raw["ts"][0].hour == 13  # 09:30 in New York, in daylight saving time
    adjusted = lake.bars("TEST", "1h").collect()
    assert adjusted["volume"][0] == 400.0
    assert adjusted["volume"][-1] == 200.0


@pytest.mark.parametrize(
    ("series", "says", "hint"),
    [
        (Series("bars", "ccxt:binance", "BTC/USD", "1h"), "binance has no such symbol", "BTC/USDT"),
        (Series("bars", "ccxt:binance", "BTC/USDT", "7m"), "has no bars of this length", "15m"),
        (Series("bars", "ccxt:binanse", "BTC/USDT", "1h"), "ccxt has no such exchange", "binance"),
        (Series("bars", "bloomberg", "SPY", "1d"), "no such source of data", "yfinance, ccxt:EXCHANGE"),
    ],
    ids=str,
)
def test_what_an_exchange_does_not_know_is_refused(
    place: Place, series: Series, says: str, hint: str
) -> None:
    """The nearest names are in the hint, and the lake is as it was."""
    world, market = binance(5)
    with Loopback(world, market.faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance")
        with pytest.raises(UsageError, match=says) as caught:
            pulled(lake, series, world)
    assert hint in str(caught.value.hint)
    assert not (lake.root / "bars").exists()


def test_a_stock_that_yahoo_does_not_know(place: Place) -> None:
    """Yahoo's own words; also for one that was delisted, whose history stays."""
    sessions = new_york_sessions("2024-01-02", "2024-03-01")
    world = World(sessions[-1][0] * NS)
    double = Yahoo(world, quiet(), sessions, 8)
    with Loopback(world, double.faults, double.answer) as server:
        lake = place(server, world, "yfinance")
        with pytest.raises(UsageError, match="no data for this symbol") as caught:
            pulled(lake, Series("bars", "yfinance", "GONE", "1d"), world)
        assert caught.value.hint == "Yahoo says: No data found, symbol may be delisted"
        pulled(lake, STOCK, world)
        double.answer = lambda *_: (404, {"chart": {"result": None, "error": None}})  # type: ignore[method-assign]
        server.answer = double.answer
        with pytest.raises(UsageError, match="no data for this symbol"):
            pulled(lake, STOCK, world)
    assert lake.bars("TEST", "1d").collect().height == double.truth().height


@pytest.mark.parametrize(("name", "series"), [("ccxt:binance", CANDLES), ("yfinance", STOCK)])
def test_nobody_there(place: Place, name: str, series: Series) -> None:
    """No network: every source says that it was not reached, exit code 3, and nothing is written."""
    world, market = binance(5)
    server = Loopback(world, market.faults, market.answer)
    server.server.server_close()
    lake = place(server, world, name)
    with pytest.raises(GrnError, match="did not answer, asked 6 times") as caught:
        pulled(lake, series, world)
    assert caught.value.exit_code == 3
    assert not (lake.root / "bars").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('["here"]\nbase_url = "ftp://x"', "base_url is no address"),
        ('["here"]\nper_s = 0', "must be positive"),
        ('["here"]\nspeed = 1', "that nobody knows"),
        ('["here"]\nper_s = "fast"', "of the wrong type"),
        ("here = 1", "that nobody knows"),
        ("[", "cannot be read"),
    ],
)
def test_settings_of_a_source_are_checked(tmp_path: Path, text: str, says: str) -> None:
    """A wrong table is refused by name; a missing one means the defaults."""
    (tmp_path / "sources.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        load_source_settings(tmp_path, "here")
    if not text.startswith("["):
        assert load_source_settings(tmp_path, "there").tries == 6


def test_a_source_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points of the group `grn.lake_sources`, with what follows the colon as argument."""
    from grn.quant.lake import source

    class Entry:
        name = "mine"

        def load(self) -> str:
            return "maker"

    monkeypatch.setattr(
        source, "entry_points", lambda group, name="mine": [Entry()] if name == "mine" else []
    )
    assert find_source("mine:eu") == ("maker", "eu")
    assert source.others() == ["mine"]
