"""What a reel writes, call by call: the book of any moment is one that the exchange had, or a gap says so.

No network and no threads: the orders of calls here are those that a busy machine makes of a live recording.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from grn.kit.errors import DataError
from grn.quant.lake.check import check_series
from grn.quant.lake.findings import WRONG
from grn.quant.lake.holdings import Lake
from grn.quant.lake.live import BookChange, Level
from grn.quant.lake.reel import Reel, recording
from grn.quant.lake.series import Series
from tests.quant.lake.loopback import NS, Clock, World

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
ORDERS = 400 if NIGHTLY else 12
BEGIN_NS = 1_704_067_200 * NS
STEP_NS = NS // 10
SYMBOL = "BTC/USDT"
SERIES = Series("book", "ccxt:binance", SYMBOL)
BID, ASK = (100.0, 1.0), (101.0, 1.0)
Rows = list[tuple[str, float, float]]


def snapshot(last_id: int, *bids: Level, ts_ns: int | None = None, fetched: bool = True) -> BookChange:
    return BookChange("snapshot", ts_ns, BEGIN_NS, None, last_id, [BID, *bids], [ASK], fetched)


def update(last_id: int, ts_ns: int, *bids: Level, first_id: int | None = None) -> BookChange:
    return BookChange("update", ts_ns, ts_ns, first_id or last_id, last_id, bids, [])


@contextmanager
def recorded(lake: Lake) -> Iterator[Reel]:
    """A recording; when it is over everything is Parquet."""
    store = lake.store(SERIES)
    with recording(store, {}, lake.clock, 1.0) as reel:
        yield reel
        reel.close()
        reel.take_in(1.0)


def bid_prices(lake: Lake, at: int) -> list[float]:
    """Prices that somebody bids at a moment."""
    return lake.book(SYMBOL, at).filter(side="bid")["price"].to_list()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake on a machine whose clock is a minute and a half slow."""
    return Lake(tmp_path / "lake", clock=Clock(World(BEGIN_NS + 1000 * STEP_NS), -90 * NS))


def test_a_snapshot_that_waits_at_the_end_is_not_written(lake: Lake) -> None:
    """Its moment is unknown: this machine's clock, which is slow, would put it before everything else."""
    with recorded(lake) as reel:
        reel.book(snapshot(1))
        for number in range(2, 6):
            reel.book(update(number, BEGIN_NS + number * STEP_NS, (90.0 + number, 1.0)))
        reel.book(snapshot(5, (50.0, 7.0)))
    assert (
        lake.book_updates(SYMBOL).select(pl.col("ts").min()).collect().item()
        == pl.select(pl.lit(BEGIN_NS + 2 * STEP_NS).cast(pl.Datetime("ns", "UTC"))).item()
    )
    with pytest.raises(DataError, match="no recording that begins before"):
        lake.book(SYMBOL, BEGIN_NS)
    assert bid_prices(lake, BEGIN_NS + 3 * STEP_NS) == [100.0, 93.0, 92.0]
    assert bid_prices(lake, BEGIN_NS + 5 * STEP_NS) == [100.0, 95.0, 94.0, 93.0, 92.0]


@pytest.mark.parametrize("ts_ns", [None, BEGIN_NS + 5 * STEP_NS])
def test_a_snapshot_that_leaps_is_a_gap(lake: Lake, ts_ns: int | None) -> None:
    """What lies between the last update and a snapshot ahead of it was not heard, its own time or none."""
    with recorded(lake) as reel:
        reel.book(snapshot(1))
        reel.book(update(2, BEGIN_NS + 2 * STEP_NS, (92.0, 1.0)))
        # Fetched late: the exchange is at 4, and 3 and 4 will be left out as old when they come.
        reel.book(snapshot(4, (92.0, 1.0), (93.0, 1.0), (94.0, 1.0), ts_ns=ts_ns))
        reel.book(update(5, BEGIN_NS + 5 * STEP_NS, (95.0, 1.0)))
    assert reel.breaks == 1
    assert bid_prices(lake, BEGIN_NS + 2 * STEP_NS) == [100.0, 92.0]
    for number in (3, 4):
        with pytest.raises(DataError, match="does not go on from the last update"):
            lake.book(SYMBOL, BEGIN_NS + number * STEP_NS)
    assert bid_prices(lake, BEGIN_NS + 5 * STEP_NS) == [100.0, 95.0, 94.0, 93.0, 92.0]
    gaps = lake.book_gaps(SYMBOL).select(pl.col("ts", "until").to_physical(), "missed")
    assert gaps.rows() == [(BEGIN_NS + 2 * STEP_NS + 1, BEGIN_NS + 5 * STEP_NS, 2)]


def test_a_snapshot_of_the_very_book_is_no_gap(lake: Lake) -> None:
    """A snapshot at the number of the last update, or one in the stream with its own time, goes on."""
    with recorded(lake) as reel:
        reel.book(snapshot(1))
        reel.book(update(2, BEGIN_NS + 2 * STEP_NS, (92.0, 1.0)))
        reel.book(snapshot(2, (92.0, 1.0)))
        reel.book(update(3, BEGIN_NS + 3 * STEP_NS, (93.0, 1.0)))
        reel.book(snapshot(7, (97.0, 1.0), ts_ns=BEGIN_NS + 4 * STEP_NS, fetched=False))
    assert reel.breaks == 0
    assert lake.book_gaps(SYMBOL).is_empty()
    assert bid_prices(lake, BEGIN_NS + 3 * STEP_NS) == [100.0, 93.0, 92.0]
    assert bid_prices(lake, BEGIN_NS + 4 * STEP_NS) == [100.0, 97.0]


@pytest.mark.parametrize("rotating", [False, True])
def test_time_does_not_go_back(lake: Lake, rotating: bool) -> None:
    """An exchange's clock that steps back: every moment's book is one that there was."""
    steps = [2, 5, 3, 4, 6]
    with recorded(lake) as reel:
        reel.book(snapshot(1))
        for number, step in enumerate(steps, 2):
            reel.book(update(number, BEGIN_NS + step * STEP_NS, (90.0 + number, 1.0)))
            if rotating:
                reel.rotate()
    # A checkpoint is a nanosecond late by intent; what comes in the same moment after it is not.
    messages = lake.book_updates(SYMBOL).filter(pl.col("event") != "checkpoint").collect().sort("seq", "line")
    assert messages["ts"].is_sorted()
    # One after the other the updates add a bid each, so a book is known by how many there are.
    counts = [len(bid_prices(lake, BEGIN_NS + step * STEP_NS)) - 1 for step in range(2, 7)]
    assert counts == [1, 1, 1, 4, 5]
    assert [one for one in check_series(lake, SERIES) if one.level == WRONG] == []


@dataclass
class Client:
    """A double of a client that numbers its way: what `ccxt` does with Binance's stream, without a network.

    Snapshots are in no hurry: one of an earlier subscription may come after a later one.
    """

    reel: Reel
    dice: random.Random
    tells_time: bool
    last_id: int = 1
    now_ns: int = BEGIN_NS
    book: dict[float, float] = field(default_factory=lambda: {100.0: 1.0})
    nonce: int | None = None
    cached: list[BookChange] = field(default_factory=list)
    way: list[BookChange] = field(default_factory=list)
    asked: list[BookChange] = field(default_factory=list)
    past: dict[int, Rows] = field(default_factory=dict)

    def step(self) -> None:
        """The exchange changes something; its message is on its way, or is lost there."""
        self.now_ns += STEP_NS
        first = self.last_id + 1
        changes = {
            100.0 - self.dice.randint(1, 9): float(self.dice.randint(0, 3))
            for _ in range(self.dice.randint(1, 3))
        }
        self.last_id += len(changes)
        for price, amount in changes.items():
            self.book[price] = amount
            if not amount:
                del self.book[price]
        self.past[self.now_ns] = [
            *(("bid", price, self.book[price]) for price in sorted(self.book, reverse=True)),
            ("ask", *ASK),
        ]
        if self.dice.random() < 0.95:
            self.way.append(update(self.last_id, self.now_ns, *changes.items(), first_id=first))

    def ask(self) -> None:
        """Fetch a snapshot: it is of now, and comes when it comes."""
        told_ns, levels = self.now_ns if self.tells_time else None, [*self.book.items()]
        self.asked.append(
            BookChange("snapshot", told_ns, self.now_ns, None, self.last_id, levels, [ASK], True)
        )

    def hear(self, message: BookChange) -> None:
        """Take an update, if it goes on from what is known."""
        assert message.first_id is not None
        assert message.last_id is not None
        if self.nonce is None:
            self.cached.append(message)
        elif message.last_id > self.nonce:
            if message.first_id - 1 <= self.nonce:
                self.reel.book(message)
                self.nonce = message.last_id
            else:
                self.begin_anew("missed")

    def begin_anew(self, why: str) -> None:
        """A fault: subscribe anew. What was on its way is gone; what was asked for is not."""
        self.reel.lost(why)
        self.nonce = None
        self.cached.clear()
        self.ask()

    def take(self, answer: BookChange) -> None:
        """A snapshot has come, whoever asked for it."""
        self.reel.book(answer)
        self.nonce = answer.last_id
        waiting, self.cached = self.cached, []
        for message in waiting:
            if message.last_id > self.nonce >= message.first_id - 1:  # type: ignore[operator]
                self.reel.book(message)
                self.nonce = message.last_id


@pytest.mark.parametrize("seed", range(ORDERS))
def test_any_order_of_calls(lake: Lake, seed: int) -> None:
    """Late snapshots, lost messages, faults, rotations: each moment's book is the exchange's, or in a gap."""
    dice = random.Random(f"calls {seed}")
    with recorded(lake) as reel:
        client = Client(reel, dice, tells_time=seed % 3 == 2)
        client.ask()
        for _ in range(60):
            client.step()
            for _ in range(dice.choice([0, 1, 1, 1, 3])):
                if client.way:
                    client.hear(client.way.pop(0))
            chance = dice.random()
            if chance < 0.03:
                client.begin_anew("cut")
            elif chance < 0.06:
                client.ask()
            elif chance < 0.09:
                reel.rotate()
            if client.asked and dice.random() < 0.2:
                client.take(client.asked.pop(dice.randrange(len(client.asked))))
    if SERIES not in lake.series():
        return
    stamps = lake.book_updates(SYMBOL).collect()["ts"].to_physical()
    gaps = lake.book_gaps(SYMBOL).select(pl.col("ts", "until").to_physical()).rows()
    for when, truth in client.past.items():
        known = int(stamps.min()) <= when <= int(stamps.max()) and not any(  # type: ignore[arg-type]
            begin <= when and (until is None or when < until) for begin, until in gaps
        )
        if known:
            assert lake.book(SYMBOL, when).rows() == truth
        else:
            with pytest.raises(DataError):
                lake.book(SYMBOL, when)
    assert [one for one in check_series(lake, SERIES) if one.level == WRONG] == []
