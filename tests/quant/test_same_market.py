"""Trials cannot be washed away: whatever is done to the data, sweeps on one market are counted together."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit import versions as versions_of_packages
from grn.ledger import Ledger
from grn.ledger import migrations as schema
from grn.quant import record
from grn.quant.judge import validate
from grn.quant.samples import sample
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close, when
from tests.quant.markets import cross, random_walk

DAYS = sample("SP500").collect().with_columns(pl.col("ts").cast(pl.Datetime("ns")))
N = 6
"""Settings of `cross`."""

Change = Callable[[pl.DataFrame], pl.DataFrame]
PRICES = ("open", "high", "low", "close")


def identity_of(result: grn.SweepResult) -> str:
    return result.bars[0].identity


def resampled(every: str) -> Change:
    return lambda f: f.group_by_dynamic("ts", every=every).agg(
        pl.col("symbol").first(), pl.col("open").first(), pl.col("high").max(), pl.col("low").min(),
        pl.col("close").last(), pl.col("volume").sum(),
    ).select(f.columns)  # fmt: skip


def split(f: pl.DataFrame) -> pl.DataFrame:
    """Two for one, ten years ago: earlier prices are halved."""
    early = pl.int_range(pl.len()) < 2_500
    return f.with_columns(pl.when(early).then(pl.col(n) / 2.0).otherwise(pl.col(n)).alias(n) for n in PRICES)


WASHES: dict[str, Change] = {
    "a bar is appended": lambda f: pl.concat(
        [f, f.tail(1).with_columns(pl.col("ts").dt.offset_by("1d"), pl.col("volume") * 2.0)]
    ),
    "a split is adjusted": split,
    "the symbol is renamed": lambda f: f.with_columns(pl.lit("XYZ").alias("symbol")),
    "days become weeks": resampled("1w"),
    "days become months": resampled("1mo"),
    "a sub-period is cut out": lambda f: f.slice(1_000, 1_500),
    "noise is added": lambda f: f.with_columns(
        pl.col("close") * (1.0 + 1e-12 * pl.Series(np.random.default_rng(0).choice([-1.0, 1.0], len(f)))),
        pl.col("high") * 1.001, pl.col("low") * 0.999,
    ),
    "a bar is left out": lambda f: pl.concat([f.head(2_000), f.tail(-2_001)]),
    "stamps are moved to another zone": lambda f: f.with_columns(pl.col("ts") - pl.duration(hours=9)),
    "prices are in another currency": lambda f: f.with_columns(pl.col(n) * 1.95583 for n in PRICES),
}  # fmt: skip


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger")


@pytest.mark.parametrize("name", WASHES)
def test_changing_the_data_does_not_lower_the_count(name: str, book: Ledger) -> None:
    """Six trials on the S&P 500 stay when the same market is swept as other data, with another strategy."""
    grn.sweep(cross(), DAYS, ledger=book)
    changed = WASHES[name](DAYS)
    count = grn.sweep(cross([7, 8], [21]), changed, ledger=book).trials
    assert count is not None
    assert (count.n, count.data_sets) == (N + 2, 1 if "renamed" in name else 2)


def test_renaming_the_file_does_not_lower_the_count(book: Ledger, tmp_path: Path) -> None:
    """Parquet under one name, CSV under another, with a column more."""
    DAYS.drop("symbol").write_parquet(tmp_path / "spx.parquet")
    DAYS.drop("symbol").with_columns(score=1.0).write_csv(tmp_path / "mine.csv")
    grn.sweep(cross(), tmp_path / "spx.parquet", ledger=book)
    count = grn.sweep(cross([7], [21]), tmp_path / "mine.csv", ledger=book).trials
    assert count is not None
    assert count.n == N + 1


def test_upgrading_packages_does_not_lower_the_count(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor sketches know a version; the same sweep after an upgrade adds nothing."""
    first = grn.sweep(cross(), DAYS, ledger=book)
    monkeypatch.setattr(versions_of_packages, "package_version", lambda name: "99.0")
    monkeypatch.setattr(record, "versions", lambda: {"grn": "99.0", "numpy": "99.0"})
    again = grn.sweep(cross(), DAYS, ledger=book)
    assert first.result_key != again.result_key
    assert again.trials is not None
    assert again.trials.n == N


def test_other_markets_are_counted_for_themselves(book: Ledger) -> None:
    """Two indices that move together are two markets; a sweep over both counts each."""
    grn.sweep(cross(), sample("NASDAQ"), ledger=book)
    one = grn.sweep(cross(), DAYS, ledger=book).trials
    both = grn.sweep(cross(), sample("INDICES"), ledger=book).trials
    assert one is not None
    assert both is not None
    assert (one.n, both.n) == (N, 2 * N)


def test_an_account_of_several_symbols_looks_at_each_of_them(book: Ledger) -> None:
    """Weights on both indices are trials on the S&P 500 too, and another symbol beside it washes nothing."""
    weights = Weights(when(close > close.lag(5), 0.5, 0.0), every=5)
    grn.sweep(weights, sample("INDICES"), ledger=book)
    one = grn.sweep(cross([2], [5]), DAYS, ledger=book).trials
    assert one is not None
    assert one.n == 2
    other = pl.concat([DAYS.select("symbol", "ts", *PRICES), random_walk(200, symbol="Z").select(
        "symbol", pl.col("ts").cast(pl.Datetime("ns")), *PRICES)])  # fmt: skip
    beside = grn.sweep(weights, other, ledger=book, periods_per_year=252).trials
    assert beside is not None
    assert beside.n == 3


def test_rungs_of_a_halving_search_are_counted_once(book: Ledger) -> None:
    """A setting that saw a third of the bars and then all of them is one trial."""
    from grn.quant.search.halving import Halving
    from grn.quant.search.run import search

    found = search(cross(range(2, 6), range(8, 12)), DAYS, Halving(n=9, eta=3, rungs=2), ledger=book)
    assert found.trials is not None
    assert found.search is not None
    assert found.trials.n == found.search["tried"] == 9


def test_a_cut_of_a_cut_is_not_handed_on(book: Ledger) -> None:
    """Two halves of a history are two histories; the whole one faces the trials on both."""
    first = grn.sweep(cross([2], [5]), DAYS.head(2_500), ledger=book).trials
    second = grn.sweep(cross([2], [5]), DAYS.tail(2_500), ledger=book).trials
    whole = grn.sweep(cross([2], [5]), DAYS, ledger=book).trials
    assert [c.n for c in (first, second, whole) if c] == [1, 1, 3]


def test_sharpe_ratios_of_other_lengths_are_brought_to_one(book: Ledger) -> None:
    """The spread that weeks show is brought to days by the square root of the bars (Lo 2002, eq. 8)."""
    weeks = grn.sweep(cross([2], [5, 8]), resampled("1w")(DAYS), ledger=book)
    count = grn.sweep(cross([3], [8]), DAYS, ledger=book).trials
    assert count is not None
    scale = np.sqrt(len(weeks.bars[0]) / len(DAYS))
    assert count.widest_variance == pytest.approx(np.var(weeks.trial_sharpes[0] * scale, ddof=1), rel=1e-12)


def test_a_count_at_a_watermark_stays(book: Ledger) -> None:
    """Data that are entered later change no earlier count."""
    first = grn.sweep(cross([2], [5]), DAYS, ledger=book)
    before = first.trials
    grn.sweep(cross([3], [5]), DAYS.head(3_000), ledger=book)
    grn.sweep(cross([4], [5]), split(DAYS), ledger=book)
    assert before is not None
    assert book.count_trials([identity_of(first)], watermark=before.watermark) == before
    assert book.count_trials([identity_of(first)]).n == 3


def test_a_ledger_of_the_first_schema_is_carried_over(tmp_path: Path) -> None:
    """Its data are sketched from its own blobs with the first new run, and its trials count on other cuts."""
    with Ledger.open(tmp_path / "new") as new:
        grn.sweep(cross(), DAYS, ledger=new)
    old = tmp_path / "old"
    shutil.copytree(tmp_path / "new", old)
    (old / "ledger.sqlite3").unlink()
    connection = sqlite3.connect(old / "ledger.sqlite3", isolation_level=None)
    for statement in schema.MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("ATTACH ? AS new", (str(tmp_path / "new" / "ledger.sqlite3"),))
    # It says less of its strategy than runs do now; and there is a run of which nothing can be made.
    less = "json_remove(inputs, '$.strategy.interpreted', '$.strategy.params')"
    connection.execute(
        f"INSERT INTO invocations SELECT seq, run, began_ns, command, {less}, inputs_sha256, versions "
        "FROM new.invocations"
    )
    connection.execute(
        "INSERT INTO invocations SELECT seq + 1, 'strange', began_ns, command, "
        "json_remove(inputs, '$.data[0].blob'), "
        "inputs_sha256, versions FROM new.invocations"
    )
    for table in ("outcomes", "trials"):
        connection.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
    connection.close()
    with Ledger.open(old) as book:
        assert len(book.unsketched()) == 2
        count = grn.sweep(cross([7], [21]), DAYS.tail(2_000), ledger=book).trials
        assert count is not None
        assert count.n == N + 1
        assert book.unsketched() == []


SWEEPER = """
import sys, time
import grn
from pathlib import Path
from grn.ledger import Ledger
from grn.quant.samples import sample
from tests.quant.markets import cross

with Ledger.open(Path(sys.argv[1])) as book:
    grn.sweep(cross(range(2, 12), [20, 30]), sample("SP500").tail(4_000), ledger=book)
    print("recorded", flush=True)
    time.sleep(60)
"""


def test_looking_twice_is_paid_twice(tmp_path: Path) -> None:
    """Another process sweeps a cut of the data and is killed: the best of the first sweep is worth less."""
    home = tmp_path / "ledger"
    with Ledger.open(home) as book:
        first = grn.sweep(cross(range(2, 8), [10, 15]), DAYS, ledger=book)
        before = validate(first, shuffles=0).verdict
    with subprocess.Popen(
        [sys.executable, "-c", SWEEPER, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "recorded\n"
        other.send_signal(signal.SIGKILL)
    with Ledger.open(home) as book:
        assert book.count_trials([first.bars[0].identity]).n == 12 + 20
        again = grn.sweep(cross(range(2, 8), [10, 15]), DAYS, ledger=book)
        after = validate(again, shuffles=0).verdict
    assert (before.counted, after.counted) == (12, 32)
    assert after.dsr < before.dsr
    assert after.effective_dsr < before.effective_dsr
