"""Two machines, one count."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grn.kit.clock import FixedClock
from grn.kit.errors import LedgerError, UsageError
from grn.ledger import Ledger
from grn.ledger.holdouts import Look
from grn.ledger.markets import DataSet, History
from grn.ledger.sketch import draw_sketch

START_NS = 1_795_401_000_000_000_000  # 2026-11-23 02:30:00 UTC
DAY_NS = 86_400 * 10**9
TS = 1_577_836_800 * 10**9 + np.arange(400) * DAY_NS


def opened(folder: Path, digits: str = "a") -> Ledger:
    numbers = itertools.count()
    return Ledger.open(folder, FixedClock(START_NS), suffix=lambda: f"{digits}{next(numbers):05x}")


def market(name: str, seed: int) -> DataSet:
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, len(TS))))
    history = History(name, name.upper(), len(TS), int(TS[0]), int(TS[-1]))
    return DataSet(name, ((history, draw_sketch(TS, close)),))


def sweep(ledger: Ledger, data: str, keys: list[int], *, seed: int = 0) -> str:
    ledger.enter_data([market(data, seed)])
    blob = ledger.put_blob(data.encode())
    run = ledger.begin("quant sweep", {"data": [{"blob": blob}], "keys": keys})
    trials = np.array(keys, np.uint64)
    mark = ledger.record_trials(run, data_id=data, strategy_key="s", keys=trials, sharpes=trials * 0.01)
    ledger.finish(run, exit_code=0, watermark=mark)
    return run


def tried(ledger: Ledger) -> list[tuple[object, ...]]:
    """What is counted, without the numbers of rows."""
    found = [(m.symbols, m.count.n, repr(m.count.sharpe_variance), m.count.sweeps) for m in ledger.markets()]
    return sorted(found)


def test_the_union_is_counted_whichever_way_it_is_made(tmp_path: Path) -> None:
    """Two settings in common, on data that are one market under two names: seven trials, not nine."""
    for way in ("ab", "ba"):
        first, second = opened(tmp_path / way / "a", "a"), opened(tmp_path / way / "b", "b")
        sweep(first, "one", [1, 2, 3, 4])
        sweep(first, "far", [1], seed=9)
        sweep(second, "one", [3, 4, 5])
        sweep(second, "two", [6, 7])
        into, of = (first, second) if way == "ab" else (second, first)
        merged = into.merge(of)
        assert merged.runs == 2
        assert [(symbols, n) for symbols, n, *_ in tried(into)] == [(("FAR",), 1), (("ONE", "TWO"), 7)]
        assert into.count_trials(["two"]).n == 7
        assert into.check().faults == ()
        assert into.get_blob(of.put_blob(b"one")) == b"one"


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sets(st.integers(0, 9), min_size=1)), max_size=6))
def test_merging_is_idempotent_and_does_not_depend_on_the_order(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, set[int]]]
) -> None:
    """One into the other, the other way round, and both again: the same counts, and nothing twice."""
    home = tmp_path_factory.mktemp("merge")
    books = {name: opened(home / name, name) for name in "ab"}
    for where, keys in history:
        sweep(books[where], "one", sorted(keys))
    a, b = books["a"], books["b"]
    a.merge(b)
    b.merge(a)
    assert tried(a) == tried(b)
    before = tried(a)
    for into, of in ((a, b), (b, a)):
        again = into.merge(of)
        assert (again.runs, again.trials, again.openings, again.blobs) == (0, 0, 0, 0)
    assert tried(a) == tried(b) == before
    assert a.check().faults == b.check().faults == ()
    assert a.count_trials(["one"]).n == len(set().union(*(keys for _, keys in history)))


def test_a_run_that_went_on_after_the_first_merge_is_completed(tmp_path: Path) -> None:
    """Its later trials and its end come with the next merge, and its watermark counts its own rows."""
    here, there = opened(tmp_path / "a", "a"), opened(tmp_path / "b", "b")
    sweep(here, "one", [1, 2])
    there.enter_data([market("one", 0)])
    run = there.begin("quant sweep", {})
    first = np.array([5], np.uint64)
    there.record_trials(run, data_id="one", strategy_key="s", keys=first, sharpes=np.zeros(1))
    here.merge(there)
    assert here.show(run).outcome is None
    mark = there.record_trials(run, data_id="one", strategy_key="s", keys=first + 1, sharpes=np.zeros(1))
    there.finish(run, exit_code=0, watermark=mark)
    assert here.merge(there).trials == 1
    outcome = here.show(run).outcome
    assert outcome is not None
    assert outcome.watermark == 3
    assert here.count_trials(["one"], watermark=outcome.watermark).n == 4


def test_a_conflict_is_refused_and_nothing_is_merged(tmp_path: Path) -> None:
    """The same run id with other inputs: one of the two is not what was written."""
    here, there = opened(tmp_path / "a", "a"), opened(tmp_path / "b", "a")
    sweep(here, "one", [1, 2])
    sweep(there, "one", [1, 2, 3])
    sweep(there, "two", [9], seed=4)
    before = tried(here)
    with pytest.raises(LedgerError, match="different things in invocations"):
        here.merge(there)
    assert tried(here) == before
    assert len(here.invocations()) == 1


def test_a_ledger_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    """Trials that were taken out elsewhere are not taken over; nor is a ledger merged with itself."""
    here, there = opened(tmp_path / "a", "a"), opened(tmp_path / "b", "b")
    sweep(there, "one", [1])
    connection = sqlite3.connect(tmp_path / "b" / "ledger.sqlite3", isolation_level=None)
    connection.execute("DROP TRIGGER trials_no_delete")
    connection.execute("DELETE FROM trials")
    connection.close()
    with pytest.raises(LedgerError, match="not whole"):
        here.merge(there)
    with pytest.raises(UsageError, match="itself"):
        here.merge(opened(tmp_path / "a"))


def test_hold_outs_and_openings_come_along(tmp_path: Path) -> None:
    """A period that was opened on one machine is open on the other one: once is once."""
    here, there = opened(tmp_path / "a", "a"), opened(tmp_path / "b", "b")
    sweep(here, "far", [1], seed=9)
    there.enter_data([market("one", 0)])
    look = Look("one", "ONE", int(TS[-1]))
    one = there.lock_holdout(look, int(TS[300]))
    run = there.begin("quant backtest", {}, opens=[one])
    merged = here.merge(there)
    assert merged.openings == 1
    (found,) = here.holdouts()
    assert (found.symbol, found.from_ns, [o.run for o in found.openings]) == ("ONE", int(TS[300]), [run])
    assert here.merge(there).openings == 0
    assert here.check().faults == ()


def test_erased_runs_stay_erased(tmp_path: Path) -> None:
    """What was erased on either side is not brought back, and the other side's copy goes."""
    here, there = opened(tmp_path / "a", "a"), opened(tmp_path / "b", "b")
    run = sweep(there, "one", [1, 2])
    here.merge(there)
    here.erase(run, who="me", why="licence")
    name = there.put_blob(b"one")
    assert here.merge(there).blobs == 0
    with pytest.raises(LedgerError, match="erased"):
        here.get_blob(name)
    there.merge(here)
    with pytest.raises(LedgerError, match="erased"):
        there.get_blob(name)
    assert there.count_trials(["one"]).n == here.count_trials(["one"]).n == 2
