"""Whatever is wrong with the input: the exit code, the message, and nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from grn.kit.paths import grn_home, ledger_dir
from grn.ledger import Ledger
from tests.cli.quant.conftest import Grn

HEADER = "symbol,ts,open,high,low,close,volume"
GOOD = [
    "X,2020-01-01,10,11,9,10,100",
    "X,2020-01-02,10,11,9,10,100",
    "X,2020-01-03,10,11,9,10,100",
]
# Uses every price and the volume, so that all of them are checked.
EVERYTHING = (
    "from grn.quant import Strategy, close, high, low, open_, volume\n"
    "strategy = Strategy((close > low) & (volume > 1), open_ < high)\n"
)


def broken(row: int, text: str) -> str:
    """The good file with one row replaced."""
    rows = list(GOOD)
    rows[row] = text
    return "\n".join([HEADER, *rows, ""])


FAULTS: dict[str, tuple[str, str]] = {
    "a missing column": ("symbol,ts,open,high,low,close\nX,2020-01-01,1,1,1,1\n", "volume"),
    "no timestamps": ("symbol,open,high,low,close,volume\nX,1,1,1,1,1\n", "'ts'"),
    "a column of text": (
        broken(1, "X,2020-01-02,ten,11,9,10,100"),
        "open in row 1 is not a number",
    ),
    "unsorted timestamps": (broken(2, "X,2020-01-01T12,10,11,9,10,100"), "row 2"),
    "a date before the last": (broken(2, "X,2019-12-31,10,11,9,10,100"), "row 2"),
    "a duplicate timestamp": (broken(2, "X,2020-01-02,10,11,9,10,100"), "row 2"),
    "text for a timestamp": (broken(1, "X,yesterday,10,11,9,10,100"), "row 1"),
    "a missing timestamp": (broken(1, "X,,10,11,9,10,100"), "row 1"),
    "mixed time zones": (
        "symbol,ts,open,high,low,close,volume\nX,2020-01-01T00:00:00,10,11,9,10,1\n"
        "X,2020-01-02T00:00:00+02:00,10,11,9,10,1\n",
        "row 1",
    ),
    "a missing symbol": (broken(1, ",2020-01-02,10,11,9,10,100"), "symbol is missing in row 1"),
    "a missing price": (broken(1, "X,2020-01-02,10,11,9,,100"), "row 1"),
    "a NaN price": (broken(1, "X,2020-01-02,10,11,9,NaN,100"), "row 1"),
    "an infinite price": (broken(1, "X,2020-01-02,inf,inf,9,10,100"), "row 1"),
    "a price of zero": (broken(1, "X,2020-01-02,10,11,0,10,100"), "row 1"),
    "a negative price": (broken(1, "X,2020-01-02,10,11,9,-10,100"), "row 1"),
    "high below low": (broken(1, "X,2020-01-02,10,8,9,10,100"), "row 1"),
    "close above high": (broken(1, "X,2020-01-02,10,11,9,12,100"), "row 1"),
    "open below low": (broken(1, "X,2020-01-02,8,11,9,10,100"), "row 1"),
    "a negative volume": (broken(1, "X,2020-01-02,10,11,9,10,-1"), "row 1"),
    "a missing volume": (broken(1, "X,2020-01-02,10,11,9,10,"), "row 1"),
    "no rows": (HEADER + "\n", "holds no rows"),
    "an empty file": ("", "bars.csv"),
}


@pytest.mark.parametrize("verb", ["sweep", "backtest", "leaks"])
@pytest.mark.parametrize(("text", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_of_the_data_is_named(grn: Grn, folder: Path, verb: str, text: str, says: str) -> None:
    """Exit code 2; the row, or the column, and what is wrong; no run is recorded."""
    (folder / "bars.csv").write_text(text, encoding="utf-8")
    (folder / "mine.py").write_text(EVERYTHING, encoding="utf-8")
    done = grn(verb, "mine.py", "--data", "bars.csv")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert says in done.err
    assert "Traceback" not in done.err
    assert not ledger_dir().exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.csv", None, "missing.csv"),
        ("NOSAMPLE", None, "NOSAMPLE"),
        ("bars.xlsx", b"PK", "bars.xlsx"),
        ("bars.parquet", b"no parquet at all", "bars.parquet"),
        ("bars.arrow", b"no arrow at all", "bars.arrow"),
        (".", None, ""),
    ],
)
def test_data_that_cannot_be_read_are_named(
    grn: Grn, folder: Path, name: str, content: bytes | None, says: str
) -> None:
    """A missing file, an unknown sample, a foreign format, a folder, and files that are not what they say."""
    if content is not None:
        (folder / name).write_bytes(content)
    done = grn("sweep", "cross.py", "--data", name)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "unexpected" not in done.err
    assert "hint: " in done.err
    assert not ledger_dir().exists()


def test_no_data_at_all(grn: Grn, folder: Path) -> None:
    """A file that leaves the data open needs --data."""
    (folder / "open.py").write_text(EVERYTHING, encoding="utf-8")
    for verb in ("sweep", "backtest", "leaks"):
        done = grn(verb, "open.py")
        assert (done.code, done.out) == (2, "")
        assert "no data to run on (seen: 'open.py')" in done.err
        assert "--data SP500" in done.err


@pytest.mark.parametrize("verb", ["sweep", "backtest", "leaks"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such strategy file"),
        ("x = (\n", "mine.py, line 1: SyntaxError"),
        ("import grn\n\nraise ValueError('boom')\n", "mine.py, line 3: ValueError: boom"),
        ("def f():\n    return 1 / 0\nf()\n", "mine.py, line 2: ZeroDivisionError"),
        ("import no_such_module\n", "mine.py, line 1: ModuleNotFoundError"),
        ("from grn.quant import smaa\n", "mine.py, line 1: "),
        ("x = 1\n", "a strategy file defines one strategy (seen: '0 in mine.py')"),
        ("from grn.quant import close, sma\nsma(close, 0)\n", "below its minimum"),
        ("from grn.quant import close\nbool(close > 1)\n", "no truth value"),
        (EVERYTHING + 'def data():\n    raise OSError("offline")\n', "mine.py, line 4: OSError: offline"),
        (EVERYTHING + "costs = 0.001\n", "costs must be a Costs object"),
    ],
)
def test_strategy_files_that_raise_are_named_with_their_line(
    grn: Grn, folder: Path, verb: str, text: str | None, says: str
) -> None:
    """Exit code 2, file, line, and the error in its own words; no traceback without --debug."""
    if text is not None:
        (folder / "mine.py").write_text(text, encoding="utf-8")
    done = grn(verb, "mine.py", "--data", "bars.csv")
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert not ledger_dir().exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["fast=9:12"], "no parameter combination is left (seen: '8 before `where`: (fast < slow)')"),
        (["fast=5:3"], "'fast' has no values"),
        (["fast="], "a parameter setting reads name=value (seen: 'fast=')"),
        (["fast"], "a parameter setting reads name=value (seen: 'fast')"),
        (["=3"], "a parameter setting reads name=value"),
        (["fast=a"], "a parameter setting reads name=value"),
        (["fast=1:5:0"], "a parameter setting reads name=value"),
        (["fast=1:5:-1"], "a parameter setting reads name=value"),
        (["fast=1:5:1:1"], "a parameter setting reads name=value"),
        (["fast=1:inf"], "a parameter setting reads name=value"),
        (["fast=nan"], "'fast' takes finite numbers"),
        (["fast=2.5"], "'fast' takes whole numbers"),
        (["fast=2,2"], "'fast' lists a value twice"),
        (["fast=2", "fast=3"], "'fast' is set twice"),
        (["length=3"], "no parameter 'length'"),
        (["fast=0"], "sma"),
    ],
    ids=str,
)
def test_settings_that_make_no_grid_are_refused(
    grn: Grn, folder: Path, settings: list[str], says: str
) -> None:
    """Exit code 2; what is wrong with which setting; nothing recorded, also with --dry-run."""
    options = [part for text in settings for part in ("-p", text)]
    for more in ((), ("--dry-run",)):
        done = grn("sweep", "cross.py", *options, *more)
        assert (done.code, done.out) == (2, "")
        assert says in done.err
    assert not ledger_dir().exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["fast=1:1000000000000"], "need 93,132.3 GiB before a sweep begins"),
        (["fast=0:1e300:0.5"], "GiB before a sweep begins"),
        (["fast=1:50000", "slow=1:50000"], "the grid needs 93.1 GiB"),
        (["fast=2:90", "slow=2:90"], "the sweep needs "),
    ],
    ids=str,
)
def test_a_grid_too_large_for_memory_is_priced_first(
    grn: Grn, folder: Path, settings: list[str], says: str
) -> None:
    """Exit code 4, the price and the budget in the message; nothing was run, and no run is recorded."""
    (grn_home() / "config.toml").write_text("memory_gib = 0.001\n", encoding="utf-8")
    options = [part for text in settings for part in ("-p", text)]
    done = grn("sweep", "cross.py", *options)
    assert (done.code, done.out) == (4, "")
    assert says in done.err
    assert "hint: take" in done.err
    assert not ledger_dir().exists()


def test_a_replay_that_does_not_fit_is_priced_too(grn: Grn, folder: Path) -> None:
    """A run of a larger machine, looked at on a smaller one: exit code 4 instead of a crash."""
    run = grn("sweep", "cross.py", "-p", "fast=2:90", "-p", "slow=2:90", "--json").json["run"]
    (grn_home() / "config.toml").write_text("memory_gib = 0.0001\n", encoding="utf-8")
    for verb in ("validate", "report"):
        done = grn(verb, run)
        assert (done.code, done.out) == (4, "")
        assert "GiB" in done.err


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        (["-o", "missing/x.csv"], "the output folder does not exist", "mkdir -p"),
        (["-o", "cross.py/x.csv"], "the output folder is a file", "another folder"),
        (["-o", "/proc/x.csv"], "the output folder is not writable", "another folder"),
        (["-o", "/proc/self/x.parquet"], "the output folder is not writable", "another folder"),
        (["-o", "folder.csv"], "the output path is a folder", "file name"),
        (["-o", "pipe.csv"], "the output path is not a regular file", "name a file"),
        (["-o", "x.xlsx"], "unknown output format (seen: '.xlsx')", ".parquet or .csv"),
        (["-o", "x"], "unknown output format (seen: 'x')", ".parquet or .csv"),
        (["--report", "missing/x.html"], "the output folder does not exist", "mkdir -p"),
        (["--report", "/proc/x.html"], "the output folder is not writable", "another folder"),
        (["--report", "/dev/null"], "the output path is not a regular file", "name a file"),
    ],
    ids=str,
)
def test_output_that_cannot_be_written_is_refused_before_the_run(
    grn: Grn, folder: Path, options: list[str], says: str, hint: str
) -> None:
    """Exit code 2, also for the superuser; nothing was run, nothing is left behind."""
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    before = sorted(p.name for p in folder.rglob("*"))
    done = grn("sweep", "cross.py", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert hint in done.err
    assert sorted(p.name for p in folder.rglob("*")) == before
    assert not ledger_dir().exists()


@pytest.mark.parametrize("target", ["-o", "--report"])
def test_a_disk_that_fills_up_while_writing_leaves_the_old_file(
    grn: Grn, folder: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """The run is recorded, because it was made; the file is the old one, whole, and no temporary is left."""
    name = "x.csv" if target == "-o" else "x.html"
    (folder / name).write_text("the old one", encoding="utf-8")
    real = os.fsync

    def full(descriptor: int) -> None:
        if folder in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    done = grn("sweep", "cross.py", target, name)
    assert done.code == 2
    assert f"cannot write {name}" in done.err
    assert (folder / name).read_text(encoding="utf-8") == "the old one"
    assert sorted(p.name for p in folder.iterdir()) == sorted(["bars.csv", "cross.py", name])
    with Ledger.open(ledger_dir()) as book:
        # A report's verdict is entered too, before the page is written.
        entry = book.invocations()[-1]
        assert entry.outcome is not None
        assert entry.outcome.exit_code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fee", "-0.1"], "fee must be at least 0"),
        (["--fee", "nan"], "fee must be a finite number"),
        (["--fee", "abc"], "--fee"),
        (["--slippage", "1"], "slippage must be at least 0 and below 1"),
        (["--cash", "0"], "cash must be above 0"),
        (["--fill", "open"], "--fill"),
        (["--size", "half"], "unknown size (seen: 'half')"),
        (["--size", "fraction:2"], "a size above the leverage can never be bought in full"),
        (["--size", "quantity:"], "unknown size (seen: 'quantity:')"),
        (["--size", "value:-1"], "Value must be above 0"),
        (["--metrics", "sharpe,nope"], "unknown metric (seen: 'nope')"),
        (["--metrics", ","], "no metric named"),
        (["--engine", "gpu"], "--engine"),
        (["--by", "nope"], "unknown metric (seen: 'nope')"),
        (["--by", "var"], "rows can be ordered by one of the sweep's metrics (seen: 'var')"),
        (["--by", "all"], "rows can be ordered by one of the sweep's metrics"),
        (["--top", "0"], "--top"),
        (["--threads", "0"], "--threads"),
        (["--nonsense"], "--nonsense"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused_before_the_run(
    grn: Grn, folder: Path, left_alone: Callable[[], bool], options: list[str], says: str
) -> None:
    """Exit code 2; the option or the value at fault; nothing recorded."""
    done = grn("sweep", "cross.py", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert left_alone()
    assert not ledger_dir().exists()


def test_an_engine_that_cannot_refuses_by_name(grn: Grn, folder: Path) -> None:
    """The step that stands in the way is named, and what to do."""
    (folder / "slow.py").write_text(
        "from grn.quant import Strategy, close, step\n"
        "@step(state=1, jit=False)\ndef level(state, x):\n    return x\n"
        'strategy = Strategy(level(close) > 1, close < 1)\ndata = "bars.csv"\n',
        encoding="utf-8",
    )
    done = grn("sweep", "slow.py", "--engine", "cpu")
    assert (done.code, done.out) == (2, "")
    assert "engine 'cpu' refuses: step level" in done.err
    assert grn("sweep", "slow.py").code == 0
    assert grn("leaks", "slow.py").code == 0
    assert grn("backtest", "slow.py", "--show", "trades").code == 0
