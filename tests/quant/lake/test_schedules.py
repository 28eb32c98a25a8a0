"""Seeded fault schedules: whatever a source does on the way, the lake ends as the source's truth.

The clients are the real packages, `ccxt` and `yfinance`, with their base address changed; the servers are the
doubles. A schedule is a seed: how often which fault comes, how time goes on between pulls, what the source
revises, when its stock is split. After it the faults stop, and one pull and one repair later the lake has
to be right.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import polars as pl
import pytest

from grn.quant.lake.check import WRONG, check_series
from grn.quant.lake.holdings import Lake
from grn.quant.lake.pull import Failed, PullOptions, pull
from grn.quant.lake.repair import repair
from grn.quant.lake.series import Series
from tests.quant.lake.binance_double import UNIT_MS, Binance
from tests.quant.lake.conftest import Place
from tests.quant.lake.loopback import NS, Faults, Loopback, World
from tests.quant.lake.yahoo_double import Yahoo, new_york_sessions

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
EACH = 170 if NIGHTLY else 3  # of three kinds: 510 schedules
TIMEOUT_S = 1.0
SLOW_S = 1.3
JANUARY_MS = 1_704_067_200_000  # 2024-01-01


def pull_once(lake: Lake, series: Series, world: World, since_ms: int | None = JANUARY_MS) -> bool:
    since_ns = None if since_ms is None else since_ms * 10**6
    (done,) = pull(lake, [series], PullOptions(since_ns=since_ns), sleep=world.sleep)
    return not isinstance(done, Failed)


def finish(lake: Lake, series: Series, world: World, faults: Faults) -> None:
    """Faults are over: one pull and one repair."""
    faults.rate = 0.0
    assert pull_once(lake, series, world)
    (done,) = repair(lake, [series], sleep=world.sleep)
    assert done.pulled is not None
    assert not isinstance(done.pulled, Failed), done.pulled.error
    assert not done.put_aside
    wrong = [
        one for one in check_series(lake, series) if one.level == WRONG and one.what not in ("gap", "skew")
    ]
    assert not wrong, wrong


def same(got: pl.DataFrame, truth: pl.DataFrame, rtol: float = 0.0) -> None:
    assert got["ts"].equals(truth["ts"])
    for name in truth.columns[1:]:
        if truth[name].dtype == pl.String or not rtol:
            assert got[name].equals(truth[name]), name
        else:
            assert ((got[name] - truth[name]).abs() <= rtol * truth[name].abs()).all(), name


@pytest.mark.parametrize("seed", range(EACH))
def test_candles_end_as_the_exchange_has_them(place: Place, seed: int) -> None:
    """Faults of transport and content, partial last candle, revised candles, a clock that is wrong."""
    dice = random.Random(f"candles {seed}")
    interval = dice.choice(["1m", "1h"])
    step_ns = UNIT_MS[interval] * 10**6
    world = World(JANUARY_MS * 10**6 + dice.randint(100, 900) * step_ns + dice.randint(0, step_ns))
    faults = Faults(dice, dice.uniform(0.05, 0.5))
    market = Binance(
        world,
        faults,
        interval,
        JANUARY_MS,
        1500,
        seed,
        most_rows=dice.choice([37, 100, 499, 1000]),
        quiet=dice.choice([0.0, 0.02, 0.3]),
    )
    series = Series("bars", "ccxt:binance", "BTC/USDT", interval)
    with Loopback(world, faults, market.answer, SLOW_S) as server:
        skew_ns = dice.choice([0, 90 * NS, -90 * NS])
        lake = place(server, world, "ccxt:binance", skew_ns=skew_ns, timeout_s=TIMEOUT_S)
        # A history that begins late, and is filled backwards by a later pull.
        begin = JANUARY_MS + dice.choice([0, 50]) * UNIT_MS[interval]
        for _ in range(dice.randint(2, 4)):
            pull_once(lake, series, world, begin)
            if dice.random() < 0.6:
                market.revise(dice, newest=20)
            world.now_ns += dice.randint(0, 40) * step_ns + dice.randint(0, step_ns)
        finish(lake, series, world, faults)
    truth = market.truth()
    if skew_ns < 0:
        # A clock that is behind closes the last candles later: nothing may be wrong, some may not be there
        # yet.
        truth = truth.filter(pl.col("ts").to_physical() + step_ns <= world.now_ns + skew_ns)
    same(lake.bars("BTC/USDT", interval).drop("symbol").collect(), truth)
    assert not list(lake.root.rglob("*.tmp"))


@pytest.mark.parametrize("seed", range(EACH))
def test_trades_end_as_the_exchange_has_them(place: Place, seed: int) -> None:
    """The same for trades by number, several of them in one millisecond, over answers of any size."""
    dice = random.Random(f"trades {seed}")
    world = World(JANUARY_MS * 10**6 + 3600 * NS)
    faults = Faults(dice, dice.uniform(0.05, 0.45))
    market = Binance(world, faults, "1m", JANUARY_MS, 10, seed, most_rows=dice.choice([97, 500, 1000]))
    market.make_trades(3000, 2400.0)
    series = Series("trades", "ccxt:binance", "BTC/USDT")
    with Loopback(world, faults, market.answer, SLOW_S) as server:
        lake = place(server, world, "ccxt:binance", timeout_s=TIMEOUT_S)
        since = JANUARY_MS + dice.choice([0, 600_000])
        for _ in range(dice.randint(1, 3)):
            pull_once(lake, series, world, since)
            world.now_ns += dice.randint(0, 1200) * NS
        finish(lake, series, world, faults)
    got, truth = lake.trades("BTC/USDT").drop("symbol").collect(), market.true_trades()
    same(got, truth.head(got.height))
    # The exchange's time is told to the second: trades of the last one may be left to the next pull.
    late = truth.tail(truth.height - got.height)["ts"].to_physical()
    assert (late >= world.now_ns - NS).all()
    assert not [one for one in check_series(lake, series) if one.level == WRONG]


@pytest.mark.parametrize("seed", range(EACH))
def test_a_stock_ends_as_yahoo_has_it(place: Place, seed: int) -> None:
    """The same for daily bars, split and paid dividends on while they are pulled: raw prices never change."""
    dice = random.Random(f"stock {seed}")
    sessions = new_york_sessions("2024-01-02", "2024-12-31")
    dates = [date for date, _, _ in sessions]
    start = dice.randint(20, 120)
    world = World(dates[start] * NS + dice.randint(0, 86_400) * NS)
    faults = Faults(dice, dice.uniform(0.05, 0.5))
    stock = Yahoo(
        world,
        faults,
        sessions,
        seed,
        splits={dates[start + dice.randint(-10, 15)]: dice.choice([2.0, 3.0, 4.0, 10.0])},
        dividends={dates[start + dice.randint(-15, 15)]: 0.5},
    )
    series = Series("bars", "yfinance", "TEST", "1d")
    with Loopback(world, faults, stock.answer, SLOW_S) as server:
        lake = place(server, world, "yfinance", timeout_s=TIMEOUT_S)
        for _ in range(dice.randint(2, 5)):
            pull_once(lake, series, world)
            if dice.random() < 0.5:
                stock.revise(dice, newest=5)
            world.now_ns += dice.randint(0, 5 * 86_400) * NS
        finish(lake, series, world, faults)
    truth = stock.truth()
    same(lake.bars("TEST", "1d", adjusted=False).drop("symbol").collect(), truth, rtol=1e-6)
    happened = {
        date for date in (*stock.splits, *stock.dividends) if date * NS <= truth["ts"].to_physical()[-1]
    }
    stored = set((lake.actions("TEST")["ts"].to_physical() // NS).to_list())
    assert happened <= stored


def test_no_file_of_a_schedule_is_left_over(place: Place, tmp_path: Path) -> None:
    """A pull that fails for good leaves a lake that is empty, not one that is half there."""
    world = World(JANUARY_MS * 10**6 + 3600 * NS)
    faults = Faults(random.Random(1), 1.0, kinds=("503",))
    market = Binance(world, faults, "1m", JANUARY_MS, 10, 1)
    series = Series("bars", "ccxt:binance", "BTC/USDT", "1m")
    with Loopback(world, faults, market.answer) as server:
        lake = place(server, world, "ccxt:binance")
        assert not pull_once(lake, series, world)
    assert lake.series() == []
    assert not (lake.root / "bars").exists()
