from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import grn as package
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger
from grn.quant.metrics.registry import METRICS
from tests.cli.quant.conftest import Grn
from tests.quant.markets import cross, two_walks

SETTING = ("-p", "fast=3", "-p", "slow=8")

COLUMNS = {
    "orders": ["order", "ts", "side", "units", "price", "value", "fees", "reason"],
    "trades": [
        "trade", "direction", "units", "entry_ts", "entry_price", "exit_ts", "exit_price", "fees", "pnl",
        "return", "bars", "status",
    ],
    "equity": ["ts", "close", "cash", "position", "equity"],
    "positions": ["from", "to", "bars", "units", "value"],
    "drawdowns": ["peak_ts", "trough_ts", "recovery_ts", "depth", "bars"],
}  # fmt: skip


def test_metrics_by_default_one_column_per_symbol(grn: Grn, folder: Path) -> None:
    """Every metric, those of the whole distribution included, and the parameters above them."""
    done = grn("backtest", "cross.py", *SETTING)
    assert done.code == 0
    assert done.rows[0] == ["A", "B"]
    assert [r[0] for r in done.rows[1:]] == ["fast", "slow", *METRICS]
    assert done.rows[1] == ["fast", "3", "3"]
    run = done.err.split()[1].rstrip(";")
    assert f"next: grn quant report {run}" in done.err


def test_json_has_stable_fields_and_the_numbers_of_the_api(grn: Grn, folder: Path) -> None:
    """run, result_key and the rows under the name of what was asked for."""
    done = grn("backtest", "cross.py", *SETTING, "--json")
    assert list(done.json) == ["run", "result_key", "metrics"]
    expected = package.backtest(cross(), folder / "bars.csv", {"fast": 3, "slow": 8}, engine="reference")
    assert list(done.json["metrics"][0]) == expected.frame.columns
    for row, mine in zip(done.json["metrics"], expected.frame.rows(named=True), strict=True):
        assert {k: v for k, v in row.items() if v is not None} == {k: v for k, v in mine.items() if v == v}


@pytest.mark.parametrize("show", COLUMNS)
def test_every_frame_is_printed_saved_and_given_as_json(grn: Grn, folder: Path, show: str) -> None:
    """The same rows three times: table, JSON with ISO timestamps, and a file."""
    done = grn("backtest", "cross.py", *SETTING, "--show", show, "--fill", "close", "-o", "rows.parquet")
    given = grn("backtest", "cross.py", *SETTING, "--show", show, "--fill", "close", "--json").json
    assert list(given) == ["run", "result_key", show]
    assert done.rows[0] == list(given[show][0]) == COLUMNS[show]
    assert len(done.rows) - 1 == len(given[show])
    saved = pl.read_parquet(folder / "rows.parquet")
    assert saved.columns == COLUMNS[show]
    assert len(saved) == len(given[show])
    for name in COLUMNS[show]:
        if saved[name].dtype == pl.Datetime:
            mine = [None if t is None else f"{t:%Y-%m-%d}" for t in saved[name]]
            assert [r[name] for r in given[show]] == mine
        else:
            assert [r[name] for r in given[show]] == saved[name].to_list()


def test_times_of_day_are_shown_where_there_are_any(grn: Grn, folder: Path) -> None:
    """Hourly bars: the stamps are ISO 8601 in UTC, to the second."""
    hours = two_walks().with_columns(
        ts=pl.datetime(2020, 1, 1) + pl.duration(hours=pl.int_range(pl.len()).over("symbol"))
    )
    hours.write_parquet(folder / "hours.parquet")
    done = grn("backtest", "cross.py", *SETTING, "--data", "hours.parquet", "--show", "equity", "--json")
    assert [r["ts"] for r in done.json["equity"][:2]] == ["2020-01-01", "2020-01-01T01:00:00"]


def test_the_symbol_can_be_chosen(grn: Grn, folder: Path) -> None:
    """By default the first; another by name."""
    first, second, named = (
        grn("backtest", "cross.py", *SETTING, "--show", "equity", "--json", *more).json["equity"]
        for more in ((), ("--symbol", "B"), ("--symbol", "A"))
    )
    assert first == named
    assert first != second


def test_it_counts_as_one_trial(grn: Grn, folder: Path) -> None:
    """The command is recorded under its own name; repeating it adds nothing."""
    runs = [grn("backtest", "cross.py", *SETTING, "--json").json["run"] for _ in range(2)]
    with Ledger.open(ledger_dir()) as book:
        entry = book.show(runs[1])
        assert entry.command == "quant backtest"
        assert book.count_trials([t.data_id for t in entry.trials]).n == 2


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        (["-p", "fast=3"], "'slow' has 2 values; a backtest needs one", "-p slow=5"),
        (["-p", "fast=2,3", "-p", "slow=8"], "a backtest takes one value per parameter", "grn quant sweep"),
        ([*SETTING, "-p", "length=3"], "no parameter 'length'", ""),
        ([*SETTING, "--symbol", "C"], "the data has no such symbol", "A, B"),
        ([*SETTING, "--show", "everything"], "--show", "--help"),
        (["-p", "fast=0", "-p", "slow=8"], "sma", "at least 1"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_counts(
    grn: Grn, folder: Path, options: list[str], says: str, hint: str
) -> None:
    """Exit code 2, what is wrong and what to do; no trial is recorded for it."""
    done = grn("backtest", "cross.py", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert hint in done.err
    assert not ledger_dir().exists()
