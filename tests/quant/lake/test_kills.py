"""Pulls that are killed in the middle, and two pulls at once.

SIGKILL takes a process away between any two instructions; it does not take the power away (see
`tests/ledger/test_crash.py`: what is on the disk by then rests on fsync).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from grn.cli.main import main
from grn.quant.lake.check import WRONG, check_series
from grn.quant.lake.holdings import Lake
from grn.quant.lake.kinds import KINDS
from grn.quant.lake.series import Series
from tests.quant.lake.binance_double import Binance
from tests.quant.lake.conftest import forking, point
from tests.quant.lake.loopback import NS, Faults, Loopback, World

NIGHTLY = os.environ.get("GRN_NIGHTLY") == "1"
KILLS = 100 if NIGHTLY else 5  # of each of two kinds
PULLER = Path(__file__).with_name("puller.py")
JANUARY_MS = 1_704_067_200_000


def market(tmp_path: Path) -> tuple[World, Binance]:
    (tmp_path / "home").mkdir()
    world = World(JANUARY_MS * 10**6 + 1400 * 60 * NS)
    quiet = Faults(random.Random(0), 0.0)
    double = Binance(world, quiet, "1m", JANUARY_MS, 1500, 5, most_rows=50)
    double.make_trades(4000, 20_000.0)
    return world, double


@pytest.fixture(scope="module")
def puller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A process that forks pulls."""
    with forking(PULLER, tmp_path_factory.mktemp("cache")) as process:
        yield process


def start(process: subprocess.Popen[str], *words: object) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\t".join(map(str, words)) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def check(lake: Lake, series: Series, truth: pl.DataFrame, before: int) -> int:
    """What is there is true, whole, and no less than before; returns how much it is."""
    wrong = [
        one for one in check_series(lake, series) if one.level == WRONG and one.what not in ("gap", "skew")
    ]
    assert not wrong, wrong
    store = lake.store(series)
    manifest = store.manifest()
    rows = store.scan(manifest).collect()
    assert rows.height >= before
    rows = rows.drop(KINDS[series.kind].notes)  # what only a recorder knows
    assert rows.equals(truth.head(rows.height))  # from the first row on, none left out, none twice
    assert all((store.folder / name).exists() for name in manifest.retired)
    return rows.height


@pytest.mark.parametrize(
    ("kind", "interval", "span_s"), [("bars", "1m", 0.9), ("trades", "-", 1.6)], ids=["bars", "trades"]
)
def test_a_killed_pull_loses_nothing_and_goes_on(
    tmp_path: Path, puller: subprocess.Popen[str], kind: str, interval: str, span_s: float
) -> None:
    """SIGKILL at seeded moments of a pull; after each the lake verifies, and the next goes on."""
    dice = random.Random(20261123)
    world, double = market(tmp_path)
    series = Series(kind, "ccxt:binance", "BTC/USDT", None if interval == "-" else interval)
    truth = double.truth() if kind == "bars" else double.true_trades()
    killed = 0
    asked = tmp_path / "home", kind, interval, JANUARY_MS
    with Loopback(world, double.faults, double.answer) as server:
        assert puller.stdout is not None
        point(tmp_path / "home", "ccxt:binance", server.url, 5.0)
        fresh = 0
        while killed < KILLS:
            # A fresh lake whenever a pull has come to its end.
            lake = Lake(tmp_path / "home" / "lake")
            have = check(lake, series, truth, 0) if fresh else 0
            child = start(puller, *asked)
            time.sleep(dice.uniform(0.0, span_s))
            with suppress(ProcessLookupError):  # it was faster
                os.kill(child, signal.SIGKILL)
            end = puller.stdout.readline().strip()
            assert end in ("killed", "ended 0"), end
            killed += end == "killed"
            fresh += 1
            have = check(lake, series, truth, have)
            if have == truth.height:
                subprocess.run(["rm", "-r", str(lake.root)], check=True)
                fresh = 0
        start(puller, *asked)
        assert puller.stdout.readline() == "ended 0\n"
        assert check(lake, series, truth, 0) == truth.height
    named = {part.name for part in lake.store(series).manifest().parts}
    beside = {part.name for part in lake.store(series).manifest().beside.values()}
    retired = set(lake.store(series).manifest().retired)
    assert {path.name for path in lake.store(series).folder.glob("*.parquet")} == named | beside | retired


def grn(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "GRN_HOME": str(tmp_path / "home"), "GRN_CACHE": str(tmp_path / "cache")}
    command = [str(Path(sys.executable).parent / "grn"), "quant", *arguments]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_pulls_one_waits_and_one_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While one process writes, two others wait and one that may not refuses; the result is right."""
    world, double = market(tmp_path)
    series = Series("bars", "ccxt:binance", "BTC/USDT", "1m")
    lake = Lake(tmp_path / "home" / "lake")
    pull = ("pull", "ccxt:binance", "BTC/USDT", "--interval", "1m", "--since", "2024-01-01", "--json")
    with Loopback(world, double.faults, double.answer) as server:
        point(tmp_path / "home", "ccxt:binance", server.url, 5.0)
        with lake.store(series).writing(1.0):
            # In this process: the lock belongs to the open file, and the client is imported already.
            monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
            refused = main(["quant", *pull, "--wait", "0.2"])
            said = capsys.readouterr()
            first, second = grn(tmp_path, *pull, "--wait", "60"), grn(tmp_path, *pull, "--wait", "60")
            # Both have started, and wait for this process.
            time.sleep(1.0)
        answers = [json.loads(process.communicate()[0]) for process in (first, second)]
    assert (refused, said.out) == (2, "")
    assert "another process is writing ccxt:binance BTC/USDT 1m (seen: 'waited 0.2 s')" in said.err
    assert "hint: let it finish, or wait longer with --wait" in said.err
    truth = double.truth()
    assert sorted(answer[0]["added"] for answer in answers) == [0, truth.height]
    assert lake.bars("BTC/USDT", "1m").drop("symbol").collect().equals(truth)
