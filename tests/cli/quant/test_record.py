"""The commands `record` and `book`: how a recording ends, what it says, what it refuses."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grn.kit.paths import grn_home
from tests.cli.quant.conftest import Grn
from tests.quant.lake.binance_streams import Streams
from tests.quant.lake.conftest import point
from tests.quant.lake.loopback import NS, World


@pytest.fixture(autouse=True)
def home(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a cache of its own."""
    monkeypatch.setenv("GRN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir(exist_ok=True)
    return tmp_path / "home"


@pytest.fixture
def exchange(home: Path) -> Iterator[Streams]:
    """An exchange that streams a round of messages every 10 ms."""
    stop = threading.Event()
    with Streams(World(1_704_067_200 * NS), 3).running() as double:
        point(home, "ccxt:binance", double.url, 5.0)

        def play() -> None:
            while not stop.is_set():
                double.do(double.step())
                time.sleep(0.01)

        playing = threading.Thread(target=play)
        playing.start()
        yield double
        stop.set()
        playing.join()


def test_ctrl_c_ends_a_recording_with_a_summary(exchange: Streams, home: Path) -> None:
    """SIGINT is how a recording ends: exit code 0, a row per series, and nothing else said."""
    command = [str(Path(sys.executable).parent / "grn"), "quant", "record", "ccxt:binance", "BTC/USDT",
               "ETH/USDT", "--book", "--trades", "--json"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 40
        journals = home / "lake" / "book"
        while time.monotonic() < deadline and sum(p.stat().st_size for p in journals.rglob("*.log")) < 20_000:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    done = json.loads(out)
    assert [(one["kind"], one["symbol"]) for one in done] == [
        ("book", "BTC/USDT"), ("trades", "BTC/USDT"), ("book", "ETH/USDT"), ("trades", "ETH/USDT")
    ]  # fmt: skip
    assert all(one["messages"] and one["journals_left"] == 0 and one["error"] is None for one in done)


def test_record_look_and_export(grn: Grn, exchange: Streams) -> None:
    """A recording of a given length; its book at a moment, on the screen, as JSON and as a file."""
    done = grn("record", "ccxt:binance", "BTC/USDT", "--book", "--for", "2s")
    assert done.code == 0, done.err
    assert done.rows[0] == ["SERIES", "MESSAGES", "ROWS", "BREAKS", "FIRST", "LAST"]
    assert done.rows[1][:3] == ["ccxt:binance", "BTC/USDT", "book"]
    shown = grn("book", "BTC/USDT", "--levels", "3")
    assert shown.rows[0] == ["BID", "AMOUNT", "BID", "ASK", "ASK", "AMOUNT"]
    assert len(shown.rows) == 4
    best = grn("book", "BTC/USDT", "--levels", "1", "--json").json
    assert best["bids"][0][0] < best["asks"][0][0]
    listed = grn("ls", "BTC/USDT", "--json").json
    assert (listed[0]["kind"], listed[0]["interval"]) == ("book", None)
    # The clock of the exchange is in 2024, and that is wrong indeed.
    checked = grn("check", "--json")
    assert {one["what"] for one in checked.json["findings"] if one["level"] == "wrong"} == {"skew"}
    assert grn("export", "BTC/USDT", "--kind", "book", "-o", "book.parquet").code == 0
    early = grn("book", "BTC/USDT", "--at", "2023-12-31")
    assert early.code == 2
    assert "has no recording that begins before this moment (seen: '2023-12-31T00:00:00.000')" in early.err
    late = grn("book", "BTC/USDT", "--at", "2030-01-01")
    assert late.code == 2
    assert "was not recorded then" in late.err
    # Nothing is fetched for a book; the command says so by doing nothing.
    assert grn("repair").code == 0


WRONG: list[tuple[tuple[str, ...], int, str]] = [
    (("record", "ccxt:binance", "BTC/USDT"), 2, "say what to record"),
    (("record", "ccxt:binance", "--book"), 2, "missing argument"),
    (
        ("record", "ccxt:binance", "BTC/USDT", "--book", "--for", "ten"),
        2,
        "not a length of time (seen: 'ten')",
    ),
    (("record", "ccxt:binance", "BTC/USDT", "--book", "--for", "0s"), 2, "not a length of time"),
    (("record", "yfinance", "SPY", "--trades"), 2, "no such source of data"),
    (("record", "ccxt:nosuch", "BTC/USDT", "--book"), 2, "ccxt has no such exchange"),
    (("record", "ccxt:bitflyer", "BTC/JPY", "--book"), 2, "ccxt cannot stream from bitflyer"),
    (("book", "BTC/USDT"), 2, "the lake has no such series of book"),
    (("book", "BTC/USDT", "--at", "yesterday"), 2, "not a date"),
]


@pytest.mark.parametrize(("arguments", "code", "says"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_what_makes_no_sense_is_refused(grn: Grn, arguments: tuple[str, ...], code: int, says: str) -> None:
    """Exit code, what is wrong, nothing on stdout, nothing in the lake."""
    done = grn(*arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert not list(grn_home().rglob("*.parquet"))


def test_nobody_there_and_no_room(grn: Grn, home: Path, exchange: Streams) -> None:
    """No network is exit code 3, a quota 4, an unknown symbol 2 with the nearest; nothing is left behind."""
    (home / "config.toml").write_text("data_quota_gib = 0.001\n", encoding="utf-8")
    full = grn("record", "ccxt:binance", "BTC/USDT", "--book")
    assert full.code == 4
    assert "would not fit the lake's quota" in full.err
    (home / "config.toml").unlink()
    unknown = grn("record", "ccxt:binance", "BTC/USDX", "--book", "--trades")
    assert unknown.code == 2
    assert "binance has no such symbol (seen: 'BTC/USDX')" in unknown.err
    assert "did you mean BTC/USDT" in unknown.err
    point(home, "ccxt:binance", "http://127.0.0.1:9", 0.5)
    (home / "sources.toml").write_text(
        (home / "sources.toml").read_text(encoding="utf-8") + "tries = 1\n", encoding="utf-8"
    )
    alone = grn("record", "ccxt:binance", "BTC/USDT", "--book")
    assert alone.code == 3
    assert "did not answer" in alone.err
    assert grn("ls", "--json").json == []


def test_a_root_that_cannot_be_written(grn: Grn, home: Path, exchange: Streams) -> None:
    """A lake whose place is a file, or read-only, is refused before anything is heard."""
    (home / "lake").write_text("not a folder", encoding="utf-8")
    done = grn("record", "ccxt:binance", "BTC/USDT", "--book")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert str(home / "lake") in done.err
    (home / "config.toml").write_text('data_root = "/proc/lake"\n', encoding="utf-8")
    done = grn("record", "ccxt:binance", "BTC/USDT", "--book")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert "/proc/lake" in done.err


def test_a_file_that_cannot_grow(grn: Grn, home: Path, exchange: Streams) -> None:
    """A write refused by the system in the middle ends the recording, exit code 2; the rest is a series."""
    most = 60_000
    command = [str(Path(sys.executable).parent / "grn"), "quant", "record", "ccxt:binance", "BTC/USDT",
               "--book", "--json", "--for", "60s"]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr
    (one,) = json.loads(done.stdout)
    assert one["error"] is not None
    assert one["journals_left"] == 0
    assert not list((home / "lake").rglob("*.log"))
    assert not list((home / "lake").rglob("*.tmp"))
    assert grn("book", "BTC/USDT", "--json").json["bids"]
    checked = grn("check", "--json").json["findings"]
    assert {finding["what"] for finding in checked if finding["level"] == "wrong"} == {"skew"}


def test_a_damaged_recording(grn: Grn, home: Path, exchange: Streams) -> None:
    """A file that is not what was written: `book` names it and what to do, `check` finds it."""
    assert grn("record", "ccxt:binance", "BTC/USDT", "--book", "--for", "2s").code == 0
    (part,) = (home / "lake").rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    done = grn("book", "BTC/USDT")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert part.name in done.err
    checked = grn("check", "--json")
    assert checked.code == 1
    assert "checksum" in {finding["what"] for finding in checked.json["findings"]}
