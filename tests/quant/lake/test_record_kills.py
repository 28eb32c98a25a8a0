"""Recordings that are killed: what was acknowledged is there, nothing is half there, the gap is told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from grn.cli.main import main
from grn.quant.lake.check import check_series
from grn.quant.lake.findings import WRONG
from grn.quant.lake.holdings import Lake
from grn.quant.lake.journal import find_journals
from grn.quant.lake.repair import repair
from grn.quant.lake.series import Series
from tests.quant.lake.binance_streams import Streams
from tests.quant.lake.conftest import forking, point
from tests.quant.lake.loopback import World
from tests.quant.lake.test_record import BEGIN_NS, SYMBOLS, compare, true_trades

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
KILLS = 50 if NIGHTLY else 3
RECORDER = Path(__file__).with_name("recorder.py")


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A process that forks recordings."""
    with forking(RECORDER, tmp_path_factory.mktemp("cache")) as process:
        yield process


def acknowledged(process: subprocess.Popen[str], home: Path, span_s: float) -> dict[str, tuple[int, int]]:
    """Start a recording, kill it after a while, and return what it had said was written."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{home}\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    killer = threading.Timer(span_s, os.kill, (child, signal.SIGKILL))
    killer.start()
    said: dict[str, tuple[int, int]] = {}
    for line in process.stdout:
        if line.strip() == "done":
            break
        if not line.endswith(" .\n"):
            continue  # killed in the middle of it
        kind, symbol, heard, last_id, _ = line.split()
        said[f"{kind} {symbol}"] = (int(heard), int(last_id))
    killer.join()
    return said


def test_a_killed_recording_keeps_what_it_acknowledged(
    tmp_path: Path, recorder: subprocess.Popen[str]
) -> None:
    """SIGKILL at seeded moments of a recording of many small journals; then repair, or another recording."""
    dice = random.Random(20261123)
    world, stop = World(BEGIN_NS), threading.Event()
    (tmp_path / "home").mkdir()
    lake = Lake(tmp_path / "home" / "lake")
    books = {symbol: Series("book", "ccxt:binance", symbol) for symbol in SYMBOLS}
    trades = {symbol: Series("trades", "ccxt:binance", symbol) for symbol in SYMBOLS}
    rows: dict[Series, int] = {}
    heard = 0
    with Streams(world, 11).running() as exchange:
        point(tmp_path / "home", "ccxt:binance", exchange.url, 5.0)

        def play() -> None:
            while not stop.is_set():
                exchange.do(exchange.step())
                time.sleep(0.01)

        playing = threading.Thread(target=play)
        playing.start()
        try:
            for number in range(KILLS):
                said = acknowledged(recorder, tmp_path / "home", dice.uniform(0.4, 2.5))
                heard += sum(count for count, _ in said.values())
                if number % 2:
                    continue  # the next recording takes the journals in
                known = lake.series()
                mended = repair(lake, [one for one in known if one.kind == "book"])
                assert not any(done.put_aside for done in mended)
                for symbol, series in books.items():
                    if series not in known:
                        continue
                    updates = lake.book_updates(symbol).collect()
                    last = said.get(f"book {symbol}", (0, 0))[1]
                    assert (updates["last_id"].max() or 0) >= last  # type: ignore[operator]
                    assert updates.height >= rows.get(series, 0)
                    rows[series] = updates.height
        finally:
            stop.set()
            playing.join()
    assert heard > 20 * KILLS
    repair(lake, [series for series in lake.series() if series.kind == "book"])
    for symbol, series in books.items():
        assert {one.what for one in check_series(lake, series) if one.level == WRONG} <= {"skew"}
        assert find_journals(lake.store(series).folder) == []
        gaps = lake.book_gaps(symbol)
        assert set(gaps["why"]) == {"not recorded"}
        known_, _ = compare(lake, exchange, symbol)
        assert known_ > 10
        store = lake.store(trades[symbol])
        if find_journals(store.folder):
            continue  # of the last recording; repair would ask the exchange, which is gone
        got = lake.trades(symbol).drop("symbol").collect()
        truth = true_trades(exchange, symbol)
        assert got.join(truth, on=truth.columns, how="anti").is_empty()
        assert got["id"].is_unique().all()
    assert not list(lake.root.rglob("*.tmp"))
    for series in lake.series():
        manifest = lake.store(series).manifest()
        named = {part.name for part in (*manifest.parts, *manifest.beside.values())} | set(manifest.retired)
        assert {path.name for path in lake.store(series).folder.glob("*.parquet")} == named


def test_the_trades_of_a_killed_recording_come_with_the_next_pull(
    tmp_path: Path,
    recorder: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`check` names journals that nobody took in; `repair` takes them in and asks for what is missing."""
    world = World(BEGIN_NS)
    (tmp_path / "home").mkdir()
    lake = Lake(tmp_path / "home" / "lake")
    series = Series("trades", "ccxt:binance", "BTC/USDT")
    with Streams(world, 12).running() as exchange:
        point(tmp_path / "home", "ccxt:binance", exchange.url, 5.0)
        stop = threading.Event()

        def play() -> None:
            while not stop.is_set():
                exchange.do(exchange.step())
                time.sleep(0.01)

        playing = threading.Thread(target=play)
        playing.start()
        said = acknowledged(recorder, tmp_path / "home", 2.5)
        stop.set()
        playing.join()
        assert said["trades BTC/USDT"][0] > 5
        assert "journal" in {one.what for one in check_series(lake, series) if one.level == WRONG}
        monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
        assert main(["quant", "repair", "BTC/USDT"]) == 0, capsys.readouterr().err
    received = lake.trades("BTC/USDT", received=True).filter(pl.col("received").is_not_null()).collect()
    assert received.height >= said["trades BTC/USDT"][0]
    assert "journal" not in {one.what for one in check_series(lake, series)}
