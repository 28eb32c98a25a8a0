"""The commands of the data lake: what they print, what they return, what they refuse."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from grn.kit.paths import grn_home
from tests.cli.quant.conftest import Grn
from tests.quant.lake.binance_double import Binance
from tests.quant.lake.conftest import point
from tests.quant.lake.loopback import NS, Faults, Loopback, Present

HOUR_NS = 3600 * NS
DAILY = """\
Date,Open,High,Low,Close,Volume
2024-01-02,10,11,9,10,100
2024-01-03,10,12,10,11,100
2024-01-04,11,12,10,12,100
"""
PULL = ("pull", "ccxt:binance", "BTC/USDT", "--interval", "1h")


@pytest.fixture(autouse=True)
def home(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a cache of its own."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir(exist_ok=True)
    (folder / "daily.csv").write_text(DAILY, encoding="utf-8")
    return tmp_path / "home"


@pytest.fixture
def market(home: Path) -> Iterator[Binance]:
    """An exchange whose time is this machine's, with two weeks of hourly candles."""
    world = Present()
    begin_ms = (world.now_ns // HOUR_NS - 14 * 24) * HOUR_NS // 10**6
    double = Binance(world, Faults(random.Random(0)), "1h", begin_ms, 14 * 24 + 2, 3, quiet=0.0)
    with Loopback(world, double.faults, double.answer) as server:
        point(home, "ccxt:binance", server.url, 5.0)
        yield double


def files(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*.parquet")}


def test_pull_list_check_export(grn: Grn, market: Binance, folder: Path) -> None:
    """The way of a series through the commands; what is exported feeds a backtest."""
    done = grn(*PULL)
    assert done.code == 0, done.err
    assert done.rows[0] == ["SERIES", "ADDED", "REVISED", "OPEN", "GAPS", "ROWS", "FIRST", "LAST"]
    assert done.rows[1][:6] == ["ccxt:binance", "BTC/USDT", "1h", "336", "0", "1"]
    assert "note: ccxt:binance BTC/USDT 1h: the last 30 days; --since gives more" in done.err
    listed = grn("ls", "--json").json
    assert list(listed[0]) == ["source", "symbol", "kind", "interval", "rows", "first_ns", "last_ns",
    "open_gaps",
                               "files", "bytes", "pulled_ns"]  # fmt: skip
    assert listed[0]["rows"] == 336
    # What lies before the listing is a gap until it was asked for in three pulls.
    assert grn("check").code == 1
    for _ in range(2):
        again = grn("pull", "--all", "--json")
        assert again.code == 0
        assert (again.json[0]["added"], again.json[0]["revised"]) == (0, 0)
    checked = grn("check", "BTC/USDT", "--json")
    assert checked.code == 0
    assert checked.json == {"series": 1, "wrong": 0, "findings": []}
    assert grn("export", "BTC/USDT", "--interval", "1h", "-o", "btc.parquet").code == 0
    exported = pl.read_parquet("btc.parquet")
    assert exported.drop("symbol").equals(market.truth().select(exported.drop("symbol").columns))
    assert grn("backtest", "cross.py", "-p", "fast=2", "-p", "slow=5", "--data", "btc.parquet").code == 0


def test_a_table_for_a_person(grn: Grn) -> None:
    """`ls` prints one line per series, dates without their midnight, and nothing yet as a note."""
    empty = grn("ls")
    assert (empty.code, empty.out) == (0, "")
    assert "nothing yet in" in empty.err
    done = grn("import", "daily.csv", "--symbol", "MINE", "--calendar", "XNYS")
    assert done.code == 0, done.err
    assert "daily.csv: ts = Date, open = Open, high = High, low = Low, close = Close" in done.err
    assert done.rows[1] == ["daily.csv", "import", "MINE", "1d", "3", "0", "0"]
    shown = ["import", "MINE", "bars", "1d", "3", "2024-01-02", "2024-01-04", "0", "1"]
    assert grn("ls").rows[1][:9] == shown
    assert grn("ls", "OTHER").out == ""


def test_several_symbols_one_of_them_wrong(grn: Grn, market: Binance) -> None:
    """What can be pulled is pulled; the other is an error on stderr and in the exit code."""
    done = grn("pull", "ccxt:binance", "BTC/USD", "BTC/USDT", "--interval", "1h", "--json")
    assert done.code == 2
    assert done.json[0]["error"] == "binance has no such symbol (seen: 'BTC/USD')"
    assert done.json[1]["rows"] == 336
    assert "error: ccxt:binance BTC/USD 1h: binance has no such symbol" in done.err
    assert "hint: did you mean BTC/USDT" in done.err


def test_damage_is_a_clean_no_and_repair_mends_it(grn: Grn, market: Binance, home: Path) -> None:
    """Exit code 1 with the file named; after the repair everything is as before."""
    assert grn(*PULL).code == 0
    before = grn("ls", "--json").json[0]["rows"]
    (path,) = [path for path in files(home) if "gaps" not in path.name]
    path.write_bytes(path.read_bytes()[:-9])
    checked = grn("check")
    assert checked.code == 1
    assert path.name in checked.out
    assert "wrong: 1" in checked.err
    mended = grn("repair", "--json")
    assert mended.code == 0, mended.err
    assert mended.json[0]["put_aside"] == [path.name]
    assert grn("ls", "--json").json[0]["rows"] == before


WRONG: list[tuple[tuple[str, ...], int, str]] = [
    (("pull",), 2, "say what to pull"),
    (("pull", "yfinance"), 2, "say what to pull"),
    (("pull", "--all"), 2, "the lake has nothing to bring up to date"),
    (("pull", "--all", "yfinance"), 2, "--all takes no source"),
    (("pull", "nosuch", "SPY"), 2, "no such source of data"),
    (("pull", "ccxt:nosuch", "SPY"), 2, "ccxt has no such exchange"),
    (("pull", "yfinance:x", "SPY"), 2, "yfinance is one source"),
    (("pull", "ccxt:binance", "X", "--interval", "daily"), 2, "unknown interval"),
    (("pull", "ccxt:binance", "X", "--since", "soon"), 2, "not a date"),
    (("pull", "ccxt:binance", "X", "--wait", "-1"), 2, "--wait"),
    (("import", "nosuch.csv"), 2, "there is no such file"),
    (("import", "daily.csv"), 2, "does not say of which symbol"),
    (("import", "daily.csv", "--symbol", "X", "--column", "open"), 2, "a column reads ours=theirs"),
    (("import", "daily.csv", "--symbol", "X", "--calendar", "NOWHERE"), 2, "there is no such calendar"),
    (("import", "cross.py", "--symbol", "X"), 2, "is not imported"),
    (("check", "NOSUCH"), 2, "the lake has no such symbol"),
    (("repair", "NOSUCH"), 2, "the lake has no such symbol"),
    (("export", "NOSUCH", "-o", "x.csv"), 2, "the lake has no such series of bars"),
]


@pytest.mark.parametrize(("arguments", "code", "says"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_what_makes_no_sense_is_refused(grn: Grn, arguments: tuple[str, ...], code: int, says: str) -> None:
    """Exit code, what is wrong, nothing on stdout, nothing in the lake."""
    done = grn(*arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert not list(grn_home().rglob("*.parquet"))


def test_no_network(grn: Grn, home: Path) -> None:
    """Nobody at the address: exit code 3, how often it was tried, and what to do."""
    (home / "sources.toml").write_text('["yfinance"]\nbase_url = "http://127.0.0.1:9"\ntries = 2\n')
    done = grn("pull", "yfinance", "SPY")
    assert (done.code, done.out) == (3, "")
    assert "yfinance did not answer, asked 2 times" in done.err
    assert "hint: check the network" in done.err
    assert not (home / "lake" / "bars").exists()


def test_a_root_that_cannot_be_written(grn: Grn, home: Path) -> None:
    """A read-only place is refused, also for the superuser."""
    (home / "config.toml").write_text('data_root = "/proc/lake"\n')
    done = grn("import", "daily.csv", "--symbol", "MINE")
    assert (done.code, done.out) == (2, "")
    assert "cannot write /proc/lake" in done.err
    for text, says in (
        ('data_root = "lake"', "must be a whole path"),
        ("data_quota_gib = 0", "must be positive"),
    ):
        (home / "config.toml").write_text(f"{text}\n")
        assert says in grn("ls").err


def test_a_full_disk_and_a_spent_quota(grn: Grn, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is written: exit code 2 for the disk, 4 for the quota."""
    from grn.quant.lake import room

    (home / "config.toml").write_text("data_quota_gib = 1e-7\n")
    spent = grn("import", "daily.csv", "--symbol", "MINE")
    assert (spent.code, spent.out) == (4, "")
    assert "would not fit the lake's quota" in spent.err
    (home / "config.toml").unlink()
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("usage", (), {"free": 1000}))
    full = grn("import", "daily.csv", "--symbol", "MINE")
    assert (full.code, full.out) == (2, "")
    assert "has no room for" in full.err
    assert not files(home)


def test_a_disk_that_fills_up_while_writing(grn: Grn, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC in the middle: the old state stands, no half file is left."""
    import errno
    import os

    assert grn("import", "daily.csv", "--symbol", "MINE").code == 0
    before = files(home)
    (Path("more.csv")).write_text(DAILY + "2024-01-05,12,13,11,12,100\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = grn("import", "more.csv", "--symbol", "MINE")
    monkeypatch.undo()
    assert (done.code, done.out) == (2, "")
    assert "no space left on device" in done.err
    assert files(home) == before
    assert not list(home.rglob("*.tmp"))
