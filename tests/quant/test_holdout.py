"""Locked periods: no way of running anything gets around them, and each opens once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import grn
from grn.kit.clock import FixedClock
from grn.kit.errors import DataError, ExitCode, HoldoutError, UsageError
from grn.ledger import Ledger
from grn.quant.holdout import lock, only_before, open_holdout, parse_moment
from grn.quant.replay import replay
from grn.quant.samples import sample
from grn.quant.search.run import search
from grn.quant.stream.run import stream_sweep
from tests.quant.markets import cross

DAYS = sample("SP500").collect().with_columns(pl.col("ts").cast(pl.Datetime("ns")))
PRICES = ("open", "high", "low", "close")
FROM = "2016-01-01"
NOW_NS = 1_795_401_000_000_000_000  # 2026-11-23 02:30:00 UTC
ONE = {"fast": 2, "slow": 5}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger", FixedClock(NOW_NS)) as opened:
        yield opened


WAYS: dict[str, Callable[[Any, Ledger, Path], Any]] = {
    "sweep": lambda data, book, _: grn.sweep(cross(), data, ledger=book),
    "sweep on the reference engine": lambda data, book, _: grn.sweep(
        cross([2], [5]), data.tail(800), ledger=book, engine="reference"
    ),
    "backtest": lambda data, book, _: grn.backtest(cross(), data, ONE, ledger=book),
    "search": lambda data, book, _: search(cross(), data, n=2, ledger=book),
    "halving": lambda data, book, _: search(cross(), data, "halving", n=3, ledger=book),
    "stream": lambda data, book, path: stream_sweep(cross(), data, path / "parts", ledger=book),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_into_a_locked_period(way: str, book: Ledger, tmp_path: Path) -> None:
    """Nothing is computed, nothing is counted; the message says what is locked and how to go on."""
    lock(DAYS, FROM, ledger=book)
    with pytest.raises(HoldoutError, match="SP500 is locked from 2016-01-01 on") as caught:
        WAYS[way](DAYS, book, tmp_path)
    assert caught.value.exit_code is ExitCode.BUDGET
    assert "--until 2016-01-01" in (caught.value.hint or "")
    assert (book.watermark(), book.invocations()) == (0, [])
    assert book.holdouts()[0].openings == ()


@pytest.mark.parametrize("way", WAYS)
def test_bars_before_it_are_free(way: str, book: Ledger, tmp_path: Path) -> None:
    """Cut off before the locked period everything runs, and the last bar ends before it."""
    lock(DAYS, FROM, ledger=book)
    with only_before(FROM):
        WAYS[way](DAYS, book, tmp_path)
    run = book.invocations()[0]
    last = run.inputs["data"][0]["last_ns"]  # type: ignore[index]
    assert last == parse_moment("2015-12-31")


DISGUISES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "another name": lambda f: f.with_columns(symbol=pl.lit("XYZ")),
    "no name": lambda f: f.drop("symbol"),
    "only the locked part": lambda f: f.filter(pl.col("ts").dt.year() >= 2016).drop("symbol"),
    "weeks": lambda f: f.group_by_dynamic("ts", every="1w").agg(
        pl.col("open").first(), pl.col("close").last()
    ),
    "halved prices": lambda f: f.select("ts", pl.col("open") / 2.0, pl.col("close") / 2.0),
    "new bars under its name": lambda f: f.tail(40).with_columns(
        pl.col("ts").dt.offset_by("3y"), *(pl.col(n) * pl.int_range(1, 41) for n in PRICES)
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", DISGUISES)
def test_a_disguise_does_not_help(how: str, book: Ledger) -> None:
    """The market is known again by its sketch, and later bars by their name."""
    lock(DAYS, FROM, ledger=book)
    with pytest.raises(HoldoutError, match="locked"):
        grn.sweep(cross([2], [5]), DISGUISES[how](DAYS), ledger=book)


def test_other_markets_are_free(book: Ledger) -> None:
    """A lock on one index is none on another one, and none on frames that happen to have no name."""
    lock(DAYS.drop("symbol"), FROM, ledger=book)
    grn.sweep(cross([2], [5]), sample("NASDAQ"), ledger=book)
    grn.sweep(cross([2], [5]), sample("NASDAQ").drop("symbol"), ledger=book)
    with pytest.raises(HoldoutError):
        grn.sweep(cross([2], [5]), sample("INDICES"), ledger=book)


def test_it_opens_once(book: Ledger) -> None:
    """The run that opened it is recorded; the next one is told which, and can replay it."""
    lock(DAYS, FROM, ledger=book)
    with open_holdout():
        first = grn.backtest(cross(), DAYS, ONE, ledger=book)
        with pytest.raises(HoldoutError, match="was opened before") as caught:
            grn.backtest(cross(), DAYS, {"fast": 3, "slow": 5}, ledger=book)
        with pytest.raises(HoldoutError, match="was opened before"):
            grn.backtest(cross(), DAYS, ONE, ledger=book)
    assert first.run in str(caught.value)
    (opening,) = book.holdouts()[0].openings
    assert (opening.run, opening.opened_ns) == (first.run, NOW_NS)
    assert replay(book, first.run).same
    assert book.check().faults == ()


def test_a_run_that_was_killed_may_be_run_again_as_it_was(
    book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opened the period and showed nothing: the same run may go on, another one may not."""
    from grn.quant import sweep as module

    lock(DAYS, FROM, ledger=book)
    with monkeypatch.context() as patch, open_holdout():
        patch.setattr(module, "compute", lambda *_a, **_k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            grn.backtest(cross(), DAYS, ONE, ledger=book)
    with open_holdout():
        with pytest.raises(HoldoutError, match="was opened before"):
            grn.backtest(cross(), DAYS, {"fast": 3, "slow": 5}, ledger=book)
        again = grn.backtest(cross(), DAYS, ONE, ledger=book)
    assert [o.run for o in book.holdouts()[0].openings][-1] == again.run
    assert len(book.holdouts()[0].openings) == 2


def test_a_lock_cannot_be_moved_or_made_twice(book: Ledger) -> None:
    """The same lock again is the same one; a later one releases nothing; an earlier one locks more."""
    first = lock(DAYS, FROM, ledger=book)
    assert lock(DAYS, FROM, ledger=book) == first
    lock(DAYS, "2018-01-01", ledger=book)
    with only_before("2018-01-01"), pytest.raises(HoldoutError, match="2016-01-01"):
        grn.sweep(cross([2], [5]), DAYS, ledger=book)
    lock(DAYS, "2010-01-01", ledger=book)
    with only_before(FROM), pytest.raises(HoldoutError, match="2010-01-01"):
        grn.sweep(cross([2], [5]), DAYS, ledger=book)


def test_looks_before_the_lock_are_known(book: Ledger) -> None:
    """Trials that had seen the period when it was locked are counted; those on earlier bars are not."""
    grn.sweep(cross([2], [5, 8]), DAYS, ledger=book)
    grn.sweep(cross([3], [5]), DAYS.filter(pl.col("ts").dt.year() < 2016), ledger=book)
    (one,) = lock(DAYS, FROM, ledger=book)
    assert book.count_touching(one).n == 2


def test_a_clock_that_is_set_back_hides_no_look(tmp_path: Path) -> None:
    """Locked "the day before" the sweep: the ledger's own order says that it had been seen."""
    with Ledger.open(tmp_path, FixedClock(NOW_NS)) as book:
        grn.sweep(cross([2], [5, 8]), DAYS, ledger=book)
    with Ledger.open(tmp_path, FixedClock(NOW_NS - 86_400 * 10**9)) as book:
        (one,) = lock(DAYS, FROM, ledger=book)
        assert book.count_touching(one).n == 2


def test_two_runs_cannot_both_be_the_first(tmp_path: Path) -> None:
    """Both were allowed when they asked; only one of them begins."""
    with Ledger.open(tmp_path) as book:
        (one,) = lock(DAYS, FROM, ledger=book)
    outcomes: list[str] = []

    def run(n: int) -> None:
        with Ledger.open(tmp_path) as mine:
            try:
                mine.begin("quant backtest", {"n": n}, opens=[one])
                outcomes.append("began")
            except HoldoutError:
                outcomes.append("refused")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["began", "refused", "refused", "refused"]


def test_a_weekly_bar_that_reaches_into_the_period_touches_it(book: Ledger) -> None:
    """It is labelled on Monday 2015-12-28 and ends in January."""
    lock(DAYS, FROM, ledger=book)
    weeks = DISGUISES["weeks"](DAYS).filter(pl.col("ts") < pl.datetime(2016, 1, 1))
    with pytest.raises(HoldoutError):
        grn.sweep(cross([2], [5]), weeks, ledger=book)
    with only_before(FROM):
        result = grn.sweep(cross([2], [5]), weeks, ledger=book)
    assert int(result.bars[0].ts_ns[-1]) == parse_moment("2015-12-21")


@pytest.mark.parametrize("moment", ["soon", "2016-13-01", ""])
def test_moments_are_days_or_times(moment: str) -> None:
    """Anything else is wrong usage."""
    with pytest.raises(UsageError, match="no day or time"):
        parse_moment(moment)


def test_moments_have_a_zone() -> None:
    """UTC where none is said."""
    assert parse_moment("1970-01-02") == 86_400 * 10**9
    assert parse_moment("1970-01-01T01:00:00+01:00") == 0


def test_an_end_before_the_first_bar_is_bad_data(book: Ledger) -> None:
    """There would be nothing to run on."""
    with only_before("1990-01-01"), pytest.raises(DataError, match="no bars before"):
        grn.sweep(cross([2], [5]), DAYS, ledger=book)
