"""What `check` finds: every kind of finding is made to happen, and repaired where it can be."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from grn.kit.clock import FixedClock
from grn.quant.lake.calendars import Sessions
from grn.quant.lake.check import LOOK, WRONG, Finding, check_series
from grn.quant.lake.holdings import Lake
from grn.quant.lake.load import LoadOptions, load_file
from grn.quant.lake.pull import Failed, Pulled, PullOptions, pull
from grn.quant.lake.repair import repair
from grn.quant.lake.series import Series
from tests.quant.lake.binance_double import Binance
from tests.quant.lake.conftest import Place
from tests.quant.lake.loopback import NS, Faults, Loopback, World

DAY_NS = 86_400 * NS
STOCK = Series("bars", "yfinance", "SPY", "1d")
JANUARY_NS = 1_704_067_200 * NS
CANDLES = Series("bars", "ccxt:binance", "BTC/USDT", "1h")


@pytest.fixture
def sessions() -> list[int]:
    labels = Sessions("XNYS", "1d").expected(JANUARY_NS, JANUARY_NS + 200 * DAY_NS)
    assert labels is not None
    return labels.tolist()


def stock(labels: list[int], jump: int | None = None, ratio: float = 2.0) -> pl.DataFrame:
    dice, price, rows = random.Random(1), 100.0, []
    for place, label in enumerate(labels):
        price = price / ratio if place == jump else price
        rows.append((label, price, price * 1.01, price * 0.99, price, 1000.0))
        price *= 1 + dice.gauss(0, 0.01)
    names = ("ts", "open", "high", "low", "close", "volume")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64) | {"ts": pl.Int64}, orient="row")
    return frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))


def fill(tmp_path: Path, rows: pl.DataFrame, **more: object) -> Lake:
    last = int(rows["ts"].to_physical()[-1])
    lake = Lake(tmp_path, clock=FixedClock(last + DAY_NS))
    with lake.store(STOCK).writing(1.0) as writer:
        writer.merge(rows)
        covered = [(int(rows["ts"].to_physical()[0]), last + 1)]
        facts = {"calendar": "XNYS", "timezone": "America/New_York"}
        writer.commit(covered=covered, facts=facts, pulled=True, **more)  # type: ignore[arg-type]
    return lake


def found(lake: Lake, series: Series = STOCK) -> list[tuple[str, str]]:
    return [(one.level, one.what) for one in check_series(lake, series)]


def test_a_sound_series_has_no_findings(tmp_path: Path, sessions: list[int]) -> None:
    """Holidays and weekends are no gaps."""
    assert found(fill(tmp_path, stock(sessions))) == []


def test_a_missing_session_is_wrong(tmp_path: Path, sessions: list[int]) -> None:
    """The day is named, and how often it was asked for."""
    lake = fill(tmp_path, stock(sessions[:50] + sessions[52:]))
    (one,) = check_series(lake, STOCK)
    assert one == Finding(STOCK, WRONG, "gap", sessions[50], 1, one.detail)
    assert one.detail == "expected until 2024-03-16T00:00, never asked for"


def test_a_jump_like_a_split_needs_one(tmp_path: Path, sessions: list[int]) -> None:
    """A halved price without an action is wrong, with one explained; a crash to 60 % deserves a look."""
    lake = fill(tmp_path / "a", stock(sessions, jump=80))
    (one,) = check_series(lake, STOCK)
    assert (one.level, one.what, one.ts_ns) == (WRONG, "jump", sessions[80])
    assert one.detail.startswith("the price changed down by a factor of 2, as by a split of 2,")
    actions = pl.DataFrame({"ts": [sessions[80]], "action": ["split"], "value": [2.0]})
    actions = actions.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))
    assert found(fill(tmp_path / "b", stock(sessions, jump=80), actions=actions)) == []
    assert found(fill(tmp_path / "c", stock(sessions, jump=80, ratio=1.66))) == [(LOOK, "jump")]


def test_values_and_volumes(tmp_path: Path, sessions: list[int]) -> None:
    """Impossible values are wrong; bars without volume and single bars far off deserve a look."""
    rows = stock(sessions)
    odd = pl.int_range(pl.len()) == 60
    spike = rows.with_columns(
        pl.when(odd).then(pl.col("high", "close") * 1.3).otherwise(pl.col("high", "close"))
    )
    assert found(fill(tmp_path / "a", spike)) == [(LOOK, "outlier")]
    idle = rows.with_columns(pl.when(odd).then(0.0).otherwise(pl.col("volume")).alias("volume"))
    assert found(fill(tmp_path / "b", idle)) == [(LOOK, "zero volume")]
    bad = rows.with_columns(pl.when(odd).then(pl.col("low") * 3).otherwise(pl.col("low")).alias("low"))
    assert found(fill(tmp_path / "c", bad)) == [(WRONG, "value")]


def test_clocks(tmp_path: Path, sessions: list[int]) -> None:
    """A clock more than five seconds off is wrong; a series that ends days ago deserves a look."""
    assert found(fill(tmp_path / "a", stock(sessions), skew_ns=-6 * NS)) == [(WRONG, "skew")]
    assert found(fill(tmp_path / "b", stock(sessions), skew_ns=4 * NS)) == []
    lake = fill(tmp_path / "c", stock(sessions))
    late = Lake(lake.root, clock=FixedClock(sessions[-1] + 10 * DAY_NS))
    (one,) = check_series(late, STOCK)
    assert (one.level, one.what, one.count) == (LOOK, "behind", 6)  # of ten days, six sessions had closed


def test_a_market_without_known_hours_says_so(tmp_path: Path) -> None:
    """An imported file without a calendar: gaps cannot be told from closed days."""
    path = tmp_path / "x.csv"
    path.write_text("ts,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-02,1,1,1,1\n2024-01-09,1,1,1,1\n")
    lake = Lake(tmp_path / "lake", clock=FixedClock(10**18))
    load_file(lake, path, LoadOptions(symbol="X"))
    assert (LOOK, "gap") in found(lake, Series("bars", "import", "X", "1d"))
    load_file(lake, path, LoadOptions(symbol="Y", calendar="24/7"))
    assert (WRONG, "gap") in found(lake, Series("bars", "import", "Y", "1d"))


def pulled(place: Place, server: Loopback, world: World) -> Lake:
    lake = place(server, world, "ccxt:binance")
    (done,) = pull(lake, [CANDLES], PullOptions(since_ns=JANUARY_NS), sleep=world.sleep)
    assert isinstance(done, Pulled)
    return lake


@pytest.fixture
def market() -> Binance:
    world = World(JANUARY_NS + 24 * 40 * 3600 * NS)
    return Binance(world, Faults(random.Random(0)), "1h", JANUARY_NS // 10**6, 24 * 60, 3, quiet=0.0)


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest", "gaps"])
def test_damage_is_found_and_fetched_anew(place: Place, market: Binance, damage: str) -> None:
    """A flipped bit, a cut or missing file, a broken manifest or table: found, put aside, right again."""
    del market.candles[JANUARY_NS // 10**6 + 7_200_000]  # a gap, so that there is a table of gaps
    with Loopback(market.world, market.faults, market.answer) as server:
        lake = pulled(place, server, market.world)
        store = lake.store(CANDLES)
        part = store.manifest().parts[0] if damage != "gaps" else store.manifest().beside["gaps"]
        path = store.folder / ("manifest.json" if damage == "manifest" else part.name)
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 4
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(data[: len(data) // 2] if damage == "cut" else data)
        what = "manifest" if damage == "manifest" else "checksum"
        assert (WRONG, what) in found(lake, CANDLES)
        (done,) = repair(lake, [CANDLES], sleep=market.world.sleep)
    assert isinstance(done.pulled, Pulled)
    assert done.rebuilt == (damage == "manifest")
    assert lake.bars("BTC/USDT", "1h").drop("symbol").collect().equals(market.truth())
    assert [one for one in check_series(lake, CANDLES) if one.what != "gap"] == []
    aside = sorted(path.name for path in (store.folder / "damaged").glob("*"))
    assert aside == ([part.name] if damage in ("flip", "cut", "gaps") else [])


def test_refetch_finds_what_was_revised_long_ago(place: Place, market: Binance) -> None:
    """A pull does not see a value deep in the past; a repair that fetches all again does, and records it."""
    with Loopback(market.world, market.faults, market.answer) as server:
        lake = pulled(place, server, market.world)
        market.candles[JANUARY_NS // 10**6][5] = "999.00000000"
        pull(lake, [CANDLES], PullOptions(), sleep=market.world.sleep)
        assert not lake.bars("BTC/USDT", "1h").drop("symbol").collect().equals(market.truth())
        (done,) = repair(lake, [CANDLES], refetch=True, sleep=market.world.sleep)
    assert isinstance(done.pulled, Pulled)
    assert done.pulled.revised == 1
    assert lake.bars("BTC/USDT", "1h").drop("symbol").collect().equals(market.truth())
    assert lake.revisions("BTC/USDT", "1h")["now"].to_list() == [999.0]
    assert (LOOK, "revised") in found(lake, CANDLES)


def test_trades_that_are_missing_by_number(place: Place, market: Binance) -> None:
    """An exchange that counts its trades: a hole in the numbers is found."""
    market.make_trades(300, 20_000.0)
    del market.trades[100:103]
    series = Series("trades", "ccxt:binance", "BTC/USDT")
    with Loopback(market.world, market.faults, market.answer) as server:
        lake = place(server, market.world, "ccxt:binance")
        pull(lake, [series], PullOptions(since_ns=JANUARY_NS), sleep=market.world.sleep)
    (one,) = check_series(lake, series)
    assert (one.level, one.what, one.count) == (WRONG, "gap", 3)


def test_what_was_imported_cannot_be_fetched(tmp_path: Path) -> None:
    """A damaged file of an imported series is put aside, and the user told to import it again."""
    path = tmp_path / "x.csv"
    path.write_text("ts,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-02,1,1,1,1\n")
    lake = Lake(tmp_path / "lake", clock=FixedClock(10**18))
    load_file(lake, path, LoadOptions(symbol="X"))
    series = Series("bars", "import", "X", "1d")
    part = lake.store(series).manifest().parts[0]
    (lake.store(series).folder / part.name).write_bytes(b"")
    (done,) = repair(lake, [series])
    assert isinstance(done.pulled, Failed)
    assert done.pulled.error.hint == "grn quant import the file again"
    load_file(lake, path, LoadOptions(symbol="X"))
    assert lake.bars("X", "1d").collect().height == 2
