from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grn.kit.clock import FixedClock
from grn.kit.errors import LedgerError, OutputError, UsageError
from grn.kit.files import sha256_hex
from grn.ledger import Ledger, TrialCount

START_NS = 1_795_401_000_000_000_000  # 2026-11-23 02:30:00 UTC


def opened(folder: Path) -> Ledger:
    numbers = itertools.count()
    return Ledger.open(folder, FixedClock(START_NS), suffix=lambda: f"{next(numbers):06x}")


def record(ledger: Ledger, run: str, data_id: str, trials: dict[int, float]) -> int:
    return ledger.record_trials(
        run,
        data_id=data_id,
        strategy_key="strategy",
        keys=np.array(list(trials), np.uint64),
        sharpes=np.array(list(trials.values()), np.float64),
    )


def test_a_run_is_told_whole(tmp_path: Path) -> None:
    """Inputs, hash, versions, trials, timings and outcome come back as they were given."""
    with opened(tmp_path) as ledger:
        run = ledger.begin("quant sweep", {"file": "ma.py", "fee": 0.001, "nan": math.nan})
        mark = record(ledger, run, "data", {1: 0.1, 2: 0.2})
        blob = ledger.put_blob(b"frame")
        ledger.finish(
            run,
            exit_code=1,
            result_key="key",
            watermark=mark,
            timings_s={"sweep": 0.25},
            outputs={"frame": blob, "best": 0.2},
        )
    with opened(tmp_path) as ledger:
        found = ledger.show(run)
        assert ledger.get_blob(blob) == b"frame"
    assert found.run == "20261123T023000-000000"
    assert found.began_ns == START_NS
    assert found.command == "quant sweep"
    assert found.inputs == {"fee": 0.001, "file": "ma.py", "nan": "NaN"}
    assert found.inputs_sha256 == sha256_hex(b'{"fee":0.001,"file":"ma.py","nan":"NaN"}')
    assert found.versions["numpy"] == np.__version__
    assert [(row.watermark, row.data_id, row.n) for row in found.trials] == [(1, "data", 2)]
    assert found.n_trials == 2
    assert found.outcome is not None
    assert (found.outcome.exit_code, found.outcome.result_key, found.outcome.watermark) == (1, "key", 1)
    assert found.outcome.timings_s == {"sweep": 0.25}
    assert found.outcome.outputs == {"best": 0.2, "frame": blob}


def test_a_run_that_did_not_finish_has_no_outcome(tmp_path: Path) -> None:
    """Its trials count all the same: they were made."""
    with opened(tmp_path) as ledger:
        run = ledger.begin("quant sweep", {})
        record(ledger, run, "data", {1: 0.1})
    with opened(tmp_path) as ledger:
        assert ledger.show(run).outcome is None
        assert ledger.count_trials(["data"]).n == 1


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    """Within one second too, in the order in which they began, not of their random digits."""
    digits = iter(["ffffff", "000000", "888888"])
    with Ledger.open(tmp_path, FixedClock(START_NS), suffix=lambda: next(digits)) as ledger:
        runs = [ledger.begin("c", {"n": n}) for n in range(3)]
        assert [found.run for found in ledger.invocations()] == runs[::-1]
        assert [found.run for found in ledger.invocations(limit=2)] == runs[:0:-1]


def test_a_run_id_that_is_taken_is_drawn_again(tmp_path: Path) -> None:
    """Two runs of one second and the same digits get two ids; an endless collision is an error."""
    digits = itertools.chain(["aaaaaa", "aaaaaa", "bbbbbb"], itertools.repeat("aaaaaa"))
    with Ledger.open(tmp_path, FixedClock(START_NS), suffix=lambda: next(digits)) as ledger:
        runs = [ledger.begin("c", {}), ledger.begin("c", {})]
        assert [run[-6:] for run in runs] == ["aaaaaa", "bbbbbb"]
        with pytest.raises(LedgerError, match="no free run id"):
            ledger.begin("c", {})


def test_a_run_is_found_by_a_prefix_that_fits_one(tmp_path: Path) -> None:
    """An ambiguous or unknown prefix is a usage error that helps; an exact id is never ambiguous."""
    digits = iter(["ab", "abc", "b%_"])
    with Ledger.open(tmp_path, FixedClock(START_NS), suffix=lambda: next(digits)) as ledger:
        first, second, third = (ledger.begin("c", {}) for _ in range(3))
        assert ledger.show(second).run == second
        assert ledger.show(first).run == first
        assert ledger.show("20261123T023000-b").run == third
        with pytest.raises(UsageError, match="3 runs") as caught:
            ledger.show("2026")
        assert first in (caught.value.hint or "")
        for unknown in ("2025", "%", "", "20261123T023000-b%_x"):
            with pytest.raises(UsageError, match="no run"):
                ledger.show(unknown)


def test_a_run_ends_once(tmp_path: Path) -> None:
    """The past is not edited, and a run that never began does not end."""
    with opened(tmp_path) as ledger:
        run = ledger.begin("c", {})
        ledger.finish(run, exit_code=0)
        with pytest.raises(LedgerError, match="outcome already"):
            ledger.finish(run, exit_code=1)
        with pytest.raises(LedgerError, match="no such run"):
            ledger.finish("20261123T023000-zzzzzz", exit_code=0)
        found = ledger.show(run).outcome
        assert found is not None
        assert found.exit_code == 0


def test_trials_of_an_unknown_run_are_refused(tmp_path: Path) -> None:
    """Every trial can be traced to what made it."""
    with opened(tmp_path) as ledger:
        with pytest.raises(LedgerError, match="no such run"):
            record(ledger, "nobody", "data", {1: 0.1})
        assert ledger.watermark() == 0


histories = st.lists(
    st.tuples(st.sampled_from("abc"), st.dictionaries(st.integers(0, 12), st.floats(-2, 2), max_size=8)),
    max_size=6,
)


@given(histories, st.sets(st.sampled_from("abcd")))
def test_the_count_is_the_size_of_a_union_at_every_watermark(
    history: list[tuple[str, dict[int, float]]], asked: set[str]
) -> None:
    """Against a plain dict; and what was counted at a watermark is counted there for ever."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as ledger:
        run = ledger.begin("quant sweep", {})
        union = dict[int, float]()
        expected = [(0, 0)]
        seen = [repr(ledger.count_trials(sorted(asked)))]
        for data_id, trials in history:
            record(ledger, run, data_id, trials)
            if data_id in asked:
                union = {**trials, **union}
            expected.append((len(union), expected[-1][1] + (data_id in asked)))
            seen.append(repr(ledger.count_trials(sorted(asked))))
        for mark, (n, sweeps) in enumerate(expected):
            count = ledger.count_trials(sorted(asked), watermark=mark)
            assert (count.n, count.sweeps, count.watermark) == (n, sweeps, mark)
            assert repr(count) == seen[mark]


def test_sharpe_moments_are_those_of_the_first_ratio_of_each_key(tmp_path: Path) -> None:
    """Key 2 comes again with another ratio and keeps 0.3: mean 0.2, variance 0.02 (by hand)."""
    with opened(tmp_path) as ledger:
        run = ledger.begin("c", {})
        record(ledger, run, "data", {1: 0.1, 2: 0.3})
        record(ledger, run, "data", {2: 9.0, 3: math.nan})
        count = ledger.count_trials(["data", "data"])
    assert (count.n, count.sweeps, count.watermark) == (3, 2, 2)
    assert count.sharpe_mean == pytest.approx(0.2, abs=1e-15)
    assert count.sharpe_variance == pytest.approx(0.02, abs=1e-15)


def test_an_empty_ledger_counts_nothing(tmp_path: Path) -> None:
    """No trials, no moments; unknown data are data without trials."""
    with opened(tmp_path) as ledger:
        count = ledger.count_trials(["never"])
    assert repr(count) == repr(TrialCount(0, math.nan, math.nan, math.nan, 0, 0))


def test_data_sets_are_listed_in_the_order_of_their_first_trials(tmp_path: Path) -> None:
    """Each once."""
    with opened(tmp_path) as ledger:
        run = ledger.begin("c", {})
        for data_id in ("z", "a", "z"):
            record(ledger, run, data_id, {1: 0.0})
        assert ledger.data_ids() == ["z", "a"]


def test_a_damaged_blob_stops_the_count(tmp_path: Path) -> None:
    """A count that leaves out what it cannot read would flatter the strategy."""
    with opened(tmp_path) as ledger:
        run = ledger.begin("c", {})
        record(ledger, run, "data", {1: 0.1})
        blob = ledger.show(run).trials[0].blob
        path = tmp_path / "blobs" / blob[:2] / f"{blob}.zst"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(LedgerError, match="damaged"):
            ledger.count_trials(["data"])


def test_looking_creates_nothing(tmp_path: Path) -> None:
    """exists() is a question."""
    assert not Ledger.exists(tmp_path / "ledger")
    assert list(tmp_path.iterdir()) == []
    opened(tmp_path / "ledger").close()
    assert Ledger.exists(tmp_path / "ledger")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file is in the way: the error says which path."""
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="taken"):
        Ledger.open(tmp_path / "taken" / "ledger")


def test_inputs_without_a_canonical_form_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A run whose inputs cannot be hashed cannot be named."""
    with opened(tmp_path) as ledger:
        with pytest.raises(TypeError, match="set"):
            ledger.begin("c", {"x": {1, 2}})
        assert ledger.invocations() == []


def test_listing_imports_no_numpy(tmp_path: Path) -> None:
    """`grn ledger` answers at once: NumPy is needed for trials only."""
    code = (
        "import sys, pathlib; from grn.ledger import Ledger\n"
        "with Ledger.open(pathlib.Path(sys.argv[1])) as ledger:\n"
        "    ledger.finish(ledger.begin('c', {}), exit_code=0); ledger.invocations()\n"
        "print(sorted({'numpy', 'numba', 'polars', 'zstandard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
