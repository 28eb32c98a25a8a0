"""Recordings of a double of Binance's streams: the lake holds what the exchange sent, or a gap says so.

The client is the real one, `ccxt.pro`, with its base address changed.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Sequence

import polars as pl
import pytest

from grn.kit.errors import BudgetError, DataError, OutputError, UsageError
from grn.quant.lake import record as record_module
from grn.quant.lake.check import check_series
from grn.quant.lake.findings import WRONG
from grn.quant.lake.holdings import Lake
from grn.quant.lake.journal import Journal
from grn.quant.lake.pull import Pulled, PullOptions, pull
from grn.quant.lake.record import Recorded, RecordOptions, record_until
from grn.quant.lake.reel import Reel
from grn.quant.lake.repair import repair
from grn.quant.lake.series import Series
from tests.quant.lake.binance_streams import AGG_TRADE, DEPTH, DEPTH_UPDATE, FAULTS, Streams
from tests.quant.lake.conftest import Place
from tests.quant.lake.loopback import NS, World
from tests.quant.lake.test_doubles import shape

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
SCHEDULES = 60 if NIGHTLY else 3
BEGIN_NS = 1_704_067_200 * NS
SYMBOLS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"}
BOTH = ("book", "trades")


def series_of(*kinds: str, symbols: Sequence[str] = tuple(SYMBOLS)) -> list[Series]:
    return [Series(kind, "ccxt:binance", symbol) for symbol in symbols for kind in kinds]


async def nap(seconds: float) -> None:
    """Back-off in the exchange's time, which runs some fifty times as fast as ours."""
    await asyncio.sleep(min(seconds / 50, 0.2))


def listen(
    lake: Lake,
    wanted: Sequence[Series],
    exchange: Streams,
    rounds: int,
    *,
    during: Callable[[], None] = lambda: None,
    options: RecordOptions | None = None,
) -> list[Recorded]:
    """Record a number of rounds with faults, and some more without, until the recorder has caught up."""
    options = options or RecordOptions(rotate_bytes=20_000)
    reels: list[Reel] = []
    recording_ended = threading.Event()

    def lagging() -> bool:
        books = [reel for reel in reels if reel.store.kind.name == "book"]
        last = [exchange.markets[SYMBOLS[reel.store.series.symbol]].last_id for reel in books]
        return not reels or not all(reel.heard for reel in reels) or [reel.last_id for reel in books] != last

    def play() -> None:
        deadline = time.monotonic() + 40

        def over() -> bool:
            return recording_ended.is_set() or time.monotonic() > deadline

        rate, exchange.rate = exchange.rate, 0.0
        for count in range(10_000):
            exchange.do(exchange.step())
            time.sleep(0.005)
            if count % 20 == 0:
                time.sleep(0.05)
                if not lagging() or over():
                    break
        exchange.rate = rate
        for _ in range(rounds):
            exchange.do(exchange.step())
            time.sleep(0.005)
        exchange.rate = 0.0
        during()
        while not over():
            for _ in range(5):
                exchange.do(exchange.step())
            time.sleep(0.3)
            if not lagging():
                break

    async def main() -> list[Recorded]:
        stop = asyncio.Event()
        recording = asyncio.create_task(
            record_until(
                lake, "ccxt:binance", wanted, options, stop,
                on_tick=lambda now: reels.__setitem__(slice(None), now), sleep=nap,
            )
        )  # fmt: skip
        playing = asyncio.create_task(asyncio.to_thread(play))
        await asyncio.wait({recording, playing}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        try:
            return await recording
        finally:
            recording_ended.set()
            await playing

    return asyncio.run(main())


def compare(lake: Lake, exchange: Streams, symbol: str) -> tuple[int, int]:
    """Hold the book of every moment to the truth; returns how many were known and unknown."""
    gaps = lake.book_gaps(symbol).select(pl.col("ts", "until").to_physical()).rows()
    stamps = lake.book_updates(symbol).collect()["ts"].to_physical()
    first, last = int(stamps.min()), int(stamps.max())  # type: ignore[arg-type]
    known = unknown = 0
    past = exchange.markets[SYMBOLS[symbol]].past
    for when, _, _ in past[:: 1 + len(past) // 200]:
        in_gap = not first <= when <= last or any(
            begin <= when and (until is None or when < until) for begin, until in gaps
        )
        if in_gap:
            with pytest.raises(DataError):
                lake.book(symbol, when)
            unknown += 1
        else:
            assert lake.book(symbol, when).rows() == exchange.true_book(SYMBOLS[symbol], when)
            known += 1
    return known, unknown


def wrong(lake: Lake, series: Series) -> list[str]:
    return [one.what for one in check_series(lake, series) if one.level == WRONG]


def true_trades(exchange: Streams, symbol: str) -> pl.DataFrame:
    rows = [
        (row["T"] * 10**6, str(row["a"]), float(row["p"]), float(row["q"]), "sell" if row["m"] else "buy")
        for row in exchange.markets[SYMBOLS[symbol]].trades
    ]
    schema = {"ts": pl.Int64, "id": pl.String, "price": pl.Float64, "amount": pl.Float64, "side": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))


def test_the_double_has_the_documented_form() -> None:
    """Messages and the snapshot have the names and types of the examples in Binance's documentation."""
    exchange = Streams(World(BEGIN_NS), 1)
    market = exchange.markets["BTCUSDT"]
    update = next(one for one in (market.step(1) for _ in range(50)) if one["b"] and one["a"])
    assert shape(update) == shape(DEPTH_UPDATE)
    assert shape(market.deal(1)) == shape(AGG_TRADE)
    assert shape(market.snapshot(0, 5)) == shape(DEPTH)


def test_a_recording_is_what_the_exchange_sent(place: Place) -> None:
    """Two symbols at once: the book of every moment, every trade, both times; files of several journals."""
    world = World(BEGIN_NS)
    with Streams(world, 5).running() as exchange:
        lake = place(exchange, world, "ccxt:binance", skew_ns=250_000_000)
        done = listen(lake, series_of(*BOTH), exchange, 150)
    assert [one.error for one in done] == [None] * 4
    assert [one.left for one in done] == [0] * 4
    for symbol in SYMBOLS:
        known, _ = compare(lake, exchange, symbol)
        assert known > 50  # the market began before the recording
        assert lake.book_gaps(symbol).is_empty()
        updates = lake.book_updates(symbol).collect()
        late = updates.filter(event="update").select(
            (pl.col("received") - pl.col("ts")).dt.total_milliseconds().alias("late")
        )["late"]
        # The two clocks are 250 ms apart; a message is handled some rounds after it was made.
        assert late.min() >= 250  # type: ignore[operator]
        assert late.median() < 5000  # type: ignore[operator]
        got = lake.trades(symbol, received=True).collect()
        truth = true_trades(exchange, symbol)
        assert got.drop("symbol", "received").equals(truth.tail(got.height))
        assert got["received"].null_count() == 0
        for kind in BOTH:
            series = Series(kind, "ccxt:binance", symbol)
            assert wrong(lake, series) == []
            assert len(lake.store(series).manifest().parts) > (kind == "book")
    assert not list(lake.root.rglob("*.log"))
    assert not list(lake.root.rglob("*.tmp"))


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_what_is_missed_is_written_down(place: Place, seed: int) -> None:
    """Messages lost, doubled, out of order; cuts, slowness, stale snapshots, refusals, restarts, clocks."""
    dice = random.Random(f"recording {seed}")
    world = World(BEGIN_NS)
    kinds = tuple(dice.sample(FAULTS, dice.randint(2, len(FAULTS))))
    skew_ns = dice.choice([0, 90 * NS, -90 * NS])
    with Streams(world, seed, rate=dice.uniform(0.005, 0.06), kinds=kinds).running() as exchange:
        lake = place(exchange, world, "ccxt:binance", skew_ns=skew_ns, timeout_s=2.0)
        done = listen(lake, series_of(*BOTH), exchange, 300)
        assert [one.error for one in done] == [None] * 4
        for symbol in SYMBOLS:
            known, _ = compare(lake, exchange, symbol)
            assert known
            assert lake.book_gaps(symbol)["until"].null_count() == 0  # it went on after every fault
            assert set(wrong(lake, Series("book", "ccxt:binance", symbol))) <= {"skew"}
        # Trades carry the numbers that they have over REST: a pull fills what was missed.
        trades = series_of("trades")
        heard = {one.symbol: lake.trades(one.symbol, received=True).collect() for one in trades}
        pulled = pull(lake, trades, PullOptions(since_ns=BEGIN_NS), sleep=nap)
        assert all(isinstance(one, Pulled) and one.revised == 0 for one in pulled), pulled
    for symbol, before in heard.items():
        # Of the last second some may be left to the next pull: the exchange's clock is told to the second.
        late = max(0, -skew_ns) + NS
        truth = true_trades(exchange, symbol).filter(pl.col("ts").to_physical() < world.now_ns - late)
        got = lake.trades(symbol, received=True).collect()
        assert truth.join(got, on=truth.columns, how="anti").is_empty()
        assert (
            got.drop("symbol", "received").join(true_trades(exchange, symbol), on="id", how="anti").is_empty()
        )
        kept = got.filter(pl.col("received").is_not_null())
        assert kept.equals(before)  # a pull forgets no time of receipt
        assert "gap" not in wrong(lake, Series("trades", "ccxt:binance", symbol)) or late > NS
    if skew_ns:
        assert all("skew" in wrong(lake, one) for one in series_of("book"))


def test_a_second_recording_goes_on_after_a_gap(place: Place) -> None:
    """The time between two recordings is a gap of the book; numbers of messages go on."""
    world = World(BEGIN_NS)
    with Streams(world, 6, symbols=("BTCUSDT",)).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        wanted = series_of("book", symbols=["BTC/USDT"])
        listen(lake, wanted, exchange, 30)
        for _ in range(10):
            exchange.do(exchange.step())
        listen(lake, wanted, exchange, 30)
    (gap,) = lake.book_gaps("BTC/USDT").rows(named=True)
    assert gap["why"] == "not recorded"
    assert gap["missed"] >= 10
    known, unknown = compare(lake, exchange, "BTC/USDT")
    assert known
    assert unknown >= 9
    seq = lake.book_updates("BTC/USDT").collect().filter(line=0)["seq"]
    assert seq.to_list() == list(range(len(seq)))
    # Asked by this machine's clock, the book is the one that had been heard by then.
    heard = lake.book_updates("BTC/USDT").filter(event="update").tail(1).collect()["received"][0]
    assert lake.book("BTC/USDT", heard, by="received").rows() == lake.book("BTC/USDT").rows()


def test_a_damaged_file_is_a_gap_after_repair(place: Place) -> None:
    """A file that is put aside leaves a gap; the files after it begin with a book of their own."""
    world = World(BEGIN_NS)
    with Streams(world, 7, symbols=("BTCUSDT",)).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        wanted = series_of("book", symbols=["BTC/USDT"])
        listen(lake, wanted, exchange, 250, options=RecordOptions(rotate_bytes=4000))
    store = lake.store(wanted[0])
    parts = store.manifest().parts
    assert len(parts) >= 3
    damaged = parts[1]
    (store.folder / damaged.name).write_bytes(b"nothing of the kind")
    assert wrong(lake, wanted[0]) == ["checksum"]
    (done,) = repair(lake, wanted)
    assert done.put_aside == (damaged.name,)
    assert wrong(lake, wanted[0]) == []
    (gap,) = lake.book_gaps("BTC/USDT").select(pl.col("ts", "until").to_physical(), "why").rows()
    assert gap[2] == "a file is damaged"
    assert gap[0] <= damaged.first_ns + 1
    assert damaged.last_ns <= gap[1]
    known, _ = compare(lake, exchange, "BTC/USDT")
    assert known > 20


def test_one_recording_of_a_series_is_enough(place: Place) -> None:
    """A second recorder of the same series is refused; a pull of the same trades is not kept waiting."""
    world = World(BEGIN_NS)
    refused: list[UsageError] = []
    with Streams(world, 8, symbols=("BTCUSDT",)).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        wanted = series_of("trades", symbols=["BTC/USDT"])

        def during() -> None:
            try:
                asyncio.run(record_until(lake, "ccxt:binance", wanted, RecordOptions(), asyncio.Event()))
            except UsageError as error:
                refused.append(error)
            (done,) = pull(lake, wanted, PullOptions(since_ns=BEGIN_NS), sleep=nap)
            assert isinstance(done, Pulled)
            assert done.rows

        listen(lake, wanted, exchange, 50, during=during)
    assert "another process is recording ccxt:binance BTC/USDT trades" in str(refused[0])
    got = lake.trades("BTC/USDT").drop("symbol").collect()
    truth = true_trades(exchange, "BTC/USDT")
    assert got.equals(truth.tail(got.height))
    assert lake.trades("BTC/USDT", received=True).collect()["received"].is_not_null().any()


def test_bad_wishes_leave_no_trace(place: Place) -> None:
    """Unknown symbols and sources, and things that nobody streams, are refused and leave an empty lake."""
    world = World(BEGIN_NS)

    def attempt(source: str, series: Series) -> str:
        with pytest.raises(UsageError) as caught:
            asyncio.run(record_until(lake, source, [series], RecordOptions(), asyncio.Event(), sleep=nap))
        return str(caught.value)

    with Streams(world, 9).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        assert "no such symbol (seen: 'BTC/USDX')" in attempt(
            "ccxt:binance", Series("book", "ccxt:binance", "BTC/USDX")
        )
        assert "no such exchange" in attempt("ccxt:binanse", Series("book", "ccxt:binanse", "BTC/USDT"))
        assert "no such source" in attempt("yfinance", Series("book", "yfinance", "SPY"))
    assert lake.series() == []
    assert not [path for path in lake.root.rglob("*") if path.is_file() and path.parent.name != "pace"]


def test_no_room_ends_a_recording_and_keeps_what_was_heard(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quota that is too small refuses; a disk that fills up ends the recording, which is then kept."""
    world = World(BEGIN_NS)
    with Streams(world, 10, symbols=("BTCUSDT",)).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        wanted = series_of("book", symbols=["BTC/USDT"])
        small = Lake(lake.root, quota_gib=0.01, clock=lake.clock)
        with pytest.raises(BudgetError, match="quota"):
            asyncio.run(record_until(small, "ccxt:binance", wanted, RecordOptions(), asyncio.Event()))
        monkeypatch.setattr(record_module, "_ROOM_S", 0.0)
        asked = 0

        def full(_: Lake, reels: Sequence[Reel]) -> None:
            nonlocal asked
            asked += any(reel.heard > 20 for reel in reels)
            if asked:
                raise OutputError("the disk has no room for what is recorded")

        monkeypatch.setattr(record_module, "_ask_room", full)
        (done,) = listen(lake, wanted, exchange, 100)
    assert isinstance(done.error, OutputError)
    assert done.left == 0
    assert compare(lake, exchange, "BTC/USDT")[0] > 5


def test_a_write_that_fails_ends_the_recording(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that cannot be written, in the middle of a message, ends it; the rest is kept."""
    world = World(BEGIN_NS)
    append = Journal.append

    def full(journal: Journal, record: list[object]) -> None:
        if record[1] == 30:
            raise OutputError("cannot write", seen="No space left on device")
        append(journal, record)

    monkeypatch.setattr(Journal, "append", full)
    with Streams(world, 13, symbols=("BTCUSDT",)).running() as exchange:
        lake = place(exchange, world, "ccxt:binance")
        (done,) = listen(lake, series_of("book", symbols=["BTC/USDT"]), exchange, 100)
    assert isinstance(done.error, OutputError)
    seq = lake.book_updates("BTC/USDT").collect()["seq"]
    assert seq.max() == 29
    assert compare(lake, exchange, "BTC/USDT")[0]
