"""Returns of trials: the same bits as a path, kept once, and sampled by a rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import grn
from grn.kit.errors import LedgerError, UsageError
from grn.ledger import Ledger
from grn.quant import returns as module
from grn.quant.result import SweepResult
from grn.quant.returns import pick_rows, trial_returns
from grn.quant.strategy.weights import Weights
from grn.quant.strategy.words import close, when
from tests.quant.markets import cross, random_walk, two_walks

WALK = random_walk(100)
DAY_NS = 86_400 * 10**9


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger") as opened:
        yield opened


def test_they_are_the_returns_of_the_paths(book: Ledger) -> None:
    """One column per row, one line per bar, bit for bit; rows come ascending and once."""
    result = grn.sweep(cross(), WALK, ledger=book)
    found = trial_returns(result, [4, 1, 4])
    assert found.rows.tolist() == [1, 4]
    assert found.returns.shape == (100, 2)
    assert found.unit == "bar"
    for k, row in enumerate((1, 4)):
        assert found.returns[:, k].tobytes() == result.path(row).returns.tobytes()
    sharpes = found.returns.mean(axis=0) / found.returns.std(axis=0, ddof=1)
    np.testing.assert_allclose(sharpes, result.trial_sharpes[0][[1, 4]], rtol=1e-9)


def test_they_are_computed_once(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time they come from the ledger, the same bytes; other rows or another version are others."""
    result = grn.sweep(cross(), WALK, ledger=book)
    first = trial_returns(result, ledger=book)
    again = grn.sweep(cross(), WALK, ledger=book)
    with monkeypatch.context() as patch:
        patch.setattr(module, "visit_curves", lambda *_, **__: pytest.fail("computed again"))
        second = trial_returns(again, ledger=book)
    assert second.returns.tobytes() == first.returns.tobytes()
    assert second.ts_ns.tobytes() == first.ts_ns.tobytes()
    monkeypatch.setattr(module, "versions", lambda: {"grn": "99"})
    with monkeypatch.context() as patch:
        patch.setattr(module, "visit_curves", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trial_returns(again, ledger=book)


def test_they_are_erased_with_their_run(book: Ledger) -> None:
    """What was kept goes, and is computed again when it is asked for; the chain of the ledger holds."""
    result = grn.sweep(cross(), WALK, ledger=book)
    kept = trial_returns(result, ledger=book)
    done = book.erase(result.run, who="me", why="room")
    assert len(done.blobs) == 2
    assert trial_returns(result, ledger=book).returns.tobytes() == kept.returns.tobytes()
    assert book.check().faults == ()


def test_a_result_that_the_ledger_does_not_know_is_computed_all_the_same(
    book: Ledger, tmp_path: Path
) -> None:
    """Nothing is kept under a run of another ledger."""
    with Ledger.open(tmp_path / "other") as other:
        result = grn.sweep(cross(), WALK, ledger=other)
    assert trial_returns(result, [0], ledger=book).returns.shape == (100, 1)
    assert not list((tmp_path / "ledger").glob("blobs/*/*"))


def test_large_sweeps_keep_the_best_and_an_even_sample(book: Ledger) -> None:
    """Half are the best by Sharpe ratio, half have the smallest keys of the rest."""
    result = grn.sweep(cross(range(2, 12), range(12, 22)), WALK, ledger=book)
    picked = pick_rows(result, 20)
    assert len(picked) == len(set(picked.tolist())) == 20
    assert (np.diff(picked) > 0).all()
    assert result.best("sharpe") in picked
    assert picked.tolist() == pick_rows(result, 20).tolist()
    # The same settings in another order of the grid: the same trials.
    turned = grn.sweep(cross(list(range(11, 1, -1)), list(range(21, 11, -1))), WALK, ledger=book)

    def settings(of: SweepResult) -> set[tuple[float, ...]]:
        return {tuple(of.grid.values[i]) for i in pick_rows(of, 20)}

    assert settings(turned) == settings(result)
    assert pick_rows(result, 100).tolist() == list(range(100))
    with pytest.raises(UsageError, match="two rows"):
        pick_rows(result, 1)


def test_the_sample_is_even(book: Ledger) -> None:
    """Of 400 settings, 100 sampled: each quarter has 25, give or take four standard errors (17)."""
    result = grn.sweep(cross(range(2, 22), range(22, 42)), WALK, ledger=book)
    picked = pick_rows(result, 101)
    by_number, _ = np.histogram(picked, bins=4, range=(0, 400))
    ranks = np.argsort(np.argsort(result.trial_sharpes[0]))
    by_sharpe, _ = np.histogram(ranks[picked], bins=4, range=(0, 400))
    for counts in (by_number, by_sharpe):
        assert counts.sum() == 101
        assert np.abs(counts - 25).max() <= 18  # the best is always among them


def test_days_come_before_weeks(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars of an hour are summed up by the day where they are too many; years have days."""
    hours = random_walk(480).with_columns(
        ts=pl.datetime_range(datetime(2020, 1, 1), datetime(2020, 1, 20, 23), "1h", eager=True)
    )
    result = grn.sweep(cross(), hours, ledger=book)
    bars = trial_returns(result)
    monkeypatch.setattr(module, "LARGE", 6 * 480 - 1)
    days = trial_returns(result)
    assert (bars.unit, days.unit, days.returns.shape) == ("bar", "day", (20, 6))
    np.testing.assert_allclose(days.returns[3], bars.returns[72:96].sum(axis=0), atol=1e-15)
    assert days.per_year(8766.0) == pytest.approx(365.2425)
    assert bars.per_year(8766.0) == 8766.0


def test_weeks_are_summed_when_there_is_too_much(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weeks from Monday, each the sum of its bars' returns; the whole sum is that of the bars."""
    result = grn.sweep(cross(), WALK, ledger=book)
    days = trial_returns(result)
    monkeypatch.setattr(module, "LARGE", 599)
    weeks = trial_returns(result, ledger=book)
    assert weeks.unit == "week"
    assert weeks.returns.shape == (15, 6)  # 2020-01-01, a Wednesday, and 99 days
    assert (weeks.ts_ns.view("datetime64[ns]").astype("datetime64[D]").astype(int) % 7 == 4).all()
    np.testing.assert_allclose(weeks.returns[1], days.returns[5:12].sum(axis=0), atol=1e-15)
    assert trial_returns(result, ledger=book).unit == "week"


def test_weeks_are_sums_in_the_order_of_the_bars() -> None:
    """Added up one after another, as a loop does it; an account may have no bars in a week."""
    data = two_walks(400)
    late = data.filter((pl.col("symbol") == "A") | (pl.col("ts") >= pl.datetime(2020, 3, 4)))
    result = grn.sweep(cross(), late)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGE", 0)
        weeks = trial_returns(result)
    for k in range(len(result)):
        path = result.path(k)
        slow = dict.fromkeys(weeks.ts_ns.tolist(), 0.0)
        for stamp, earned in zip(path.ts_ns.tolist(), path.returns.tolist(), strict=True):
            day = stamp // DAY_NS
            slow[(day - (day + 3) % 7) * DAY_NS] += earned  # 1970-01-01 was a Thursday
        assert weeks.returns[:, k].tolist() == list(slow.values())


def test_accounts_of_other_bars_share_one_calendar(book: Ledger) -> None:
    """A bar that an account does not have earns nothing; target weights have one account for all."""
    data = two_walks(60)
    late = data.filter((pl.col("symbol") == "A") | (pl.col("ts") >= pl.datetime(2020, 1, 21)))
    result = grn.sweep(cross([2], [5]), late, ledger=book)
    found = trial_returns(result, ledger=book)
    assert found.returns.shape == (60, 2)
    assert not found.returns[:20, 1].any()
    assert found.returns[20:, 1].tobytes() == result.path(1).returns.tobytes()
    weights = grn.sweep(Weights(when(close > close.lag(5), 0.5, 0.0), every=5), data, ledger=book)
    assert trial_returns(weights).returns[:, 0].tobytes() == weights.path(0).returns.tobytes()


def test_the_same_rows_of_a_run_with_another_symbol_are_others(book: Ledger) -> None:
    """Beside a symbol of other bars the calendar is another one, and so are the returns that are kept."""
    data = two_walks(60)
    early = data.filter((pl.col("symbol") == "B") | (pl.col("ts") < pl.datetime(2020, 1, 21)))
    both = grn.sweep(cross([2], [5]), early, ledger=book)
    assert trial_returns(both, [0], ledger=book).returns.shape == (60, 1)
    alone = grn.sweep(cross([2], [5]), early.filter(pl.col("symbol") == "A"), ledger=book)
    assert trial_returns(alone, [0], ledger=book).returns.shape == (20, 1)


def test_rows_that_are_not_there_are_refused(book: Ledger) -> None:
    """Below zero, above the last, or none at all; and bytes of another size are not read as returns."""
    result = grn.sweep(cross(), WALK, ledger=book)
    for rows in ([-1], [6], []):
        with pytest.raises(UsageError, match="no such row"):
            trial_returns(result, rows)
    chosen = np.array([0], np.int64)
    book.keep_returns(
        result.run,
        module._name(result, chosen, "bar", result.bars[0].ts_ns),
        module._pack(trial_returns(result)),
    )
    with pytest.raises(LedgerError, match="size"):
        trial_returns(result, [0], ledger=book)
