from __future__ import annotations

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from grn.cli.main import main
from grn.kit.clock import FixedClock
from grn.kit.paths import ledger_dir
from grn.ledger import Ledger

START_NS = 1_795_401_000_000_000_000  # 2026-11-23 02:30:00 UTC
FIRST, SECOND = "20261123T023000-000000", "20261123T023010-000001"


@pytest.fixture
def two_runs() -> None:
    """One run with trials on two data sets and an outcome, then one that was killed."""
    numbers = itertools.count()
    clock = FixedClock(START_NS)
    with Ledger.open(ledger_dir(), clock, suffix=lambda: f"{next(numbers):06x}") as ledger:
        run = ledger.begin("quant sweep", {"file": "ma_cross.py", "fee": 0.001, "symbols": ["A", "B"]})
        for data_id in ("d" * 64, "e" * 64):
            mark = ledger.record_trials(
                run,
                data_id=data_id,
                strategy_key="5" * 64,
                keys=np.array([1, 2, 3], np.uint64),
                sharpes=np.array([0.1, 0.3, math.nan]),
            )
        clock.advance(2.5)
        ledger.finish(run, exit_code=1, result_key="ab" * 32, watermark=mark, timings_s={"sweep": 0.25})
        clock.advance(7.5)
        ledger.begin("quant backtest", {})


@pytest.mark.usefixtures("two_runs")
def test_runs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The newest first; a run without an outcome is called unfinished."""
    assert main(["ledger"]) == 0
    assert capsys.readouterr().out == (
        "RUN                     BEGAN                 COMMAND         TRIALS  EXIT        RESULT\n"
        f"{SECOND}  2026-11-23T02:30:10Z  quant backtest       0  unfinished  -\n"
        f"{FIRST}  2026-11-23T02:30:00Z  quant sweep          6  1           abababababab\n"
    )


@pytest.mark.usefixtures("two_runs")
def test_runs_are_listed_as_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One object per line, with promised fields; --limit takes the newest."""
    assert main(["ledger", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["run"] for line in lines] == [SECOND, FIRST]
    assert lines[0]["outcome"] is None
    assert list(lines[1]) == [
        "run", "began_ns", "command", "inputs", "inputs_sha256", "versions", "trials", "outcome",
    ]  # fmt: skip
    assert list(lines[1]["outcome"]) == [
        "finished_ns", "exit_code", "result_key", "watermark", "timings_s", "outputs",
    ]  # fmt: skip
    assert list(lines[1]["trials"][0]) == [
        "watermark", "recorded_ns", "data_id", "strategy_key", "n", "blob",
    ]  # fmt: skip
    assert main(["ledger", "--json", "--limit", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.usefixtures("two_runs")
def test_a_run_is_shown_by_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    """Inputs, hashes, versions, timings, trials and outcome are all there."""
    assert main(["ledger", "show", FIRST[:-6]]) == 0
    out = capsys.readouterr().out
    facts = dict(line.split("  ", 1) for line in out.split("\n\n")[0].splitlines())
    facts = {name: value.strip() for name, value in facts.items()}
    assert facts["run"] == FIRST
    assert facts["finished"] == "2026-11-23T02:30:02Z"
    assert facts["exit code"] == "1"
    assert facts["result key"] == "ab" * 32
    assert facts["watermark"] == "2"
    assert facts["input file"] == "ma_cross.py"
    assert facts["input symbols"] == '["A", "B"]'
    assert facts["seconds sweep"] == "0.25"
    assert facts["version numpy"] == np.__version__
    assert len(facts["inputs sha256"]) == 64
    assert "dddddddddddd" in out.split("\n\n")[1]


@pytest.mark.usefixtures("two_runs")
def test_a_run_is_shown_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same object as in the list."""
    assert main(["ledger", "show", FIRST, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    main(["ledger", "--json"])
    assert shown == json.loads(capsys.readouterr().out.splitlines()[1])


@pytest.mark.usefixtures("two_runs")
def test_an_unfinished_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """It was killed or is still running: nobody can know which."""
    assert main(["ledger", "show", SECOND]) == 0
    assert "killed, or still running" in capsys.readouterr().out


@pytest.mark.usefixtures("two_runs")
def test_an_ambiguous_or_unknown_run_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, and the hint lists what it could be."""
    assert main(["ledger", "show", "2026"]) == 2
    assert FIRST in capsys.readouterr().err
    assert main(["ledger", "show", "1999"]) == 2
    assert (
        capsys.readouterr().err
        == "error: no run of that name (seen: '1999')\nhint: grn ledger lists the runs\n"
    )


@pytest.mark.usefixtures("two_runs")
def test_trials_are_counted_per_market(capsys: pytest.CaptureFixture[str]) -> None:
    """Three trials each, one without a ratio: mean 0.2, variance 0.02 of the other two (by hand)."""
    assert main(["ledger", "trials"]) == 0
    assert capsys.readouterr().out == (
        "MARKET        TRIALS  SWEEPS  RUNS  DATA SETS  FROM  TO  FIRST       NEWEST      SHARPE SD\n"
        "dddddddddddd       3       1     1          1  -     -   2026-11-23  2026-11-23   0.141421\n"
        "eeeeeeeeeeee       3       1     1          1  -     -   2026-11-23  2026-11-23   0.141421\n"
    )
    assert main(["ledger", "trials", FIRST, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(lines[0]) == [
        "symbols", "data_ids", "trials", "sweeps", "runs", "first_ns", "last_ns", "earliest_ns", "newest_ns",
        "sharpe_mean", "sharpe_variance", "watermark",
    ]  # fmt: skip
    assert [line["data_ids"] for line in lines] == [["d" * 64], ["e" * 64]]
    assert main(["ledger", "trials", SECOND]) == 0
    assert capsys.readouterr().out == ""
    assert main(["ledger", "trials", "NOTHING"]) == 2
    assert "no market and no run" in capsys.readouterr().err


@pytest.mark.usefixtures("two_runs")
def test_a_check_says_whether_the_ledger_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Code 0 and the head; code 1 and every fault once a blob is gone."""
    assert main(["ledger", "check"]) == 0
    assert capsys.readouterr().out.startswith("whole: 5 rows, head ")
    for path in (ledger_dir() / "blobs").glob("??/*.zst"):
        path.unlink()
    assert main(["ledger", "check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["whole", "rows", "head", "faults", "notes"]
    assert found["whole"] is False
    assert len(found["faults"]) == 2


@pytest.mark.usefixtures("two_runs")
def test_an_erasure_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    """It needs a reason, and it shows in the run; the trials stay."""
    assert main(["ledger", "erase", FIRST]) == 2
    assert main(["ledger", "erase", FIRST, "--why", "no room", "--who", "me"]) == 0
    assert "its trials count as before" in capsys.readouterr().err
    assert main(["ledger", "show", FIRST]) == 0
    assert "by me: no room" in capsys.readouterr().out


@pytest.mark.parametrize(
    "args",
    [
        ["ledger"],
        ["ledger", "--json"],
        ["ledger", "trials"],
        ["ledger", "trials", "--json"],
        ["ledger", "check"],
    ],
)
def test_looking_at_no_ledger_creates_none(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    """Nothing on stdout, a note on stderr, code 0."""
    assert main(args) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no runs yet" in captured.err
    assert not ledger_dir().exists()


def test_showing_from_no_ledger_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The run that was asked for does not exist."""
    assert main(["ledger", "show", "2026"]) == 2
    assert "no run of that name" in capsys.readouterr().err


@pytest.mark.usefixtures("two_runs")
def test_another_ledger_is_merged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its home or its folder; what was added is said on stderr, and the second time it is nothing."""
    shutil.copytree(ledger_dir(), tmp_path / "other" / "ledger")
    with Ledger.open(tmp_path / "other" / "ledger", suffix=lambda: "ffffff") as other:
        run = other.begin("quant sweep", {})
    assert main(["ledger", "merge", str(tmp_path / "other")]) == 0
    assert capsys.readouterr().err.startswith("added 1 run(s), 0 row(s) of trials")
    assert main(["ledger", "merge", str(tmp_path / "other" / "ledger")]) == 0
    assert capsys.readouterr().err.startswith("added 0 run(s)")
    assert main(["ledger", "show", run]) == 0
    assert main(["ledger", "merge", str(tmp_path)]) == 2
    assert "there is no ledger" in capsys.readouterr().err
